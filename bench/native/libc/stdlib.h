/* The part of <stdlib.h> that wasm2c's output mentions; the bench has no C library. */
#ifndef BENCH_LIBC_STDLIB_H
#define BENCH_LIBC_STDLIB_H

#include <stddef.h>
void abort(void);

#endif
