/* Fixed-width types, the entry declaration, a random generator and a checksum for the benchmark programs. Freestanding:
 * the same source is built for Wasm, for the chip and for the host, and must give the same number everywhere. */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;

#if defined(__wasm__)
#define BENCH_ENTRY __attribute__((export_name("run")))
#else
#define BENCH_ENTRY __attribute__((used))
#endif

/** The only entry of each program: does `n` rounds of work and returns a checksum of all results. */
BENCH_ENTRY u32 run(u32 n);

/** Marsaglia's xorshift32. The state must not be 0. */
static inline u32 next_random(u32 *state)
{
    u32 x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/** Folds one word into a running checksum. */
static inline u32 mix(u32 sum, u32 value)
{
    sum = (sum ^ value) * 0x9e3779b1u;
    return sum ^ (sum >> 15);
}

static inline u32 f32_bits(float x)
{
    union {
        float f;
        u32 u;
    } bits = {x};
    return bits.u;
}

static inline u32 mix_f32(u32 sum, float x) { return mix(sum, f32_bits(x)); }

static inline u32 mix_f64(u32 sum, double x)
{
    union {
        double f;
        u64 u;
    } bits = {x};
    return mix(mix(sum, (u32)bits.u), (u32)(bits.u >> 32));
}

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
