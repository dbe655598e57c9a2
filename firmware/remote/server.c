/* Requests of the edge: worker modules that take received messages, carry them to the services of this device as local
 * requests, and send what comes back. Takes frames, gives frames; the payload is the callee's grant where it was received,
 * the response is sent from where the callee wrote it. Retransmission, deduplication, separate responses, Block1 and
 * Block2, Observe. Knows no line and no byte of a frame's escapes.
 *
 * All messages come from one endpoint, the edge. What it says of its callers (OPTION_CALLER) is believed. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "remote.h"
#include "sys.h"

void *memcpy(void *to, const void *from, size_t n);

enum {
    EXCHANGES = 8,
    HISTORY = 64,
    HEAD_BYTES = 44, /* header, token, and the longest options of a response */
    SMALL_BYTES = 64,
    CACHED_ROUTES = 4,
    CACHED_PATH = 28,
    NO_FORMAT = 0xffff,
    ACK_AFTER = 100000,    /* microseconds: a request without an answer for one to two of them is acknowledged */
    FIRST_TIMEOUT = 500000, /* of confirmable messages: the line is short */
    MOST_RETRIES = 4,
    AGAIN = 50000,
    EMPTIES = 4,
};
enum { CONTINUE = 0x5f, INCOMPLETE = 0x88 };
enum { FREE = 0, RUNNING, ANSWERED, UNCONFIRMED };
enum { NO_OBSERVER = 0xff };

/** A request and what was answered; or a notification. */
struct exchange {
    struct ts_tx tx;
    uint32_t due, timeout;
    uint16_t mid;      /* of the request */
    uint16_t own_mid;  /* of a separate response or notification */
    uint8_t state;
    uint8_t type;      /* of the request */
    uint8_t code;
    uint8_t separate;  /* the request has been acknowledged */
    uint8_t retries;
    uint8_t observer;  /* whose notification it is */
    uint8_t seen;      /* RUNNING: the tick has seen it before */
    uint8_t worker;    /* RUNNING: where */
    uint8_t token_bytes;
    uint8_t token[TS_TOKEN_BYTES];
    uint8_t head[HEAD_BYTES] __attribute__((aligned(4)));
    uint8_t small[SMALL_BYTES] __attribute__((aligned(4)));
};

static struct exchange exchanges[EXCHANGES];
/** Message ID and a summary of the token of requests whose exchange may be gone already. */
static uint32_t history[HISTORY];
static uint8_t next_exchange;

/** For responses that are not small: one at a time. */
static uint8_t large[TS_BLOCK_BYTES] __attribute__((aligned(4)));
static struct exchange *large_owner;

/** A request payload that comes in blocks. */
static struct {
    uint8_t bytes[TS_BLOCK_BYTES] __attribute__((aligned(4)));
    uint16_t length, path;
    uint8_t method;
    uint8_t in_use; /* 1 + the worker whose handler reads it */
} assembly;

static struct {
    uint32_t epoch;
    uint16_t format;
    uint8_t method, route, bytes;
    char path[CACHED_PATH];
} routes[CACHED_ROUTES];

static struct {
    uint8_t token[TS_TOKEN_BYTES];
    uint32_t sequence;
    uint8_t token_bytes;
    uint8_t used;
} observers[TS_MAX_SUBSCRIPTIONS];

static struct {
    struct ts_tx tx;
    uint8_t head[4];
} empties[EMPTIES];
static struct {
    struct ts_tx tx;
    uint8_t head[4 + TS_TOKEN_BYTES + 2];
} refusal;

static struct worker {
    const char *caller;
    uint16_t caller_bytes;
    uint8_t module;
} workers[TS_WORKERS];

static uint16_t last_mid;
static uint8_t ticking; /* an alarm is set that looks for requests without an answer yet */
static struct ts_block block;

static uint8_t stacks[TS_WORKERS][1280] __attribute__((aligned(16)));

static uint32_t this_worker(void) { return ts_current_module == workers[0].module ? 0 : 1; }

int ts_is_worker(uint32_t module) { return module != 0 && (module == workers[0].module || module == workers[1].module); }

const char *ts_remote_caller(uint32_t *bytes)
{
    const struct worker *worker = &workers[ts_caller_module() == workers[0].module ? 0 : 1];
    *bytes = worker->caller_bytes;
    return worker->caller;
}

struct ts_block *ts_block_of_request(void) { return ts_is_worker(ts_caller_module()) ? &block : 0; }

/* ---- messages ---- */

uint32_t ts_message_id(void)
{
    if (last_mid == 0) last_mid = (uint16_t)rt_random();
    return ++last_mid;
}

void ts_remote_later(uint32_t microseconds) { ts_timer_earliest(rt_clock_microseconds() + microseconds); }

static uint32_t now_low(void) { return (uint32_t)rt_clock_microseconds(); }

void ts_send_empty(uint32_t type, uint32_t mid)
{
    uint32_t i = 0;
    while (i < EMPTIES && empties[i].tx.queued) i++;
    if (i == EMPTIES) return;
    struct ts_head head;
    ts_head_begin(&head, empties[i].head, type, 0, mid, 0, 0);
    empties[i].tx.part[0] = empties[i].head;
    empties[i].tx.bytes[0] = 4;
    empties[i].tx.bytes[1] = 0;
    ts_tx_prepare(&empties[i].tx);
    ts_tx_send(&empties[i].tx);
}

/** There is no room for this request now; it may come again. */
static void send_refusal(const struct ts_message *message)
{
    uint32_t ps = ts_lock();
    if (!refusal.tx.queued) {
        struct ts_head head;
        uint32_t confirmable = message->type == COAP_CON;
        ts_head_begin(&head, refusal.head, confirmable ? COAP_ACK : COAP_NON, TS_SERVICE_UNAVAILABLE,
                      confirmable ? message->mid : ts_message_id(), message->token, message->token_bytes);
        ts_head_number(&head, OPTION_MAX_AGE, 1);
        refusal.tx.part[0] = refusal.head;
        refusal.tx.bytes[0] = (uint16_t)(head.at - refusal.head);
        refusal.tx.bytes[1] = 0;
        ts_tx_prepare(&refusal.tx);
        ts_tx_send(&refusal.tx);
    }
    ts_unlock(ps);
}

static int same_token(const struct exchange *exchange, const struct ts_message *message)
{
    if (exchange->token_bytes != message->token_bytes) return 0;
    for (uint32_t i = 0; i < message->token_bytes; i++)
        if (exchange->token[i] != message->token[i]) return 0;
    return 1;
}

static uint32_t summary(const struct ts_message *message)
{
    uint32_t sum = message->token_bytes;
    for (uint32_t i = 0; i < message->token_bytes; i++) sum = (sum << 3) + message->token[i];
    return sum << 16 | message->mid;
}

static struct exchange *find(const struct ts_message *message)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct exchange *exchange = &exchanges[i];
        if (exchange->mid == message->mid && exchange->state != FREE && exchange->observer == NO_OBSERVER &&
            exchange->code == message->code && same_token(exchange, message))
            return exchange;
    }
    return 0;
}

/** The one that was finished longest ago, or null. Masked. */
static struct exchange *take(void)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct exchange *exchange = &exchanges[next_exchange];
        next_exchange = (next_exchange + 1) & (EXCHANGES - 1);
        if (exchange->state == RUNNING || exchange->state == UNCONFIRMED || exchange->tx.queued) continue;
        if (large_owner == exchange) large_owner = 0;
        exchange->state = RUNNING;
        exchange->worker = (uint8_t)this_worker();
        exchange->observer = NO_OBSERVER;
        exchange->separate = 0;
        exchange->tx.bytes[1] = 0;
        return exchange;
    }
    return 0;
}

/** The large buffer, unless another exchange still needs it. */
static uint8_t *take_large(struct exchange *exchange)
{
    uint32_t ps = ts_lock();
    struct exchange *owner = large_owner;
    int busy = owner != 0 && owner != exchange && (owner->state == RUNNING || owner->state == UNCONFIRMED || owner->tx.queued);
    if (!busy) large_owner = exchange;
    ts_unlock(ps);
    return busy ? 0 : large;
}

/** It has come before: what was answered is sent again. False if that is gone and asking again does no harm. */
static int repeated(struct exchange *exchange, const struct ts_message *message)
{
    int known = 1;
    uint32_t ps = ts_lock();
    if (exchange->state == RUNNING || exchange->separate) {
        if (exchange->separate && message->type == COAP_CON) ts_send_empty(COAP_ACK, message->mid);
    } else if (exchange->tx.bytes[1] != 0 && exchange->tx.part[1] >= large && exchange->tx.part[1] < large + sizeof large &&
               large_owner != exchange) {
        known = message->code != TS_GET;
        if (known) {
            /* The answer is lost, and to run it twice would be worse. */
            exchange->head[1] = TS_INTERNAL_SERVER_ERROR;
            exchange->tx.bytes[0] = (uint16_t)(4 + exchange->token_bytes);
            exchange->tx.bytes[1] = 0;
            ts_tx_prepare(&exchange->tx);
            ts_tx_send(&exchange->tx);
        } else exchange->state = FREE;
    } else ts_tx_send(&exchange->tx);
    ts_unlock(ps);
    return known;
}

static void confirm_later(struct exchange *exchange)
{
    exchange->state = UNCONFIRMED;
    exchange->retries = 0;
    exchange->timeout = FIRST_TIMEOUT + (rt_random() & 0x3ffff);
    exchange->due = now_low() + exchange->timeout;
    ts_remote_later(exchange->timeout);
}

struct answer {
    uint32_t code;
    const uint8_t *payload;
    uint32_t bytes;
    uint32_t format;  /* NO_FORMAT: none */
    uint32_t observe; /* TS_NO_BLOCK: none, as below */
    uint32_t block1, block2, size1, etag;
};

static void send(struct exchange *exchange, const struct answer *answer)
{
    struct ts_head head;
    uint32_t ps = ts_lock();
    uint32_t type, mid = exchange->mid;
    int confirmable = exchange->observer != NO_OBSERVER || (exchange->separate && exchange->type == COAP_CON);
    if (confirmable) type = COAP_CON;
    else type = exchange->type == COAP_CON ? COAP_ACK : COAP_NON;
    if (type != COAP_ACK) mid = exchange->own_mid = (uint16_t)ts_message_id();
    else exchange->separate = 0;
    /* From here on no empty acknowledgement comes in between. */
    exchange->state = ANSWERED;
    ts_unlock(ps);
    ts_head_begin(&head, exchange->head, type, answer->code, mid, exchange->token, exchange->token_bytes);
    if (answer->etag != TS_NO_BLOCK) ts_head_number(&head, OPTION_ETAG, answer->etag);
    if (answer->observe != TS_NO_BLOCK) ts_head_number(&head, OPTION_OBSERVE, answer->observe);
    if (answer->format != NO_FORMAT) ts_head_number(&head, OPTION_CONTENT_FORMAT, answer->format);
    if (answer->code == TS_SERVICE_UNAVAILABLE) ts_head_number(&head, OPTION_MAX_AGE, 1);
    if (answer->block2 != TS_NO_BLOCK) ts_head_number(&head, OPTION_BLOCK2, answer->block2);
    if (answer->block1 != TS_NO_BLOCK) ts_head_number(&head, OPTION_BLOCK1, answer->block1);
    if (answer->size1 != TS_NO_BLOCK) ts_head_number(&head, OPTION_SIZE1, answer->size1);
    if (answer->bytes != 0) *head.at++ = 0xff;
    exchange->tx.part[0] = exchange->head;
    exchange->tx.bytes[0] = (uint16_t)(head.at - exchange->head);
    exchange->tx.part[1] = answer->payload;
    exchange->tx.bytes[1] = (uint16_t)answer->bytes;
    ts_tx_prepare(&exchange->tx);
    ps = ts_lock();
    if (confirmable) confirm_later(exchange);
    ts_tx_send(&exchange->tx);
    ts_unlock(ps);
}

/* ---- requests ---- */

/** Content format of a service's representations. */
static uint32_t format_of(const char *attributes)
{
    for (; *attributes != 0; attributes++) {
        if (attributes[0] != ';' || attributes[1] != 'c' || attributes[2] != 't' || attributes[3] != '=') continue;
        uint32_t value = 0;
        for (attributes += 4; *attributes >= '0' && *attributes <= '9'; attributes++)
            value = value * 10 + (uint32_t)(*attributes - '0');
        return value;
    }
    return NO_FORMAT;
}

/** Route of a path, or a result word; found again quickly. */
static uint32_t find_route(uint32_t method, const char *path, uint32_t bytes, uint32_t *format)
{
    uint32_t slot = bytes == 0 ? 0 : ((uint32_t)(uint8_t)path[bytes - 1] ^ bytes ^ method) & (CACHED_ROUTES - 1), i = 0;
    if (routes[slot].epoch == ts_kernel.epoch && routes[slot].bytes == bytes && routes[slot].method == method) {
        while (i < bytes && routes[slot].path[i] == path[i]) i++;
        *format = routes[slot].format;
        if (i == bytes) return routes[slot].route;
    }
    uint32_t epoch = ts_kernel.epoch, route = ts_find_route(method, path, bytes);
    if (route > TS_MAX_ROUTES) return route;
    uint32_t ps = ts_lock();
    const struct ts_service *service = ts_routes[route - 1].service;
    *format = service == 0 ? (uint32_t)NO_FORMAT : format_of(service->attributes);
    if (bytes <= CACHED_PATH) {
        routes[slot].epoch = epoch;
        routes[slot].method = (uint8_t)method;
        routes[slot].route = (uint8_t)route;
        routes[slot].format = (uint16_t)*format;
        routes[slot].bytes = (uint8_t)bytes;
        for (i = 0; i < bytes; i++) routes[slot].path[i] = path[i];
    }
    ts_unlock(ps);
    return route;
}

static int caller_allowed(const struct ts_contract *contract, const struct ts_message *message)
{
    if (contract->callers == 0) return 1;
    for (uint32_t i = 0; message->caller != 0 && i < contract->caller_count; i++)
        if (ts_name_is(contract->callers[i], message->caller, message->caller_bytes)) return 1;
    return 0;
}

/** Takes a block of the request's payload that the handler wants as a whole; code, 0: the last one, `message` has it all. */
static uint32_t assemble(struct ts_message *message, struct answer *answer)
{
    uint32_t offset = ts_block_offset(message->block1), path = ts_fcs(0, (const uint8_t *)message->uri, message->uri_bytes);
    uint32_t code = 0, ps = ts_lock();
    if (assembly.in_use) code = TS_SERVICE_UNAVAILABLE;
    else if (offset + message->bytes > sizeof assembly.bytes) {
        code = TS_REQUEST_ENTITY_TOO_LARGE;
        answer->size1 = sizeof assembly.bytes;
    } else if (offset == 0) {
        assembly.path = (uint16_t)path;
        assembly.method = message->code;
    } else if (offset > assembly.length || assembly.path != path || assembly.method != message->code) code = INCOMPLETE;
    if (code == 0) {
        assembly.length = (uint16_t)(offset + message->bytes);
        if ((message->block1 & 8) != 0) code = CONTINUE;
        else assembly.in_use = (uint8_t)(1 + this_worker());
    }
    ts_unlock(ps);
    if (code == 0 || code == CONTINUE) memcpy(assembly.bytes + offset, message->payload, message->bytes);
    if (code == 0) {
        message->payload = assembly.bytes;
        message->bytes = assembly.length;
    }
    return code;
}

/** Cuts what the request asked for out of a whole response. */
static void cut(struct answer *answer, uint32_t asked)
{
    uint32_t wanted = asked == TS_NO_BLOCK ? TS_BLOCK_SZX : asked & ~8u, offset = ts_block_offset(wanted), size = ts_block_size(wanted);
    if (asked == TS_NO_BLOCK || (offset == 0 && answer->bytes <= size)) return;
    answer->etag = ts_fcs(0xffff, answer->payload, answer->bytes);
    if (offset >= answer->bytes) {
        *answer = (struct answer){TS_BAD_REQUEST, 0, 0, NO_FORMAT, TS_NO_BLOCK, answer->block1, TS_NO_BLOCK, TS_NO_BLOCK, TS_NO_BLOCK};
        return;
    }
    uint32_t left = answer->bytes - offset;
    answer->payload += offset;
    answer->bytes = left < size ? left : size;
    answer->block2 = wanted | (left > size ? 8 : 0);
}

/** Has the service do it; the answer's payload is in the exchange's small buffer or in the large one. */
static void serve(struct exchange *exchange, struct ts_message *message, struct answer *answer)
{
    answer->code = message->refused;
    if (answer->code != 0) return;
    struct ts_request request = {.uri = message->uri, .uri_bytes = message->uri_bytes};
    if (message->code < TS_GET || message->code > TS_DELETE) {
        answer->code = TS_METHOD_NOT_ALLOWED;
        return;
    }
    uint32_t result, format, assembled = 0;
    do {
        request.epoch = ts_kernel.epoch;
        uint32_t route = find_route(message->code, message->uri, message->path_bytes, &format);
        const struct ts_service *service = route > TS_MAX_ROUTES ? 0 : ts_routes[route - 1].service;
        if (route > TS_MAX_ROUTES) {
            answer->code = route >> TS_RESULT_CODE_SHIFT;
            return;
        }
        if (service == 0 || request.epoch != ts_kernel.epoch) {
            result = 0;
            continue;
        }
        const struct ts_contract *contract = service->contract;
        if (!caller_allowed(contract, message)) {
            answer->code = TS_FORBIDDEN;
            return;
        }
        if (message->accept != TS_NO_BLOCK && format != NO_FORMAT && message->accept != format) {
            answer->code = TS_NOT_ACCEPTABLE;
            return;
        }
        int blockwise = (service->reserved & TS_SERVICE_BLOCKWISE) != 0;
        if (message->block1 != TS_NO_BLOCK && !assembled) {
            answer->block1 = message->block1;
            if (!blockwise && (answer->code = assemble(message, answer)) != 0) return;
            assembled = !blockwise;
        }
        request.response = (uint32_t)exchange->small;
        request.capacity = SMALL_BYTES;
        if (contract->response != 0 && contract->response->max_bytes > SMALL_BYTES) {
            request.response = (uint32_t)take_large(exchange);
            request.capacity = contract->response->max_bytes < TS_BLOCK_BYTES ? contract->response->max_bytes : TS_BLOCK_BYTES;
            if (request.response == 0) {
                answer->code = TS_SERVICE_UNAVAILABLE;
                break;
            }
        }
        block = (struct ts_block){.offset1 = message->block1 == TS_NO_BLOCK ? TS_NO_BLOCK : ts_block_offset(message->block1)};
        uint32_t asked = message->block2 == TS_NO_BLOCK ? TS_BLOCK_SZX : message->block2;
        if (blockwise) {
            block.offset2 = ts_block_offset(asked);
            if (request.capacity > ts_block_size(asked)) request.capacity = ts_block_size(asked);
        }
        request.payload = (uint32_t)message->payload;
        request.bytes = message->bytes;
        result = ts_dispatch(route, &request);
        answer->code = result >> TS_RESULT_CODE_SHIFT;
        answer->bytes = result & TS_RESULT_LENGTH_MASK;
        answer->payload = (const uint8_t *)request.response;
        if (blockwise && answer->code == TS_CONTENT && (block.total > block.offset2 + answer->bytes || block.offset2 != 0))
            answer->block2 = (asked & ~8u) | (block.total > block.offset2 + answer->bytes ? 8 : 0);
        else if (answer->code == TS_CONTENT) cut(answer, message->block2);
        if (answer->code >> 5 == 2 && blockwise && message->block1 != TS_NO_BLOCK && (message->block1 & 8) != 0)
            answer->code = CONTINUE;
        if (answer->code == TS_CONTENT) answer->format = format;
        if (answer->code == TS_CONTENT && message->observe == 0 && service->observable) answer->observe = 0;
    } while (result == 0);
    if (assembled) assembly.in_use = 0;
}

static int32_t find_observer(const struct ts_message *message)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        uint32_t at = 0;
        if (!observers[i].used || observers[i].token_bytes != message->token_bytes) continue;
        while (at < message->token_bytes && observers[i].token[at] == message->token[at]) at++;
        if (at == message->token_bytes) return (int32_t)i;
    }
    return -1;
}

/** Masked. */
static void drop_observer(uint32_t i)
{
    observers[i].used = 0;
    ts_subscriptions[i].uri_bytes = 0;
}

/** Takes the edge as an observer of what it has just got. False if there is no room. */
static int observe(const struct ts_message *message)
{
    if (find_observer(message) >= 0) return 1;
    int32_t number = ts_observe(message->uri, message->uri_bytes, 0, 0);
    if (number < 0) return 0;
    uint32_t ps = ts_lock();
    ts_subscriptions[number].pending = 0; /* the first representation goes as the response */
    observers[number].used = 1;
    observers[number].sequence = 1;
    observers[number].token_bytes = message->token_bytes;
    for (uint32_t i = 0; i < message->token_bytes; i++) observers[number].token[i] = message->token[i];
    ts_unlock(ps);
    return 1;
}

static void handle_request(struct ts_message *message)
{
    uint32_t key = summary(message), *past = &history[message->mid & (HISTORY - 1)];
    if (*past == key) {
        struct exchange *earlier = find(message);
        if (earlier != 0 && repeated(earlier, message)) return;
        /* So old that nobody waits for an answer any more. */
        if (earlier == 0 && message->code != TS_GET) return;
    }
    uint32_t ps = ts_lock();
    struct exchange *exchange = take();
    if (exchange != 0) {
        *past = key;
        exchange->mid = message->mid;
        exchange->type = message->type;
        exchange->code = message->code;
        exchange->token_bytes = message->token_bytes;
        for (uint32_t i = 0; i < message->token_bytes; i++) exchange->token[i] = message->token[i];
        exchange->seen = 0;
        if (!ticking) {
            /* One alarm for all that come until then. */
            ticking = 1;
            ts_remote_later(ACK_AFTER);
        }
    }
    ts_unlock(ps);
    if (exchange == 0) {
        send_refusal(message);
        return;
    }
    struct worker *worker = &workers[this_worker()];
    worker->caller = message->caller == 0 ? "" : message->caller;
    worker->caller_bytes = message->caller_bytes;
    struct answer answer = {.format = NO_FORMAT,
                            .observe = TS_NO_BLOCK,
                            .block1 = TS_NO_BLOCK,
                            .block2 = TS_NO_BLOCK,
                            .size1 = TS_NO_BLOCK,
                            .etag = TS_NO_BLOCK};
    if (message->observe == 1) {
        ps = ts_lock();
        int32_t number = find_observer(message);
        if (number >= 0) drop_observer((uint32_t)number);
        ts_unlock(ps);
    }
    serve(exchange, message, &answer);
    if (answer.observe == 0 && !observe(message)) answer.observe = TS_NO_BLOCK;
    send(exchange, &answer);
}

void ts_remote_notify(uint32_t number, uint32_t gone)
{
    struct ts_subscription *subscription = &ts_subscriptions[number];
    uint32_t ps = ts_lock();
    struct exchange *exchange = 0;
    if (!observers[number].used) {
        ts_unlock(ps);
        return;
    }
    /* What has not been acknowledged yet is out of date. */
    for (uint32_t i = 0; i < EXCHANGES; i++)
        if (exchanges[i].state == UNCONFIRMED && exchanges[i].observer == number) exchange = &exchanges[i];
    if (exchange != 0) {
        ts_tx_cancel(&exchange->tx);
        exchange->state = RUNNING;
        exchange->worker = (uint8_t)this_worker();
    } else exchange = take();
    if (exchange != 0) {
        exchange->observer = (uint8_t)number;
        exchange->token_bytes = observers[number].token_bytes;
        for (uint32_t i = 0; i < exchange->token_bytes; i++) exchange->token[i] = observers[number].token[i];
    } else {
        subscription->pending = 1;
        ts_remote_later(AGAIN);
    }
    ts_unlock(ps);
    if (exchange == 0) return;
    uint32_t path_bytes = 0;
    while (path_bytes < subscription->uri_bytes && subscription->uri[path_bytes] != '?') path_bytes++;
    struct ts_message message = {.code = TS_GET,
                                 .uri = subscription->uri,
                                 .uri_bytes = subscription->uri_bytes,
                                 .path_bytes = path_bytes,
                                 .observe = TS_NO_BLOCK,
                                 .block1 = TS_NO_BLOCK,
                                 .block2 = TS_NO_BLOCK,
                                 .accept = TS_NO_BLOCK};
    struct answer answer = {.format = NO_FORMAT,
                            .observe = TS_NO_BLOCK,
                            .block1 = TS_NO_BLOCK,
                            .block2 = TS_NO_BLOCK,
                            .size1 = TS_NO_BLOCK,
                            .etag = TS_NO_BLOCK};
    workers[this_worker()].caller_bytes = 0;
    if (gone) answer.code = TS_NOT_FOUND;
    else serve(exchange, &message, &answer);
    if (answer.code >> 5 == 2) answer.observe = ++observers[number].sequence & 0xffffff;
    else {
        ps = ts_lock();
        drop_observer(number);
        ts_unlock(ps);
    }
    send(exchange, &answer);
}

/* ---- what comes in ---- */

static void acknowledged(uint32_t mid, int reset)
{
    uint32_t ps = ts_lock();
    if (!ts_client_acknowledged(mid, reset))
        for (uint32_t i = 0; i < EXCHANGES; i++) {
            struct exchange *exchange = &exchanges[i];
            if (exchange->state != UNCONFIRMED || exchange->own_mid != mid) continue;
            exchange->state = exchange->observer == NO_OBSERVER ? ANSWERED : FREE;
            if (reset && exchange->observer != NO_OBSERVER) drop_observer(exchange->observer);
        }
    ts_unlock(ps);
}

static void handle(uint8_t *bytes, uint32_t n)
{
    enum { CHECK_BYTES = 2 };
    if (ts_fcs(TS_FCS_START, bytes, n) != TS_FCS_GOOD) return;
    struct ts_message message;
    uint32_t mid = (uint32_t)bytes[2] << 8 | bytes[3], type = bytes[0] >> 4 & 3, ps;
    int readable = ts_message_read(&message, bytes, n - CHECK_BYTES);
    if (readable && message.code == 0 && type >= COAP_ACK) acknowledged(mid, type == COAP_RST);
    else if (readable && message.code != 0 && message.code >> 5 == 0 && type <= COAP_NON) handle_request(&message);
    else if (bytes[0] >> 6 == 1 && type == COAP_CON) {
        /* A ping, a response that nobody waits for, a request that cannot be read. */
        ps = ts_lock();
        ts_send_empty(COAP_RST, mid);
        ts_unlock(ps);
    }
}

static void work(void);

void ts_remote_work(void)
{
    for (uint32_t i = 0; i < TS_WORKERS; i++) {
        struct ts_module *worker = &ts_modules[workers[i].module];
        if ((ts_kernel.busy >> worker->index & 1) != 0 || worker->state != TS_STATE_RUNNING) continue;
        worker->job = work;
        ts_post(worker, TS_EVENT_JOB);
        return;
    }
}

/** One message. */
static void work(void)
{
    int more;
    uint32_t ps = ts_lock();
    struct ts_rx *frame = ts_rx_take(&more);
    if (more) ts_remote_work();
    ts_unlock(ps);
    if (frame == 0) return;
    handle(ts_rx_ring + frame->start, frame->bytes);
    frame->state = RX_FREE;
}

uint64_t ts_remote_tick(uint64_t now)
{
    uint64_t next = ts_client_tick(now);
    ticking = 0;
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct exchange *exchange = &exchanges[i];
        int unacknowledged = exchange->state == RUNNING && !exchange->separate && exchange->type == COAP_CON &&
                             exchange->observer == NO_OBSERVER;
        if (!unacknowledged && exchange->state != UNCONFIRMED) continue;
        if (unacknowledged) {
            if (exchange->seen) {
                exchange->separate = 1;
                ts_send_empty(COAP_ACK, exchange->mid);
                continue;
            }
            exchange->seen = 1;
            ticking = 1;
            if (now + ACK_AFTER < next) next = now + ACK_AFTER;
            continue;
        }
        int32_t left = (int32_t)(exchange->due - (uint32_t)now);
        if (left <= 0 && exchange->retries++ == MOST_RETRIES) {
            exchange->state = exchange->observer == NO_OBSERVER ? ANSWERED : FREE;
            if (exchange->observer != NO_OBSERVER) drop_observer(exchange->observer);
            continue;
        }
        if (left <= 0) {
            ts_tx_send(&exchange->tx);
            exchange->timeout <<= 1;
            exchange->due = (uint32_t)now + exchange->timeout;
            left = (int32_t)exchange->timeout;
        }
        if (now + (uint32_t)left < next) next = now + (uint32_t)left;
    }
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (observers[i].used && ts_subscriptions[i].pending)
            ts_post(&ts_modules[ts_subscriptions[i].subscriber], TS_EVENT_NOTIFY);
    return next;
}

/** A worker starts, or starts again after it was ended in the middle of something. */
static void start(void)
{
    uint32_t self = (uint32_t)(ts_modules[ts_current_module].info - ts_worker_infos), ps = ts_lock();
    int first = workers[self].module == 0;
    workers[self].module = (uint8_t)ts_current_module;
    for (uint32_t i = 0; i < EXCHANGES; i++)
        if (exchanges[i].state == RUNNING && exchanges[i].worker == self) exchanges[i].state = FREE;
    if (assembly.in_use == 1 + self) assembly.in_use = 0;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (observers[i].used && ts_subscriptions[i].uri_bytes == 0) observers[i].used = 0;
    if (first && self == TS_WORKERS - 1) ts_link_start();
    ts_remote_work();
    ts_unlock(ps);
}

#define WORKER(number, called)                                                                                            \
    {.os_abi_version = TS_OS_ABI_VERSION, .name = called, .version = "1.0.0", .restart = TS_RESTART_ALWAYS,               \
     .backoff_ms = 1, .stack_bottom = (uint32_t)stacks[number], .stack_top = (uint32_t)(stacks[number] + sizeof stacks[number]), \
     .start_deadline_cycles = TS_MILLISECONDS(20), .event_deadline_cycles = TS_MILLISECONDS(8000),                         \
     .on_start = (uint32_t)start, .on_notify = (uint32_t)ts_remote_notify}

const struct ts_module_info ts_worker_infos[TS_WORKERS] = {WORKER(0, "edge0"), WORKER(1, "edge1")};
