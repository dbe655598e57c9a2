/* Conversions between integers, f32 and f64, with Wasm's saturating and trapping forms. Bits in, bits out; knows no
 * trap: the status word says what is wrong. */
#include "rt.h"

enum { FINE = 0, OVERFLOW = 1, INVALID = 2 };

u64 rt_f64_convert_i32_u(u32 a)
{
    if (a == 0) return 0;
    u32 shift = clz32(a);
    /* The leading one lands on bit 52 and adds itself to the exponent. */
    return ((u64)(1023 + 31 - shift - 1) << 52) + ((u64)(a << shift) << 21);
}

u64 rt_f64_convert_i32_s(u32 a)
{
    if ((i32)a >= 0) return rt_f64_convert_i32_u(a);
    return rt_f64_convert_i32_u(0 - a) | F64_SIGN;
}

static u64 f64_from_magnitude(u64 sign, u64 a)
{
    if (a == 0) return 0;
    u32 shift = clz64(a);
    u64 fraction = shift != 0 ? a << (shift - 1) : (a >> 1) | (a & 1);
    return rt_f64_round_pack(sign, (i32)(1023 + 63 - shift), fraction);
}

u64 rt_f64_convert_i64_u(u64 a) { return f64_from_magnitude(0, a); }

u64 rt_f64_convert_i64_s(u64 a)
{
    return (i64)a < 0 ? f64_from_magnitude(F64_SIGN, 0 - a) : f64_from_magnitude(0, a);
}

static u32 f32_from_magnitude(u32 sign, u64 a)
{
    if (a == 0) return 0;
    u32 shift = clz64(a);
    u64 left = a << shift;
    return rt_f32_round_pack(sign, (i32)(127 + 63 - shift), (u32)(left >> 33) | (((u32)left | ((u32)(left >> 32) & 1)) != 0));
}

u32 rt_f32_convert_i64_u(u64 a) { return f32_from_magnitude(0, a); }

u32 rt_f32_convert_i64_s(u64 a)
{
    return (i64)a < 0 ? f32_from_magnitude(F32_SIGN, 0 - a) : f32_from_magnitude(0, a);
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
    u32 sign = (u32)(a >> 32) & F32_SIGN;
    u32 exponent = (u32)(a >> 52) & 0x7ff;
    u64 fraction = a & F64_FRACTION;
    if (exponent == 0x7ff) return fraction != 0 ? F32_NAN : sign | F32_INF;
    if (exponent == 0) return sign; /* far below the smallest f32 */
    u32 significand = (u32)(fraction >> 22) | ((u32)(fraction << 10) != 0) | 0x40000000u;
    return rt_f32_round_pack(sign, (i32)exponent - 1023 + 127, significand);
}

/** Integer part of |a| for |a| < 2^64; FINE, OVERFLOW (too large or infinite) or INVALID (NaN). */
static u32 magnitude_of_f64(u64 a, u64 *magnitude)
{
    u32 exponent = (u32)(a >> 52) & 0x7ff;
    u64 fraction = (a & F64_FRACTION) | F64_HIDDEN;
    if (exponent < 1023) {
        *magnitude = 0;
        return FINE;
    }
    if (exponent >= 1023 + 64) return f64_is_nan(a) ? INVALID : OVERFLOW;
    *magnitude = exponent >= 1075 ? fraction << (exponent - 1075) : fraction >> (1075 - exponent);
    return FINE;
}

/* Value and status of a conversion; a value that does not fit is the nearest limit, of NaN 0. So the same function
 * serves the trapping and the saturating form. */
static struct rt_i64_status to_i64_s(u64 a)
{
    u64 magnitude = 0;
    u32 status = magnitude_of_f64(a, &magnitude);
    int negative = (i64)a < 0;
    u64 limit = F64_SIGN - !negative;
    if (status == FINE && magnitude > limit) status = OVERFLOW;
    if (status == OVERFLOW) magnitude = limit;
    u64 value = negative ? 0 - magnitude : magnitude;
    return (struct rt_i64_status){(u32)value, (u32)(value >> 32), status};
}

static struct rt_i64_status to_i64_u(u64 a)
{
    u64 magnitude = 0;
    u32 status = magnitude_of_f64(a, &magnitude);
    int negative = (i64)a < 0;
    if (status == FINE && negative && magnitude != 0) status = OVERFLOW;
    if (status == OVERFLOW) magnitude = negative ? 0 : ~(u64)0;
    return (struct rt_i64_status){(u32)magnitude, (u32)(magnitude >> 32), status};
}

static struct rt_i32_status to_i32_s(u64 a)
{
    u64 magnitude = 0;
    u32 status = magnitude_of_f64(a, &magnitude);
    int negative = (i64)a < 0;
    u32 limit = F32_SIGN - !negative;
    if (status == FINE && magnitude > limit) status = OVERFLOW;
    u32 value = status == OVERFLOW ? limit : (u32)magnitude;
    return (struct rt_i32_status){negative ? 0 - value : value, status};
}

static struct rt_i32_status to_i32_u(u64 a)
{
    u64 magnitude = 0;
    u32 status = magnitude_of_f64(a, &magnitude);
    int negative = (i64)a < 0;
    if (status == FINE && (negative ? magnitude != 0 : magnitude >> 32 != 0)) status = OVERFLOW;
    u32 value = status == OVERFLOW ? (negative ? 0 : ~(u32)0) : (u32)magnitude;
    return (struct rt_i32_status){value, status};
}

static inline u64 join(struct rt_i64_status r) { return ((u64)r.high << 32) | r.low; }

struct rt_i32_status rt_i32_trunc_f64_s(u64 a) { return to_i32_s(a); }
struct rt_i32_status rt_i32_trunc_f64_u(u64 a) { return to_i32_u(a); }
struct rt_i64_status rt_i64_trunc_f64_s(u64 a) { return to_i64_s(a); }
struct rt_i64_status rt_i64_trunc_f64_u(u64 a) { return to_i64_u(a); }
u32 rt_i32_trunc_sat_f64_s(u64 a) { return to_i32_s(a).value; }
u32 rt_i32_trunc_sat_f64_u(u64 a) { return to_i32_u(a).value; }
u64 rt_i64_trunc_sat_f64_s(u64 a) { return join(to_i64_s(a)); }
u64 rt_i64_trunc_sat_f64_u(u64 a) { return join(to_i64_u(a)); }

/* Widening an f32 is exact, so all its conversions may go through f64. */
struct rt_i32_status rt_i32_trunc_f32_s(u32 a) { return to_i32_s(rt_f64_promote_f32(a)); }
struct rt_i32_status rt_i32_trunc_f32_u(u32 a) { return to_i32_u(rt_f64_promote_f32(a)); }
struct rt_i64_status rt_i64_trunc_f32_s(u32 a) { return to_i64_s(rt_f64_promote_f32(a)); }
struct rt_i64_status rt_i64_trunc_f32_u(u32 a) { return to_i64_u(rt_f64_promote_f32(a)); }
u64 rt_i64_trunc_sat_f32_s(u32 a) { return join(to_i64_s(rt_f64_promote_f32(a))); }
u64 rt_i64_trunc_sat_f32_u(u32 a) { return join(to_i64_u(rt_f64_promote_f32(a))); }
