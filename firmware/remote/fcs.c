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

typedef uint32_t __attribute__((may_alias)) word;
typedef uint16_t __attribute__((may_alias)) half;

/** An entry of a table, as the compiler would not load it: it narrows, and widens again after each step. */
static inline uint32_t entry(const uint16_t *table, uint32_t i)
{
    uint32_t value;
    __asm__("l16ui %0, %1, 0" : "=a"(value) : "a"(table + i));
    return value;
}

static inline uint32_t step(uint32_t fcs, uint32_t byte) { return fcs >> 8 ^ entry(ts_fcs_table[0], (fcs ^ byte) & 0xff); }

/** Two bytes and what there is of the check sequence. */
static inline uint32_t step_half(const uint16_t *table, const uint16_t *table_of_first, uint32_t both)
{
    return entry(table_of_first, both & 0xff) ^ entry(table, both >> 8);
}

/** Four, at a word's address. */
static inline uint32_t step_word(const uint16_t *table, const uint16_t *table_of_first, uint32_t four)
{
    return step_half(table, table_of_first, step_half(table, table_of_first, four & 0xffff) ^ four >> 16);
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
    const uint16_t *table = ts_fcs_table[0], *table_of_first = ts_fcs_table[1];
    __asm__("" : "+a"(table_of_first)); /* two registers are better than an addition each time */
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
        for (const word *next = rest; next != rest + 4; next++) fcs = step_word(table, table_of_first, *next ^ fcs);
        bytes = (const uint8_t *)end;
        n &= 15;
    }
    for (const uint8_t *end = bytes + (n & ~3u); bytes != end; bytes += 4)
        fcs = step_word(table, table_of_first, *(const word *)bytes ^ fcs);
    n &= 3;
    if (n >= 2) {
        fcs = step_half(table, table_of_first, *(const half *)bytes ^ fcs);
        bytes += 2;
    }
    return (n & 1) == 0 ? fcs : step(fcs, *bytes);
}
