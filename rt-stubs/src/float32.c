/* f32 operations that LX6 has no single instruction for; division and square root are in float32-fast.S. Bits in, bits
 * out, exact to the last bit; every NaN result is the canonical one. Knows no conversions (convert.c). */
#include "rt.h"

u32 rt_f32_round_pack(u32 sign, i32 exponent, u32 significand)
{
    if (exponent <= 0) {
        significand = shift_right_jam32(significand, (u32)(1 - exponent));
        exponent = 1;
    }
    significand = (significand + 0x3f + ((significand >> 7) & 1)) >> 7;
    u32 bits = ((u32)(exponent - 1) << 23) + significand;
    return sign | (exponent >= 0xff || bits > F32_INF ? F32_INF : bits);
}

/** Rounds towards zero or, if `away`, away from it; NaN becomes canonical. */
static inline u32 round_directed(u32 a, int away)
{
    i32 exponent = (i32)((a >> 23) & 0xff) - 127;
    if (exponent < 0) return (a & F32_SIGN) | (away && (a << 1) != 0 ? 0x3f800000u : 0);
    if (exponent >= 23) return f32_is_nan(a) ? F32_NAN : a;
    u32 mask = F32_FRACTION >> exponent;
    /* A carry runs into the exponent as it must. */
    return (away ? a + mask : a) & ~mask;
}

u32 rt_f32_trunc(u32 a) { return round_directed(a, 0); }
u32 rt_f32_ceil(u32 a) { return round_directed(a, (i32)a >= 0); }
u32 rt_f32_floor(u32 a) { return round_directed(a, (i32)a < 0); }

u32 rt_f32_nearest(u32 a)
{
    u32 exponent = (a >> 23) & 0xff;
    if (exponent >= 127 + 23) return f32_is_nan(a) ? F32_NAN : a;
    if (exponent < 126) return a & F32_SIGN;
    if (exponent == 126) return (a & F32_FRACTION) == 0 ? a & F32_SIGN : (a & F32_SIGN) | 0x3f800000u;
    u32 shift = 150 - exponent;
    u32 mask = (1u << shift) - 1;
    return (a + (mask >> 1) + ((a >> shift) & 1)) & ~mask;
}

static inline u32 select_by_order(u32 a, u32 b, int want_less)
{
    if (f32_is_nan(a) || f32_is_nan(b)) return F32_NAN;
    i32 x = (i32)a < 0 ? (i32)(a ^ ~F32_SIGN) : (i32)a, y = (i32)b < 0 ? (i32)(b ^ ~F32_SIGN) : (i32)b;
    return (x < y) == want_less ? a : b;
}

u32 rt_f32_min(u32 a, u32 b) { return select_by_order(a, b, 1); }
u32 rt_f32_max(u32 a, u32 b) { return select_by_order(a, b, 0); }
