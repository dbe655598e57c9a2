/* The part of <string.h> that wasm2c's output mentions; the bench has no C library. */
#ifndef BENCH_LIBC_STRING_H
#define BENCH_LIBC_STRING_H

#include <stddef.h>
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);

#endif
