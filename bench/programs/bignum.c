/* 256-bit arithmetic with 64-bit intermediates: modular multiplication and exponentiation (as in elliptic curves), and
 * 64-bit mixing (SipHash-2-4) and division. */
#include "bench.h"

#define WORDS 8

typedef u32 number[WORDS];

/* 2^255 - 19 */
static const number prime = {0xffffffed, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
                             0x7fffffff};

static void multiply(number out, const number a, const number b)
{
    u32 wide[2 * WORDS] = {0};
    for (int i = 0; i < WORDS; i++) {
        u64 carry = 0;
        for (int j = 0; j < WORDS; j++) {
            carry += (u64)a[i] * b[j] + wide[i + j];
            wide[i + j] = (u32)carry;
            carry >>= 32;
        }
        wide[i + WORDS] = (u32)carry;
    }
    /* 2^256 = 38 (mod p): fold the upper half twice */
    u64 carry = 0;
    for (int i = 0; i < WORDS; i++) {
        carry += (u64)wide[i + WORDS] * 38 + wide[i];
        wide[i] = (u32)carry;
        carry >>= 32;
    }
    carry *= 38;
    for (int i = 0; i < WORDS; i++) {
        carry += wide[i];
        out[i] = (u32)carry;
        carry >>= 32;
    }
    out[0] += (u32)carry * 38;
}

static void reduce(number x)
{
    for (int pass = 0; pass < 2; pass++) {
        number t;
        u64 borrow = 0;
        for (int i = 0; i < WORDS; i++) {
            u64 d = (u64)x[i] - prime[i] - borrow;
            t[i] = (u32)d;
            borrow = d >> 63;
        }
        if (borrow == 0)
            for (int i = 0; i < WORDS; i++) x[i] = t[i];
    }
}

static void power(number out, const number base, const u32 *exponent, int bits)
{
    number r = {1};
    for (int i = bits - 1; i >= 0; i--) {
        multiply(r, r, r);
        if (exponent[i / 32] >> (i % 32) & 1) multiply(r, r, base);
    }
    for (int i = 0; i < WORDS; i++) out[i] = r[i];
}

static inline u64 rotate(u64 x, int n) { return x << n | x >> (64 - n); }

static u64 siphash(u64 k0, u64 k1, const u64 *words, u32 count)
{
    u64 v0 = k0 ^ 0x736f6d6570736575ull, v1 = k1 ^ 0x646f72616e646f6dull;
    u64 v2 = k0 ^ 0x6c7967656e657261ull, v3 = k1 ^ 0x7465646279746573ull;
    for (u32 i = 0; i <= count; i++) {
        u64 m = i < count ? words[i] : (u64)(8 * count) << 56;
        v3 ^= m;
        for (int round = 0; round < (i < count ? 2 : 6); round++) {
            v0 += v1, v1 = rotate(v1, 13), v1 ^= v0, v0 = rotate(v0, 32);
            v2 += v3, v3 = rotate(v3, 16), v3 ^= v2;
            v0 += v3, v3 = rotate(v3, 21), v3 ^= v0;
            v2 += v1, v1 = rotate(v1, 17), v1 ^= v2, v2 = rotate(v2, 32);
            if (i == count && round == 1) v2 ^= 0xff;
        }
        v0 ^= m;
    }
    return v0 ^ v1 ^ v2 ^ v3;
}

u32 run(u32 n)
{
    u32 seed = 25519, sum = 0;
    number base, result;
    u64 words[16];
    for (u32 round = 0; round < n; round++) {
        u32 exponent[2] = {next_random(&seed), next_random(&seed)};
        for (int i = 0; i < WORDS; i++) base[i] = next_random(&seed);
        power(result, base, exponent, 48);
        reduce(result);
        for (int i = 0; i < WORDS; i++) sum = mix(sum, result[i]);
        for (u32 i = 0; i < COUNT_OF(words); i++) words[i] = (u64)next_random(&seed) << 32 | result[i % WORDS];
        u64 hash = siphash(words[3], words[4], words, COUNT_OF(words));
        for (u32 i = 0; i < COUNT_OF(words); i++) {
            u64 divisor = (words[i] >> (i * 3 + 4)) | 1;
            sum = mix(sum, (u32)(hash / divisor) ^ (u32)(hash % divisor));
        }
    }
    return sum;
}
