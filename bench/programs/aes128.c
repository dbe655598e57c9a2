/* AES-128 (FIPS 197) in CBC mode, encryption and decryption, byte-oriented with S-boxes computed at the start. */
#include "bench.h"

#define ROUNDS 10

static u8 sbox[256], inverse_sbox[256];
static u8 round_keys[16 * (ROUNDS + 1)];

static inline u8 xtime(u8 x) { return (u8)((x << 1) ^ ((x & 0x80) ? 0x1b : 0)); }

static void make_sboxes(void)
{
    u8 p = 1, q = 1;
    do {
        p = (u8)(p ^ xtime(p)); /* times 3 */
        q ^= (u8)(q << 1);      /* divided by 3 */
        q ^= (u8)(q << 2);
        q ^= (u8)(q << 4);
        if (q & 0x80) q ^= 0x09;
        u8 x = (u8)(q ^ (u8)(q << 1 | q >> 7) ^ (u8)(q << 2 | q >> 6) ^ (u8)(q << 3 | q >> 5) ^ (u8)(q << 4 | q >> 4));
        x ^= 0x63;
        sbox[p] = x;
        inverse_sbox[x] = p;
    } while (p != 1);
    sbox[0] = 0x63;
    inverse_sbox[0x63] = 0;
}

static void expand_key(const u8 *key)
{
    u8 constant = 1;
    for (int i = 0; i < 16; i++) round_keys[i] = key[i];
    for (int i = 16; i < 16 * (ROUNDS + 1); i += 4) {
        u8 t[4] = {round_keys[i - 4], round_keys[i - 3], round_keys[i - 2], round_keys[i - 1]};
        if (i % 16 == 0) {
            u8 first = t[0];
            t[0] = (u8)(sbox[t[1]] ^ constant);
            t[1] = sbox[t[2]];
            t[2] = sbox[t[3]];
            t[3] = sbox[first];
            constant = xtime(constant);
        }
        for (int k = 0; k < 4; k++) round_keys[i + k] = round_keys[i - 16 + k] ^ t[k];
    }
}

static void add_round_key(u8 *s, int round)
{
    for (int i = 0; i < 16; i++) s[i] ^= round_keys[16 * round + i];
}

static void substitute_and_shift(u8 *s)
{
    u8 t[16];
    for (int i = 0; i < 16; i++) t[i] = sbox[s[(i + 4 * (i & 3)) & 15]];
    for (int i = 0; i < 16; i++) s[i] = t[i];
}

static void inverse_substitute_and_shift(u8 *s)
{
    u8 t[16];
    for (int i = 0; i < 16; i++) t[(i + 4 * (i & 3)) & 15] = inverse_sbox[s[i]];
    for (int i = 0; i < 16; i++) s[i] = t[i];
}

static void mix_columns(u8 *s)
{
    for (int c = 0; c < 16; c += 4) {
        u8 a = s[c], b = s[c + 1], d = s[c + 2], e = s[c + 3];
        u8 all = (u8)(a ^ b ^ d ^ e);
        s[c] ^= (u8)(all ^ xtime((u8)(a ^ b)));
        s[c + 1] ^= (u8)(all ^ xtime((u8)(b ^ d)));
        s[c + 2] ^= (u8)(all ^ xtime((u8)(d ^ e)));
        s[c + 3] ^= (u8)(all ^ xtime((u8)(e ^ a)));
    }
}

static void inverse_mix_columns(u8 *s)
{
    for (int c = 0; c < 16; c += 4) {
        u8 u = xtime(xtime((u8)(s[c] ^ s[c + 2])));
        u8 v = xtime(xtime((u8)(s[c + 1] ^ s[c + 3])));
        s[c] ^= u, s[c + 1] ^= v, s[c + 2] ^= u, s[c + 3] ^= v;
    }
    mix_columns(s);
}

static void encrypt_block(u8 *s)
{
    add_round_key(s, 0);
    for (int round = 1; round < ROUNDS; round++) {
        substitute_and_shift(s);
        mix_columns(s);
        add_round_key(s, round);
    }
    substitute_and_shift(s);
    add_round_key(s, ROUNDS);
}

static void decrypt_block(u8 *s)
{
    add_round_key(s, ROUNDS);
    for (int round = ROUNDS - 1; round > 0; round--) {
        inverse_substitute_and_shift(s);
        add_round_key(s, round);
        inverse_mix_columns(s);
    }
    inverse_substitute_and_shift(s);
    add_round_key(s, 0);
}

static u8 text[16 * 16] __attribute__((aligned(4)));

u32 run(u32 n)
{
    u8 key[16], previous[16];
    u8 chain[16] __attribute__((aligned(4)));
    u32 seed = 77, sum = 0;
    make_sboxes();
    for (int i = 0; i < 16; i++) key[i] = (u8)next_random(&seed);
    for (u32 i = 0; i < sizeof text; i++) text[i] = (u8)next_random(&seed);
    for (u32 round = 0; round < n; round++) {
        key[round & 15]++;
        expand_key(key);
        for (int i = 0; i < 16; i++) chain[i] = key[15 - i];
        for (u32 at = 0; at < sizeof text; at += 16) {
            for (int i = 0; i < 16; i++) text[at + i] ^= chain[i];
            encrypt_block(text + at);
            for (int i = 0; i < 16; i++) chain[i] = text[at + i];
        }
        for (u32 i = 0; i < 16; i += 4) sum = mix(sum, *(u32 *)(chain + i));
        for (int i = 0; i < 16; i++) chain[i] = key[15 - i];
        for (u32 at = 0; at < sizeof text; at += 16) {
            for (int i = 0; i < 16; i++) previous[i] = text[at + i];
            decrypt_block(text + at);
            for (int i = 0; i < 16; i++) {
                text[at + i] ^= chain[i];
                chain[i] = previous[i];
            }
        }
        sum = mix(sum, text[round % sizeof text]);
    }
    return sum;
}
