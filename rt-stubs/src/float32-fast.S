/* f32 division for the common case: both operands normal, result normal. Everything else goes with unchanged operands to
 * the complete C function. Bits in a2, a3, result in a2; clobbers a4-a7. */
#include "lx6-insns.h"

    .section .text.rt_f32_div, "ax", @progbits
    .literal_position
    .balign 4
    .global rt_f32_div
    .type rt_f32_div, @function
rt_f32_div:
    extui a4, a2, 23, 8
    extui a5, a3, 23, 8
    movi a6, 0xfe
    addi.n a7, a4, -1
    bgeu a7, a6, .Lslow
    addi.n a7, a5, -1
    bgeu a7, a6, .Lslow
    /* Exponent field of the quotient if that is below 1, minus 1: its hidden bit makes up for it. */
    sub a4, a4, a5
    addi a4, a4, 125
    addi.n a6, a6, -1
    bgeu a4, a6, .Lslow
    slli a4, a4, 23
    movi.n a7, 1
    slli a7, a7, 31
    xor a5, a2, a3
    and a5, a5, a7
    or a4, a4, a5 /* sign and exponent */
    slli a2, a2, 8
    slli a3, a3, 8
    or a2, a2, a7
    or a3, a3, a7
    srli a2, a2, 8
    srli a3, a3, 8
    bltu a2, a3, 1f
    srli a7, a7, 8
    add.n a4, a4, a7
    j 2f
1:  slli a2, a2, 1
2:  /* Quotient in [1, 2): 8 bits three times, remainders exact. */
    slli a2, a2, 7
    quou a5, a2, a3
    mull a6, a5, a3
    sub a2, a2, a6
    slli a2, a2, 8
    quou a7, a2, a3
    mull a6, a7, a3
    slli a5, a5, 8
    add.n a5, a5, a7
    sub a2, a2, a6
    slli a2, a2, 8
    quou a7, a2, a3
    mull a6, a7, a3
    slli a5, a5, 8
    add.n a5, a5, a7
    sub a2, a2, a6
    /* A quotient of two 24-bit numbers is never exactly half way. */
    slli a2, a2, 1
    bltu a2, a3, 3f
    addi.n a5, a5, 1
3:  add.n a2, a5, a4
    ret.n
.Lslow:
    j rt_f32_div_slow
    .size rt_f32_div, . - rt_f32_div
