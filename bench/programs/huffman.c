/* Canonical Huffman coding: frequencies, code lengths by repeated minimum, a bit writer, and a bit-by-bit decoder. */
#include "bench.h"

#define SYMBOLS 64
#define BYTES 1024
#define MAX_LENGTH 24

static u8 input[BYTES], output[BYTES], bits[2 * BYTES];
static u32 weight[2 * SYMBOLS];
static u8 parent[2 * SYMBOLS], length[SYMBOLS];
static u32 code[SYMBOLS];
static u16 first_code[MAX_LENGTH + 1], first_symbol[MAX_LENGTH + 2];
static u8 ordered[SYMBOLS];

static u32 lightest(u32 count)
{
    u32 best = 0, best_weight = ~0u;
    for (u32 i = 0; i < count; i++) {
        if (weight[i] != 0 && weight[i] < best_weight) {
            best = i;
            best_weight = weight[i];
        }
    }
    weight[best] = 0;
    return best;
}

static void make_lengths(void)
{
    u32 leaf_weight[SYMBOLS], nodes = SYMBOLS, alive = SYMBOLS;
    for (u32 i = 0; i < SYMBOLS; i++) weight[i] = 1;
    for (u32 i = 0; i < BYTES; i++) weight[input[i]]++;
    for (u32 i = 0; i < SYMBOLS; i++) leaf_weight[i] = weight[i];
    u32 total[2 * SYMBOLS];
    for (u32 i = 0; i < SYMBOLS; i++) total[i] = leaf_weight[i];
    while (alive > 1) {
        u32 a = lightest(nodes), b = lightest(nodes);
        total[nodes] = weight[nodes] = total[a] + total[b];
        parent[a] = parent[b] = (u8)nodes++;
        alive--;
    }
    for (u32 i = 0; i < SYMBOLS; i++) {
        u32 depth = 0;
        for (u32 node = i; node != nodes - 1; node = parent[node]) depth++;
        length[i] = (u8)depth;
    }
}

static void make_codes(void)
{
    u32 next = 0, position = 0;
    for (u32 n = 1; n <= MAX_LENGTH; n++) {
        next <<= 1;
        first_code[n] = (u16)next;
        first_symbol[n] = (u16)position;
        for (u32 i = 0; i < SYMBOLS; i++) {
            if (length[i] != n) continue;
            code[i] = next++;
            ordered[position++] = (u8)i;
        }
    }
    first_symbol[MAX_LENGTH + 1] = (u16)position;
}

static u32 encode(void)
{
    u32 pending = 0, count = 0, at = 0;
    for (u32 i = 0; i < BYTES; i++) {
        u32 symbol = input[i];
        for (u32 bit = length[symbol]; bit-- > 0;) {
            pending = pending << 1 | (code[symbol] >> bit & 1);
            if (++count == 8) {
                bits[at++] = (u8)pending;
                count = 0;
            }
        }
    }
    bits[at] = (u8)(pending << (8 - count));
    return 8 * at + count;
}

static void decode(void)
{
    u32 at = 0;
    for (u32 i = 0; i < BYTES; i++) {
        u32 value = 0;
        for (u32 n = 1; n <= MAX_LENGTH; n++, at++) {
            value = value << 1 | (bits[at >> 3] >> (7 - (at & 7)) & 1);
            u32 offset = value - first_code[n];
            if (offset < (u32)(first_symbol[n + 1] - first_symbol[n])) {
                output[i] = ordered[first_symbol[n] + offset];
                at++;
                break;
            }
        }
    }
}

u32 run(u32 n)
{
    u32 seed = 271828, sum = 0;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < BYTES; i++) {
            u32 r = next_random(&seed);
            input[i] = (u8)((r & 63) & (r >> 8) & (r >> 16 | 48));
        }
        make_lengths();
        make_codes();
        sum = mix(sum, encode());
        decode();
        u32 wrong = 0;
        for (u32 i = 0; i < BYTES; i++) wrong += input[i] != output[i];
        sum = mix(sum, wrong);
    }
    return sum;
}
