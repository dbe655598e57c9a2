/* Runs the runtime's portable C on the host and compares every result, bit for bit, with the host's hardware floats and
 * integers. Arguments: [rounds per function]. Prints the first differences and a summary; exit code 1 if any. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt.h"
#include "wasm_abi.h"

static u64 seed = 0x9e3779b97f4a7c15ull;
static unsigned long checks, failures;

static u64 random64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

static const u64 SPECIAL64[] = {
    0, 1, 2, 3, 0xfffffffffffffull, 0x10000000000000ull, 0x10000000000001ull, 0x1fffffffffffffull, 0x20000000000000ull,
    0x3fdfffffffffffffull, 0x3fe0000000000000ull, 0x3fe0000000000001ull, 0x3fefffffffffffffull, 0x3ff0000000000000ull,
    0x3ff0000000000001ull, 0x3ff8000000000000ull, 0x4000000000000000ull, 0x4004000000000000ull, 0x41dfffffffc00000ull,
    0x41e0000000000000ull, 0x41efffffffe00000ull, 0x41f0000000000000ull, 0x432fffffffffffffull, 0x4330000000000000ull,
    0x4330000000000001ull, 0x4340000000000000ull, 0x43dfffffffffffffull, 0x43e0000000000000ull, 0x43efffffffffffffull,
    0x43f0000000000000ull, 0x7fe0000000000000ull, 0x7fefffffffffffffull, 0x7ff0000000000000ull, 0x7ff0000000000001ull,
    0x7ff8000000000000ull, 0x7fffffffffffffffull, 0x36a0000000000000ull, 0x3690000000000000ull, 0x3690000000000001ull,
    0x380fffffe0000000ull, 0x380fffffffffffffull, 0x47efffffe0000000ull, 0x47effffff0000000ull, 0x47efffffefffffffull,
};

/** Mix of random bits, special numbers, near neighbours, few-bit fractions and close exponents. */
static u64 operand64(u64 other)
{
    u64 r = random64();
    u64 s = random64() & F64_SIGN;
    switch (r & 7) {
    case 0: return SPECIAL64[(r >> 8) % (sizeof SPECIAL64 / 8)] ^ s;
    case 1: return (other ^ s) + ((r >> 8) % 5) - 2;
    case 2: return (other & F64_FRACTION) ^ ((u64)(1023 + (r >> 8) % 140 - 70) << 52) ^ s;
    case 3: return ((r >> 4) & (F64_FRACTION << ((r >> 56) % 53)) & F64_FRACTION) | ((u64)(1023 + (random64() % 130) - 65) << 52) | s;
    case 4: return (random64() & F64_FRACTION) | (u64)((r >> 8) % 60) << 52 | s;
    case 5: return (random64() & F64_FRACTION) | (u64)(1023 + (r >> 8) % 66 - 1) << 52 | s;
    default: return random64();
    }
}

static u32 operand32(u32 other)
{
    u64 r = random64();
    u32 s = (u32)random64() & F32_SIGN;
    static const u32 special[] = {0, 1, 2, 0x7fffff, 0x800000, 0x800001, 0x3f800000, 0x3f7fffff, 0x3f000000, 0x3effffff,
                                  0x3f000001, 0x3fc00000, 0x40200000, 0x4b000000, 0x4affffff, 0x4b800000, 0x4effffff,
                                  0x4f000000, 0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000, 0x5f7fffff, 0x5f800000,
                                  0x7f000000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff};
    switch (r & 7) {
    case 0: return special[(r >> 8) % (sizeof special / 4)] ^ s;
    case 1: return (other ^ s) + (u32)((r >> 8) % 5) - 2;
    case 2: return (other & F32_FRACTION) | ((u32)(127 + (r >> 8) % 70 - 35) << 23) | s;
    case 3: return ((u32)(r >> 4) & (F32_FRACTION << ((r >> 40) % 24)) & F32_FRACTION) | ((u32)(127 + (r >> 8) % 70 - 35) << 23) | s;
    case 4: return ((u32)random64() & F32_FRACTION) | (u32)((r >> 8) % 30) << 23 | s;
    default: return (u32)random64();
    }
}

static u64 integer64(void)
{
    u64 r = random64();
    switch (r & 7) {
    case 0: return (random64() >> (r >> 8 & 63)) * ((r >> 20 & 1) != 0 ? -1 : 1);
    case 1: return ((u64)1 << (r >> 8 & 63)) + (r >> 20) % 5 - 2;
    case 2: return (u32)random64();
    case 3: return random64() & random64() & random64() & random64();
    case 4: return random64() | random64() | random64() | random64();
    case 5: return random64() >> (r >> 8 & 63) << (r >> 16 & 31);
    default: return random64();
    }
}

static double d(u64 bits) { double x; memcpy(&x, &bits, 8); return x; }
static float f(u32 bits) { float x; memcpy(&x, &bits, 4); return x; }
static u64 d_bits(double x) { u64 b; memcpy(&b, &x, 8); return x != x ? F64_NAN : b; }
static u32 f_bits(float x) { u32 b; memcpy(&b, &x, 4); return x != x ? F32_NAN : b; }

static void check(const char *name, u64 a, u64 b, u64 got, u64 want)
{
    checks++;
    if (got == want) return;
    if (failures++ < 30)
        printf("%s(0x%016llx, 0x%016llx) = 0x%016llx, expected 0x%016llx\n", name, (unsigned long long)a,
               (unsigned long long)b, (unsigned long long)got, (unsigned long long)want);
}

static u64 min64(u64 a, u64 b)
{
    if (f64_is_nan(a) || f64_is_nan(b)) return F64_NAN;
    if (d(a) == d(b)) return a | b;
    return d(a) < d(b) ? a : b;
}
static u64 max64(u64 a, u64 b)
{
    if (f64_is_nan(a) || f64_is_nan(b)) return F64_NAN;
    if (d(a) == d(b)) return a & b;
    return d(a) > d(b) ? a : b;
}

static void doubles(void)
{
    u64 a = operand64(random64()), b = operand64(a);
    volatile double x = d(a), y = d(b);
    check("f64_add", a, b, rt_f64_add(a, b), d_bits(x + y));
    check("f64_sub", a, b, rt_f64_sub(a, b), d_bits(x - y));
    check("f64_mul", a, b, rt_f64_mul(a, b), d_bits(x * y));
    check("f64_div", a, b, rt_f64_div(a, b), d_bits(x / y));
    check("f64_sqrt", a, 0, rt_f64_sqrt(a), d_bits(sqrt(x)));
    check("f64_ceil", a, 0, rt_f64_ceil(a), d_bits(ceil(x)));
    check("f64_floor", a, 0, rt_f64_floor(a), d_bits(floor(x)));
    check("f64_trunc", a, 0, rt_f64_trunc(a), d_bits(trunc(x)));
    check("f64_nearest", a, 0, rt_f64_nearest(a), d_bits(nearbyint(x)));
    check("f64_min", a, b, rt_f64_min(a, b), min64(a, b));
    check("f64_max", a, b, rt_f64_max(a, b), max64(a, b));
    check("f64_eq", a, b, rt_f64_eq(a, b), x == y);
    check("f64_ne", a, b, rt_f64_ne(a, b), x != y);
    check("f64_lt", a, b, rt_f64_lt(a, b), x < y);
    check("f64_le", a, b, rt_f64_le(a, b), x <= y);
    check("f32_demote_f64", a, 0, rt_f32_demote_f64(a), f_bits((float)x));
}

static void singles(void)
{
    u32 a = operand32((u32)random64()), b = operand32(a);
    volatile float x = f(a), y = f(b);
    check("f32_ceil", a, 0, rt_f32_ceil(a), f_bits(ceilf(x)));
    check("f32_floor", a, 0, rt_f32_floor(a), f_bits(floorf(x)));
    check("f32_trunc", a, 0, rt_f32_trunc(a), f_bits(truncf(x)));
    check("f32_nearest", a, 0, rt_f32_nearest(a), f_bits(nearbyintf(x)));
    int nan = f32_is_nan(a) || f32_is_nan(b);
    check("f32_min", a, b, rt_f32_min(a, b), nan ? F32_NAN : x == y ? (a | b) : x < y ? a : b);
    check("f32_max", a, b, rt_f32_max(a, b), nan ? F32_NAN : x == y ? (a & b) : x > y ? a : b);
    check("f64_promote_f32", a, 0, rt_f64_promote_f32(a), d_bits((double)x));
}

/** Reference of a float-to-integer conversion: limits as exclusive doubles, both exact. */
static void truncation(double x, u64 bits, int from_f32)
{
    u32 status[4], nan = x != x;
    double t = trunc(x);
    status[0] = nan ? 2 : !(t >= -2147483648.0 && t <= 2147483647.0);
    status[1] = nan ? 2 : !(t >= 0 && t <= 4294967295.0);
    status[2] = nan ? 2 : !(t >= -9223372036854775808.0 && t < 9223372036854775808.0);
    status[3] = nan ? 2 : !(t >= 0 && t < 18446744073709551616.0);
    u64 value[4];
    value[0] = nan ? 0 : status[0] ? (x < 0 ? 0x80000000u : 0x7fffffffu) : (u32)(i32)t;
    value[1] = nan ? 0 : status[1] ? (x < 0 ? 0 : 0xffffffffu) : (u32)t;
    value[2] = nan ? 0 : status[2] ? (x < 0 ? F64_SIGN : ~F64_SIGN) : (u64)(i64)t;
    value[3] = nan ? 0 : status[3] ? (x < 0 ? 0 : ~(u64)0) : (u64)t;
    u32 bits32 = (u32)bits;
    struct rt_i32_status w[2];
    struct rt_i64_status l[2];
    w[0] = from_f32 ? rt_i32_trunc_f32_s(bits32) : rt_i32_trunc_f64_s(bits);
    w[1] = from_f32 ? rt_i32_trunc_f32_u(bits32) : rt_i32_trunc_f64_u(bits);
    l[0] = from_f32 ? rt_i64_trunc_f32_s(bits32) : rt_i64_trunc_f64_s(bits);
    l[1] = from_f32 ? rt_i64_trunc_f32_u(bits32) : rt_i64_trunc_f64_u(bits);
    for (int i = 0; i < 2; i++) {
        check("i32_trunc status", bits, (u64)i, w[i].status, status[i]);
        if (status[i] == 0) check("i32_trunc", bits, (u64)i, w[i].value, value[i]);
        check("i64_trunc status", bits, (u64)i, l[i].status, status[2 + i]);
        if (status[2 + i] == 0) check("i64_trunc", bits, (u64)i, ((u64)l[i].high << 32) | l[i].low, value[2 + i]);
    }
    check("i64_trunc_sat_s", bits, 0, from_f32 ? rt_i64_trunc_sat_f32_s(bits32) : rt_i64_trunc_sat_f64_s(bits), value[2]);
    check("i64_trunc_sat_u", bits, 0, from_f32 ? rt_i64_trunc_sat_f32_u(bits32) : rt_i64_trunc_sat_f64_u(bits), value[3]);
    if (from_f32) return;
    check("i32_trunc_sat_s", bits, 0, rt_i32_trunc_sat_f64_s(bits), value[0]);
    check("i32_trunc_sat_u", bits, 0, rt_i32_trunc_sat_f64_u(bits), value[1]);
}

static void integers(void)
{
    u64 a = integer64();
    check("f64_convert_i64_s", a, 0, rt_f64_convert_i64_s(a), d_bits((double)(i64)a));
    check("f64_convert_i64_u", a, 0, rt_f64_convert_i64_u(a), d_bits((double)a));
    check("f32_convert_i64_s", a, 0, rt_f32_convert_i64_s(a), f_bits((float)(i64)a));
    check("f32_convert_i64_u", a, 0, rt_f32_convert_i64_u(a), f_bits((float)a));
    check("f64_convert_i32_s", a, 0, rt_f64_convert_i32_s((u32)a), d_bits((double)(i32)a));
    check("f64_convert_i32_u", a, 0, rt_f64_convert_i32_u((u32)a), d_bits((double)(u32)a));
}

enum { BYTES = 64 };

/** Bulk memory against byte loops, with guard bytes around. */
static void memories(void)
{
    static uint8_t real[BYTES * 2], model[BYTES * 2], other[BYTES];
    for (int i = 0; i < BYTES * 2; i++) real[i] = model[i] = (uint8_t)random64();
    for (int i = 0; i < BYTES; i++) other[i] = (uint8_t)random64();
    struct wasm_memory memory = {real, BYTES, 1, 2, BYTES * 2, 0};
    struct wasm_segment segment = {other, BYTES / 2};
    u64 r = random64();
    u32 to = (u32)(r % (BYTES + 8)), at = (u32)((r >> 16) % (BYTES + 8)), n = (u32)((r >> 32) % (BYTES + 8));
    if ((r >> 60) == 0) to = (u32)random64();
    if ((r >> 60) == 1) at = (u32)random64();
    if ((r >> 60) == 2) n = (u32)random64();
    u32 status;
    switch ((r >> 56) % 3) {
    case 0:
        status = (u64)to + n > BYTES;
        check("memory_fill", to, n, rt_memory_fill(&memory, to, (u32)at, n), status);
        if (!status) memset(model + to, (uint8_t)at, n);
        break;
    case 1:
        status = (u64)to + n > BYTES || (u64)at + n > BYTES;
        check("memory_copy", to, n, rt_memory_copy(&memory, &memory, to, at, n), status);
        if (!status) memmove(model + to, model + at, n);
        break;
    default:
        status = (u64)to + n > BYTES || (u64)at + n > BYTES / 2;
        check("memory_init", to, n, rt_memory_init(&memory, &segment, to, at, n), status);
        if (!status) memcpy(model + to, other + at, n);
    }
    check("memory contents", to, n, memcmp(real, model, sizeof real) == 0, 1);
}

static void growth(void)
{
    static uint8_t bytes[BYTES * 2];
    memset(bytes, 0xaa, sizeof bytes);
    struct wasm_memory memory = {bytes, 16, 16, 65536, BYTES, 0};
    check("grow 0", 0, 0, rt_memory_grow(&memory, 0), 16);
    check("grow 8", 0, 0, rt_memory_grow(&memory, 8), 16);
    check("grown", 0, 0, memory.bytes == 24 && memory.pages == 24 && bytes[23] == 0 && bytes[24] == 0xaa, 1);
    check("grow huge", 0, 0, rt_memory_grow(&memory, 0xfffffff0u), 0xffffffffu);
    check("grow past capacity", 0, 0, rt_memory_grow(&memory, BYTES - 23), 0xffffffffu);
    memory.max_pages = 30;
    check("grow past maximum", 0, 0, rt_memory_grow(&memory, 7), 0xffffffffu);
    check("grow to maximum", 0, 0, rt_memory_grow(&memory, 6), 24);
    struct wasm_memory pages = {bytes, 0, 0, 65536, 0, 16};
    check("grow without room", 0, 0, rt_memory_grow(&pages, 1), 0xffffffffu);
    check("grow 65536", 0, 0, rt_memory_grow(&pages, 65536), 0xffffffffu);

    u32 elems[8] = {0, 1, 2, 3, 4, 5, 6, 7}, entries[3] = {10, 11, 12};
    struct wasm_table table = {elems, 4, 6, 8};
    struct wasm_segment segment = {entries, 3};
    check("table grow", 0, 0, rt_table_grow(&table, 9, 2), 4);
    check("table grown", 0, 0, table.size == 6 && elems[4] == 9 && elems[5] == 9 && elems[6] == 6, 1);
    check("table grow past maximum", 0, 0, rt_table_grow(&table, 9, 1), 0xffffffffu);
    check("table grow huge", 0, 0, rt_table_grow(&table, 9, 0xffffffffu), 0xffffffffu);
    check("table init", 0, 0, rt_table_init(&table, &segment, 3, 0, 3), 0);
    check("table init out of table", 0, 0, rt_table_init(&table, &segment, 4, 0, 3), 1);
    check("table init out of segment", 0, 0, rt_table_init(&table, &segment, 0, 1, 3), 1);
    check("table init wrapped", 0, 0, rt_table_init(&table, &segment, 0xffffffffu, 0, 2), 1);
    check("table copy", 0, 0, rt_table_copy(&table, &table, 1, 0, 5), 0);
    check("table copied", 0, 0, elems[1] == 0 && elems[4] == 10 && elems[5] == 11, 1);
    check("table copy out", 0, 0, rt_table_copy(&table, &table, 2, 0, 5), 1);
    check("table fill", 0, 0, rt_table_fill(&table, 4, 77, 2), 0);
    check("table filled", 0, 0, elems[3] != 77 && elems[4] == 77 && elems[5] == 77 && elems[6] == 6, 1);
    check("table fill out", 0, 0, rt_table_fill(&table, 5, 77, 2), 1);
    check("table fill nothing at the end", 0, 0, rt_table_fill(&table, 6, 77, 0), 0);
    check("table fill nothing behind the end", 0, 0, rt_table_fill(&table, 7, 77, 0), 1);
    segment.length = 0;
    check("dropped segment", 0, 0, rt_table_init(&table, &segment, 0, 0, 1), 1);
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? atol(argv[1]) : 1000000;
    for (long i = 0; i < rounds; i++) {
        doubles();
        singles();
        integers();
        u64 a = operand64(random64());
        u32 b = operand32((u32)random64());
        truncation(d(a), a, 0);
        truncation((double)f(b), b, 1);
        memories();
    }
    for (u32 i = 0; i < sizeof SPECIAL64 / 8; i++) truncation(d(SPECIAL64[i]), SPECIAL64[i], 0);
    growth();
    printf("%lu checks, %lu failures\n", checks, failures);
    return failures != 0;
}
