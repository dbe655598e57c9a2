/* The system module's services, shared by its parts: modules, snapshots, slots. */
#ifndef SYS_H
#define SYS_H

#include "kernel.h"

/** Number in the query of the request being handled: 1; 0 if it is not there, negative if it is none. */
int ts_query_number(const char *key, uint32_t *value);
/** Module that the path of the request names, or -1. */
int32_t ts_module_of_request(void);
/** CRC-32 of more bytes after those whose CRC-32 is `crc`; 0 for the first. */
uint32_t ts_crc32_more(uint32_t crc, const void *data, uint32_t n);
static inline uint32_t ts_crc32(const void *data, uint32_t n) { return ts_crc32_more(0, data, n); }

/** What the slots do for the services of modules. */
struct ts_slots_part {
    void (*job)(void); /* of the system module, after module states changed */
    const char *(*name)(uint32_t module); /* of its slot; null: it is in none */
    uint32_t (*hold)(uint32_t module);
    uint32_t (*release)(uint32_t module, int resume); /* the opposite: from its state, or from the beginning */
};
/** Set where there are slots. */
extern const struct ts_slots_part *ts_slots_part;
/** Has the job run. */
void ts_sys_wake(void);

uint32_t ts_state_read(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_state_write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);

/* Handlers and contracts of the services that every image with modules has. */
uint32_t ts_modules_list(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_module_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_module_control(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_module_fault(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_image(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
/** In remote/worker.c: an edge says that it has come, by bytes that are its own this time. */
uint32_t ts_edge_hello(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
extern const struct ts_contract ts_core_contract, ts_contract_cbor, ts_contract_control, ts_contract_state_read,
    ts_contract_state_write, ts_contract_hello;

/* Rows of the tables of native services. */
#define TS_MILLISECONDS(n) ((n) * 40000u) /* CPU cycles on the 40 MHz crystal */
#define TS_CONTRACT(name, request_type, response_type, milliseconds)                                                      \
    const struct ts_contract name = {                                                                                     \
        .request = request_type, .response = response_type, .deadline_cycles = TS_MILLISECONDS(milliseconds)}
#define TS_TYPE(name, payload_kind, least, most)                                                                          \
    static const struct ts_type name = {.kind = payload_kind, .element_bytes = 1, .min_bytes = least, .max_bytes = most}
#define TS_SERVICE(path_pattern, verb, function, contract_row, link_attributes, is_observable)                            \
    {.path = path_pattern, .handler = (uint32_t)function, .contract = &contract_row, .attributes = link_attributes,       \
     .method = verb, .observable = is_observable}
/** Its handler looks at ts_block_of_request. */
#define TS_BLOCKWISE_SERVICE(path_pattern, verb, function, contract_row, link_attributes, is_observable)                  \
    {.path = path_pattern, .handler = (uint32_t)function, .contract = &contract_row, .attributes = link_attributes,       \
     .method = verb, .observable = is_observable, .reserved = TS_SERVICE_BLOCKWISE}

#define TS_MODULE_SERVICES                                                                                                \
    TS_BLOCKWISE_SERVICE(".well-known/core", TS_GET, ts_core_handler, ts_core_contract, ";ct=40", 0),                              \
        TS_BLOCKWISE_SERVICE("sys/modules", TS_GET, ts_modules_list, ts_contract_cbor, ";ct=60;obs", 1),                                \
        TS_BLOCKWISE_SERVICE("sys/modules/{name}", TS_GET, ts_module_get, ts_contract_cbor, ";ct=60", 0),                           \
        TS_BLOCKWISE_SERVICE("sys/modules/{name}/fault", TS_GET, ts_module_fault, ts_contract_cbor, ";ct=60", 0),                     \
        TS_BLOCKWISE_SERVICE("sys/image", TS_GET, ts_image, ts_contract_cbor, ";ct=60", 0),                                          \
        TS_SERVICE("sys/modules/{name}", TS_PUT, ts_module_control, ts_contract_control, "", 0),                          \
        TS_BLOCKWISE_SERVICE("sys/modules/{name}/state", TS_GET, ts_state_read, ts_contract_state_read, "", 0),                     \
        TS_BLOCKWISE_SERVICE("sys/modules/{name}/state", TS_PUT, ts_state_write, ts_contract_state_write, "", 0),                   \
        TS_SERVICE("sys/edge", TS_PUT, ts_edge_hello, ts_contract_hello, "", 0)

/* The system module, at the lowest priority. */
#define TS_SYS_INFO                                                                                                       \
    .os_abi_version = TS_OS_ABI_VERSION, .name = "sys", .version = "1.0.0", .restart = TS_RESTART_ALWAYS,                 \
    .backoff_ms = 1, .stack_bottom = (uint32_t)stack, .stack_top = (uint32_t)stack + sizeof stack,                        \
    .start_deadline_cycles = TS_MILLISECONDS(20000), .event_deadline_cycles = TS_MILLISECONDS(5000)

#endif
