/* CBOR for the answers of the system module. Goes on counting where there is no more room. */
#include "cbor.h"
#include "imc.h"

static void byte(struct ts_cbor *out, uint32_t value)
{
    uint32_t at = out->length++ - out->skip;
    if (at < out->capacity) out->bytes[at] = (uint8_t)value;
}

/** Head of an item: major type and argument in its shortest form. */
static void head(struct ts_cbor *out, uint32_t type, uint32_t argument)
{
    uint32_t bytes = argument > 0xffff ? 4 : argument > 0xff ? 2 : argument > 23 ? 1 : 0;
    byte(out, type << 5 | (bytes == 4 ? 26 : bytes == 2 ? 25 : bytes == 1 ? 24 : argument));
    while (bytes != 0) byte(out, argument >> 8 * --bytes);
}

void ts_cbor_begin(struct ts_cbor *out, uint32_t response, uint32_t capacity)
{
    out->bytes = (uint8_t *)response;
    out->length = 0;
    out->capacity = capacity;
    const struct ts_block *block = ts_block_of_request();
    out->skip = block == 0 ? 0 : block->offset2;
}

void ts_cbor_array(struct ts_cbor *out, uint32_t count) { head(out, 4, count); }


void ts_cbor_number(struct ts_cbor *out, uint32_t value) { head(out, 0, value); }

enum { FALSE = 20, NONE = 22, WORD_FOLLOWS = 26 };

static void string(struct ts_cbor *out, uint32_t type, const uint8_t *bytes, uint32_t n)
{
    head(out, type, n);
    while (n-- != 0) byte(out, *bytes++);
}

void ts_cbor_bytes(struct ts_cbor *out, const void *bytes, uint32_t n) { string(out, 2, bytes, n); }

void ts_cbor_text(struct ts_cbor *out, const char *text)
{
    if (text == 0) head(out, 7, NONE);
    else string(out, 3, (const uint8_t *)text, ts_string_bytes(text));
}

void ts_cbor_map(struct ts_cbor *out, uint32_t count, const char *keys)
{
    head(out, 5, count);
    out->keys = keys;
}

void ts_cbor_key(struct ts_cbor *out)
{
    ts_cbor_text(out, out->keys);
    out->keys += ts_string_bytes(out->keys) + 1;
}

void ts_cbor_put_number(struct ts_cbor *out, uint32_t value)
{
    ts_cbor_key(out);
    ts_cbor_number(out, value);
}

void ts_cbor_put_counter(struct ts_cbor *out, uint32_t value)
{
    ts_cbor_key(out);
    byte(out, WORD_FOLLOWS);
    for (uint32_t bits = 32; bits != 0; bits -= 8) byte(out, value >> (bits - 8));
}

void ts_cbor_put_text(struct ts_cbor *out, const char *text)
{
    ts_cbor_key(out);
    ts_cbor_text(out, text);
}

void ts_cbor_put_truth(struct ts_cbor *out, int value)
{
    ts_cbor_key(out);
    head(out, 7, FALSE + (value != 0));
}

uint32_t ts_cbor_result(const struct ts_cbor *out)
{
    struct ts_block *block = ts_block_of_request();
    if (block != 0) return ts_block_result(block, out->length, out->capacity);
    if (out->length <= out->capacity) return ts_result(TS_CONTENT, out->length);
    struct ts_cbor needed = {.bytes = out->bytes, .capacity = out->capacity};
    ts_cbor_number(&needed, out->length);
    return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, needed.length <= needed.capacity ? needed.length : 0);
}
