/* Checks payloads against the types of contracts: sizes, ranges of record fields, UTF-8, CBOR. Takes native pointers; gives
 * 0 or a CoAP code. Runs unmasked in the invocation of the side that sent the payload, and may be abandoned anywhere. */
#include "contract.h"

enum { CBOR_DEPTH = 8 };

/** Little-endian, any alignment. */
static uint32_t load(const uint8_t *p, uint32_t bytes)
{
    if (bytes == 4 && ((uint32_t)p & 3) == 0) return *(const uint32_t *)(const void *)p;
    uint32_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value |= (uint32_t)p[i] << (8 * i);
    return value;
}

/** Bits of a float as an integer that orders as the number does; both zeros are the same. */
static int64_t float_order(uint64_t bits, uint32_t width)
{
    uint64_t sign = (uint64_t)1 << (width - 1);
    int64_t magnitude = (int64_t)(bits & (sign - 1));
    return (bits & sign) != 0 ? -magnitude : magnitude;
}

#define F32_INFINITY 0x7f800000u
#define F64_INFINITY 0x7ff0000000000000ull
uint64_t rt_f64_promote_f32(uint32_t a);

static int field_in_range(const struct ts_field *field, const uint8_t *p)
{
    switch (field->kind) {
    case TS_SCALAR_U8:
    case TS_SCALAR_BOOL: return *p >= field->min && *p <= field->max;
    case TS_SCALAR_U16: {
        uint32_t value = load(p, 2);
        return value >= field->min && value <= field->max;
    }
    case TS_SCALAR_U32: {
        uint32_t value = load(p, 4);
        return value >= field->min && value <= field->max;
    }
    case TS_SCALAR_I8: return (int8_t)*p >= (int32_t)field->min && (int8_t)*p <= (int32_t)field->max;
    case TS_SCALAR_I16: {
        int32_t value = (int16_t)load(p, 2);
        return value >= (int32_t)field->min && value <= (int32_t)field->max;
    }
    case TS_SCALAR_I32: {
        int32_t value = (int32_t)load(p, 4);
        return value >= (int32_t)field->min && value <= (int32_t)field->max;
    }
    case TS_SCALAR_U64: {
        uint32_t value = load(p, 4);
        return load(p + 4, 4) == 0 && value >= field->min && value <= field->max;
    }
    case TS_SCALAR_I64: {
        int32_t value = (int32_t)load(p, 4);
        return (int32_t)load(p + 4, 4) == value >> 31 && value >= (int32_t)field->min && value <= (int32_t)field->max;
    }
    case TS_SCALAR_F32: {
        uint32_t bits = load(p, 4);
        if ((bits & 0x7fffffff) > F32_INFINITY) return 0;
        int64_t value = float_order(bits, 32);
        return value >= float_order(field->min, 32) && value <= float_order(field->max, 32);
    }
    case TS_SCALAR_F64: {
        uint64_t bits = (uint64_t)load(p + 4, 4) << 32 | load(p, 4);
        if ((bits & ~((uint64_t)1 << 63)) > F64_INFINITY) return 0;
        int64_t value = float_order(bits, 64);
        return value >= float_order(rt_f64_promote_f32(field->min), 64) &&
               value <= float_order(rt_f64_promote_f32(field->max), 64);
    }
    default: return 0;
    }
}

static const uint8_t SCALAR_BYTES[] = {1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 1};

static int record_fits(const struct ts_type *type, const uint8_t *record)
{
    const struct ts_field *field = type->fields;
    for (uint32_t left = type->field_count; left != 0; left--, field++) {
        const uint8_t *p = record + field->offset;
        if (!field_in_range(field, p)) return 0;
        for (uint32_t i = 1; i < field->count; i++)
            if (!field_in_range(field, p += SCALAR_BYTES[field->kind])) return 0;
    }
    return 1;
}

/** Well-formed by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static int is_utf8(const uint8_t *p, uint32_t bytes)
{
    const uint8_t *end = p + bytes;
    while (p < end) {
        uint32_t lead = *p++;
        if (lead < 0x80) continue;
        uint32_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || (uint32_t)(end - p) < more) return 0;
        uint32_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint32_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (*p < low || *p > high) return 0;
        p++;
        while (--more != 0)
            if ((*p++ & 0xc0) != 0x80) return 0;
    }
    return 1;
}

/** Exactly one well-formed item (RFC 8949, appendix C), nested at most CBOR_DEPTH deep. */
static int is_cbor(const uint8_t *p, uint32_t bytes)
{
    enum { INDEFINITE = 0xffffffff, BREAK = 0xff };
    const uint8_t *end = p + bytes;
    uint32_t left[CBOR_DEPTH + 1]; /* items missing at each level; INDEFINITE: until a break */
    uint8_t chunk[CBOR_DEPTH + 1]; /* major type that chunks of an indefinite string must have, 0: any item; 1: pairs */
    uint32_t depth = 0;
    left[0] = 1;
    chunk[0] = 0;
    uint32_t odd = 0; /* bit per level: an indefinite map has a key without value */
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0) return p == end;
            depth--;
        }
        if (p == end) return 0;
        uint32_t initial = *p++, major = initial >> 5, argument = initial & 31;
        if (initial == BREAK) {
            if (depth == 0 || left[depth] != INDEFINITE || (odd >> depth & 1) != 0) return 0;
            depth--;
            continue;
        }
        if (chunk[depth] > 1 && (major != chunk[depth] || argument == 31)) return 0;
        if (left[depth] != INDEFINITE) left[depth]--;
        else if (chunk[depth] == 1) odd ^= 1u << depth;
        int indefinite = argument == 31;
        if (indefinite) {
            if (major < 2 || major > 5) return 0;
        } else if (argument >= 24) {
            if (argument > 27) return 0;
            uint32_t n = 1u << (argument - 24);
            if ((uint32_t)(end - p) < n) return 0;
            uint32_t value = 0, overflow = 0;
            for (; n != 0; n--) {
                overflow |= value >> 24;
                value = value << 8 | *p++;
            }
            if (major == 7) {
                if (argument == 24 && value < 32) return 0;
                continue;
            }
            if (overflow != 0 || value == INDEFINITE) {
                if (major >= 2 && major <= 5) return 0;
                value = 0;
            }
            argument = value;
        } else if (major == 7) continue;
        switch (major) {
        case 2:
        case 3:
            if (indefinite) break;
            if (argument > (uint32_t)(end - p)) return 0;
            p += argument;
            continue;
        case 4:
        case 5: break;
        case 6:
            /* A tag stands before one item. */
            if (left[depth] != INDEFINITE) left[depth]++;
            else if (chunk[depth] == 1) odd ^= 1u << depth;
            continue;
        default: continue;
        }
        if (depth == CBOR_DEPTH) return 0;
        depth++;
        if (major == 5 && !indefinite && argument > (uint32_t)(end - p)) return 0; /* keeps the doubling in range */
        left[depth] = indefinite ? INDEFINITE : major == 5 ? 2 * argument : argument;
        chunk[depth] = (uint8_t)(!indefinite ? 0 : major == 5 ? 1 : major == 4 ? 0 : major);
        odd &= ~(1u << depth);
    }
}

uint32_t ts_check_payload(const struct ts_type *type, const uint8_t *payload, uint32_t bytes)
{
    if (type == 0) return bytes == 0 ? 0 : TS_REQUEST_ENTITY_TOO_LARGE;
    if (bytes > type->max_bytes) return TS_REQUEST_ENTITY_TOO_LARGE;
    if (bytes < type->min_bytes) return TS_BAD_REQUEST;
    int fine;
    switch (type->kind) {
    case TS_PAYLOAD_RECORD: fine = bytes == type->element_bytes && record_fits(type, payload); break;
    case TS_PAYLOAD_BYTES: return 0;
    case TS_PAYLOAD_NONE: fine = bytes == 0; break;
    case TS_PAYLOAD_UTF8: fine = is_utf8(payload, bytes); break;
    case TS_PAYLOAD_CBOR: fine = is_cbor(payload, bytes); break;
    case TS_PAYLOAD_ARRAY: {
        const uint8_t *end = payload + bytes;
        fine = 1;
        while (fine && payload != end) {
            fine = (uint32_t)(end - payload) >= type->element_bytes && record_fits(type, payload);
            payload += type->element_bytes;
        }
        break;
    }
    default: fine = 0;
    }
    return fine ? 0 : TS_BAD_REQUEST;
}
