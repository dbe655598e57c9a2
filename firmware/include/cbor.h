/* Writes CBOR (RFC 8949) answers of the system module: definite lengths, unsigned numbers, texts, bytes. Knows no services. */
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
/** Null if `text` is. */
void ts_cbor_text(struct ts_cbor *out, const char *text);
void ts_cbor_bytes(struct ts_cbor *out, const void *bytes, uint32_t n);
/* Entries of a map. */
void ts_cbor_put_number(struct ts_cbor *out, const char *key, uint32_t value);
/** In five bytes, whatever it is: a list that is read in parts stays one while it counts. */
void ts_cbor_put_counter(struct ts_cbor *out, const char *key, uint32_t value);
void ts_cbor_put_text(struct ts_cbor *out, const char *key, const char *text);
void ts_cbor_put_truth(struct ts_cbor *out, const char *key, int value);
/** 2.05 with the length, or 4.13 with the number of bytes needed, if there is room for that. */
uint32_t ts_cbor_result(const struct ts_cbor *out);

#endif
