/* CRC-32 (IEEE 802.3) three ways over one buffer: bit by bit, with a 256-entry table, and four tables at a time. */
#include "bench.h"

#define POLYNOMIAL 0xedb88320u
#define BYTES 2048

static u32 table[4][256];
static u8 data[BYTES];

static void make_tables(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ POLYNOMIAL : c >> 1;
        table[0][i] = c;
    }
    for (u32 i = 0; i < 256; i++)
        for (int k = 1; k < 4; k++) table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 255];
}

static u32 crc_bitwise(const u8 *p, size_t n)
{
    u32 c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ (POLYNOMIAL & (0u - (c & 1)));
    }
    return ~c;
}

static u32 crc_table(const u8 *p, size_t n)
{
    u32 c = ~0u;
    for (size_t i = 0; i < n; i++) c = (c >> 8) ^ table[0][(c ^ p[i]) & 255];
    return ~c;
}

static u32 crc_sliced(const u8 *p, size_t n)
{
    u32 c = ~0u;
    for (; n >= 4; n -= 4, p += 4) {
        c ^= *(const u32 *)p;
        c = table[3][c & 255] ^ table[2][(c >> 8) & 255] ^ table[1][(c >> 16) & 255] ^ table[0][c >> 24];
    }
    while (n--) c = (c >> 8) ^ table[0][(c ^ *p++) & 255];
    return ~c;
}

u32 run(u32 n)
{
    u32 seed = 0x12345678, sum = 0;
    make_tables();
    for (u32 i = 0; i < BYTES; i++) data[i] = (u8)next_random(&seed);
    for (u32 round = 0; round < n; round++) {
        data[round % BYTES] ^= (u8)round;
        sum = mix(sum, crc_bitwise(data, BYTES / 4));
        sum = mix(sum, crc_table(data, BYTES));
        sum = mix(sum, crc_sliced(data, BYTES));
    }
    return sum;
}
