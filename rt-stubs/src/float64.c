/* Soft double: arithmetic, comparison, rounding. Bits in, bits out, exact to the last bit (round to nearest, ties to
 * even, subnormals kept); every NaN result is the canonical one. Knows no conversions (convert.c). */
#include "rt.h"

u64 rt_f64_round_pack(u64 sign, i32 exponent, u64 significand)
{
    if (exponent <= 0) {
        significand = shift_right_jam64(significand, (u32)(1 - exponent));
        exponent = 1;
    }
    significand = (significand + 0x1ff + ((u32)(significand >> 10) & 1)) >> 10;
    /* The leading one, if there is one, adds itself to the exponent field: so do carries. */
    u64 bits = ((u64)(u32)(exponent - 1) << 52) + significand;
    return sign | (exponent >= 0x7ff || bits > F64_INF ? F64_INF : bits);
}

/** |a| + |b| with the sign given; |a| >= |b|, both finite. */
static inline u64 add_magnitudes(u64 sign, u64 a, u64 b)
{
    i32 ea = (i32)(a >> 52), eb = (i32)(b >> 52);
    u64 fa = (a & F64_FRACTION) << 9, fb = (b & F64_FRACTION) << 9;
    if (ea == 0) return sign | (a + b); /* two subnormals add exactly */
    fa |= F64_HIDDEN << 9;
    if (eb != 0) fb |= F64_HIDDEN << 9;
    else eb = 1;
    u64 sum = fa + shift_right_jam64(fb, (u32)(ea - eb));
    if (sum >> 62 != 0) ea++;
    else sum <<= 1;
    return rt_f64_round_pack(sign, ea, sum);
}

/** |a| - |b| with the sign given; |a| > |b|, both finite. */
static inline u64 subtract_magnitudes(u64 sign, u64 a, u64 b)
{
    i32 ea = (i32)(a >> 52), eb = (i32)(b >> 52);
    u64 fa = (a & F64_FRACTION) << 10, fb = (b & F64_FRACTION) << 10;
    if (ea == 0) return sign | (a - b);
    fa |= F64_HIDDEN << 10;
    if (eb != 0) fb |= F64_HIDDEN << 10;
    else eb = 1;
    u64 difference = fa - shift_right_jam64(fb, (u32)(ea - eb));
    u32 shift = clz64(difference) - 1;
    return rt_f64_round_pack(sign, ea - (i32)shift, difference << shift);
}

u64 COMPLETE(rt_f64_add)(u64 a, u64 b)
{
    u64 ma = a & ~F64_SIGN, mb = b & ~F64_SIGN;
    if (ma > F64_INF || mb > F64_INF) return F64_NAN;
    int differ = (i64)(a ^ b) < 0;
    if (ma == F64_INF) return differ && mb == F64_INF ? F64_NAN : a;
    if (mb == F64_INF) return b;
    if (ma < mb) {
        u64 t = ma;
        ma = mb;
        mb = t;
        a = b;
    }
    if (!differ) return add_magnitudes(a & F64_SIGN, ma, mb);
    if (ma == mb) return 0;
    return subtract_magnitudes(a & F64_SIGN, ma, mb);
}

#if !defined(__XTENSA__)
u64 rt_f64_sub(u64 a, u64 b) { return rt_f64_add(a, b ^ F64_SIGN); }
#endif

/** Significand of a finite non-zero number with the leading one at bit 52; moves `exponent` along for subnormals. */
static inline u64 normalise(u64 magnitude, i32 *exponent)
{
    *exponent = (i32)(magnitude >> 52);
    u64 fraction = magnitude & F64_FRACTION;
    if (*exponent != 0) return fraction | F64_HIDDEN;
    u32 shift = clz64(fraction) - 11;
    *exponent = 1 - (i32)shift;
    return fraction << shift;
}

u64 COMPLETE(rt_f64_mul)(u64 a, u64 b)
{
    u64 sign = (a ^ b) & F64_SIGN;
    a &= ~F64_SIGN;
    b &= ~F64_SIGN;
    if (a > F64_INF || b > F64_INF) return F64_NAN;
    if (a == F64_INF) return b == 0 ? F64_NAN : sign | F64_INF;
    if (b == F64_INF) return a == 0 ? F64_NAN : sign | F64_INF;
    if (a == 0 || b == 0) return sign;
    i32 ea, eb;
    u64 fa = normalise(a, &ea) << 11, fb = normalise(b, &eb) << 10;
    u32 ah = (u32)(fa >> 32), al = (u32)fa, bh = (u32)(fb >> 32), bl = (u32)fb;
    /* Product of 63- and 62-bit fractions: leading one at bit 125 or 126; keep the upper 64 bits and a sticky bit. */
    u64 low = mul32(al, bl), m1 = mul32(ah, bl), m2 = mul32(al, bh), high = mul32(ah, bh);
    u64 middle = (low >> 32) + (u32)m1 + (u32)m2;
    high += (m1 >> 32) + (m2 >> 32) + (middle >> 32);
    if (((u32)middle | (u32)low) != 0) high |= 1;
    i32 exponent = ea + eb - 1022;
    if (high >> 62 == 0) {
        high <<= 1;
        exponent--;
    }
    return rt_f64_round_pack(sign, exponent, high);
}

u64 COMPLETE(rt_f64_div)(u64 a, u64 b)
{
    u64 sign = (a ^ b) & F64_SIGN;
    a &= ~F64_SIGN;
    b &= ~F64_SIGN;
    if (a > F64_INF || b > F64_INF) return F64_NAN;
    if (a == F64_INF) return b == F64_INF ? F64_NAN : sign | F64_INF;
    if (b == F64_INF) return sign;
    if (b == 0) return a == 0 ? F64_NAN : sign | F64_INF;
    if (a == 0) return sign;
    i32 ea, eb;
    u64 fa = normalise(a, &ea), fb = normalise(b, &eb);
    u32 bh = (u32)(fb >> 21);
    /* x: an underestimate of 2^63 / bh. First 15 bits from a 16-bit division, then one Newton step (28 bits); each
     * rounding goes down so that quotient digits never come out too large. */
    u32 x = div32(0xffffffffu, (bh >> 16) + 1) << 15;
    x = mulhu(x, 0 - (mulhu(x, bh) + 2)) << 1;
    /* fa / (2 fb) in two digits of 28 bits; the products are exact modulo 2^64 and the remainders are small. */
    u32 q1 = mulhu((u32)(fa >> 22), x) >> 3;
    u64 r = (fa << 27) - mul64x32(fb, q1);
    u32 q2 = mulhu((u32)(r >> 23), x) >> 1;
    r = (r << 28) - mul64x32(fb, q2);
    u64 q = ((u64)q1 << 28) + q2;
    while (r >= fb) {
        r -= fb;
        q++;
    }
    i32 exponent = ea - eb + 1022;
    /* q has its leading one at bit 54 or 55. */
    if (q >> 55 != 0) {
        exponent++;
        q <<= 7;
    } else q <<= 8;
    return rt_f64_round_pack(sign, exponent, q | (r != 0));
}

#if !defined(__XTENSA__)
u32 rt_f64_eq(u64 a, u64 b) { return !f64_is_nan(a) && (a == b || ((a | b) << 1) == 0); }

u32 rt_f64_ne(u64 a, u64 b) { return !rt_f64_eq(a, b); }

/** Maps the bits of a number (not NaN) to an integer of the same order, -0 just below +0. */
static inline i64 order(u64 a) { return (i64)a < 0 ? (i64)(a ^ ~F64_SIGN) : (i64)a; }

u32 rt_f64_lt(u64 a, u64 b)
{
    return !f64_is_nan(a) && !f64_is_nan(b) && order(a) < order(b) && ((a | b) << 1) != 0;
}

u32 rt_f64_le(u64 a, u64 b)
{
    return !f64_is_nan(a) && !f64_is_nan(b) && (order(a) <= order(b) || ((a | b) << 1) == 0);
}
#endif

/** 2^31 / sqrt(m / 2^30) for m in [2^30, 2^32), from below, to 28 bits. */
static inline u32 inverse_root(u32 m)
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

u64 rt_f64_sqrt(u64 a)
{
    if ((a << 1) == 0 || a == F64_INF) return a;
    if (a > F64_INF) return F64_NAN; /* NaN or negative */
    i32 exponent;
    u64 n = normalise(a, &exponent);
    /* a = n / 2^52 * 2^(even), n / 2^52 in [1, 4). The root of a number is never subnormal, so nothing can underflow. */
    if ((exponent & 1) == 0) n <<= 1;
    exponent = (exponent >> 1) + ((exponent & 1) != 0 ? 512 : 511);
    u32 x = inverse_root((u32)(n >> 22));
    /* The root in two digits of 28 bits: s from x, at most 2 too small, then the remainder times x / 2. */
    u32 s = mulhu((u32)(n >> 22), x) >> 2;
    u32 rest = ((u32)n << 2) - s * s; /* below 2^31, so modulo 2^32 will do */
    u64 root = ((u64)s << 27) + mulhu(rest, x);
    /* Off by 2 at most: correct with the exact remainder, which is small, so modulo 2^64 will do. */
    u32 low = (u32)root, high = (u32)(root >> 32);
    i64 remainder = (i64)((n << 56) - mul32(low, low) - ((u64)(low * high) << 33));
    while (remainder < 0) {
        root--;
        remainder += (i64)(2 * root + 1);
    }
    while (remainder > (i64)(2 * root)) {
        remainder -= (i64)(2 * root + 1);
        root++;
    }
    /* 55 bits; round to 53. A root is never exactly half way. */
    u64 bits = ((u64)(u32)(exponent - 1) << 52) + (root >> 2);
    return bits + ((root & 2) != 0 && ((root & 1) != 0 || remainder != 0 || (root & 4) != 0));
}

static inline u64 join(u32 high, u32 low) { return (u64)high << 32 | low; }

/** Rounds towards zero or, if `away`, away from it; NaN becomes canonical. In words: the masks stay 32 bits wide. */
static inline u64 round_directed(u64 a, int away)
{
    u32 high = (u32)(a >> 32), low = (u32)a;
    i32 exponent = (i32)((high >> 20) & 0x7ff) - 1023;
    if (exponent < 0) {
        high &= 0x80000000u;
        return away && (a << 1) != 0 ? join(high | 0x3ff00000u, 0) : join(high, 0);
    }
    if (exponent >= 52) return f64_is_nan(a) ? F64_NAN : a;
    if (exponent <= 20) {
        u32 mask = 0xfffffu >> exponent; /* bits of the high word below the point */
        if (away && ((high & mask) | low) != 0) high += mask;
        /* A carry runs into the exponent as it must; the low word's share of it is in the mask's lowest bit. */
        if (away && (high & mask) == mask && low != 0) high++;
        return join(high & ~mask, 0);
    }
    u32 mask = 0xffffffffu >> (exponent - 20);
    if (away && (low & mask) != 0) {
        u32 up = low + mask;
        if (up < low) high++;
        low = up;
    }
    return join(high, low & ~mask);
}

u64 rt_f64_trunc(u64 a) { return round_directed(a, 0); }
u64 rt_f64_ceil(u64 a) { return round_directed(a, (i64)a >= 0); }
u64 rt_f64_floor(u64 a) { return round_directed(a, (i64)a < 0); }

u64 rt_f64_nearest(u64 a)
{
    u32 high = (u32)(a >> 32), low = (u32)a;
    u32 exponent = (high >> 20) & 0x7ff;
    if (exponent >= 1023 + 52) return f64_is_nan(a) ? F64_NAN : a;
    if (exponent < 1023) {
        /* Below 1: only what is above one half becomes 1. */
        u32 sign = high & 0x80000000u;
        return exponent == 1022 && ((high << 12) | low) != 0 ? join(sign | 0x3ff00000u, 0) : join(sign, 0);
    }
    u32 shift = 1075 - exponent; /* fraction bits below the point, 1..52 */
    if (shift <= 32) {
        u32 half = 1u << (shift - 1), mask = half + (half - 1);
        u32 odd = shift == 32 ? high & 1 : (low >> shift) & 1;
        u32 up = low + half - 1 + odd;
        if (up < low) high++;
        return join(high, up & ~mask);
    }
    /* At shift 52 the lowest integer bit is the hidden one; bit 20 of an exponent field of 1023 is odd as well. */
    u32 half = 1u << (shift - 33), mask = half + (half - 1);
    u32 rest = high & mask;
    high &= ~mask;
    if (rest > half || (rest == half && (low != 0 || (high & (mask + 1)) != 0))) high += mask + 1;
    return join(high, 0);
}

static inline u64 select_by_order(u64 a, u64 b, int want_less)
{
    if (f64_is_nan(a) || f64_is_nan(b)) return F64_NAN;
    i64 x = (i64)a < 0 ? (i64)(a ^ ~F64_SIGN) : (i64)a, y = (i64)b < 0 ? (i64)(b ^ ~F64_SIGN) : (i64)b;
    return (x < y) == want_less ? a : b;
}

u64 rt_f64_min(u64 a, u64 b) { return select_by_order(a, b, 1); }
u64 rt_f64_max(u64 a, u64 b) { return select_by_order(a, b, 0); }
