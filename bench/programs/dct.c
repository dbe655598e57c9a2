/* JPEG's core in integers: 8x8 forward DCT (separable, 13-bit constants), quantisation, zigzag run lengths, and back. */
#include "bench.h"

#define SIDE 32
#define C(x) ((i32)((x) * 8192.0 + 0.5))

static u8 image[SIDE * SIDE], restored[SIDE * SIDE];

static const u8 zigzag[64] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};
static const u8 quantum[64] = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  14, 13, 16, 24, 40,  57,
    69, 56, 14, 17, 22,  29,  51,  87,  80, 62, 18, 22, 37,  56,  68,  109, 103, 77, 24, 35, 55,  64,
    81, 104, 113, 92, 49, 64, 78,  87,  103, 121, 120, 101, 72, 92, 95,  98,  112, 100, 103, 99,
};

/* One dimension: even half by butterflies, odd half as a product with its four rows. */
static void forward_8(i32 *p, int stride, int shift)
{
    i32 s0 = p[0] + p[7 * stride], d0 = p[0] - p[7 * stride];
    i32 s1 = p[stride] + p[6 * stride], d1 = p[stride] - p[6 * stride];
    i32 s2 = p[2 * stride] + p[5 * stride], d2 = p[2 * stride] - p[5 * stride];
    i32 s3 = p[3 * stride] + p[4 * stride], d3 = p[3 * stride] - p[4 * stride];
    i32 e0 = s0 + s3, e3 = s0 - s3, e1 = s1 + s2, e2 = s1 - s2;
    i32 half = 1 << (shift - 1);
    p[0] = ((e0 + e1) * C(0.353553391) + half) >> shift;
    p[4 * stride] = ((e0 - e1) * C(0.353553391) + half) >> shift;
    p[2 * stride] = (e3 * C(0.461939766) + e2 * C(0.191341716) + half) >> shift;
    p[6 * stride] = (e3 * C(0.191341716) - e2 * C(0.461939766) + half) >> shift;
    p[stride] = (d0 * C(0.490392640) + d1 * C(0.415734806) + d2 * C(0.277785117) + d3 * C(0.097545161) + half) >> shift;
    p[3 * stride] =
        (d0 * C(0.415734806) - d1 * C(0.097545161) - d2 * C(0.490392640) - d3 * C(0.277785117) + half) >> shift;
    p[5 * stride] =
        (d0 * C(0.277785117) - d1 * C(0.490392640) + d2 * C(0.097545161) + d3 * C(0.415734806) + half) >> shift;
    p[7 * stride] =
        (d0 * C(0.097545161) - d1 * C(0.277785117) + d2 * C(0.415734806) - d3 * C(0.490392640) + half) >> shift;
}

static void inverse_8(i32 *p, int stride, int shift)
{
    i32 x1 = p[stride], x3 = p[3 * stride], x5 = p[5 * stride], x7 = p[7 * stride];
    i32 t0 = (p[0] + p[4 * stride]) * C(0.353553391), t1 = (p[0] - p[4 * stride]) * C(0.353553391);
    i32 t2 = p[2 * stride] * C(0.461939766) + p[6 * stride] * C(0.191341716);
    i32 t3 = p[2 * stride] * C(0.191341716) - p[6 * stride] * C(0.461939766);
    i32 half = 1 << (shift - 1);
    i32 e0 = t0 + t2 + half, e3 = t0 - t2 + half, e1 = t1 + t3 + half, e2 = t1 - t3 + half;
    i32 o0 = x1 * C(0.490392640) + x3 * C(0.415734806) + x5 * C(0.277785117) + x7 * C(0.097545161);
    i32 o1 = x1 * C(0.415734806) - x3 * C(0.097545161) - x5 * C(0.490392640) - x7 * C(0.277785117);
    i32 o2 = x1 * C(0.277785117) - x3 * C(0.490392640) + x5 * C(0.097545161) + x7 * C(0.415734806);
    i32 o3 = x1 * C(0.097545161) - x3 * C(0.277785117) + x5 * C(0.415734806) - x7 * C(0.490392640);
    p[0] = (e0 + o0) >> shift, p[7 * stride] = (e0 - o0) >> shift;
    p[stride] = (e1 + o1) >> shift, p[6 * stride] = (e1 - o1) >> shift;
    p[2 * stride] = (e2 + o2) >> shift, p[5 * stride] = (e2 - o2) >> shift;
    p[3 * stride] = (e3 + o3) >> shift, p[4 * stride] = (e3 - o3) >> shift;
}

static u32 block(u32 x, u32 y, u32 sum)
{
    i32 b[64];
    for (u32 r = 0; r < 8; r++)
        for (u32 c = 0; c < 8; c++) b[8 * r + c] = (i32)image[(y + r) * SIDE + x + c] - 128;
    for (int r = 0; r < 8; r++) forward_8(b + 8 * r, 1, 11);
    for (int c = 0; c < 8; c++) forward_8(b + c, 8, 15);
    u32 zeros = 0;
    for (int i = 0; i < 64; i++) {
        i32 value = b[zigzag[i]], q = quantum[i];
        i32 level = value < 0 ? -((-value + q / 2) / q) : (value + q / 2) / q;
        if (level == 0) {
            zeros++;
        } else {
            sum = mix(sum, (zeros << 16) ^ (u32)level);
            zeros = 0;
        }
        b[zigzag[i]] = level * q;
    }
    for (int c = 0; c < 8; c++) inverse_8(b + c, 8, 11);
    for (int r = 0; r < 8; r++) inverse_8(b + 8 * r, 1, 15);
    for (u32 r = 0; r < 8; r++) {
        for (u32 c = 0; c < 8; c++) {
            i32 v = b[8 * r + c] + 128;
            restored[(y + r) * SIDE + x + c] = (u8)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
    return sum;
}

u32 run(u32 n)
{
    u32 seed = 31415, sum = 0;
    for (u32 y = 0; y < SIDE; y++)
        for (u32 x = 0; x < SIDE; x++) image[y * SIDE + x] = (u8)(x * 5 + y * 3 + (next_random(&seed) & 15));
    for (u32 round = 0; round < n; round++) {
        for (u32 y = 0; y < SIDE; y += 8)
            for (u32 x = 0; x < SIDE; x += 8) sum = block(x, y, sum);
        u32 error = 0;
        for (u32 i = 0; i < SIDE * SIDE; i++) {
            i32 d = (i32)restored[i] - (i32)image[i];
            error += (u32)(d * d);
            image[i] = (u8)(image[i] + (i & 1));
        }
        sum = mix(sum, error);
    }
    return sum;
}
