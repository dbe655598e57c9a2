/* CoAP messages (RFC 7252, 3): reads requests in place, writes heads. Trusts nothing that comes in: every length is held
 * against the end of the message. Knows no exchange. */
#pragma GCC optimize("O2")
#include "exchange.h"

static uint32_t number(const uint8_t *value, uint32_t n)
{
    uint32_t result = 0;
    while (n-- != 0) result = result << 8 | *value++;
    return result;
}

/** Puts a segment of the URI behind what is there of it. Its place is never behind its source. */
static int append(struct ts_message *message, const uint8_t *value, uint32_t n, int query)
{
    char *to = message->uri + message->uri_bytes;
    if (query) *to++ = message->uri_bytes == message->path_bytes ? '?' : '&';
    else if (message->uri_bytes != 0) *to++ = '/';
    for (uint32_t i = 0; i < n; i++) {
        char c = (char)value[i];
        if (!query && (c == '/' || c == '?')) return 0;
        to[i] = c;
    }
    message->uri_bytes = (uint32_t)(to + n - message->uri);
    if (!query) message->path_bytes = message->uri_bytes;
    return 1;
}

static void option(struct ts_message *message, uint32_t which, const uint8_t *value, uint32_t n)
{
    uint32_t *into;
    switch (which) {
    case OPTION_URI_PATH:
    case OPTION_URI_QUERY:
        if (!append(message, value, n, which == OPTION_URI_QUERY)) message->refused = TS_BAD_REQUEST;
        return;
    case OPTION_CALLER:
        message->caller = (const char *)value;
        message->caller_bytes = (uint16_t)n;
        return;
    case OPTION_OBSERVE: into = &message->observe; break;
    case OPTION_BLOCK1: into = &message->block1; break;
    case OPTION_BLOCK2: into = &message->block2; break;
    case OPTION_ACCEPT: into = &message->accept; break;
    case OPTION_URI_HOST:
    case OPTION_URI_PORT: return;
    case OPTION_PROXY_URI:
    case OPTION_PROXY_SCHEME: message->refused = COAP_PROXYING_NOT_SUPPORTED; return;
    default:
        if ((which & 1) != 0) message->refused = TS_BAD_OPTION;
        return;
    }
    if (n > 3) message->refused = TS_BAD_OPTION;
    else *into = number(value, n);
}

/** The extended part of an option's delta or length. */
static const uint8_t *extended(const uint8_t *at, const uint8_t *end, uint32_t *nibble)
{
    uint32_t n = *nibble - 12;
    if (n > 2 || (uint32_t)(end - at) < n) return 0;
    *nibble = n == 1 ? 13u + at[0] : 269u + ((uint32_t)at[0] << 8 | at[1]);
    return at + n;
}

/** Options of a response. */
static void response_option(struct ts_message *message, uint32_t which, const uint8_t *value, uint32_t n)
{
    if (which == OPTION_BLOCK2 && n <= 3) message->block2 = number(value, n);
    else if (which == OPTION_OBSERVE && n <= 3) message->observe = number(value, n);
    else if (which == OPTION_MAX_AGE && n <= 4) message->max_age = number(value, n);
}

int ts_message_read(struct ts_message *message, uint8_t *bytes, uint32_t n)
{
    int request = message->code >> 5 == 0;
    const uint8_t *at = bytes + 4 + message->token_bytes, *end = bytes + n;
    message->refused = 0;
    message->caller = 0;
    message->caller_bytes = 0;
    message->uri = (char *)at;
    message->uri_bytes = message->path_bytes = 0;
    message->observe = message->block1 = message->block2 = message->accept = message->max_age = TS_NO_BLOCK;
    uint32_t which = 0;
    while (at != end) {
        uint32_t first = *at++;
        if (first == 0xff) {
            if (at == end) return 0;
            break;
        }
        uint32_t delta = first >> 4, length = first & 15;
        if (delta >= 13 && (at = extended(at, end, &delta)) == 0) return 0;
        if (length >= 13 && (at = extended(at, end, &length)) == 0) return 0;
        which += delta;
        if (length > (uint32_t)(end - at)) return 0;
        if (request) option(message, which, at, length);
        else response_option(message, which, at, length);
        at += length;
    }
    message->payload = at;
    message->bytes = (uint32_t)(end - at);
    if (message->block1 != TS_NO_BLOCK && (message->block1 & 7) == 7) message->refused = TS_BAD_REQUEST;
    if (message->block2 != TS_NO_BLOCK && (message->block2 & 7) == 7) message->refused = TS_BAD_REQUEST;
    return 1;
}

/** Delta or length: its nibble; what is left goes behind the first byte. */
static uint32_t nibble(uint32_t value) { return value < 13 ? value : value < 269 ? 13 : 14; }

static uint8_t *put_extended(uint8_t *at, uint32_t value)
{
    if (value >= 269) {
        *at++ = (uint8_t)((value - 269) >> 8);
        *at++ = (uint8_t)(value - 269);
    } else if (value >= 13) *at++ = (uint8_t)(value - 13);
    return at;
}

void ts_head_option(struct ts_head *head, uint32_t which, const void *value, uint32_t n)
{
    uint32_t delta = which - head->option;
    head->option = which;
    uint8_t *at = head->at;
    *at++ = (uint8_t)(nibble(delta) << 4 | nibble(n));
    at = put_extended(put_extended(at, delta), n);
    for (uint32_t i = 0; i < n; i++) *at++ = ((const uint8_t *)value)[i];
    head->at = at;
}

void ts_head_number(struct ts_head *head, uint32_t which, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    uint32_t n = value > 0xffffff ? 4 : value > 0xffff ? 3 : value > 0xff ? 2 : value != 0;
    ts_head_option(head, which, bytes + 4 - n, n);
}

/** Uri-Path or Uri-Query options of what `separator` divides; false if they do not fit. */
static int put_segments(struct ts_head *head, const uint8_t *end, uint32_t which, const char *text, uint32_t n, char separator)
{
    for (uint32_t first = 0; first <= n;) {
        uint32_t last = first;
        while (last < n && text[last] != separator) last++;
        if ((uint32_t)(end - head->at) < last - first + 4) return 0;
        ts_head_option(head, which, text + first, last - first);
        first = last + 1;
    }
    return 1;
}

int ts_head_request(struct ts_head *head, const uint8_t *end, const char *uri, uint32_t n, uint32_t observe, uint32_t caller)
{
    enum { RESERVE = 16 }; /* for Observe and what stands before options */
    const uint8_t *last = end - RESERVE;
    if (n != 0 && *uri == '/') { /* "//thing/path" */
        uint32_t host = 1;
        while (host < n && uri[host] != '/') host++;
        if (host - 1 > (uint32_t)(last - head->at)) return 0;
        ts_head_option(head, OPTION_URI_HOST, uri + 1, host - 1);
        host = host < n ? host + 1 : n;
        uri += host;
        n -= host;
    }
    if (observe != TS_NO_BLOCK) ts_head_number(head, OPTION_OBSERVE, observe);
    uint32_t path = 0;
    while (path < n && uri[path] != '?') path++;
    if (path != 0 && !put_segments(head, last, OPTION_URI_PATH, uri, path, '/')) return 0;
    if (path < n && !put_segments(head, last, OPTION_URI_QUERY, uri + path + 1, n - path - 1, '&')) return 0;
    const char *name = ts_modules[caller].info->name;
    uint32_t name_bytes = ts_string_bytes(name);
    if (head->at > end || name_bytes + 5 > (uint32_t)(end - head->at)) return 0;
    ts_head_option(head, OPTION_CALLER, name, name_bytes);
    return 1;
}
