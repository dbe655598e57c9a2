/* Requests of the edge as local ones: finds the service, has it run, gives what it answered. The payload is the callee's
 * grant where it was received, the response is sent from where the callee wrote it. Block1 and Block2. Knows no exchange but
 * its buffers.
 *
 * All messages come from one endpoint, the edge. What it says of its callers (OPTION_CALLER) is believed. */
#pragma GCC optimize("O2")
#include "exchange.h"

void *memcpy(void *to, const void *from, size_t n);

enum {
    KNOWN = 4,
    KNOWN_BYTES = 48,
};

/** What requests with these options mean: those that come again and again are not read again. */
struct known {
    uint32_t epoch; /* of the routes; 0: nothing */
    uint16_t format, capacity;
    uint8_t code, bytes, route;
    uint8_t caller_at, caller_bytes;
    uint8_t path_bytes;
    const char *path; /* of the service, and so of the request */
    uint8_t options[KNOWN_BYTES] __attribute__((aligned(4)));
};
static struct known known[KNOWN];
static const struct known *last_known = known;
static uint8_t next_known;

/** A request payload that comes in blocks. */
static struct {
    uint8_t bytes[TS_BLOCK_BYTES] __attribute__((aligned(4)));
    uint16_t length, path;
    uint8_t method;
    uint8_t in_use; /* 1 + the worker whose handler reads it */
} assembly;

static struct ts_block block;

struct ts_block *ts_block_of_request(void) { return ts_is_worker(ts_caller_module()) ? &block : 0; }

void ts_serve_abandon(uint32_t worker)
{
    if (assembly.in_use == 1 + worker) assembly.in_use = 0;
}

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
    return TS_NO_FORMAT;
}

/** Is `caller` one of those that an entry means: itself, or any one name in the place of a star at the end? */
static int names(const char *entry, const char *caller, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (entry[i] == '*') {
            for (; i < bytes; i++) {
                char c = caller[i];
                if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return 0;
            }
            return 1;
        }
        if (entry[i] != caller[i] || entry[i] == 0) return 0;
    }
    return entry[bytes] == 0;
}

static int caller_allowed(const struct ts_contract *contract, const struct ts_message *message)
{
    if (contract->callers == 0) return 1;
    for (uint32_t i = 0; message->caller != 0 && i < contract->caller_count; i++)
        if (names(contract->callers[i], message->caller, message->caller_bytes)) return 1;
    return 0;
}

/** Takes a block of the request's payload that the handler wants as a whole; code, 0: the last one, `message` has it all. */
static uint32_t assemble(struct ts_message *message, struct ts_answer *answer)
{
    uint32_t offset = ts_block_offset(message->block1), path = ts_fcs(0, (const uint8_t *)message->uri, message->uri_bytes);
    uint32_t code = 0, ps = ts_lock();
    if (assembly.in_use) code = TS_SERVICE_UNAVAILABLE;
    else if (offset + message->bytes > sizeof assembly.bytes) {
        code = TS_REQUEST_ENTITY_TOO_LARGE;
        answer->size1 = sizeof assembly.bytes;
        answer->options |= ANSWER_SIZE1;
    } else if (offset == 0) {
        assembly.path = (uint16_t)path;
        assembly.method = message->code;
    } else if (offset > assembly.length || assembly.path != path || assembly.method != message->code) code = COAP_INCOMPLETE;
    if (code == 0) {
        assembly.length = (uint16_t)(offset + message->bytes);
        if ((message->block1 & 8) != 0) code = COAP_CONTINUE;
        else assembly.in_use = (uint8_t)(1 + ts_this_worker());
    }
    ts_unlock(ps);
    if (code == 0 || code == COAP_CONTINUE) memcpy(assembly.bytes + offset, message->payload, message->bytes);
    if (code == 0) {
        message->payload = assembly.bytes;
        message->bytes = assembly.length;
    }
    return code;
}

/** Cuts what the request asked for out of a whole response. */
static void cut(struct ts_answer *answer, uint32_t asked)
{
    uint32_t wanted = asked == TS_NO_BLOCK ? TS_BLOCK_SZX : asked & ~8u, offset = ts_block_offset(wanted), size = ts_block_size(wanted);
    if (asked == TS_NO_BLOCK || (offset == 0 && answer->bytes <= size)) return;
    if (offset >= answer->bytes) {
        answer->code = TS_BAD_REQUEST;
        answer->bytes = 0;
        return;
    }
    answer->etag = ts_fcs(0xffff, answer->payload, answer->bytes);
    uint32_t left = answer->bytes - offset;
    answer->payload += offset;
    answer->bytes = left < size ? left : size;
    answer->block2 = wanted | (left > size ? 8 : 0);
    answer->options |= ANSWER_ETAG | ANSWER_BLOCK2;
}

/** Buffer for an answer of at most so many bytes; 0 if there is none now. */
static inline uint32_t response_buffer(struct ts_exchange *exchange, uint32_t capacity)
{
    return capacity <= TS_SMALL_BYTES ? (uint32_t)exchange->small : (uint32_t)ts_exchange_large(exchange);
}

static inline uint32_t capacity_for(const struct ts_contract *contract)
{
    const struct ts_type *type = contract->response;
    if (type == 0 || type->max_bytes <= TS_SMALL_BYTES) return TS_SMALL_BYTES;
    return type->max_bytes < TS_BLOCK_BYTES ? type->max_bytes : TS_BLOCK_BYTES;
}

typedef uint16_t __attribute__((may_alias)) half;

/** Are these the options that an entry is about? */
static inline int fits(const struct known *entry, uint32_t code, const uint8_t *options, uint32_t n)
{
    uint32_t bytes = entry->bytes;
    if (entry->epoch != ts_kernel.epoch || entry->code != code) return 0;
    if (bytes != n && (bytes + 1 >= n || options[bytes] != 0xff)) return 0;
    const half *a = (const half *)options, *b = (const half *)entry->options;
    for (; bytes >= 2; bytes -= 2)
        if (*a++ != *b++) return 0;
    return bytes == 0 || *(const uint8_t *)a == *(const uint8_t *)b;
}

static inline int take_known(struct ts_message *message, const struct known *entry, const uint8_t *options, uint32_t n)
{
    uint32_t bytes = entry->bytes, skip = bytes == n ? bytes : bytes + 1;
    message->known = entry;
    message->payload = options + skip;
    message->bytes = n - skip;
    message->uri = (char *)entry->path;
    message->uri_bytes = entry->path_bytes;
    message->caller = (const char *)options + entry->caller_at;
    message->caller_bytes = entry->caller_bytes;
    return 1;
}

/** Other options than the last time. */
static __attribute__((noinline)) int read_others(struct ts_message *message, uint8_t *options, uint32_t n)
{
    if ((message->token_bytes & 1) == 0)
        for (const struct known *entry = known; entry != known + KNOWN; entry++)
            if (fits(entry, message->code, options, n)) return take_known(message, last_known = entry, options, n);
    message->known = 0;
    /* They are changed by reading. */
    known[next_known].epoch = 0;
    memcpy(known[next_known].options, options, n < KNOWN_BYTES ? n : KNOWN_BYTES);
    return ts_message_read(message, message->raw, message->raw_bytes);
}

int ts_request_read(struct ts_message *message, uint8_t *bytes, uint32_t n)
{
    uint32_t skip = 4u + message->token_bytes;
    uint8_t *options = bytes + skip;
    message->raw = bytes;
    message->raw_bytes = (uint16_t)n;
    n -= skip;
    if ((skip & 1) != 0 || !fits(last_known, message->code, options, n)) return read_others(message, options, n);
    return take_known(message, last_known, options, n);
}

/** Notes what the options mean that were read last, if they say no more than service and caller. */
static void learn(const struct ts_message *message, uint32_t epoch, uint32_t route, uint32_t format)
{
    struct known *entry = &known[next_known];
    const uint8_t *options = message->raw + 4 + message->token_bytes;
    uint32_t bytes = (uint32_t)(message->payload - options) - (message->bytes != 0), path_bytes = message->path_bytes;
    uint32_t more = message->observe & message->block1 & message->block2 & message->accept;
    if (message->raw == 0 || bytes > KNOWN_BYTES || message->uri_bytes != path_bytes || more != TS_NO_BLOCK) return;
    uint32_t ps = ts_lock();
    const struct ts_service *service = ts_routes[route - 1].service;
    int plain = ts_kernel.epoch == epoch && (service->reserved & TS_SERVICE_BLOCKWISE) == 0;
    /* Without parameters the pattern is the path. */
    if (plain && ts_name_is(service->path, message->uri, path_bytes)) {
        entry->format = (uint16_t)format;
        entry->capacity = (uint16_t)capacity_for(service->contract);
        entry->code = message->code;
        entry->bytes = (uint8_t)bytes;
        entry->route = (uint8_t)route;
        entry->path = service->path;
        entry->path_bytes = (uint8_t)path_bytes;
        entry->caller_at = message->caller == 0 ? 0 : (uint8_t)((const uint8_t *)message->caller - options);
        entry->caller_bytes = (uint8_t)message->caller_bytes;
        entry->epoch = epoch;
        next_known = (next_known + 1) & (KNOWN - 1);
    }
    ts_unlock(ps);
}

/** A request that is known: 0 if it is no more. */
static uint32_t serve_known(struct ts_exchange *exchange, const struct ts_message *message, struct ts_answer *answer)
{
    const struct known *found = message->known;
    struct ts_request request;
    request.epoch = found->epoch;
    request.uri = message->uri;
    request.uri_bytes = message->uri_bytes;
    request.payload = (uint32_t)message->payload;
    request.bytes = message->bytes;
    request.capacity = found->capacity;
    request.response = response_buffer(exchange, found->capacity);
    request.payload_parent = request.response_parent = 0;
    if (request.response == 0) return answer->code = TS_SERVICE_UNAVAILABLE;
    uint32_t format = found->format, result = ts_dispatch(found->route, &request);
    answer->code = result >> TS_RESULT_CODE_SHIFT;
    answer->bytes = result & TS_RESULT_LENGTH_MASK;
    answer->payload = (const uint8_t *)request.response;
    if (answer->code == TS_CONTENT) answer->format = format;
    return result;
}

/** Looks a service up and has it run: result word, 0 if the routes have changed meanwhile. */
static uint32_t serve_new(struct ts_exchange *exchange, struct ts_message *message, struct ts_answer *answer, int *assembled)
{
    uint32_t epoch = ts_kernel.epoch, route = ts_find_route(message->code, message->uri, message->path_bytes);
    if (route > TS_MAX_ROUTES) return answer->code = route >> TS_RESULT_CODE_SHIFT;
    const struct ts_service *service = ts_routes[route - 1].service;
    if (service == 0 || epoch != ts_kernel.epoch) return 0;
    const struct ts_contract *contract = service->contract;
    if (!caller_allowed(contract, message)) return answer->code = TS_FORBIDDEN;
    uint32_t format = format_of(service->attributes);
    if (message->accept != TS_NO_BLOCK && format != TS_NO_FORMAT && message->accept != format) return answer->code = TS_NOT_ACCEPTABLE;
    learn(message, epoch, route, format);
    int blockwise = (service->reserved & TS_SERVICE_BLOCKWISE) != 0;
    if (message->block1 != TS_NO_BLOCK && !*assembled) {
        answer->block1 = message->block1;
        answer->options |= ANSWER_BLOCK1;
        if (!blockwise && (answer->code = assemble(message, answer)) != 0) return answer->code;
        *assembled = !blockwise;
    }
    struct ts_request request = {.epoch = epoch, .uri = message->uri, .uri_bytes = message->uri_bytes};
    request.capacity = capacity_for(contract);
    request.response = response_buffer(exchange, request.capacity);
    if (request.response == 0) return answer->code = TS_SERVICE_UNAVAILABLE;
    block = (struct ts_block){.offset1 = message->block1 == TS_NO_BLOCK ? TS_NO_BLOCK : ts_block_offset(message->block1)};
    uint32_t asked = message->block2 == TS_NO_BLOCK ? TS_BLOCK_SZX : message->block2;
    if (blockwise) {
        block.offset2 = ts_block_offset(asked);
        if (request.capacity > ts_block_size(asked)) request.capacity = ts_block_size(asked);
    }
    request.payload = (uint32_t)message->payload;
    request.bytes = message->bytes;
    int observable = service->observable;
    uint32_t result = ts_dispatch(route, &request);
    answer->code = result >> TS_RESULT_CODE_SHIFT;
    answer->bytes = result & TS_RESULT_LENGTH_MASK;
    answer->payload = (const uint8_t *)request.response;
    int more = block.total > block.offset2 + answer->bytes;
    if (blockwise && answer->code == TS_CONTENT && (more || block.offset2 != 0)) {
        answer->block2 = (asked & ~8u) | (more ? 8 : 0);
        answer->options |= ANSWER_BLOCK2;
    } else if (answer->code == TS_CONTENT) cut(answer, message->block2);
    if (answer->code >> 5 == 2 && blockwise && message->block1 != TS_NO_BLOCK && (message->block1 & 8) != 0)
        answer->code = COAP_CONTINUE;
    if (answer->code != TS_CONTENT) return result;
    answer->format = format;
    if (message->observe == 0 && observable) answer->options |= ANSWER_OBSERVE;
    return result;
}

void ts_serve(struct ts_exchange *exchange, struct ts_message *message, struct ts_answer *answer)
{
    if (message->known != 0) {
        if (serve_known(exchange, message, answer) != 0) return;
        message->known = 0;
        if (!ts_message_read(message, message->raw, message->raw_bytes)) message->refused = TS_BAD_REQUEST;
    }
    answer->code = message->refused;
    if (answer->code != 0) return;
    if (message->code < TS_GET || message->code > TS_DELETE) {
        answer->code = TS_METHOD_NOT_ALLOWED;
        return;
    }
    int assembled = 0;
    while (serve_new(exchange, message, answer, &assembled) == 0) {}
    if (assembled) assembly.in_use = 0;
}
