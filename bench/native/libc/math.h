/* The part of <math.h> that wasm2c's output mentions; the bench has no C library. */
#ifndef BENCH_LIBC_MATH_H
#define BENCH_LIBC_MATH_H

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
#define isnan(x) __builtin_isnan(x)
#define signbit(x) __builtin_signbit(x)
#define floor __builtin_floor
#define ceil __builtin_ceil
#define trunc __builtin_trunc
#define nearbyint __builtin_nearbyint
#define sqrt __builtin_sqrt
#define fabs __builtin_fabs
#define floorf __builtin_floorf
#define ceilf __builtin_ceilf
#define truncf __builtin_truncf
#define nearbyintf __builtin_nearbyintf
#define sqrtf __builtin_sqrtf
#define fabsf __builtin_fabsf
#define copysign __builtin_copysign
#define copysignf __builtin_copysignf

#endif
