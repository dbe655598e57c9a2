/* Base64 (RFC 4648): encoding, and decoding with rejection of foreign characters, over buffers of changing length. */
#include "bench.h"

static const char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static u8 values[256];
static u8 plain[768], back[768];
static char coded[1032];

static size_t encode(char *out, const u8 *in, size_t n)
{
    char *start = out;
    for (; n >= 3; n -= 3, in += 3) {
        u32 word = (u32)in[0] << 16 | (u32)in[1] << 8 | in[2];
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[(word >> 12) & 63];
        *out++ = alphabet[(word >> 6) & 63];
        *out++ = alphabet[word & 63];
    }
    if (n > 0) {
        u32 word = (u32)in[0] << 16 | (n > 1 ? (u32)in[1] << 8 : 0);
        *out++ = alphabet[word >> 18];
        *out++ = alphabet[(word >> 12) & 63];
        *out++ = n > 1 ? alphabet[(word >> 6) & 63] : '=';
        *out++ = '=';
    }
    return (size_t)(out - start);
}

/** @returns bytes written, or -1 for a character that does not belong */
static i32 decode(u8 *out, const char *in, size_t n)
{
    u8 *start = out;
    u32 word = 0, bits = 0;
    for (size_t i = 0; i < n && in[i] != '='; i++) {
        u32 value = values[(u8)in[i]];
        if (value == 255) return -1;
        word = word << 6 | value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (u8)(word >> bits);
        }
    }
    return (i32)(out - start);
}

u32 run(u32 n)
{
    u32 seed = 99, sum = 0;
    for (u32 i = 0; i < 256; i++) values[i] = 255;
    for (u32 i = 0; i < 64; i++) values[(u8)alphabet[i]] = (u8)i;
    for (u32 i = 0; i < sizeof plain; i++) plain[i] = (u8)next_random(&seed);
    for (u32 round = 0; round < n; round++) {
        size_t length = sizeof plain - round % 64;
        plain[round % length]++;
        size_t characters = encode(coded, plain, length);
        i32 bytes = decode(back, coded, characters);
        u32 wrong = 0;
        for (size_t i = 0; i < length; i++) wrong |= back[i] ^ plain[i];
        sum = mix(sum, (u32)bytes + (wrong << 16) + (u32)coded[characters / 2]);
        coded[round % characters] = '*';
        sum = mix(sum, (u32)decode(back, coded, characters));
    }
    return sum;
}
