/* Writes CBOR (RFC 8949) answers of the system module: definite lengths, unsigned numbers, texts, bytes. Knows no services. */
#ifndef CBOR_H
#define CBOR_H

#include "kernel.h"

struct ts_cbor {
    uint8_t *bytes;
    uint32_t length; /* needed so far, also beyond the capacity */
    uint32_t capacity;
    uint32_t skip; /* bytes before the part that is wanted */
    const char *keys; /* of the map that is being written, those that are still to come */
};

void ts_cbor_begin(struct ts_cbor *out, uint32_t response, uint32_t capacity);
void ts_cbor_array(struct ts_cbor *out, uint32_t count);
/** Keys of a map, each ended by a zero byte, in the order of its entries. */
void ts_cbor_map(struct ts_cbor *out, uint32_t count, const char *keys);
/** The next key; its value is to follow. */
void ts_cbor_key(struct ts_cbor *out);
void ts_cbor_number(struct ts_cbor *out, uint32_t value);
/** Null if `text` is. */
void ts_cbor_text(struct ts_cbor *out, const char *text);
void ts_cbor_bytes(struct ts_cbor *out, const void *bytes, uint32_t n);
/* The next entry of the map. */
void ts_cbor_put_number(struct ts_cbor *out, uint32_t value);
/** In five bytes, whatever it is: a list that is read in parts stays one while it counts. */
void ts_cbor_put_counter(struct ts_cbor *out, uint32_t value);
void ts_cbor_put_text(struct ts_cbor *out, const char *text);
void ts_cbor_put_truth(struct ts_cbor *out, int value);
/** 2.05 with the length, or 4.13 with the number of bytes needed, if there is room for that. */
uint32_t ts_cbor_result(const struct ts_cbor *out);

#endif
