/* Which service a path means: patterns, rights by `requires`, the table of routes, link-format list of all services (RFC
 * 6690). Takes paths without leading slash; runs unmasked in the invocation of whoever asks, and looks at one service of
 * another module at a time, because modules may go at any instruction. Knows no payload. */
#include "contract.h"
#include "grant.h"
#include "imc.h"
#include "remote.h"

/** Fields of a record that call.S checks. */
#define TS_PLAIN_FIELDS 16

struct ts_route ts_routes[TS_MAX_ROUTES];

/** A segment in braces matches any one segment that is not empty. */
static int matches(const char *pattern, const char *path, uint32_t bytes)
{
    const char *end = path + bytes;
    for (;;) {
        if (*pattern == '{') {
            if (path == end || *path == '/') return 0;
            while (path != end && *path != '/') path++;
            while (*pattern != 0 && *pattern != '/') pattern++;
        }
        if (path == end) return *pattern == 0;
        if (*pattern++ != *path++) return 0;
    }
}

/** Does an entry of `requires` name this path? A last segment "*" stands for everything below. */
static int covers(const char *required, const char *path, uint32_t bytes)
{
    const char *end = path + bytes;
    while (path != end && *required == *path) {
        required++;
        path++;
    }
    if (path == end) return *required == 0;
    return required[0] == '*' && required[1] == 0;
}

int ts_may_request(const struct ts_module *caller, uint32_t method, const char *path, uint32_t bytes)
{
    const struct ts_module_info *info = caller->info;
    if (info->wasm == 0) return 1;
    for (uint32_t i = 0; i < info->requirement_count; i++) {
        const struct ts_requirement *requirement = &info->requirements[i];
        if ((requirement->methods >> method & 1) != 0 && covers(requirement->path, path, bytes)) return 1;
    }
    return 0;
}

uint32_t ts_string_bytes(const char *text)
{
    uint32_t n = 0;
    while (text[n] != 0) n++;
    return n;
}

int ts_name_is(const char *name, const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if (name[i] != text[i] || name[i] == 0) return 0;
    return name[bytes] == 0;
}

/** Modules that a contract allows, as bits. Masked. */
static uint16_t allowed(const struct ts_contract *contract)
{
    if (contract->callers == 0) return 0xffff;
    uint32_t mask = 1u << TS_SYS;
    /* The workers look at the names themselves. */
    for (uint32_t m = 0; m < TS_MAX_MODULES; m++) mask |= (uint32_t)ts_is_worker(m) << m;
    for (uint32_t i = 0; i < contract->caller_count; i++)
        for (uint32_t m = 0; m < TS_MAX_MODULES; m++) {
            const struct ts_module_info *info = ts_modules[m].info;
            if (info != 0 && ts_name_is(info->name, contract->callers[i], ts_string_bytes(contract->callers[i])))
                mask |= 1u << m;
        }
    return (uint16_t)mask;
}

/** Can call.S check it: sizes, and records of few 32-bit scalars? */
static int is_plain(const struct ts_type *type)
{
    if (type == 0 || type->kind == TS_PAYLOAD_NONE || type->kind == TS_PAYLOAD_BYTES) return 1;
    if (type->kind != TS_PAYLOAD_RECORD || type->field_count > TS_PLAIN_FIELDS) return 0;
    if (type->min_bytes != type->element_bytes || type->max_bytes != type->element_bytes) return 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        uint32_t kind = type->fields[i].kind;
        if (type->fields[i].count > 1 || (kind > TS_SCALAR_F32 && kind != TS_SCALAR_BOOL)) return 0;
    }
    return 1;
}

/** Number (index + 1) of the route to a service, made if there is none; 0 if the table is full. Masked. */
static uint32_t route_to(const struct ts_service *service, uint32_t provider)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < TS_MAX_ROUTES; i++) {
        if (ts_routes[i].service == service && ts_routes[i].provider == provider) return i + 1;
        if (ts_routes[i].service == 0 && free == 0) free = i + 1;
    }
    if (free == 0) return 0;
    struct ts_route *route = &ts_routes[free - 1];
    route->service = service;
    route->provider = (uint8_t)provider;
    route->callee = &ts_modules[provider];
    route->who_read = ts_grant_who(provider, 0, TS_GRANT_RIGHT_READ, TS_GRANT_CALL);
    route->who_both = ts_grant_who(provider, 0, TS_GRANT_RIGHT_READ | TS_GRANT_RIGHT_WRITE, TS_GRANT_CALL);
    const struct ts_contract *contract = service->contract;
    int plain = ts_modules[provider].info->wasm != 0 && contract->rate_per_second == 0 && is_plain(contract->request) &&
                is_plain(contract->response);
    route->least_capacity = plain ? ts_least_capacity(contract) : TS_NO_CAPACITY_SUFFICES;
    route->callers = allowed(service->contract);
    route->rate_low = 0;
    route->rate_high = 0;
    return free;
}

void ts_routes_forget(void)
{
    for (uint32_t i = 0; i < TS_MAX_ROUTES; i++) ts_routes[i].service = 0;
    for (uint32_t m = 0; m < TS_MAX_MODULES; m++) {
        uint32_t *bindings = (uint32_t *)(void *)ts_modules[m].bindings;
        for (uint32_t i = 0; i < TS_MAX_REQUIREMENTS / 4; i++) bindings[i] = 0;
    }
    ts_kernel.epoch++;
    ts_subscriptions_unsettled();
}

/** The route of service `s` of module `m` if it is what the request means; counts paths that match in `known`. */
static uint32_t try_service(uint32_t m, uint32_t s, uint32_t method, const char *path, uint32_t bytes, int *known)
{
    uint32_t route = 0, ps = ts_lock();
    const struct ts_module_info *info = ts_modules[m].info;
    if (info != 0 && ts_modules[m].state != TS_STATE_HELD && s < info->service_count && matches(info->services[s].path, path, bytes)) {
        *known = 1;
        /* A list of allowed callers cannot be read then either. */
        if (info->services[s].method == method && ts_out_of_reach != 0 && info->services[s].contract->callers != 0) *known = 2;
        else if (info->services[s].method == method) {
            route = route_to(&info->services[s], m);
            if (route == 0) *known = 2;
        }
    }
    ts_unlock(ps);
    return route;
}

uint32_t ts_find_route(uint32_t method, const char *path, uint32_t bytes)
{
    int known = 0;
    for (uint32_t m = 0; m < TS_MAX_MODULES; m++) {
        if ((ts_out_of_reach >> m & 1) != 0) {
            known = 2;
            continue;
        }
        const struct ts_module_info *info = ts_modules[m].info;
        uint32_t count = info == 0 ? 0 : info->service_count;
        for (uint32_t s = 0; s < count; s++) {
            uint32_t route = try_service(m, s, method, path, bytes, &known);
            if (route != 0) return route;
        }
    }
    uint32_t code = known == 0 ? TS_NOT_FOUND : known == 1 ? TS_METHOD_NOT_ALLOWED : TS_SERVICE_UNAVAILABLE;
    return ts_result(code, 0);
}

/** Path and query of a request. */
static const char *uri_of(const struct ts_frame *frame, const char **end)
{
    const char *uri = frame->uri;
    if (uri == 0) {
        uri = ts_modules[frame->caller_index].info->requirements[frame->uri_bytes].path;
        *end = uri + ts_string_bytes(uri);
    } else *end = uri + frame->uri_bytes;
    return uri;
}

int32_t ts_path_parameter(uint32_t index, char *buffer, uint32_t capacity)
{
    const struct ts_frame *frame = ts_kernel.frame;
    if (frame == 0 || frame->service == 0) return -1;
    const char *pattern = frame->service->path, *end, *path = uri_of(frame, &end);
    while (*pattern != 0) {
        if (*pattern != '{') {
            pattern++;
            path++;
            continue;
        }
        const char *first = path;
        while (path != end && *path != '/' && *path != '?') path++;
        if (index-- == 0) return ts_copy_text(buffer, capacity, first, (uint32_t)(path - first));
        while (*pattern != 0 && *pattern != '/') pattern++;
    }
    return -1;
}

int32_t ts_query_parameter(const char *key, uint32_t key_bytes, char *buffer, uint32_t capacity)
{
    const struct ts_frame *frame = ts_kernel.frame;
    if (frame == 0 || frame->service == 0) return -1;
    const char *end, *at = uri_of(frame, &end);
    while (at != end && *at != '?') at++;
    while (at != end) {
        const char *first = ++at;
        while (at != end && *at != '&') at++;
        uint32_t bytes = (uint32_t)(at - first), i = 0;
        if (bytes < key_bytes) continue;
        while (i < key_bytes && first[i] == key[i]) i++;
        if (i < key_bytes) continue;
        if (bytes == key_bytes) return 0;
        if (first[i] == '=') return ts_copy_text(buffer, capacity, first + i + 1, bytes - i - 1);
    }
    return -1;
}

int32_t ts_copy_text(char *buffer, uint32_t capacity, const char *text, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes && i < capacity; i++) buffer[i] = text[i];
    return (int32_t)bytes;
}
