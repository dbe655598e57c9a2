/* CoAP messages (RFC 7252, 3): reads requests in place, writes heads. Trusts nothing that comes in: every length is held
 * against the end of the message. Knows no exchange. */
#pragma GCC optimize("O2")
#include "remote.h"

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
    case OPTION_PROXY_SCHEME: message->refused = 0xa5; return;
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
    if (*nibble < 13) return at;
    uint32_t n = *nibble - 12;
    if (n > 2 || (uint32_t)(end - at) < n) return 0;
    *nibble = n == 1 ? 13u + at[0] : 269u + ((uint32_t)at[0] << 8 | at[1]);
    return at + n;
}

int ts_message_read(struct ts_message *message, uint8_t *bytes, uint32_t n)
{
    uint32_t token_bytes = bytes[0] & 15;
    if (bytes[0] >> 6 != 1 || token_bytes > TS_TOKEN_BYTES || n < 4 + token_bytes) return 0;
    message->type = bytes[0] >> 4 & 3;
    message->code = bytes[1];
    message->refused = 0;
    message->mid = (uint16_t)(bytes[2] << 8 | bytes[3]);
    message->token = bytes + 4;
    message->token_bytes = (uint8_t)token_bytes;
    message->caller = 0;
    message->caller_bytes = 0;
    message->uri_bytes = message->path_bytes = 0;
    message->observe = message->block1 = message->block2 = message->accept = TS_NO_BLOCK;
    if (message->code == 0) return n == 4;
    int request = message->code >> 5 == 0;
    const uint8_t *at = bytes + 4 + token_bytes, *end = bytes + n;
    message->uri = (char *)bytes + 4 + token_bytes;
    uint32_t which = 0;
    while (at != end) {
        uint32_t first = *at++;
        if (first == 0xff) {
            if (at == end) return 0;
            break;
        }
        uint32_t delta = first >> 4, length = first & 15;
        if ((at = extended(at, end, &delta)) == 0 || (at = extended(at, end, &length)) == 0) return 0;
        which += delta;
        if (length > (uint32_t)(end - at)) return 0;
        if (request) option(message, which, at, length);
        else if (which == OPTION_BLOCK2 && length <= 3) message->block2 = number(at, length);
        at += length;
    }
    message->payload = at;
    message->bytes = (uint32_t)(end - at);
    if (message->block1 != TS_NO_BLOCK && (message->block1 & 7) == 7) message->refused = TS_BAD_REQUEST;
    if (message->block2 != TS_NO_BLOCK && (message->block2 & 7) == 7) message->refused = TS_BAD_REQUEST;
    return 1;
}

void ts_head_begin(struct ts_head *head, uint8_t *to, uint32_t type, uint32_t code, uint32_t mid, const uint8_t *token,
                   uint32_t token_bytes)
{
    to[0] = (uint8_t)(0x40 | type << 4 | token_bytes);
    to[1] = (uint8_t)code;
    to[2] = (uint8_t)(mid >> 8);
    to[3] = (uint8_t)mid;
    for (uint32_t i = 0; i < token_bytes; i++) to[4 + i] = token[i];
    head->at = to + 4 + token_bytes;
    head->option = 0;
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
