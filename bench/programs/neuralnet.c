/* An int8 convolutional layer (3x3, 4 to 8 channels), ReLU, max pooling and a dense layer, requantised as small
 * machine-learning runtimes do it. */
#include "bench.h"

#define SIDE 12
#define IN 4
#define OUT 8
#define POOLED ((SIDE - 2) / 2)
#define CLASSES 6

static i8 image[SIDE][SIDE][IN], kernel[OUT][3][3][IN], feature[SIDE - 2][SIDE - 2][OUT], pooled[POOLED][POOLED][OUT];
static i8 dense[CLASSES][POOLED * POOLED * OUT];
static i32 bias[OUT];

/* times multiplier / 2^31, rounded, then shifted right: the usual fixed-point requantisation */
static i8 requantise(i32 accumulator, i32 multiplier, int shift)
{
    i64 product = (i64)accumulator * multiplier + ((i64)1 << 30);
    i32 x = (i32)(product >> 31);
    x = (x + (1 << (shift - 1))) >> shift;
    return (i8)(x < 0 ? 0 : x > 127 ? 127 : x);
}

static void convolve(void)
{
    for (int y = 0; y < SIDE - 2; y++) {
        for (int x = 0; x < SIDE - 2; x++) {
            for (int o = 0; o < OUT; o++) {
                i32 sum = bias[o];
                for (int dy = 0; dy < 3; dy++)
                    for (int dx = 0; dx < 3; dx++)
                        for (int c = 0; c < IN; c++) sum += image[y + dy][x + dx][c] * kernel[o][dy][dx][c];
                feature[y][x][o] = requantise(sum, 1518500250, 9);
            }
        }
    }
}

static void pool(void)
{
    for (int y = 0; y < POOLED; y++) {
        for (int x = 0; x < POOLED; x++) {
            for (int o = 0; o < OUT; o++) {
                i8 best = feature[2 * y][2 * x][o];
                for (int k = 1; k < 4; k++) {
                    i8 v = feature[2 * y + k / 2][2 * x + k % 2][o];
                    if (v > best) best = v;
                }
                pooled[y][x][o] = best;
            }
        }
    }
}

u32 run(u32 n)
{
    u32 seed = 60221, sum = 0;
    for (u32 i = 0; i < sizeof kernel; i++) ((i8 *)kernel)[i] = (i8)next_random(&seed);
    for (u32 i = 0; i < sizeof dense; i++) ((i8 *)dense)[i] = (i8)next_random(&seed);
    for (u32 o = 0; o < OUT; o++) bias[o] = (i32)(next_random(&seed) & 4095) - 1024;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < sizeof image; i++) ((i8 *)image)[i] = (i8)next_random(&seed);
        convolve();
        pool();
        for (u32 k = 0; k < CLASSES; k++) {
            i32 score = 0;
            const i8 *p = &pooled[0][0][0];
            for (u32 i = 0; i < sizeof pooled; i++) score += dense[k][i] * p[i];
            sum = mix(sum, (u32)score);
        }
    }
    return sum;
}
