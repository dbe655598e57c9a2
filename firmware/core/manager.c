/* The system module: its descriptor, and the services under /sys/modules that list, start and stop modules. Knows no
 * slots; the installer's services are in installer.c and only in images with slots. */
#include "cbor.h"
#include "sys.h"

void (*ts_slots_job)(void);

int ts_query_number(const char *key, uint32_t *value)
{
    char text[12];
    uint32_t key_bytes = 0;
    while (key[key_bytes] != 0) key_bytes++;
    int32_t length = ts_query_parameter(key, key_bytes, text, sizeof text);
    if (length <= 0 || length > 9) return 0;
    *value = 0;
    for (int32_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        *value = *value * 10 + (uint32_t)(text[i] - '0');
    }
    return 1;
}

int32_t ts_module_of_request(void)
{
    char name[32];
    int32_t length = ts_path_parameter(0, name, sizeof name);
    return length <= 0 ? -1 : ts_module_find(name, (uint32_t)length);
}

static void job(void)
{
    if (ts_slots_job != 0) ts_slots_job();
}

void ts_sys_wake(void) { ts_post_job(TS_SYS, job); }

/** {"name", "version", "state", "level", "faults", "restarts", "stack", "memory"} */
static void describe(struct ts_cbor *out, const struct ts_module *module)
{
    static const char *const STATES[] = {"empty",       "stopped",  "starting", "running",
                                         "backing off", "stopping", "failed",   "?"};
    const struct ts_module_info *info = module->info;
    ts_cbor_map(out, 8);
    ts_cbor_text(out, "name");
    ts_cbor_text(out, info->name);
    ts_cbor_text(out, "version");
    ts_cbor_text(out, info->version);
    ts_cbor_text(out, "state");
    ts_cbor_text(out, STATES[module->state & 7]);
    ts_cbor_text(out, "priority");
    ts_cbor_number(out, info->priority);
    ts_cbor_text(out, "faults");
    ts_cbor_number(out, module->fault_count);
    ts_cbor_text(out, "restarts");
    ts_cbor_number(out, module->restarts);
    ts_cbor_text(out, "stack");
    ts_cbor_number(out, info->stack_top - info->stack_bottom);
    ts_cbor_text(out, "memory");
    ts_cbor_number(out, info->memory != 0 ? info->memory->bytes : 0);
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

static int is_word(const char *text, uint32_t n, const char *word)
{
    uint32_t i = 0;
    while (i < n && word[i] == text[i]) i++;
    return i == n && word[i] == 0;
}

/** "start", "stop", "restart" or "resume" (from the state as it is). A module that is in the middle of a call stops when control comes back to it. */
uint32_t ts_module_control(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    const char *word = (const char *)payload;
    int32_t index = ts_module_of_request();
    if (index < 0) return TS_NOT_FOUND;
    if (index <= TS_DEV) return TS_FORBIDDEN;
    uint32_t at = (uint32_t)index, error = 0;
    if (is_word(word, bytes, "start")) error = ts_module_start(at);
    else if (is_word(word, bytes, "stop")) error = ts_module_stop(at);
    else if (is_word(word, bytes, "restart")) error = ts_module_restart(at);
    else if (is_word(word, bytes, "resume")) error = ts_module_resume(at);
    else return TS_BAD_REQUEST;
    return error != 0 ? error : TS_CHANGED;
}

/* Parts of a CBOR item are none. */
TS_TYPE(CBOR_ANSWER, TS_PAYLOAD_BYTES, 0, 4096);
TS_TYPE(WORD, TS_PAYLOAD_UTF8, 1, 8);
TS_TYPE(STATE, TS_PAYLOAD_BYTES, 0, 0x3ffff);
TS_TYPE(EDGE, TS_PAYLOAD_BYTES, 1, 16);
TS_CONTRACT(ts_contract_cbor, 0, &CBOR_ANSWER, 20);
TS_CONTRACT(ts_contract_hello, &EDGE, 0, 10);
TS_CONTRACT(ts_contract_control, &WORD, 0, 50);
TS_CONTRACT(ts_contract_state_read, 0, &STATE, 100);
TS_CONTRACT(ts_contract_state_write, &STATE, 0, 100);

static uint8_t stack[1536] __attribute__((aligned(16)));
static const struct ts_service SERVICES[] = {TS_MODULE_SERVICES};

const struct ts_module_info ts_sys_info = {
    TS_SYS_INFO,
    .services = SERVICES,
    .service_count = sizeof SERVICES / sizeof SERVICES[0],
};
