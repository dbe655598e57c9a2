/* Requests of modules that no service of this device answers: they go to the edge, which knows where it is. The payload is
 * sent from the module's memory; the chain waits without the processor (core/wait.c). Takes local requests, gives result words.
 *
 * A response is recognised by its token in the interrupt and checked by the chain that it wakes: a wrong one is dropped, and
 * the chain waits on. */
#include "chain.h"
#include "remote.h"
#include "rt.h"

void *memcpy(void *to, const void *from, size_t n);

enum {
    CALLS = 4,
    HEAD_BYTES = 128, /* the URI and the caller's name have to fit */
    TOKEN_BYTES = 2,
    DEFAULT_TIMEOUT_MS = 3000,
    FIRST_TIMEOUT = 400000, /* microseconds */
    MOST_RETRIES = 4,
};
enum { FREE = 0, TAKEN, WAITING };
enum { NOT_YET = 0, ANSWERED, RESET, TOO_LATE };

static struct call {
    struct ts_tx tx;
    struct ts_rx *frame;
    uint64_t deadline;
    uint32_t due, timeout;
    uint32_t owner; /* serial of the invocation */
    uint16_t mid;
    volatile uint8_t done;
    uint8_t state;
    uint8_t acknowledged;
    uint8_t retries;
    uint8_t generation;
    uint8_t head[HEAD_BYTES] __attribute__((aligned(4)));
} calls[CALLS];

int ts_client_take(struct ts_rx *frame)
{
    const uint8_t *bytes = ts_rx_ring + frame->start;
    if ((bytes[0] & 15) != TOKEN_BYTES || bytes[4] >= CALLS) return 0;
    struct call *call = &calls[bytes[4]];
    if (call->state != WAITING || call->done != NOT_YET || call->generation != bytes[5]) return 0;
    frame->state = RX_TAKEN;
    frame->owner = call->owner;
    call->frame = frame;
    call->done = ANSWERED;
    ts_wait_done();
    return 1;
}

int ts_client_acknowledged(uint32_t mid, int reset)
{
    for (uint32_t i = 0; i < CALLS; i++) {
        if (calls[i].state != WAITING || calls[i].mid != mid) continue;
        calls[i].acknowledged = 1;
        if (reset && calls[i].done == NOT_YET) {
            calls[i].done = RESET;
            ts_wait_done();
        }
        return 1;
    }
    return 0;
}

uint64_t ts_client_tick(uint64_t now)
{
    uint64_t next = ~(uint64_t)0;
    for (uint32_t i = 0; i < CALLS; i++) {
        struct call *call = &calls[i];
        if (call->state != WAITING || call->done != NOT_YET) continue;
        if (call->deadline <= now) {
            call->done = TOO_LATE;
            ts_wait_done();
            continue;
        }
        if (call->deadline < next) next = call->deadline;
        if (call->acknowledged || call->retries == MOST_RETRIES) continue;
        int32_t left = (int32_t)(call->due - (uint32_t)now);
        if (left <= 0) {
            call->retries++;
            call->timeout <<= 1;
            call->due = (uint32_t)now + call->timeout;
            left = (int32_t)call->timeout;
            ts_tx_send(&call->tx);
        }
        if (now + (uint32_t)left < next) next = now + (uint32_t)left;
    }
    return next;
}

/** Masked. */
static struct call *take(void)
{
    for (uint32_t i = 0; i < CALLS; i++) {
        struct call *call = &calls[i];
        if (call->state != FREE && ts_frame_alive(call->owner)) continue;
        if (call->tx.queued) continue;
        call->state = TAKEN;
        call->owner = ts_current_frame;
        call->generation++;
        return call;
    }
    return 0;
}

/** Header and options; false if the URI is too long. */
static int put_head(struct call *call, uint32_t method, const char *uri, uint32_t n, uint32_t bytes)
{
    const uint32_t token[2] = {(uint32_t)(call - calls) | (uint32_t)call->generation << 8, 0};
    struct ts_head head;
    ts_head_begin(&head, call->head, COAP_CON, method, call->mid, token, TOKEN_BYTES);
    if (!ts_head_request(&head, call->head + HEAD_BYTES - 1, uri, n, TS_NO_BLOCK, ts_current_module)) return 0;
    if (bytes != 0) *head.at++ = 0xff;
    call->tx.part[0] = call->head;
    call->tx.bytes[0] = (uint16_t)(head.at - call->head);
    return 1;
}

uint32_t ts_response_result(const struct ts_message *message, const struct ts_request *request)
{
    uint32_t kind = message->code >> 5;
    int more = message->block2 != TS_NO_BLOCK && (message->block2 & 8) != 0;
    if ((kind != 2 && kind != 4 && kind != 5) || more) return ts_result(TS_BAD_GATEWAY, 0);
    if (message->bytes > request->capacity)
        return kind == 2 ? ts_result(TS_REQUEST_ENTITY_TOO_LARGE, 0) : ts_result(message->code, 0);
    memcpy((void *)request->response, message->payload, message->bytes);
    return ts_result(message->code, message->bytes);
}

/** What the response that has come means; 0: it is none. */
static uint32_t read_response(struct call *call, const struct ts_request *request)
{
    uint8_t *bytes = ts_rx_ring + call->frame->start;
    uint32_t n = call->frame->bytes;
    struct ts_message message;
    if (n < 6 || ts_fcs(TS_FCS_START, bytes, n) != TS_FCS_GOOD || !ts_message_begin(&message, bytes, n - 2)) return 0;
    if (!ts_message_read(&message, bytes, n - 2)) return 0;
    if (message.type == COAP_CON) {
        uint32_t ps = ts_lock();
        ts_send_empty(COAP_ACK, message.mid);
        ts_unlock(ps);
    }
    return ts_response_result(&message, request);
}

uint32_t ts_remote_request(uint32_t method, const char *uri, uint32_t uri_bytes, const struct ts_request *request,
                           uint32_t timeout_ms)
{
    if (!ts_link_up()) return ts_result(TS_NOT_FOUND, 0);
    if (request->bytes > TS_BLOCK_BYTES) return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, 0);
    uint32_t ps = ts_lock();
    struct call *call = take();
    if (call != 0) call->mid = (uint16_t)ts_message_id();
    ts_unlock(ps);
    if (call == 0) return ts_result(TS_SERVICE_UNAVAILABLE, 0);
    if (!put_head(call, method, uri, uri_bytes, request->bytes)) {
        call->state = FREE;
        return ts_result(TS_BAD_REQUEST, 0);
    }
    call->tx.part[1] = (const uint8_t *)request->payload;
    call->tx.bytes[1] = (uint16_t)request->bytes;
    ts_tx_prepare(&call->tx);

    ps = ts_lock();
    struct ts_frame *frame = ts_kernel.frame;
    call->done = NOT_YET;
    call->state = WAITING;
    call->acknowledged = 0;
    call->retries = 0;
    call->timeout = FIRST_TIMEOUT + (rt_random() & 0x1ffff);
    uint64_t now = rt_clock_microseconds();
    call->due = (uint32_t)now + call->timeout;
    call->deadline = now + mul32(timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : timeout_ms, 1000);
    ts_timer_earliest(now + call->timeout);
    ts_timer_earliest(call->deadline);
    ts_tx_send(&call->tx);
    uint32_t result = 0;
    while (result == 0) {
        int waited = ts_wait(&call->done);
        uint32_t done = call->done;
        if (done == ANSWERED) {
            /* Nothing is lost if the invocation ends in here: what it has taken is seen to be nobody's. */
            ts_unlock(ps);
            result = read_response(call, request);
            ps = ts_lock();
            call->frame->state = RX_FREE;
            if (result == 0) call->done = NOT_YET;
        } else if (!waited) result = ts_result(TS_SERVICE_UNAVAILABLE, 0);
        else result = ts_result(done == RESET ? TS_BAD_GATEWAY : TS_GATEWAY_TIMEOUT, 0);
    }
    ts_tx_cancel(&call->tx);
    call->state = FREE;
    ts_back_to(frame);
    ts_unlock(ps);
    return result;
}
