/* The system module: its descriptor, and the services under /sys/modules that list, start and stop modules. Knows no
 * slots; the installer's services are in installer.c and only in images with slots. */
#include "cbor.h"
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"
#include "rt.h"
#include "sys.h"

enum { MOST_DIGITS = 10 };

const struct ts_slots_part *ts_slots_part;

int ts_query_number(const char *key, uint32_t *value)
{
    char text[12];
    uint32_t key_bytes = ts_string_bytes(key);
    int32_t length = ts_query_parameter(key, key_bytes, text, sizeof text);
    if (length < 0) return 0;
    if (length == 0 || length > MOST_DIGITS) return -1;
    uint64_t number = 0;
    for (int32_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        number = mul64x32(number, 10) + (uint32_t)(text[i] - '0');
    }
    *value = (uint32_t)number;
    return number >> 32 == 0 ? 1 : -1;
}

int32_t ts_module_of_request(void)
{
    char name[32];
    int32_t length = ts_path_parameter(0, name, sizeof name);
    return length <= 0 ? -1 : ts_module_find(name, (uint32_t)length);
}

static void job(void)
{
    if (ts_slots_part != 0) ts_slots_part->job();
}

void ts_sys_wake(void) { ts_post_job(TS_SYS, job); }

/** {"name", "version", "state", "priority", "faults", "restarts", "stack", "memory", "max", "calls", "held", "slot"} */
static void describe(struct ts_cbor *out, const struct ts_module *module)
{
    static const char *const STATES[] = {"empty",       "stopped",  "starting", "running",
                                         "backing off", "stopping", "failed",   "held"};
    const struct ts_module_info *info = module->info;
    const struct wasm_memory *memory = info->memory;
    ts_cbor_map(out, 12, "name\0version\0state\0priority\0faults\0restarts\0stack\0memory\0max\0calls\0held\0slot");
    ts_cbor_put_text(out, info->name);
    ts_cbor_put_text(out, info->version);
    ts_cbor_put_text(out, STATES[module->state & 7]);
    ts_cbor_put_number(out, info->priority);
    ts_cbor_put_number(out, module->fault_count);
    ts_cbor_put_number(out, module->restarts);
    ts_cbor_put_number(out, info->stack_top - info->stack_bottom);
    ts_cbor_put_number(out, memory != 0 ? memory->bytes : 0);
    ts_cbor_put_number(out, memory != 0 ? memory->capacity_bytes : 0);
    ts_cbor_put_counter(out, module->calls);
    ts_cbor_put_truth(out, module->state == TS_STATE_HELD);
    ts_cbor_put_text(out, ts_slots_part != 0 ? ts_slots_part->name(module->index) : 0);
}

uint32_t ts_modules_list(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    struct ts_cbor out;
    uint32_t count = 0;
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) count += ts_modules[i].info != 0;
    ts_cbor_begin(&out, response, capacity);
    ts_cbor_array(&out, count);
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++)
        if (ts_modules[i].info != 0) describe(&out, &ts_modules[i]);
    return ts_cbor_result(&out);
}

uint32_t ts_module_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    int32_t index = ts_module_of_request();
    if (index < 0) return TS_NOT_FOUND;
    struct ts_cbor out;
    ts_cbor_begin(&out, response, capacity);
    describe(&out, &ts_modules[index]);
    return ts_cbor_result(&out);
}

static uint32_t milliseconds(uint64_t microseconds) { return (uint32_t)rt_i64_div_u(microseconds, 1000); }

/** {"n", "time_ms", "reason", "trap", "backtrace": [[function, offset in the Wasm file], ...]} of the last fault. */
uint32_t ts_module_fault(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    int32_t index = ts_module_of_request();
    if (index < 0 || ts_modules[index].fault_count == 0) return TS_NOT_FOUND;
    const struct ts_fault *fault = &ts_modules[index].fault;
    const struct wasm_stop *stop = ts_fault_frames(&ts_modules[index]);
    struct ts_cbor out;
    ts_cbor_begin(&out, response, capacity);
    ts_cbor_map(&out, 5, "n\0time_ms\0reason\0trap\0backtrace");
    ts_cbor_put_number(&out, ts_modules[index].fault_count);
    ts_cbor_put_number(&out, milliseconds((uint64_t)fault->time_high << 32 | fault->time_low));
    ts_cbor_put_text(&out, ts_fault_reason(fault));
    ts_cbor_put_text(&out, fault->reason == STOP_TRAPPED ? rt_trap_message(fault->trap_code) : 0);
    ts_cbor_key(&out);
    ts_cbor_array(&out, stop->backtrace_count);
    for (uint32_t i = 0; i < stop->backtrace_count; i++) {
        ts_cbor_array(&out, 2);
        ts_cbor_number(&out, stop->backtrace[i].func_index);
        ts_cbor_number(&out, stop->backtrace[i].wasm_offset);
    }
    return ts_cbor_result(&out);
}

/** {"identity", "abi", "name", "version", "uptime_ms", "free_ram"} */
uint32_t ts_image(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    const struct ts_boot_table *table = &ts_boot_table;
    uint32_t ps = ts_lock();
    uint64_t now = rt_clock_microseconds();
    ts_unlock(ps);
    struct ts_cbor out;
    ts_cbor_begin(&out, response, capacity);
    ts_cbor_map(&out, 6, "identity\0abi\0name\0version\0uptime_ms\0free_ram");
    ts_cbor_key(&out);
    ts_cbor_bytes(&out, &table->base_id, sizeof table->base_id);
    ts_cbor_put_number(&out, TS_OS_ABI_VERSION);
    ts_cbor_put_text(&out, table->name);
    ts_cbor_put_text(&out, table->version);
    ts_cbor_put_number(&out, milliseconds(now));
    ts_cbor_put_number(&out, table->free_ram);
    return ts_cbor_result(&out);
}

/** A module that is in the middle of a call stops when control comes back to it. */
uint32_t ts_module_control(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    enum { START, STOP, RESTART, RESUME, HOLD, WORDS };
    static const char *const NAMES[] = {"start", "stop", "restart", "resume", "hold"};
    (void)response, (void)capacity;
    uint32_t word = 0, error = TS_CONFLICT;
    int32_t index = ts_module_of_request();
    while (word < WORDS && !ts_name_is(NAMES[word], (const char *)payload, bytes)) word++;
    if (index < 0) return TS_NOT_FOUND;
    if (word == WORDS) return TS_BAD_REQUEST;
    if (index <= TS_DEV) return TS_FORBIDDEN;
    uint32_t at = (uint32_t)index;
    if (word == HOLD) error = ts_slots_part == 0 ? TS_FORBIDDEN : ts_slots_part->hold(at);
    else if (ts_modules[at].state == TS_STATE_HELD) {
        if (word == START || word == RESUME) error = ts_slots_part->release(at, word == RESUME);
    } else if (word == START) error = ts_module_start(at);
    else if (word == STOP) error = ts_module_stop(at);
    else if (word == RESTART) error = ts_module_restart(at);
    else error = ts_module_resume(at);
    return error != 0 ? error : TS_CHANGED;
}

/* Parts of a CBOR item are none. */
TS_TYPE(CBOR_ANSWER, TS_PAYLOAD_BYTES, 0, 4096);
TS_TYPE(WORD, TS_PAYLOAD_UTF8, 1, 8);
TS_TYPE(STATE, TS_PAYLOAD_BYTES, 0, 0x3ffff);
TS_TYPE(EDGE, TS_PAYLOAD_BYTES, 1, 16);
TS_CONTRACT(ts_contract_cbor, 0, &CBOR_ANSWER, 20);
TS_CONTRACT(ts_contract_control, &WORD, 0, 1000); /* may move the journal to its other sector */
TS_CONTRACT(ts_contract_state_read, 0, &STATE, 300);
TS_CONTRACT(ts_contract_hello, &EDGE, 0, 10);
TS_CONTRACT(ts_contract_state_write, &STATE, 0, 100);

static uint8_t stack[1536] __attribute__((aligned(16)));
static const struct ts_service SERVICES[] = {TS_MODULE_SERVICES};

const struct ts_module_info ts_sys_info = {
    TS_SYS_INFO,
    .services = SERVICES,
    .service_count = sizeof SERVICES / sizeof SERVICES[0],
};
