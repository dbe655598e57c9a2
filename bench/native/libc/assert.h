/* The part of <assert.h> that wasm2c's output mentions; the bench has no C library. */
#ifndef BENCH_LIBC_ASSERT_H
#define BENCH_LIBC_ASSERT_H

#define assert(condition) ((void)0)

#endif
