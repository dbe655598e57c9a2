/* The part of <alloca.h> that wasm2c's output mentions; the bench has no C library. */
#ifndef BENCH_LIBC_ALLOCA_H
#define BENCH_LIBC_ALLOCA_H

#define alloca __builtin_alloca

#endif
