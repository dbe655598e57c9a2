/* 256-point complex FFT in Q15 with scaling by 1/2 per stage, as on chips without floating point. */
#include "bench.h"

#define LOG2N 8
#define N (1 << LOG2N)

static i16 re[N], im[N], sine[N + N / 4];

/* sine by the rotation recurrence in Q30, rounded to Q15 */
static void make_sine(void)
{
    const i64 c = 1073418433, s = 26350943; /* cos, sin of 2 pi / 256 in Q30 */
    i64 x = 1 << 30, y = 0;
    for (int i = 0; i < N + N / 4; i++) {
        i64 rounded = (y + (1 << 14)) >> 15;
        sine[i] = (i16)(rounded > 32767 ? 32767 : rounded < -32767 ? -32767 : rounded);
        i64 next = (x * c - y * s) >> 30;
        y = (x * s + y * c) >> 30;
        x = next;
    }
}

static inline i32 q15(i32 a, i32 b) { return (a * b + (1 << 14)) >> 15; }

static void fft(void)
{
    for (u32 i = 1, j = 0; i < N; i++) {
        u32 bit = N >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j |= bit;
        if (i < j) {
            i16 t = re[i];
            re[i] = re[j], re[j] = t;
            t = im[i];
            im[i] = im[j], im[j] = t;
        }
    }
    for (u32 half = 1, step = N / 2; half < N; half *= 2, step /= 2) {
        for (u32 k = 0; k < half; k++) {
            i32 wr = sine[k * step + N / 4], wi = -sine[k * step];
            for (u32 a = k; a < N; a += 2 * half) {
                u32 b = a + half;
                i32 tr = q15(wr, re[b]) - q15(wi, im[b]);
                i32 ti = q15(wr, im[b]) + q15(wi, re[b]);
                i32 ar = re[a], ai = im[a];
                re[a] = (i16)((ar + tr) >> 1), im[a] = (i16)((ai + ti) >> 1);
                re[b] = (i16)((ar - tr) >> 1), im[b] = (i16)((ai - ti) >> 1);
            }
        }
    }
}

u32 run(u32 n)
{
    u32 seed = 1999, sum = 0;
    make_sine();
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < N; i++) {
            re[i] = (i16)(sine[(i * (round + 3)) % N] / 2 + (i32)(next_random(&seed) & 1023));
            im[i] = 0;
        }
        fft();
        for (u32 i = 0; i < N; i += 8) sum = mix(sum, (u32)((i32)re[i] * re[i] + (i32)im[i] * im[i]));
    }
    return sum;
}
