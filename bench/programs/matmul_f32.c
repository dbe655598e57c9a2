/* Matrix product in f32, and the solution of a linear system by Gaussian elimination with pivoting. */
#include "bench.h"

#define N 20

static float a[N][N], b[N][N], c[N][N], m[N][N + 1];

static float magnitude(float x) { return x < 0 ? -x : x; }

static float solve(void)
{
    for (u32 col = 0; col < N; col++) {
        u32 pivot = col;
        for (u32 r = col + 1; r < N; r++)
            if (magnitude(m[r][col]) > magnitude(m[pivot][col])) pivot = r;
        if (pivot != col) {
            for (u32 k = col; k <= N; k++) {
                float t = m[col][k];
                m[col][k] = m[pivot][k];
                m[pivot][k] = t;
            }
        }
        float inverse = 1.0f / m[col][col];
        for (u32 r = col + 1; r < N; r++) {
            float factor = m[r][col] * inverse;
            for (u32 k = col; k <= N; k++) m[r][k] -= factor * m[col][k];
        }
    }
    float total = 0;
    for (u32 col = N; col-- > 0;) {
        float t = m[col][N];
        for (u32 k = col + 1; k < N; k++) t -= m[col][k] * m[k][N];
        m[col][N] = t / m[col][col];
        total += m[col][N];
    }
    return total;
}

u32 run(u32 n)
{
    u32 seed = 1234567, sum = 0;
    for (u32 i = 0; i < N; i++) {
        for (u32 j = 0; j < N; j++) {
            a[i][j] = (float)(i32)(next_random(&seed) & 1023) * (1.0f / 512.0f) - 1.0f;
            b[i][j] = (float)(i32)(next_random(&seed) & 1023) * (1.0f / 512.0f) - 1.0f;
        }
    }
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < N; i++) {
            for (u32 j = 0; j < N; j++) {
                float t = 0;
                for (u32 k = 0; k < N; k++) t += a[i][k] * b[k][j];
                c[i][j] = t;
            }
        }
        for (u32 i = 0; i < N; i++) {
            for (u32 j = 0; j < N; j++) m[i][j] = c[i][j];
            m[i][i] += 8.0f;
            m[i][N] = a[i][0];
        }
        sum = mix_f32(mix_f32(sum, solve()), c[round % N][3]);
        a[round % N][5] += 0.25f;
    }
    return sum;
}
