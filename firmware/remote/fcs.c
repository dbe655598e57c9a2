/* Frame check sequence of RFC 1662 (16 bits, reflected). Takes a state and bytes, gives the next state; knows no frame.
 *
 * Long messages are folded by words: the generator x^16 + x^12 + x^5 + 1 divides its eighth power, which is
 * x^128 + x^96 + x^40 + 1, so a word can be moved 128 bits on by three exclusive ors. What is left after that, 16 bytes and
 * the rest, goes through the tables by two. */
#pragma GCC optimize("O2")
#include "remote.h"

const uint16_t ts_fcs_table[2][256] = {
#include "fcs-table.h"
};

static inline uint32_t step(uint32_t fcs, uint32_t byte) { return fcs >> 8 ^ ts_fcs_table[0][(fcs ^ byte) & 0xff]; }

typedef uint32_t __attribute__((may_alias)) word;
typedef uint16_t __attribute__((may_alias)) half;

/** Two bytes, even address. */
static inline uint32_t step_half(uint32_t fcs, uint32_t two)
{
    uint32_t both = fcs ^ two;
    return ts_fcs_table[1][both & 0xff] ^ ts_fcs_table[0][both >> 8];
}

/* The window of four words goes on by one: `b` is the first one then, and `a` the last. */
#define FOLD(a, b, c, d, next)                                                                                            \
    b ^= a;                                                                                                                \
    c ^= a << 24;                                                                                                          \
    d ^= a >> 8;                                                                                                           \
    a ^= next

uint32_t ts_fcs(uint32_t fcs, const uint8_t *bytes, uint32_t n)
{
    enum { WORTH_FOLDING = 40 };
    for (; n != 0 && ((uint32_t)bytes & 3) != 0; n--) fcs = step(fcs, *bytes++);
    if (n >= WORTH_FOLDING) {
        const word *at = (const word *)bytes;
        uint32_t a = at[0] ^ fcs, b = at[1], c = at[2], d = at[3];
        at += 4;
        const word *end = at + ((n >> 2 & ~3u) - 4);
        while (at != end) {
            FOLD(a, b, c, d, at[0]);
            FOLD(b, c, d, a, at[1]);
            FOLD(c, d, a, b, at[2]);
            FOLD(d, a, b, c, at[3]);
            at += 4;
        }
        const word rest[4] = {a, b, c, d};
        fcs = 0;
        for (const half *at = (const half *)rest; at != (const half *)(rest + 4); at++) fcs = step_half(fcs, *at);
        bytes = (const uint8_t *)end;
        n &= 15;
    }
    for (; n >= 2; n -= 2, bytes += 2) fcs = step_half(fcs, *(const half *)bytes);
    return n == 0 ? fcs : step(fcs, *bytes);
}
