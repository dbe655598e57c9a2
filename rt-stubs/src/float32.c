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

u32 COMPLETE(rt_f32_div)(u32 a, u32 b)
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

u32 rt_inverse_root(u32 m)
{
    /* Middle of 1 / sqrt over each quarter of [1, 4), in units of 2^-8; then three Newton steps x (3 - m x^2) / 2. They
     * end below the root whatever they start from; every rounding goes down, too. */
    static const uint8_t START[12] = {241, 218, 200, 187, 175, 165, 157, 150, 143, 138, 133, 130};
    u32 x = (u32)START[(m >> 28) - 4] << 23;
    for (int i = 0; i < 3; i++) {
        u32 square = mulhu(mulhu(x, x) + 1, m) + 1; /* x^2 m, scaled by 2^28, from above */
        x = mulhu(x, ((3u << 28) - square) << 2) << 1;
    }
    return x;
}

u32 COMPLETE(rt_f32_sqrt)(u32 a)
{
    if ((a << 1) == 0 || a == F32_INF) return a;
    if (a > F32_INF) return F32_NAN; /* NaN or negative */
    i32 exponent;
    u32 n = normalise(a, &exponent);
    /* a = n / 2^23 * 2^(even), n / 2^23 in [1, 4). */
    if ((exponent & 1) == 0) n <<= 1;
    exponent = (exponent >> 1) + ((exponent & 1) != 0 ? 64 : 63);
    u32 root = mulhu(n << 7, rt_inverse_root(n << 7)) >> 4; /* 26 bits, at most 2 too small */
    u32 rest = (n << 27) - root * root;                     /* small, so modulo 2^32 will do */
    while (rest > 2 * root) {
        rest -= 2 * root + 1;
        root++;
    }
    /* Round to 24 bits. A root is never exactly half way. */
    u32 bits = ((u32)(exponent - 1) << 23) + (root >> 2);
    return bits + ((root & 2) != 0 && ((root & 5) != 0 || rest != 0));
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
