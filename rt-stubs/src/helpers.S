/* 64-bit shifts, multiplication and unsigned division, 32-bit division: the names that GCC calls for C code. Take and give
 * values in the CALL0 registers; know nothing else. */
#include "lx6-insns.h"
#include "function.h"

/* (a3:a2) << a4, a4 in 0..63 */
    function __ashldi3
    ssl a4
    bbsi a4, 5, 1f
    src a3, a3, a2
    sll a2, a2
    ret.n
1:  sll a3, a2
    movi.n a2, 0
    ret.n
    end_function __ashldi3

/* (a3:a2) >> a4, unsigned */
    function __lshrdi3
    ssr a4
    bbsi a4, 5, 1f
    src a2, a3, a2
    srl a3, a3
    ret.n
1:  srl a2, a3
    movi.n a3, 0
    ret.n
    end_function __lshrdi3

/* (a3:a2) >> a4, signed */
    function __ashrdi3
    ssr a4
    bbsi a4, 5, 1f
    src a2, a3, a2
    sra a3, a3
    ret.n
1:  sra a2, a3
    srai a3, a3, 31
    ret.n
    end_function __ashrdi3

/* (a3:a2) * (a5:a4), low 64 bits */
    function __muldi3
    muluh a6, a2, a4
    mull a3, a3, a4
    mull a5, a5, a2
    mull a2, a2, a4
    add.n a3, a3, a6
    add.n a3, a3, a5
    ret.n
    end_function __muldi3

    function __udivdi3
    j rt_i64_div_u
    end_function __udivdi3

    function __umoddi3
    j rt_i64_rem_u
    end_function __umoddi3

    function __udivsi3
    quou a2, a2, a3
    ret.n
    end_function __udivsi3

    function __umodsi3
    remu a2, a2, a3
    ret.n
    end_function __umodsi3

    function __divsi3
    quos a2, a2, a3
    ret.n
    end_function __divsi3

    function __modsi3
    rems a2, a2, a3
    ret.n
    end_function __modsi3
