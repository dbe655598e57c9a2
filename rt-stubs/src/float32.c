/* f32 operations that LX6 has no single instruction for. Bits in, bits out, exact to the last bit; every NaN result is
 * the canonical one. Knows no conversions (convert.c). */
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

static inline u32 normalise(u32 magnitude, i32 *exponent)
{
    *exponent = (i32)(magnitude >> 23);
    u32 fraction = magnitude & F32_FRACTION;
    if (*exponent != 0) return fraction | F32_HIDDEN;
    u32 shift = clz32(fraction) - 8;
    *exponent = 1 - (i32)shift;
    return fraction << shift;
}

u32 rt_f32_div(u32 a, u32 b)
{
    u32 sign = (a ^ b) & F32_SIGN;
    a &= ~F32_SIGN;
    b &= ~F32_SIGN;
    if (a > F32_INF || b > F32_INF) return F32_NAN;
    if (a == F32_INF) return b == F32_INF ? F32_NAN : sign | F32_INF;
    if (b == F32_INF) return sign;
    if (b == 0) return a == 0 ? F32_NAN : sign | F32_INF;
    if (a == 0) return sign;
    i32 ea, eb;
    u32 fa = normalise(a, &ea), fb = normalise(b, &eb);
    i32 exponent = ea - eb + 127;
    if (fa < fb) {
        fa <<= 1;
        exponent--;
    }
    /* fa / fb in [1, 2): one integer bit and 25 fraction bits in three digits, quotient and remainder exact. */
    u32 r = fa - fb;
    u32 q = 1;
    for (int i = 0; i < 3; i++) {
        r <<= 8;
        u32 digit = div32(r, fb);
        r -= digit * fb;
        q = (q << 8) | digit;
    }
    r <<= 1;
    q <<= 1;
    if (r >= fb) {
        r -= fb;
        q |= 1;
    }
    return rt_f32_round_pack(sign, exponent, (q << 5) | (r != 0));
}

u32 rt_f32_sqrt(u32 a)
{
    if ((a << 1) == 0 || a == F32_INF) return a;
    if (a > F32_INF) return F32_NAN; /* NaN or negative */
    i32 exponent;
    u32 n = normalise(a, &exponent);
    if ((exponent & 1) == 0) n <<= 1;
    exponent = (exponent >> 1) + ((exponent & 1) != 0 ? 64 : 63);
    n <<= 7; /* value in [2^30, 2^32): two bits come down in each step */
    u32 root = 0, rest = 0;
    for (int i = 0; i < 26; i++) {
        rest = (rest << 2) | (n >> 30);
        n <<= 2;
        u32 trial = (root << 2) | 1;
        root <<= 1;
        if (rest >= trial) {
            rest -= trial;
            root |= 1;
        }
    }
    return rt_f32_round_pack(0, exponent, (root << 5) | (rest != 0));
}

u32 rt_f32_trunc(u32 a)
{
    u32 exponent = (a >> 23) & 0xff;
    if (exponent < 127) return a & F32_SIGN;
    if (exponent >= 127 + 23) return f32_is_nan(a) ? F32_NAN : a;
    return a & ~(F32_FRACTION >> (exponent - 127));
}

static u32 round_directed(u32 a, int away)
{
    u32 t = rt_f32_trunc(a);
    if (!away || t == a || f32_is_nan(a)) return t;
    if ((t << 1) == 0) return t | 0x3f800000u;
    return t + (F32_HIDDEN >> (((t >> 23) & 0xff) - 127));
}

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
