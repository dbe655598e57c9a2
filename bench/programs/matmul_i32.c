/* Matrix product in i32, and a saturating int8 layer with i32 accumulators as in small neural networks. */
#include "bench.h"

#define N 24

static i32 a[N][N], b[N][N], c[N][N];
static i8 weights[N][64], activations[64];

u32 run(u32 n)
{
    u32 seed = 8, sum = 0;
    for (u32 i = 0; i < N; i++) {
        for (u32 j = 0; j < N; j++) {
            a[i][j] = (i32)(next_random(&seed) & 0xfff) - 0x800;
            b[i][j] = (i32)(next_random(&seed) & 0xfff) - 0x800;
        }
        for (u32 k = 0; k < 64; k++) weights[i][k] = (i8)next_random(&seed);
    }
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < N; i++) {
            for (u32 j = 0; j < N; j++) {
                i32 t = 0;
                for (u32 k = 0; k < N; k++) t += a[i][k] * b[k][j];
                c[i][j] = t;
            }
        }
        for (u32 k = 0; k < 64; k++) activations[k] = (i8)c[k % N][k / 3];
        for (u32 i = 0; i < N; i++) {
            i32 t = 0;
            for (u32 k = 0; k < 64; k++) t += weights[i][k] * activations[k];
            t >>= 7;
            sum = mix(sum, (u32)(t < 0 ? 0 : t > 127 ? 127 : t));
            a[i][round % N] += t;
        }
    }
    return sum;
}
