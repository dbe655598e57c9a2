/* memcpy, memmove, memset for byte-addressable memory: words wherever possible, zero-overhead loops. C calling rules
 * (CALL0), clobber a3-a11 and the loop registers. Never make an unaligned access, so they work on any data memory. */
#include "lx6-insns.h"
#include "function.h"

/* The first instruction of a zero-overhead loop must not cross a 4-byte fetch word, so the loop instruction must lie at 1
 * or 2 (mod 4). The assembler does not know our loop macros; wide and narrow forms are chosen by hand for it, nothing may
 * be relaxed, and a test checks the result. */
    .begin no-transform

/* void *memcpy(void *to (a2), const void *from (a3), size_t n (a4)) */
    function memcpy
    mov.n a5, a2
    bgeui a4, 8, 0f
    j .Lcopy_bytes
0:  bbci a5, 0, 1f
    l8ui a6, a3, 0
    addi.n a3, a3, 1
    addi.n a4, a4, -1
    s8i a6, a5, 0
    addi.n a5, a5, 1
1:  bbci a5, 1, 2f
    l8ui a6, a3, 0
    l8ui a7, a3, 1
    addi.n a3, a3, 2
    addi a4, a4, -2
    s8i a6, a5, 0
    s8i a7, a5, 1
    addi.n a5, a5, 2
2:  extui a6, a3, 0, 2
    bnez a6, .Lcopy_shifted

    srli a7, a4, 4
    loopnez a7, 3f
    l32i.n a6, a3, 0
    l32i.n a8, a3, 4
    l32i.n a9, a3, 8
    l32i.n a10, a3, 12
    s32i.n a6, a5, 0
    s32i.n a8, a5, 4
    s32i.n a9, a5, 8
    s32i.n a10, a5, 12
    addi a3, a3, 16
    addi a5, a5, 16
3:  bbci a4, 3, 4f
    l32i.n a6, a3, 0
    l32i.n a8, a3, 4
    addi.n a3, a3, 8
    s32i.n a6, a5, 0
    s32i.n a8, a5, 4
    addi.n a5, a5, 8
4:  bbci a4, 2, 5f
    l32i.n a6, a3, 0
    addi.n a3, a3, 4
    s32i.n a6, a5, 0
    addi.n a5, a5, 4
5:  bbci a4, 1, 6f
    l16ui a6, a3, 0
    addi.n a3, a3, 2
    s16i a6, a5, 0
    addi.n a5, a5, 2
6:  bbci a4, 0, 7f
    l8ui a6, a3, 0
    s8i a6, a5, 0
7:  ret.n

/* Destination aligned, source not: whole words of the source, joined by the funnel shifter. */
.Lcopy_shifted:
    ssa8l a3
    sub a3, a3, a6
    l32i a8, a3, 0
    srli a7, a4, 3
    loopnez a7, 1f
    l32i.n a9, a3, 4
    l32i.n a10, a3, 8
    addi.n a3, a3, 8
    src a8, a9, a8
    src a9, a10, a9
    s32i.n a8, a5, 0
    s32i.n a9, a5, 4
    mov.n a8, a10
    addi.n a5, a5, 8
1:  add.n a3, a3, a6
    extui a4, a4, 0, 3
.Lcopy_bytes:
    loopnez a4, 1f
    l8ui a6, a3, 0
    addi.n a3, a3, 1
    s8i a6, a5, 0
    addi.n a5, a5, 1
1:  ret.n
    end_function memcpy

/* void *memmove(void *to (a2), const void *from (a3), size_t n (a4)) */
    function memmove
    sub a6, a2, a3
    bgeu a6, a4, .Lforward
    /* The destination overlaps the end of the source: from the top downwards. */
    add a5, a2, a4
    add a3, a3, a4
    bltui a4, 8, .Lmove_bytes
    extui a6, a5, 0, 2
    sub a4, a4, a6
    loopnez a6, 1f
    addi a3, a3, -1
    addi a5, a5, -1
    l8ui a7, a3, 0
    s8i a7, a5, 0
1:  srli a7, a4, 3
    extui a6, a3, 0, 2
    bnez a6, .Lmove_shifted
    loopnez a7, 2f
    addi a3, a3, -8
    addi a5, a5, -8
    l32i.n a8, a3, 4
    l32i.n a7, a3, 0
    s32i.n a8, a5, 4
    s32i.n a7, a5, 0
2:  extui a4, a4, 0, 3
.Lmove_bytes:
    loopnez a4, 3f
    addi.n a3, a3, -1
    addi.n a5, a5, -1
    l8ui a7, a3, 0
    s8i a7, a5, 0
3:  ret.n

.Lmove_shifted:
    ssa8l a3
    sub a3, a3, a6
    l32i a8, a3, 0
    loopnez a7, 4f
    addi a3, a3, -8
    addi a5, a5, -8
    l32i.n a9, a3, 4
    l32i.n a10, a3, 0
    src a8, a8, a9
    src a9, a9, a10
    s32i.n a8, a5, 4
    s32i.n a9, a5, 0
    mov.n a8, a10
4:  add.n a3, a3, a6
    extui a4, a4, 0, 3
    j .Lmove_bytes
.Lforward:
    j memcpy
    end_function memmove

/* void *memset(void *to (a2), int value (a3), size_t n (a4)) */
    function memset
    mov a5, a2
    bltui a4, 8, .Lset_bytes
    extui a3, a3, 0, 8
    slli a6, a3, 8
    or a3, a3, a6
    slli a6, a3, 16
    or a3, a3, a6
    bbci a5, 0, 1f
    s8i a3, a5, 0
    addi.n a5, a5, 1
    addi.n a4, a4, -1
1:  bbci a5, 1, 2f
    s16i a3, a5, 0
    addi.n a5, a5, 2
    addi a4, a4, -2
2:  srli a7, a4, 4
    loopnez a7, 3f
    s32i.n a3, a5, 0
    s32i.n a3, a5, 4
    s32i.n a3, a5, 8
    s32i.n a3, a5, 12
    addi a5, a5, 16
3:  extui a4, a4, 0, 4
.Lset_bytes:
    loopnez a4, 4f
    s8i a3, a5, 0
    addi.n a5, a5, 1
4:  ret.n
    end_function memset
    .end no-transform
