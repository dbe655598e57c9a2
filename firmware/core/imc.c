/* The IMC handler: carries a request from one module to another on the caller's time. Takes a route and native pointers,
 * gives a result word. No packet is ever built: arguments go in registers, payload and response as windows.
 *
 * Contents are checked unmasked, in the invocation of the side that sent them; what the masked part in the middle relies
 * on is looked at again there, since the caller may have been preempted. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "contract.h"
#include "imc.h"
#include "remote.h"
#include "rt.h"

enum {
    RETRY = 0, /* routes have changed since this one was looked up */
    ERROR_TEXT_BYTES = 64, /* most that an error response may carry */
};
#define BREACH 0xffffffffu

/** Where the next invocation of a module that is already running begins; 0 if it runs in another chain (it can after a
 * module was added whose requests raised no ceiling in time). */
static uint32_t reentry_sp(const struct ts_module *callee)
{
    uint32_t sp;
    __asm__("addi %0, a1, -48" : "=a"(sp)); /* below what ts_enter will save */
    for (const struct ts_frame *frame = ts_kernel.frame; frame != 0; frame = frame->caller) {
        if (frame->module == callee) return sp & ~15u;
        sp = frame->saved_sp;
    }
    return 0;
}

/** Token bucket as one time (GCRA): when the bucket is full again, in 1/256 microseconds. */
static int within_rate(struct ts_route *route, const struct ts_contract *contract)
{
    uint64_t now = rt_clock_microseconds() << 8;
    uint64_t full = (uint64_t)route->rate_high << 32 | route->rate_low;
    uint32_t interval = div32(256000000, contract->rate_per_second);
    uint32_t burst = contract->burst == 0 ? 1 : contract->burst;
    if (full > now + mul32(interval, burst - 1)) return 0;
    if (full < now) full = now;
    full += interval;
    route->rate_low = (uint32_t)full;
    route->rate_high = (uint32_t)(full >> 32);
    return 1;
}

/** Handler of services whose responses have contents to check: on the callee's time. */
static uint32_t checked_handler(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    const struct ts_frame *frame = ts_kernel.frame;
    const struct ts_service *service = frame->service;
    uint32_t result = ((ts_handler)service->handler)(payload, bytes, response, capacity);
    uint32_t length = result & TS_RESULT_LENGTH_MASK;
    if (result >> (TS_RESULT_CODE_SHIFT + 5) != 2 || length == 0 || length > capacity) return result;
    return ts_check_payload(service->contract->response, (const uint8_t *)frame->response, length) == 0 ? result : BREACH;
}

/** The result word as the caller gets it, BREACH if the handler may not give it. */
static inline uint32_t checked_result(uint32_t result, const struct ts_type *type, uint32_t capacity)
{
    if (result < 0x100) result <<= TS_RESULT_CODE_SHIFT; /* a bare code */
    uint32_t length = result & TS_RESULT_LENGTH_MASK, kind = result >> (TS_RESULT_CODE_SHIFT + 5);
    if (length > capacity) return BREACH;
    if (kind == 2) {
        if (length == 0) {
            if (type != 0 && type->min_bytes != 0 && result >> TS_RESULT_CODE_SHIFT == TS_CONTENT) return BREACH;
        } else if (type == 0 || length > type->max_bytes || length < type->min_bytes) return BREACH;
    } else if ((kind != 4 && kind != 5) || length > ERROR_TEXT_BYTES) return BREACH;
    return result;
}

void ts_back_to(struct ts_frame *caller)
{
    if (caller != 0 && caller->doomed) {
        ts_note_place(caller->module, TRAP_NONE, 0, 0, 0);
        ts_leave(caller->saved_sp, STOP_KILLED);
    }
    ts_let_preempt();
}

static inline void back_to(struct ts_frame *caller)
{
    if ((caller != 0 && caller->doomed) || ts_kernel.ready > ts_kernel.ceiling) ts_back_to(caller);
}

/** Bytes, the most frequent payload, are not worth a call. */
static inline uint32_t check_payload(const struct ts_type *type, uint32_t payload, uint32_t bytes)
{
    if (type == 0 || type->kind != TS_PAYLOAD_BYTES) return ts_check_payload(type, (const uint8_t *)payload, bytes);
    if (bytes > type->max_bytes) return TS_REQUEST_ENTITY_TOO_LARGE;
    return bytes < type->min_bytes ? TS_BAD_REQUEST : 0;
}

static inline uint32_t refuse(uint32_t ps, uint32_t code)
{
    ts_unlock(ps);
    return ts_result(code, 0);
}

uint32_t ts_dispatch(uint32_t number, const struct ts_request *request)
{
    struct ts_route *route = &ts_routes[number - 1];
    const struct ts_service *service = route->service;
    if (service == 0) return RETRY;
    const struct ts_contract *contract = service->contract;
    uint32_t bytes = request->bytes;
    if (bytes != 0 || contract->request != 0) {
        uint32_t code = check_payload(contract->request, request->payload, bytes);
        if (code != 0) return ts_result(code, 0);
    }
    if (request->capacity < ts_least_capacity(contract)) return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, 0);
    const struct ts_type *response_type = contract->response;
    uint32_t handler = ts_type_has_contents(response_type) ? (uint32_t)checked_handler : service->handler;

    uint32_t ps = ts_lock();
    if (ts_kernel.epoch != request->epoch) {
        ts_unlock(ps);
        return RETRY;
    }
    struct ts_frame *caller = ts_kernel.frame;
    uint32_t caller_index = ts_current_module;
    struct ts_module *callee = route->callee;
    if ((route->callers >> caller_index & 1) == 0) return refuse(ps, TS_FORBIDDEN);
    if (callee->state != TS_STATE_RUNNING) return refuse(ps, TS_SERVICE_UNAVAILABLE);
    uint32_t budget = contract->deadline_cycles;
    if (caller != 0) {
        if (caller->depth >= TS_CALL_DEPTH) return refuse(ps, TS_SERVICE_UNAVAILABLE);
        int32_t left = (int32_t)(caller->deadline - (ts_cycles() - ts_kernel.clock_offset));
        if (left < (int32_t)budget) return refuse(ps, TS_GATEWAY_TIMEOUT);
    }
    const struct ts_module_info *info = callee->info;
    uint32_t sp = callee->depth == 0 ? callee->sp : reentry_sp(callee);
    struct ts_frame *frame = (struct ts_frame *)(sp - sizeof *frame);
    if (sp == 0 || (uint32_t)frame < info->stack_bottom + TS_STACK_RESERVE) return refuse(ps, TS_SERVICE_UNAVAILABLE);
    if (contract->rate_per_second != 0 && !within_rate(route, contract)) return refuse(ps, TS_TOO_MANY_REQUESTS);

    uint32_t payload = request->payload, response = request->response, capacity = request->capacity;
    frame->response = response;
    frame->grants = ts_kernel.call_grants;
    if (info->wasm != 0) {
        if (bytes == 0) payload = 0;
        else payload = ts_call_grant(payload, bytes, route->who_read | caller_index << 8, request->payload_parent);
        if (capacity == 0) response = 0;
        else response = ts_call_grant(response, capacity, route->who_both | caller_index << 8, request->response_parent);
        if ((bytes != 0 && payload == 0) || (capacity != 0 && response == 0)) {
            ts_call_grants_end(frame->grants);
            return refuse(ps, TS_SERVICE_UNAVAILABLE);
        }
        callee->calls++;
    }
    frame->service = service;
    frame->uri = request->uri;
    frame->uri_bytes = request->uri_bytes;
    frame->caller_index = (uint8_t)caller_index;
    ts_frame_begin(frame, callee, caller, budget);
    uint64_t ended = ts_enter(frame, handler, payload, bytes, response, capacity);
    uint32_t reason = (uint32_t)(ended >> 32), result;
    ts_frame_end(frame);
    if (reason == STOP_RETURNED) {
        result = checked_result((uint32_t)ended, response_type, capacity);
        if (result == BREACH) {
            reason = STOP_CONTRACT_BROKEN;
            ts_note_place(callee, TRAP_NONE, 0, 0, 0);
        }
    }
    if (reason != STOP_RETURNED) {
        ts_fault(callee, reason);
        result = ts_result(reason == STOP_DEADLINE_EXPIRED ? TS_GATEWAY_TIMEOUT : TS_INTERNAL_SERVER_ERROR, 0);
    }
    back_to(caller);
    ts_unlock(ps);
    if (reason != STOP_RETURNED) ts_note_frames(callee);
    return result;
}

uint32_t ts_call_failed(uint32_t reason)
{
    struct ts_frame *frame = ts_kernel.frame, *caller = frame->caller;
    struct ts_module *callee = frame->module;
    ts_frame_end(frame);
    ts_fault(callee, reason);
    ts_back_to(caller);
    ts_unlock(0);
    ts_note_frames(callee);
    return ts_result(reason == STOP_DEADLINE_EXPIRED ? TS_GATEWAY_TIMEOUT : TS_INTERNAL_SERVER_ERROR, 0);
}

uint32_t ts_call_breach(struct ts_module *callee)
{
    ts_lock();
    ts_note_place(callee, TRAP_NONE, 0, 0, 0);
    ts_fault(callee, STOP_CONTRACT_BROKEN);
    ts_back_to(ts_kernel.frame);
    ts_unlock(0);
    return ts_result(TS_INTERNAL_SERVER_ERROR, 0);
}

uint32_t ts_request_uri(uint32_t method, const char *uri, uint32_t uri_bytes, struct ts_request *request)
{
    if (uri_bytes != 0 && *uri == '/') {
        uri++;
        uri_bytes--;
    }
    request->uri = uri;
    request->uri_bytes = uri_bytes;
    uint32_t path_bytes = 0;
    while (path_bytes < uri_bytes && uri[path_bytes] != '?') path_bytes++;
    if (method < TS_GET || method > TS_DELETE) return ts_result(TS_BAD_REQUEST, 0);
    if (!ts_may_request(&ts_modules[ts_current_module], method, uri, path_bytes)) return ts_result(TS_FORBIDDEN, 0);
    for (;;) {
        request->epoch = ts_kernel.epoch;
        uint32_t route = ts_find_route(method, uri, path_bytes);
        if (route == ts_result(TS_NOT_FOUND, 0) && ts_modules[ts_current_module].info->wasm != 0)
            return ts_remote_request(method, uri, uri_bytes, request, 0);
        if (route > TS_MAX_ROUTES) return route;
        uint32_t result = ts_dispatch(route, request);
        if (result != RETRY) return result;
    }
}

uint32_t ts_native_request(uint32_t method, const char *uri, uint32_t uri_bytes, const void *payload, uint32_t bytes,
                           void *response, uint32_t capacity)
{
    struct ts_request request = {.payload = (uint32_t)payload, .bytes = bytes, .response = (uint32_t)response, .capacity = capacity};
    return ts_request_uri(method, uri, uri_bytes, &request);
}

uint32_t ts_caller_module(void) { return ts_kernel.frame == 0 ? TS_SYS : ts_kernel.frame->caller_index; }
