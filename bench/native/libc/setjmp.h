/* The part of <setjmp.h> that wasm2c's output mentions; the bench has no C library. */
#ifndef BENCH_LIBC_SETJMP_H
#define BENCH_LIBC_SETJMP_H

typedef void *jmp_buf[8];

#endif
