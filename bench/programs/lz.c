/* LZ77 in the LZ4 block format: one greedy compression per run, then many decompressions with every bound checked. */
#include "bench.h"

#define TEXT 4096
#define HASH_BITS 10

static u8 text[TEXT], packed[TEXT + TEXT / 128 + 32], unpacked[TEXT];
static u16 heads[1 << HASH_BITS];

static const char words[] = "sensor temperature humidity voltage ok error retry node gateway 21.5 22.0 1013 hPa  the ";

static u32 read32(const u8 *p) { return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24; }

static void make_text(void)
{
    u32 seed = 4711, at = 0;
    while (at < TEXT) {
        u32 r = next_random(&seed);
        u32 from = (r >> 8) % (sizeof words - 1), length = 3 + (r >> 16) % 14;
        while (length-- > 0 && at < TEXT) text[at++] = (u8)words[from++ % (sizeof words - 1)];
    }
}

static u8 *put_length(u8 *out, u32 length)
{
    for (; length >= 255; length -= 255) *out++ = 255;
    *out++ = (u8)length;
    return out;
}

static u8 *put_sequence(u8 *out, const u8 *literals, u32 count, u32 distance, u32 match)
{
    u8 *token = out++;
    *token = (u8)((count < 15 ? count : 15) << 4);
    if (count >= 15) out = put_length(out, count - 15);
    for (u32 i = 0; i < count; i++) *out++ = literals[i];
    if (match == 0) return out;
    *out++ = (u8)distance;
    *out++ = (u8)(distance >> 8);
    match -= 4;
    *token |= (u8)(match < 15 ? match : 15);
    if (match >= 15) out = put_length(out, match - 15);
    return out;
}

static size_t compress(void)
{
    u8 *out = packed;
    u32 at = 0, anchor = 0;
    while (at + 12 < TEXT) {
        u32 word = read32(text + at);
        u32 slot = (word * 2654435761u) >> (32 - HASH_BITS);
        u32 candidate = heads[slot];
        heads[slot] = (u16)at;
        if (candidate >= at || read32(text + candidate) != word) {
            at++;
            continue;
        }
        u32 match = 4;
        while (at + match < TEXT - 5 && text[candidate + match] == text[at + match]) match++;
        out = put_sequence(out, text + anchor, at - anchor, at - candidate, match);
        at += match;
        anchor = at;
    }
    out = put_sequence(out, text + anchor, TEXT - anchor, 0, 0);
    return (size_t)(out - packed);
}

/** @returns bytes written, or -1 for a damaged stream */
static i32 decompress(u8 *to, size_t capacity, const u8 *in, size_t n)
{
    const u8 *end = in + n;
    u8 *out = to, *limit = to + capacity;
    while (in < end) {
        u32 token = *in++, count = token >> 4;
        if (count == 15) {
            u8 more;
            do {
                if (in >= end) return -1;
                more = *in++;
                count += more;
            } while (more == 255);
        }
        if (count > (size_t)(end - in) || count > (size_t)(limit - out)) return -1;
        while (count-- > 0) *out++ = *in++;
        if (in >= end) break;
        if (end - in < 2) return -1;
        u32 distance = (u32)in[0] | (u32)in[1] << 8, match = token & 15;
        in += 2;
        if (distance == 0 || distance > (size_t)(out - to)) return -1;
        if (match == 15) {
            u8 more;
            do {
                if (in >= end) return -1;
                more = *in++;
                match += more;
            } while (more == 255);
        }
        match += 4;
        if (match > (size_t)(limit - out)) return -1;
        const u8 *from = out - distance;
        while (match-- > 0) *out++ = *from++;
    }
    return (i32)(out - to);
}

u32 run(u32 n)
{
    u32 sum = 0;
    make_text();
    size_t length = compress();
    sum = mix(sum, (u32)length);
    for (u32 round = 0; round < n; round++) {
        i32 bytes = decompress(unpacked, TEXT, packed, length);
        u32 differences = 0;
        for (u32 i = 0; i < TEXT; i++) differences += unpacked[i] != text[i];
        sum = mix(sum, (u32)bytes + differences);
        sum = mix(sum, (u32)decompress(unpacked, TEXT - 1 - round, packed, length));
    }
    return sum;
}
