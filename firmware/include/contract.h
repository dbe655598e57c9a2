/* Contracts as the IMC handler sees them: checks of payloads. */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "kernel.h"

/** 0, or the code that a request with this payload deserves: TS_BAD_REQUEST or TS_REQUEST_ENTITY_TOO_LARGE. */
uint32_t ts_check_payload(const struct ts_type *type, const uint8_t *payload, uint32_t bytes);

/** Bytes of the smallest answer: with less room its handler would trap for its caller's fault. */
static inline uint32_t ts_least_capacity(const struct ts_contract *contract)
{
    return contract->response != 0 ? contract->response->min_bytes : 0;
}

/** A response may break its type only in what needs a look at the bytes: sizes are compared at the return. */
static inline int ts_type_has_contents(const struct ts_type *type)
{
    return type != 0 && type->kind > TS_PAYLOAD_BYTES;
}

#endif
