/* Conversions between integers, f32 and f64, with Wasm's saturating and trapping forms. Bits in, bits out; knows no
 * trap: the status word says what is wrong. */
#include "rt.h"

enum { FINE = 0, OVERFLOW = 1, INVALID = 2 };

static inline u64 join(u32 high, u32 low) { return (u64)high << 32 | low; }

static inline u64 f64_from_u32(u32 sign, u32 a)
{
    if (a == 0) return 0;
    u32 shift = clz32(a);
    a <<= shift;
    /* The leading one lands on bit 20 of the high word and adds itself to the exponent. */
    return join(sign + ((1023 + 31 - shift - 1) << 20) + (a >> 11), a << 21);
}

u64 rt_f64_convert_i32_u(u32 a) { return f64_from_u32(0, a); }
u64 rt_f64_convert_i32_s(u32 a) { return (i32)a < 0 ? f64_from_u32(F32_SIGN, 0 - a) : f64_from_u32(0, a); }

/** Leading one of high:low moved to bit 63; the number of places. The number is not zero. */
static inline u32 normalise(u32 *high, u32 *low)
{
    u32 shift = 0;
    if (*high == 0) {
        *high = *low;
        *low = 0;
        shift = 32;
    }
    u32 n = clz32(*high);
    if (n != 0) {
        *high = *high << n | *low >> (32 - n);
        *low <<= n;
    }
    return shift + n;
}

static u64 f64_from_magnitude(u32 sign, u32 high, u32 low)
{
    if ((high | low) == 0) return 0;
    u32 shift = normalise(&high, &low);
    /* 53 bits stay, 11 go: round to nearest, ties to even. A carry runs into the exponent as it must. */
    u32 rest = low & 0x7ff;
    u32 out_low = low >> 11 | high << 21, out_high = sign + ((1023 + 63 - shift - 1) << 20) + (high >> 11);
    if (rest > 0x400 || (rest == 0x400 && (out_low & 1) != 0)) {
        out_low++;
        if (out_low == 0) out_high++;
    }
    return join(out_high, out_low);
}

u64 rt_f64_convert_i64_u(u64 a) { return f64_from_magnitude(0, (u32)(a >> 32), (u32)a); }

u64 rt_f64_convert_i64_s(u64 a)
{
    if ((i64)a >= 0) return f64_from_magnitude(0, (u32)(a >> 32), (u32)a);
    a = 0 - a;
    return f64_from_magnitude(F32_SIGN, (u32)(a >> 32), (u32)a);
}

static u32 f32_from_magnitude(u32 sign, u32 high, u32 low)
{
    if ((high | low) == 0) return 0;
    u32 shift = normalise(&high, &low);
    /* 24 bits stay, 40 go. */
    u32 rest = (high & 0xff) << 1 | (low != 0);
    u32 out = sign + ((127 + 63 - shift - 1) << 23) + (high >> 8);
    return out + (rest > 0x100 || (rest == 0x100 && (out & 1) != 0));
}

u32 rt_f32_convert_i64_u(u64 a) { return f32_from_magnitude(0, (u32)(a >> 32), (u32)a); }

u32 rt_f32_convert_i64_s(u64 a)
{
    if ((i64)a >= 0) return f32_from_magnitude(0, (u32)(a >> 32), (u32)a);
    a = 0 - a;
    return f32_from_magnitude(F32_SIGN, (u32)(a >> 32), (u32)a);
}

u64 rt_f64_promote_f32(u32 a)
{
    u64 sign = (u64)(a & F32_SIGN) << 32;
    u32 exponent = (a >> 23) & 0xff, fraction = a & F32_FRACTION;
    if (exponent == 0xff) return fraction != 0 ? F64_NAN : sign | F64_INF;
    if (exponent == 0) {
        if (fraction == 0) return sign;
        u32 shift = clz32(fraction) - 8;
        fraction = (fraction << shift) & F32_FRACTION;
        exponent = 1 - shift;
    }
    return sign | ((u64)(exponent + 1023 - 127) << 52) | ((u64)fraction << 29);
}

u32 rt_f32_demote_f64(u64 a)
{
    u32 high = (u32)(a >> 32), low = (u32)a;
    u32 sign = high & F32_SIGN, exponent = (high >> 20) & 0x7ff;
    if (exponent == 0x7ff) return f64_is_nan(a) ? F32_NAN : sign | F32_INF;
    if (exponent - (1023 - 126) < 253) {
        /* 23 fraction bits stay, 29 go; normal but for a carry into infinity. */
        u32 out = sign | ((exponent - (1023 - 127)) << 23 | (high & 0xfffff) << 3 | low >> 29);
        u32 rest = low << 3;
        return out + (rest > 0x80000000u || (rest == 0x80000000u && (out & 1) != 0));
    }
    if (exponent == 0) return sign; /* far below the smallest f32 */
    u32 significand = 0x40000000u | (high & 0xfffff) << 10 | low >> 22 | ((low << 10) != 0);
    return rt_f32_round_pack(sign, (i32)exponent - 1023 + 127, significand);
}

/* Value and status of a conversion; a value that does not fit is the nearest limit, of NaN 0. So the same function
 * serves the trapping and the saturating form. */
static struct rt_i32_status to_i32(u64 a, u32 negative_limit, u32 positive_limit)
{
    u32 high = (u32)(a >> 32), low = (u32)a;
    u32 exponent = (high >> 20) & 0x7ff;
    int negative = (i32)high < 0;
    if (exponent < 1023) return (struct rt_i32_status){0, FINE};
    u32 limit = negative ? negative_limit : positive_limit;
    u32 magnitude = 0x80000000u | high << 11 | low >> 21;
    if (exponent > 1023 + 31 || magnitude >> (1023 + 31 - exponent) > limit) {
        if (f64_is_nan(a)) return (struct rt_i32_status){0, INVALID};
        return (struct rt_i32_status){negative ? 0 - limit : limit, OVERFLOW};
    }
    magnitude >>= 1023 + 31 - exponent;
    return (struct rt_i32_status){negative ? 0 - magnitude : magnitude, FINE};
}

static struct rt_i64_status to_i64(u64 a, u64 negative_limit, u64 positive_limit)
{
    u32 exponent = (u32)(a >> 52) & 0x7ff;
    int negative = (i64)a < 0;
    if (exponent < 1023) return (struct rt_i64_status){0, 0, FINE};
    u64 limit = negative ? negative_limit : positive_limit;
    u64 magnitude = F64_SIGN | a << 11;
    u32 status = FINE;
    if (exponent > 1023 + 63 || (magnitude >>= 1023 + 63 - exponent) > limit) {
        status = f64_is_nan(a) ? INVALID : OVERFLOW;
        magnitude = status == INVALID ? 0 : limit;
    }
    if (negative) magnitude = 0 - magnitude;
    return (struct rt_i64_status){(u32)magnitude, (u32)(magnitude >> 32), status};
}

static inline struct rt_i32_status to_i32_s(u64 a) { return to_i32(a, 0x80000000u, 0x7fffffffu); }
static inline struct rt_i32_status to_i32_u(u64 a) { return to_i32(a, 0, 0xffffffffu); }
static inline struct rt_i64_status to_i64_s(u64 a) { return to_i64(a, F64_SIGN, F64_SIGN - 1); }
static inline struct rt_i64_status to_i64_u(u64 a) { return to_i64(a, 0, ~(u64)0); }
static inline u64 value_of(struct rt_i64_status r) { return join(r.high, r.low); }

struct rt_i32_status rt_i32_trunc_f64_s(u64 a) { return to_i32_s(a); }
struct rt_i32_status rt_i32_trunc_f64_u(u64 a) { return to_i32_u(a); }
struct rt_i64_status rt_i64_trunc_f64_s(u64 a) { return to_i64_s(a); }
struct rt_i64_status rt_i64_trunc_f64_u(u64 a) { return to_i64_u(a); }
u32 rt_i32_trunc_sat_f64_s(u64 a) { return to_i32_s(a).value; }
u32 rt_i32_trunc_sat_f64_u(u64 a) { return to_i32_u(a).value; }
u64 rt_i64_trunc_sat_f64_s(u64 a) { return value_of(to_i64_s(a)); }
u64 rt_i64_trunc_sat_f64_u(u64 a) { return value_of(to_i64_u(a)); }

/* Widening an f32 is exact, so all its conversions may go through f64. */
struct rt_i32_status rt_i32_trunc_f32_s(u32 a) { return to_i32_s(rt_f64_promote_f32(a)); }
struct rt_i32_status rt_i32_trunc_f32_u(u32 a) { return to_i32_u(rt_f64_promote_f32(a)); }
struct rt_i64_status rt_i64_trunc_f32_s(u32 a) { return to_i64_s(rt_f64_promote_f32(a)); }
struct rt_i64_status rt_i64_trunc_f32_u(u32 a) { return to_i64_u(rt_f64_promote_f32(a)); }
u64 rt_i64_trunc_sat_f32_s(u32 a) { return value_of(to_i64_s(rt_f64_promote_f32(a))); }
u64 rt_i64_trunc_sat_f32_u(u32 a) { return value_of(to_i64_u(rt_f64_promote_f32(a))); }
