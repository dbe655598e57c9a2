/* 256-point complex FFT in f32, radix 2, decimation in time; twiddles by a rotation recurrence computed once. */
#include "bench.h"

#define LOG2N 8
#define N (1 << LOG2N)

struct complex {
    float re, im;
};

static struct complex x[N], twiddle[N / 2];

static void make_twiddles(void)
{
    const float c = 0.99969881869620422f, s = -0.02454122852291229f; /* cos, -sin of 2 pi / 256 */
    float re = 1, im = 0;
    for (int i = 0; i < N / 2; i++) {
        twiddle[i].re = re;
        twiddle[i].im = im;
        float next = re * c - im * s;
        im = re * s + im * c;
        re = next;
    }
}

static void fft(void)
{
    for (u32 i = 0, j = 0; i < N; i++) {
        if (i < j) {
            struct complex t = x[i];
            x[i] = x[j];
            x[j] = t;
        }
        u32 bit = N >> 1;
        while (bit != 0 && (j & bit) != 0) {
            j ^= bit;
            bit >>= 1;
        }
        j |= bit;
    }
    for (u32 half = 1; half < N; half *= 2) {
        u32 step = N / 2 / half;
        for (u32 start = 0; start < N; start += 2 * half) {
            for (u32 k = 0; k < half; k++) {
                struct complex w = twiddle[k * step], *a = &x[start + k], *b = a + half;
                float re = b->re * w.re - b->im * w.im;
                float im = b->re * w.im + b->im * w.re;
                b->re = a->re - re;
                b->im = a->im - im;
                a->re += re;
                a->im += im;
            }
        }
    }
}

u32 run(u32 n)
{
    u32 seed = 2024, sum = 0;
    make_twiddles();
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < N; i++) {
            x[i].re = (float)(i32)(next_random(&seed) >> 16) * (1.0f / 65536.0f);
            x[i].im = 0;
        }
        fft();
        float energy = 0;
        for (u32 i = 0; i < N; i++) energy += x[i].re * x[i].re + x[i].im * x[i].im;
        sum = mix_f32(mix_f32(sum, energy), x[round % N].re);
    }
    return sum;
}
