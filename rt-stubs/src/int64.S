/* 64-bit division and remainder out of LX6's 32-bit QUOU. Takes the dividend in a3:a2 and a divisor in a5:a4 that is not
 * zero and never INT64_MIN / -1 (the compiler has checked); gives a3:a2. Knows no trap. */
#include "lx6-insns.h"
#include "function.h"

/* One 16-bit digit of the schoolbook division: (a3 << 16 | a10) / a4 with a3 < a4, bit 31 of a4 set, a6 and a7 the upper
 * and lower half of a4. Quotient digit in \q, remainder in a3; the estimate is at most 2 too large. Clobbers a10. */
    .macro digit q
    quou \q, a3, a6
    slli a3, a3, 16
    or a3, a3, a10
    mull a10, \q, a6
    slli a10, a10, 16
    sub a3, a3, a10 /* (a3 - q a6) << 16 | a10 */
    mull a10, \q, a7
    bgeu a3, a10, 1f
    addi.n \q, \q, -1
    add.n a3, a3, a4
    bltu a3, a4, 1f /* no longer below zero */
    bgeu a3, a10, 1f
    addi.n \q, \q, -1
    add.n a3, a3, a4
1:  sub a3, a3, a10
    .endm

/* Quotient in a3:a2, remainder in a5:a4; clobbers a6-a10 and SAR, keeps a11. */
    function rt_udivmod64
    bnez a5, .Lwide_divisor
    beqz a3, .Lnarrow
    movi.n a9, 0
    bltu a3, a4, 1f
    quou a9, a3, a4 /* upper word of the quotient */
    mull a6, a9, a4
    sub a3, a3, a6
1:  extui a6, a4, 16, 16
    bnez a6, .Lnormalise

    /* 16-bit divisor: two digits of 16 bits, exact. */
    slli a3, a3, 16
    extui a6, a2, 16, 16
    or a3, a3, a6
    quou a7, a3, a4
    mull a6, a7, a4
    sub a3, a3, a6
    slli a3, a3, 16
    extui a6, a2, 0, 16
    or a3, a3, a6
    quou a8, a3, a4
    mull a6, a8, a4
    sub a4, a3, a6
    slli a7, a7, 16
    or a2, a7, a8
    mov.n a3, a9
    ret.n

.Lnarrow:
    quou a6, a2, a4
    mull a7, a6, a4
    sub a4, a2, a7
    mov.n a2, a6
    ret.n

.Lnormalise: /* (a3:a2) / a4, a3 < a4, a4 of 17 to 32 bits */
    nsau a5, a4
    ssl a5
    sll a4, a4
    src a3, a3, a2
    sll a2, a2
    extui a6, a4, 16, 16
    extui a7, a4, 0, 16
    extui a10, a2, 16, 16
    digit a8
    extui a10, a2, 0, 16
    digit a2
    slli a8, a8, 16
    add.n a2, a2, a8
    ssr a5
    srl a4, a3
    mov.n a3, a9
    movi.n a5, 0
    ret.n

/* The divisor has 33 to 64 bits, so the quotient has at most 32: estimated with the divisor's top 32 bits, after halving
 * the dividend so that the estimate fits, it is at most 1 too large. */
.Lwide_divisor:
    bltu a3, a5, .Lzero
    bltu a5, a3, 2f
    bltu a2, a4, .Lzero
2:  mov.n a9, a3
    mov.n a8, a5
    nsau a10, a5
    ssl a10
    src a7, a5, a4 /* top 32 bits */
    mov.n a5, a4
    mov.n a4, a7
    ssai 1
    src a10, a3, a2
    srli a3, a3, 1
    /* now: dividend a9:a2, divisor a8:a5, estimate (a3:a10) / a4 */
    addi a1, a1, -16
    s32i.n a10, a1, 0
    s32i.n a8, a1, 4
    extui a6, a4, 16, 16
    extui a7, a4, 0, 16
    extui a10, a10, 16, 16
    digit a8
    l32i.n a10, a1, 0
    extui a10, a10, 0, 16
    slli a8, a8, 16
    s32i.n a8, a1, 0
    digit a8
    l32i.n a10, a1, 0
    add.n a8, a8, a10
    l32i.n a7, a1, 4
    addi a1, a1, 16
    nsau a10, a7
    movi.n a6, 31
    sub a10, a6, a10
    ssr a10
    srl a8, a8
    beqz a8, 3f
    addi.n a8, a8, -1
3:  /* q = a8 or one more; remainder = a9:a2 - q * (a7:a5) */
    mull a4, a8, a5
    muluh a6, a8, a5
    mull a10, a8, a7
    add.n a6, a6, a10
    sub a9, a9, a6
    bgeu a2, a4, 4f
    addi.n a9, a9, -1
4:  sub a4, a2, a4
    mov.n a2, a8
    movi.n a3, 0
    bltu a9, a7, 6f
    bne a9, a7, 5f
    bltu a4, a5, 6f
5:  addi.n a2, a2, 1
    sub a9, a9, a7
    bgeu a4, a5, 7f
    addi.n a9, a9, -1
7:  sub a4, a4, a5
6:  mov.n a5, a9
    ret.n

.Lzero:
    mov.n a4, a2
    mov.n a5, a3
    movi.n a2, 0
    movi.n a3, 0
    ret.n
    end_function rt_udivmod64

    function rt_i64_div_u
    j rt_udivmod64
    end_function rt_i64_div_u

    function rt_i64_rem_u
    mov.n a11, a0
    call0 rt_udivmod64
    mov.n a2, a4
    mov.n a3, a5
    jx a11
    end_function rt_i64_rem_u

    .macro negate high, low
    neg \low, \low
    neg \high, \high
    beqz \low, 1f
    addi.n \high, \high, -1
1:
    .endm

/* The signs are kept in the lowest bits of a stack word: compiled code's stack has room for 16 bytes in a leaf. */
    function rt_i64_div_s
    or a6, a3, a5
    bltz a6, 2f
    j rt_udivmod64
2:  addi a1, a1, -16
    xor a6, a3, a5
    s32i.n a6, a1, 0
    s32i.n a0, a1, 4
    bgez a3, 3f
    negate a3, a2
3:  bgez a5, 4f
    negate a5, a4
4:  call0 rt_udivmod64
    l32i.n a6, a1, 0
    l32i.n a0, a1, 4
    addi a1, a1, 16
    bgez a6, 5f
    negate a3, a2
5:  ret.n
    end_function rt_i64_div_s

/* The remainder has the dividend's sign. */
    function rt_i64_rem_s
    or a6, a3, a5
    bltz a6, 2f
    j rt_i64_rem_u
2:  addi a1, a1, -16
    s32i.n a3, a1, 0
    s32i.n a0, a1, 4
    bgez a3, 3f
    negate a3, a2
3:  bgez a5, 4f
    negate a5, a4
4:  call0 rt_udivmod64
    mov.n a2, a4
    mov.n a3, a5
    l32i.n a6, a1, 0
    l32i.n a0, a1, 4
    addi a1, a1, 16
    bgez a6, 5f
    negate a3, a2
5:  ret.n
    end_function rt_i64_rem_s
