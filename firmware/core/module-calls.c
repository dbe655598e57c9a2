/* What modules import from "thingspire": takes addresses of the calling module's memory or of its windows, checks them as
 * its own code would (trap, out of bounds), gives what compiler/abi/os-imports.ts says. Knows no stack and no chain. */
#include "chain.h"
#include "imc.h"
#include "remote.h"
#include "rt.h"

#define IMPORT(name) __asm__("thingspire." #name)
/** Traps of the function that uses it look as if the import's call had trapped. */
#define CALLER_PLACE (uint32_t)__builtin_return_address(0), (uint32_t)__builtin_dwarf_cfa()

enum { LONGEST_URI = 255, LONGEST_LINE = 256, READ = TS_GRANT_RIGHT_READ, WRITE = TS_GRANT_RIGHT_WRITE };

extern uint32_t __wasm_argbuf[];

static inline struct ts_module *self(void) { return ts_kernel.module; }

/** Native address of a window's bytes, 0 if the module may not use it so; `key` of the grant. */
static uint32_t window_span(uint32_t address, uint32_t bytes, uint32_t rights, uint32_t *key)
{
    uint32_t number = ts_grant_of_key(address >> TS_WINDOW_OFFSET_BITS), offset = address & ((1u << TS_WINDOW_OFFSET_BITS) - 1);
    if (number == 0) return 0;
    volatile struct ts_grant *grant = &ts_grants[number - 1];
    if (grant->holder != ts_current_module || (grant->rights & rights) != rights) return 0;
    if (bytes > grant->length || offset > grant->length - bytes) return 0;
    uint32_t base = (uint32_t)grant->base;
    /* Noted first, looked at again then: if it is revoked later, this invocation ends. */
    grant->used_by = ts_current_frame;
    *key = address >> TS_WINDOW_OFFSET_BITS;
    return grant->key == *key ? base + offset : 0;
}

/** Native address of [address, address + bytes), or 0; `key` of the window it lies in, 0: own memory. */
static inline uint32_t span(uint32_t address, uint32_t bytes, uint32_t rights, uint32_t *key)
{
    const struct wasm_memory *memory = self()->info->memory;
    *key = 0;
    if (memory != 0 && bytes <= memory->bytes && address <= memory->bytes - bytes) return (uint32_t)memory->base + address;
    return window_span(address, bytes, rights, key);
}

/** The buffers of a request; 0 if one is out of bounds. */
static inline int request_spans(struct ts_request *request, uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    request->bytes = bytes;
    request->capacity = capacity;
    request->payload_parent = 0;
    request->response_parent = 0;
    request->payload = 0;
    request->response = 0;
    if (bytes != 0 && (request->payload = span(payload, bytes, READ, &request->payload_parent)) == 0) return 0;
    if (capacity == 0) return 1;
    return (request->response = span(response, capacity, WRITE, &request->response_parent)) != 0;
}

/** The method that a call of an entry of `requires` means. */
static uint32_t method_of(const struct ts_requirement *requirement)
{
    uint32_t method = TS_GET;
    while (method < TS_DELETE && (requirement->methods >> method & 1) == 0) method++;
    return method;
}

/** Route of an entry of `requires`, or a result word. */
static uint32_t bind(struct ts_module *module, uint32_t index)
{
    const struct ts_module_info *info = module->info;
    if (index >= info->requirement_count || index >= TS_MAX_REQUIREMENTS) return ts_result(TS_FORBIDDEN, 0);
    const struct ts_requirement *requirement = &info->requirements[index];
    uint32_t epoch = ts_kernel.epoch;
    uint32_t route = ts_find_route(method_of(requirement), requirement->path, ts_string_bytes(requirement->path));
    if (route > TS_MAX_ROUTES) return route;
    uint32_t ps = ts_lock();
    if (ts_kernel.epoch == epoch) module->bindings[index] = (uint8_t)route;
    ts_unlock(ps);
    return route;
}

/** Nobody here has it. */
static uint32_t call_elsewhere(const struct ts_module *module, uint32_t index, const struct ts_request *request)
{
    const struct ts_requirement *requirement = &module->info->requirements[index];
    const char *path = requirement->path;
    return ts_remote_request(method_of(requirement), path, ts_string_bytes(path), request, requirement->deadline_ms);
}

uint32_t ts_call_slow(uint32_t index, uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    struct ts_request request;
    struct ts_module *module = self();
    if (!request_spans(&request, payload, bytes, response, capacity)) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    for (;;) {
        request.epoch = ts_kernel.epoch;
        uint32_t route = index < TS_MAX_REQUIREMENTS ? module->bindings[index] : 0;
        if (route == 0) {
            route = bind(module, index);
            if (route == ts_result(TS_NOT_FOUND, 0)) return call_elsewhere(module, index, &request);
            if (route > TS_MAX_ROUTES) return route;
        }
        request.uri = 0;
        request.uri_bytes = index;
        uint32_t result = ts_dispatch(route, &request);
        if (result != 0) return result;
    }
}

uint32_t ts_import_request(uint32_t method, uint32_t uri, uint32_t uri_bytes, uint32_t payload, uint32_t bytes,
                           uint32_t response) IMPORT(request);
uint32_t ts_import_request(uint32_t method, uint32_t uri, uint32_t uri_bytes, uint32_t payload, uint32_t bytes, uint32_t response)
{
    uint32_t capacity = __wasm_argbuf[0]; /* the seventh word */
    struct ts_request request;
    uint32_t key, text = span(uri, uri_bytes, READ, &key);
    if (text == 0 || !request_spans(&request, payload, bytes, response, capacity))
        ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    if (uri_bytes > LONGEST_URI) return ts_result(TS_BAD_REQUEST, 0);
    return ts_request_uri(method, (const char *)text, uri_bytes, &request);
}

int32_t ts_import_parameter(uint32_t index, uint32_t buffer, uint32_t capacity) IMPORT(parameter);
int32_t ts_import_parameter(uint32_t index, uint32_t buffer, uint32_t capacity)
{
    uint32_t key, to = span(buffer, capacity, WRITE, &key);
    if (to == 0) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    return ts_path_parameter(index, (char *)to, capacity);
}

int32_t ts_import_query(uint32_t name, uint32_t name_bytes, uint32_t buffer, uint32_t capacity) IMPORT(query);
int32_t ts_import_query(uint32_t name, uint32_t name_bytes, uint32_t buffer, uint32_t capacity)
{
    uint32_t key, from = span(name, name_bytes, READ, &key), to = span(buffer, capacity, WRITE, &key);
    if (from == 0 || to == 0) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    return ts_query_parameter((const char *)from, name_bytes, (char *)to, capacity);
}

int32_t ts_import_caller(uint32_t buffer, uint32_t capacity) IMPORT(caller);
int32_t ts_import_caller(uint32_t buffer, uint32_t capacity)
{
    uint32_t key, to = span(buffer, capacity, WRITE, &key);
    if (to == 0) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    uint32_t caller = ts_caller_module(), name_bytes;
    if (ts_is_worker(caller)) {
        const char *remote = ts_remote_caller(&name_bytes);
        return ts_copy_text((char *)to, capacity, remote, name_bytes);
    }
    const char *name = ts_modules[caller].info->name;
    return ts_copy_text((char *)to, capacity, name, ts_string_bytes(name));
}

/** Makes a lasting grant of the module's bytes to `holder`; the window's address, 0 if it may not be. */
static uint32_t grant_to(uint32_t holder, uint32_t address, uint32_t bytes, uint32_t rights, uint32_t milliseconds, int *bounds)
{
    uint32_t parent, base = 0;
    rights &= READ | WRITE;
    if (bytes != 0) base = span(address, bytes, rights, &parent);
    *bounds = base != 0;
    if (base == 0 || rights == 0 || bytes > 1u << TS_WINDOW_OFFSET_BITS) return 0;
    uint64_t until = milliseconds == 0 ? 0 : rt_clock_microseconds() + mul32(milliseconds, 1000);
    uint32_t window = 0, ps = ts_lock();
    const struct ts_module *module = &ts_modules[holder];
    int up = module->state == TS_STATE_RUNNING || module->state == TS_STATE_STARTING; /* on_start may ask for windows */
    int fine = holder != ts_current_module && module->info != 0 && module->info->wasm != 0 && up;
    if (fine) {
        uint32_t from = ts_grant_of_key(parent), number = 0;
        if (parent == 0 || from != 0) number = ts_grant_make(base, bytes, ts_grant_who(holder, ts_current_module, rights, 0), from);
        window = number == 0 ? 0 : ts_grants[number - 1].key << TS_WINDOW_OFFSET_BITS;
        if (number != 0 && until != 0) {
            ts_grants[number - 1].expires_low = (uint32_t)until;
            ts_grants[number - 1].expires_high = (uint32_t)(until >> 32);
            ts_timer_earliest(until);
        }
    }
    ts_unlock(ps);
    return window;
}

uint32_t ts_import_grant(uint32_t index, uint32_t address, uint32_t bytes, uint32_t rights, uint32_t milliseconds) IMPORT(grant);
uint32_t ts_import_grant(uint32_t index, uint32_t address, uint32_t bytes, uint32_t rights, uint32_t milliseconds)
{
    struct ts_module *module = self();
    uint32_t route = index < TS_MAX_REQUIREMENTS ? module->bindings[index] : 0;
    if (route == 0) route = bind(module, index);
    if (route > TS_MAX_ROUTES) return 0;
    int bounds;
    uint32_t window = grant_to(ts_routes[route - 1].provider, address, bytes, rights, milliseconds, &bounds);
    if (!bounds) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    return window;
}

uint32_t ts_import_grant_caller(uint32_t address, uint32_t bytes, uint32_t rights, uint32_t milliseconds) IMPORT(grant_caller);
uint32_t ts_import_grant_caller(uint32_t address, uint32_t bytes, uint32_t rights, uint32_t milliseconds)
{
    int bounds;
    uint32_t window = grant_to(ts_caller_module(), address, bytes, rights, milliseconds, &bounds);
    if (!bounds) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    return window;
}

uint32_t ts_import_revoke(uint32_t window) IMPORT(revoke);
uint32_t ts_import_revoke(uint32_t window)
{
    uint32_t ps = ts_lock();
    uint32_t done = ts_grant_revoke(ts_current_module, window);
    ts_unlock(ps);
    return done;
}

uint64_t ts_import_now(void) IMPORT(now);
uint64_t ts_import_now(void)
{
    /* The counter is latched for reading: nobody may latch it again in between. */
    uint32_t ps = ts_lock();
    uint64_t now = rt_clock_microseconds();
    ts_unlock(ps);
    return now;
}

uint32_t ts_import_random(void) IMPORT(random);
uint32_t ts_import_random(void) { return rt_random(); }

uint32_t ts_time_left(void)
{
    uint32_t ps = ts_lock();
    const struct ts_frame *frame = ts_kernel.frame;
    int32_t left = frame == 0 ? 0 : (int32_t)(frame->deadline - (ts_cycles() - ts_kernel.clock_offset));
    ts_unlock(ps);
    return left <= 0 ? 0 : div32((uint32_t)left, APB_MHZ);
}
uint32_t ts_import_time_left(void) IMPORT(time_left);
uint32_t ts_import_time_left(void) { return ts_time_left(); }

uint32_t ts_import_timer(uint32_t id, uint32_t first_ms, uint32_t period_ms) IMPORT(timer);
uint32_t ts_import_timer(uint32_t id, uint32_t first_ms, uint32_t period_ms)
{
    struct ts_module *module = self();
    if (id >= TS_MODULE_TIMERS || module->info->on_timer == 0) return 0;
    uint32_t ps = ts_lock();
    uint64_t due = first_ms == 0 && period_ms == 0 ? 0 : rt_clock_microseconds() + mul32(first_ms, 1000);
    ts_timer_set(module, id, due, period_ms);
    ts_unlock(ps);
    return 1;
}

/** A line that a module of higher priority broke into ends there. */
static const struct ts_module *line_of;

void ts_import_log(uint32_t text, uint32_t bytes) IMPORT(log);
void ts_import_log(uint32_t text, uint32_t bytes)
{
    struct ts_module *module = self();
    if (bytes > LONGEST_LINE) bytes = LONGEST_LINE;
    uint32_t key, from = span(text, bytes, READ, &key);
    if (from == 0) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    if (line_of != 0) rt_print("\n");
    line_of = module;
    rt_print("[");
    rt_print(module->info->name);
    rt_print("] ");
    rt_console_write((const void *)from, bytes);
    if (line_of == module) line_of = 0;
    rt_print("\n");
}

/** The text of a path or URI without its leading slash; traps if it is out of bounds. */
#define TEXT(address, bytes)                                                                                           \
    ({                                                                                                                 \
        uint32_t text_key, text_at = span(address, bytes, READ, &text_key);                                            \
        if (text_at == 0) ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);                                     \
        if (bytes != 0 && *(const char *)text_at == '/') {                                                             \
            text_at++;                                                                                                 \
            bytes--;                                                                                                   \
        }                                                                                                              \
        (const char *)text_at;                                                                                         \
    })

int32_t ts_import_observe(uint32_t uri, uint32_t uri_bytes, uint32_t buffer, uint32_t capacity) IMPORT(observe);
int32_t ts_import_observe(uint32_t uri, uint32_t uri_bytes, uint32_t buffer, uint32_t capacity)
{
    const char *text = TEXT(uri, uri_bytes);
    const struct wasm_memory *memory = self()->info->memory;
    /* The buffer outlives this invocation, as no window need do: it is in the module's own memory. */
    if (memory == 0 || capacity > memory->bytes || buffer > memory->bytes - capacity)
        ts_trap_caller(TRAP_MEMORY_OUT_OF_BOUNDS, CALLER_PLACE);
    return ts_observe(text, uri_bytes, buffer, capacity);
}

uint32_t ts_import_unobserve(uint32_t subscription) IMPORT(unobserve);
uint32_t ts_import_unobserve(uint32_t subscription) { return ts_unobserve(subscription); }

uint32_t ts_import_notify(uint32_t path, uint32_t path_bytes) IMPORT(notify);
uint32_t ts_import_notify(uint32_t path, uint32_t path_bytes)
{
    const char *text = TEXT(path, path_bytes);
    return ts_changed(ts_current_module, text, path_bytes);
}
