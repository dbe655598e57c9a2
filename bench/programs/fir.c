/* FIR filters in Q15: a block filter with 32 taps, a decimating one, and a biquad cascade with saturation. */
#include "bench.h"

#define TAPS 32
#define BLOCK 128

static i16 taps[TAPS], input[BLOCK + TAPS], output[BLOCK];

struct biquad {
    i32 b0, b1, b2, a1, a2; /* Q14 */
    i32 x1, x2, y1, y2;
};

static inline i16 saturate(i32 x) { return (i16)(x > 32767 ? 32767 : x < -32768 ? -32768 : x); }

static void filter_block(const i16 *in, i16 *out, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        i32 sum = 1 << 14;
        for (u32 k = 0; k < TAPS; k++) sum += (i32)taps[k] * in[i + k];
        out[i] = saturate(sum >> 15);
    }
}

static u32 decimate(const i16 *in, u32 n, u32 factor)
{
    u32 check = 0;
    for (u32 i = 0; i < n; i += factor) {
        i64 sum = 0;
        for (u32 k = 0; k < TAPS; k++) sum += (i64)((i32)taps[k] * in[i + k]);
        check = mix(check, (u32)(sum >> 10));
    }
    return check;
}

static void cascade(struct biquad *stages, u32 count, i16 *samples, u32 n)
{
    for (u32 s = 0; s < count; s++) {
        struct biquad *q = &stages[s];
        for (u32 i = 0; i < n; i++) {
            i32 x = samples[i];
            i32 y = q->b0 * x + q->b1 * q->x1 + q->b2 * q->x2 - q->a1 * q->y1 - q->a2 * q->y2;
            q->x2 = q->x1, q->x1 = x;
            q->y2 = q->y1, q->y1 = saturate(y >> 14);
            samples[i] = (i16)q->y1;
        }
    }
}

u32 run(u32 n)
{
    static struct biquad stages[3] = {
        {1000, 2000, 1000, -20000, 8000, 0, 0, 0, 0},
        {1500, -100, 1500, -12000, 5000, 0, 0, 0, 0},
        {9000, 500, -8000, -9000, 2000, 0, 0, 0, 0},
    };
    u32 seed = 5, sum = 0;
    for (u32 k = 0; k < TAPS; k++) taps[k] = (i16)((next_random(&seed) & 4095) - 1024);
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < TAPS; i++) input[i] = input[BLOCK + i];
        for (u32 i = 0; i < BLOCK; i++) input[TAPS + i] = (i16)((i32)(next_random(&seed) & 0x7fff) - 16384);
        filter_block(input, output, BLOCK);
        sum = mix(sum, decimate(input, BLOCK, 4));
        cascade(stages, COUNT_OF(stages), output, BLOCK);
        for (u32 i = 0; i < BLOCK; i += 16) sum = mix(sum, (u32)(i32)output[i]);
    }
    return sum;
}
