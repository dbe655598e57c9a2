/* Word types and the few operations that C cannot name: high multiply, leading zeros, 32-bit division without a library
 * call. The same source compiles for LX6 and, for tests, for the host; knows nothing of firmware. */
#ifndef RT_H
#define RT_H

#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

#if defined(__XTENSA__)
#include "lx6-insns.h"

/** Upper 32 bits of a * b. */
static inline u32 mulhu(u32 a, u32 b)
{
    u32 r;
    __asm__("muluh %0, %1, %2" : "=a"(r) : "a"(a), "a"(b));
    return r;
}

/** Leading zero bits; 32 for 0. */
static inline u32 clz32(u32 a)
{
    u32 r;
    __asm__("nsau %0, %1" : "=a"(r) : "a"(a));
    return r;
}

/* volatile: a division by zero raises an exception, so the compiler may not move these over a test of the divisor. */
static inline u32 div32(u32 a, u32 b)
{
    u32 r;
    __asm__ volatile("quou %0, %1, %2" : "=a"(r) : "a"(a), "a"(b));
    return r;
}

static inline u32 rem32(u32 a, u32 b)
{
    u32 r;
    __asm__ volatile("remu %0, %1, %2" : "=a"(r) : "a"(a), "a"(b));
    return r;
}
#else
static inline u32 mulhu(u32 a, u32 b) { return (u32)(((u64)a * b) >> 32); }
static inline u32 clz32(u32 a) { return a == 0 ? 32 : (u32)__builtin_clz(a); }
static inline u32 div32(u32 a, u32 b) { return a / b; }
static inline u32 rem32(u32 a, u32 b) { return a % b; }
#endif

/** Leading zero bits; 64 for 0. */
static inline u32 clz64(u64 a)
{
    u32 high = (u32)(a >> 32);
    return high != 0 ? clz32(high) : 32 + clz32((u32)a);
}

/** a * b in full. */
static inline u64 mul32(u32 a, u32 b) { return ((u64)mulhu(a, b) << 32) | (u32)(a * b); }

/** Low 64 bits of a * b. */
static inline u64 mul64x32(u64 a, u32 b) { return mul32((u32)a, b) + ((u64)((u32)(a >> 32) * b) << 32); }

/** a >> n, with every bit shifted out or-ed into the lowest bit. n may be anything. */
static inline u64 shift_right_jam64(u64 a, u32 n)
{
    if (n == 0) return a;
    if (n >= 64) return a != 0;
    return (a >> n) | ((a << (64 - n)) != 0);
}

static inline u32 shift_right_jam32(u32 a, u32 n)
{
    if (n == 0) return a;
    if (n >= 32) return a != 0;
    return (a >> n) | ((a << (32 - n)) != 0);
}

#define F64_SIGN 0x8000000000000000ull
#define F64_INF 0x7ff0000000000000ull
#define F64_NAN 0x7ff8000000000000ull
#define F64_HIDDEN 0x0010000000000000ull
#define F64_FRACTION 0x000fffffffffffffull
#define F32_SIGN 0x80000000u
#define F32_INF 0x7f800000u
#define F32_NAN 0x7fc00000u
#define F32_HIDDEN 0x00800000u
#define F32_FRACTION 0x007fffffu

static inline int f64_is_nan(u64 a) { return (a & ~F64_SIGN) > F64_INF; }
static inline int f32_is_nan(u32 a) { return (a & ~F32_SIGN) > F32_INF; }

/** Rounds and packs: |result| = significand * 2^(exponent - 1023 - 62), leading one of the significand at bit 62 (or the
 * significand is 0), ties to even, gradual underflow, overflow to infinity. `sign` is 0 or F64_SIGN. */
u64 rt_f64_round_pack(u64 sign, i32 exponent, u64 significand);

/** The same for f32: leading one at bit 30, |result| = significand * 2^(exponent - 127 - 30). */
u32 rt_f32_round_pack(u32 sign, i32 exponent, u32 significand);

/* Result of a trapping conversion: value and status (0 fine, 1 integer overflow, 2 invalid conversion). */
struct rt_i32_status {
    u32 value;
    u32 status;
};
struct rt_i64_status {
    u32 low;
    u32 high;
    u32 status;
};

u32 rt_f32_ceil(u32 a);
u32 rt_f32_floor(u32 a);
u32 rt_f32_trunc(u32 a);
u32 rt_f32_nearest(u32 a);
u32 rt_f32_min(u32 a, u32 b);
u32 rt_f32_max(u32 a, u32 b);
u32 rt_f32_convert_i64_s(u64 a);
u32 rt_f32_convert_i64_u(u64 a);
u64 rt_i64_trunc_sat_f32_s(u32 a);
u64 rt_i64_trunc_sat_f32_u(u32 a);
struct rt_i32_status rt_i32_trunc_f32_s(u32 a);
struct rt_i32_status rt_i32_trunc_f32_u(u32 a);
struct rt_i64_status rt_i64_trunc_f32_s(u32 a);
struct rt_i64_status rt_i64_trunc_f32_u(u32 a);
u64 rt_f64_add(u64 a, u64 b);
u64 rt_f64_sub(u64 a, u64 b);
u64 rt_f64_mul(u64 a, u64 b);
u64 rt_f64_div(u64 a, u64 b);
u64 rt_f64_sqrt(u64 a);
u64 rt_f64_ceil(u64 a);
u64 rt_f64_floor(u64 a);
u64 rt_f64_trunc(u64 a);
u64 rt_f64_nearest(u64 a);
u64 rt_f64_min(u64 a, u64 b);
u64 rt_f64_max(u64 a, u64 b);
u32 rt_f64_eq(u64 a, u64 b);
u32 rt_f64_ne(u64 a, u64 b);
u32 rt_f64_lt(u64 a, u64 b);
u32 rt_f64_le(u64 a, u64 b);
u64 rt_f64_convert_i32_s(u32 a);
u64 rt_f64_convert_i32_u(u32 a);
u64 rt_f64_convert_i64_s(u64 a);
u64 rt_f64_convert_i64_u(u64 a);
u64 rt_f64_promote_f32(u32 a);
u32 rt_f32_demote_f64(u64 a);
u32 rt_i32_trunc_sat_f64_s(u64 a);
u32 rt_i32_trunc_sat_f64_u(u64 a);
u64 rt_i64_trunc_sat_f64_s(u64 a);
u64 rt_i64_trunc_sat_f64_u(u64 a);
struct rt_i32_status rt_i32_trunc_f64_s(u64 a);
struct rt_i32_status rt_i32_trunc_f64_u(u64 a);
struct rt_i64_status rt_i64_trunc_f64_s(u64 a);
struct rt_i64_status rt_i64_trunc_f64_u(u64 a);

/* On LX6 assembly handles the common case of some functions and leaves the rest to the complete C function. */
#if defined(__XTENSA__)
#define COMPLETE(name) name##_slow
u64 rt_f64_add_slow(u64 a, u64 b);
u64 rt_f64_mul_slow(u64 a, u64 b);
u64 rt_f64_div_slow(u64 a, u64 b);
#else
#define COMPLETE(name) name
#endif

struct wasm_memory;
struct wasm_table;
struct wasm_segment;
u32 rt_memory_grow(struct wasm_memory *memory, u32 delta);
u32 rt_memory_fill(struct wasm_memory *memory, u32 to, u32 value, u32 n);
u32 rt_memory_copy(struct wasm_memory *into, struct wasm_memory *from, u32 to, u32 at, u32 n);
u32 rt_memory_init(struct wasm_memory *memory, struct wasm_segment *segment, u32 to, u32 at, u32 n);
u32 rt_window_memory_fill(struct wasm_memory *memory, u32 to, u32 value, u32 n);
u32 rt_window_memory_copy(struct wasm_memory *into, struct wasm_memory *from, u32 to, u32 at, u32 n);
u32 rt_window_memory_init(struct wasm_memory *memory, struct wasm_segment *segment, u32 to, u32 at, u32 n);
/** Native address of [address, address + length) in the window at `address` with all of `rights`; null if the module that
 * runs has none. Holds until the invocation ends. */
void *rt_window_translate(u32 address, u32 length, u32 rights);
u32 rt_table_grow(struct wasm_table *table, u32 value, u32 delta);
u32 rt_table_fill(struct wasm_table *table, u32 to, u32 value, u32 n);
u32 rt_table_copy(struct wasm_table *into, struct wasm_table *from, u32 to, u32 at, u32 n);
u32 rt_table_init(struct wasm_table *table, struct wasm_segment *segment, u32 to, u32 at, u32 n);

#endif
