/* The compiler support functions that native code calls, on top of the product's own rt-stubs, so that every column uses
 * the same soft double and division. f32 arithmetic is for the lx106 compiler, which knows no FPU: two moves and the
 * instruction. Comparisons of doubles and small helpers come from the cross compiler's libgcc. */
#include "lx6-insns.h"

    .macro function name
    .section .text.\name, "ax", @progbits
    .balign 4
    .global \name
    .type \name, @function
\name:
    .endm

    .macro same_as name, target
    function \name
    j \target
    .size \name, . - \name
    .endm

    .macro float_operation name, instruction
    function \name
    wfr f0, a2
    wfr f1, a3
    \instruction f0, f0, f1
    rfr a2, f0
    ret.n
    .size \name, . - \name
    .endm

/* Doubles: the arguments are two aligned pairs in both conventions. */
    same_as __adddf3, rt_f64_add
    same_as __subdf3, rt_f64_sub
    same_as __muldf3, rt_f64_mul
    same_as __divdf3, rt_f64_div
    same_as __floatsidf, rt_f64_convert_i32_s
    same_as __floatunsidf, rt_f64_convert_i32_u
    same_as __floatdidf, rt_f64_convert_i64_s
    same_as __floatundidf, rt_f64_convert_i64_u
    same_as __extendsfdf2, rt_f64_promote_f32
    same_as __truncdfsf2, rt_f32_demote_f64
    same_as __fixdfsi, rt_i32_trunc_sat_f64_s
    same_as __fixunsdfsi, rt_i32_trunc_sat_f64_u

/* Single precision */
    same_as __divsf3, rt_f32_div
    float_operation __addsf3, add.s
    float_operation __subsf3, sub.s
    float_operation __mulsf3, mul.s

    function __floatsisf
    float.s f0, a2, 0
    rfr a2, f0
    ret.n
    .size __floatsisf, . - __floatsisf

    function __floatunsisf
    ufloat.s f0, a2, 0
    rfr a2, f0
    ret.n
    .size __floatunsisf, . - __floatunsisf

    function __fixsfsi
    wfr f0, a2
    trunc.s a2, f0, 0
    ret.n
    .size __fixsfsi, . - __fixsfsi

/* Integers that rt-stubs does not have under these names. C leaves division by zero undefined: no checks are owed. */
    same_as __divdi3, rt_i64_div_s
    same_as __moddi3, rt_i64_rem_s

    function __umulsidi3
    mull a4, a2, a3
    muluh a3, a2, a3
    mov.n a2, a4
    ret.n
    .size __umulsidi3, . - __umulsidi3

    .section .note.GNU-stack, "", @progbits
