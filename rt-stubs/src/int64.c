/* 64-bit division and remainder out of LX6's 32-bit QUOU. Takes divisors that are not zero and never INT64_MIN / -1 (the
 * compiler has checked); knows no trap. */
#include "rt.h"

struct quotient {
    u64 quotient;
    u64 remainder;
};

/** (high:low) / d for high < d and d with its top bit set: schoolbook division in base 2^16. */
static inline u32 divide_normalised(u32 high, u32 low, u32 d, u32 *remainder)
{
    u32 d1 = d >> 16, d0 = d & 0xffff;
    u32 q1 = div32(high, d1);
    u32 r = high - q1 * d1;
    /* q1 is at most 2 too large. */
    while (q1 > 0xffff || q1 * d0 > ((r << 16) | (low >> 16))) {
        q1--;
        r += d1;
        if (r > 0xffff) break;
    }
    u32 middle = (high << 16) + (low >> 16) - q1 * d;
    u32 q0 = div32(middle, d1);
    r = middle - q0 * d1;
    while (q0 > 0xffff || q0 * d0 > ((r << 16) | (low & 0xffff))) {
        q0--;
        r += d1;
        if (r > 0xffff) break;
    }
    *remainder = (middle << 16) + (low & 0xffff) - q0 * d;
    return (q1 << 16) + q0;
}

static inline __attribute__((always_inline)) struct quotient divide(u64 n, u64 d)
{
    u32 nh = (u32)(n >> 32), nl = (u32)n, dh = (u32)(d >> 32), dl = (u32)d;
    if (dh == 0) {
        if (nh == 0) {
            u32 q = div32(nl, dl);
            return (struct quotient){q, nl - q * dl};
        }
        u32 qh = 0;
        if (nh >= dl) {
            qh = div32(nh, dl);
            nh -= qh * dl;
        }
        u32 r;
        if (dl <= 0xffff) {
            /* A 16-bit divisor needs no correction: two plain divisions. */
            u32 m = (nh << 16) | (nl >> 16);
            u32 q1 = div32(m, dl);
            m = ((m - q1 * dl) << 16) | (nl & 0xffff);
            u32 q0 = div32(m, dl);
            return (struct quotient){((u64)qh << 32) | (q1 << 16 | q0), m - q0 * dl};
        }
        u32 s = clz32(dl);
        u32 high = s == 0 ? nh : (nh << s) | (nl >> (32 - s));
        u32 ql = divide_normalised(high, nl << s, dl << s, &r);
        return (struct quotient){((u64)qh << 32) | ql, r >> s};
    }
    if (n < d) return (struct quotient){0, n};
    /* The divisor has 33 to 64 bits, so the quotient has at most 32: estimate it with the divisor's top 32 bits, after
     * halving the dividend so that the estimate fits. It is then at most 1 too large. */
    u32 s = clz32(dh);
    u32 top = s == 0 ? dh : (dh << s) | (dl >> (32 - s));
    u32 r;
    u32 q = divide_normalised(nh >> 1, (nh << 31) | (nl >> 1), top, &r);
    q >>= 31 - s;
    if (q != 0) q--;
    u64 remainder = n - mul64x32(d, q);
    if (remainder >= d) {
        q++;
        remainder -= d;
    }
    return (struct quotient){q, remainder};
}

u64 rt_i64_div_u(u64 a, u64 b) { return divide(a, b).quotient; }
u64 rt_i64_rem_u(u64 a, u64 b) { return divide(a, b).remainder; }

u64 rt_i64_div_s(u64 a, u64 b)
{
    u64 q = rt_i64_div_u((i64)a < 0 ? 0 - a : a, (i64)b < 0 ? 0 - b : b);
    return (i64)(a ^ b) < 0 ? 0 - q : q;
}

u64 rt_i64_rem_s(u64 a, u64 b)
{
    u64 r = rt_i64_rem_u((i64)a < 0 ? 0 - a : a, (i64)b < 0 ? 0 - b : b);
    return (i64)a < 0 ? 0 - r : r;
}
