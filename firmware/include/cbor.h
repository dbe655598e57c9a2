/* Writes CBOR (RFC 8949) answers of the system module: definite lengths, unsigned numbers, text. Knows no services. */
#ifndef CBOR_H
#define CBOR_H

#include "kernel.h"

struct ts_cbor {
    uint8_t *bytes;
    uint32_t length; /* needed so far, also beyond the capacity */
    uint32_t capacity;
    uint32_t skip; /* bytes before the part that is wanted */
};

void ts_cbor_begin(struct ts_cbor *out, uint32_t response, uint32_t capacity);
void ts_cbor_array(struct ts_cbor *out, uint32_t count);
void ts_cbor_map(struct ts_cbor *out, uint32_t count);
void ts_cbor_number(struct ts_cbor *out, uint32_t value);
void ts_cbor_text(struct ts_cbor *out, const char *text);
/** 2.05 with the length, or 4.13 with the number of bytes needed, if there is room for that. */
uint32_t ts_cbor_result(const struct ts_cbor *out);

#endif
