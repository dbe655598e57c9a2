/* Soft double for the common case: both operands normal, result normal. Everything else (zero, subnormal, infinite, NaN,
 * underflow) goes with unchanged operands to the complete C function `<name>_slow`. Bits in a3:a2 and a5:a4, result in
 * a3:a2 or a2; clobbers a4-a11 and SAR. Nothing here traps or needs a stack. */
#include "lx6-insns.h"
#include "function.h"

/* Result a6:a2 with the guard word a7 below it, rounded to nearest even, added onto sign and exponent in a3. The fraction
 * may carry into the exponent: that is the right result, infinity included. */
    .macro round_and_return
    bgez a7, 2f
    slli a7, a7, 1
    bnez a7, 1f
    bbci a2, 0, 2f
1:  addi.n a2, a2, 1
    bnez a2, 2f
    addi.n a6, a6, 1
2:  add.n a3, a3, a6
    ret.n
    .endm

/* ---- addition ------------------------------------------------------------------------------------------------ */

    function rt_f64_sub
    movi.n a6, 1
    slli a6, a6, 31
    xor a5, a5, a6
    j rt_f64_add
    end_function rt_f64_sub

    function rt_f64_add
    xor a8, a3, a5
    slli a6, a3, 1
    slli a7, a5, 1
    bltu a6, a7, .Lswap
.Lordered: /* |a| >= |b|, low words aside */
    srli a11, a7, 21
    srli a10, a6, 21
    beqz a11, .Lno_exponent
    movi a9, 0x7ff
    beq a10, a9, .Ladd_slow
    sub a11, a10, a11
    movi a9, 0xfffff
    and a6, a3, a9
    sub a3, a3, a6 /* sign and exponent */
    and a5, a5, a9
    addi.n a9, a9, 1 /* the hidden bit */
    or a5, a5, a9
    movi.n a7, 0
    bgeui a11, 32, .Lfar
    ssr a11
    src a7, a4, a7 /* all that falls off below */
    src a4, a5, a4
    srl a5, a5
.Laligned: /* a: a6:a2 without hidden bit, b: a5:a4:a7 */
    bltz a8, .Lsubtract
    add.n a2, a2, a4
    add.n a6, a6, a5
    bgeu a2, a4, 1f
    addi.n a6, a6, 1
1:  bltu a6, a9, 2f
    /* The sum with a's hidden bit is 2 or more: one place down, exponent up. */
    addi.n a10, a10, 1
    movi a11, 0x7ff
    beq a10, a11, .Loverflow
    add.n a6, a6, a9
    extui a10, a7, 0, 1
    ssai 1
    src a7, a2, a7
    or a7, a7, a10
    src a2, a6, a2
    srl a6, a6
2:  round_and_return

.Loverflow:
    add.n a3, a3, a9
    movi.n a2, 0
    ret.n

.Lswap:
    mov.n a9, a2
    mov.n a2, a4
    mov.n a4, a9
    mov.n a9, a3
    mov.n a3, a5
    mov.n a5, a9
    mov.n a9, a6
    mov.n a6, a7
    mov.n a7, a9
    j .Lordered

.Lno_exponent: /* b is subnormal or zero; zeros are common */
    or a7, a7, a4
    bnez a7, .Ladd_slow
    movi a9, 0x7ff
    beq a10, a9, .Ladd_slow
    bgez a8, 1f
    or a6, a6, a2
    bnez a6, 1f
    movi.n a3, 0 /* zeros of different sign */
1:  ret.n
.Ladd_slow:
    j rt_f64_add_slow

/* Exponents differ by 32 or more: b's low word is part guard, part sticky. */
.Lfar:
    movi.n a7, 56
    bgeu a11, a7, .Lnegligible
    ssr a11 /* modulo 32 */
    movi.n a7, 0
    src a11, a4, a7
    src a7, a5, a4
    srl a4, a5
    movi.n a5, 0
    beqz a11, .Laligned
    movi.n a11, 1
    or a7, a7, a11
    j .Laligned
.Lnegligible:
    add.n a3, a3, a6
    ret.n

.Lsubtract:
    add.n a6, a6, a9
    beqz a7, 1f
    neg a7, a7
    addi.n a4, a4, 1 /* the borrow of the guard word */
    bnez a4, 1f
    addi.n a5, a5, 1
1:  sub a6, a6, a5
    bgeu a2, a4, 2f
    addi.n a6, a6, -1
2:  sub a2, a2, a4
    bltz a6, .Lnegative
    bbci a6, 20, .Lcancelled
    sub a6, a6, a9
    round_and_return

/* High words were equal, |a| < |b| by the low ones: the other sign. */
.Lnegative:
    movi.n a6, 0
    neg a2, a2
    slli a11, a9, 11
    xor a3, a3, a11
/* The leading bit has gone. If more than one place has, the exponents were so close that the result is exact. */
.Lcancelled:
    nsau a11, a6
    addi a11, a11, -11
    beqz a6, .Llow_only
.Lshift: /* a6:a2:a7 up by a11, 1..31 */
    ssl a11
    src a6, a6, a2
    src a2, a2, a7
    sll a7, a7
.Lshifted:
    bge a11, a10, .Lsubnormal
    slli a11, a11, 20
    sub a3, a3, a11
    sub a6, a6, a9
    round_and_return

.Llow_only:
    beqz a2, .Lguard_only
    nsau a11, a2
    addi a11, a11, 21
    bltui a11, 32, .Lshift
    ssl a11 /* modulo 32 */
    src a6, a2, a7
    sll a2, a7
    movi.n a7, 0
    j .Lshifted
.Lguard_only: /* nothing or, just below a power of two, half a unit */
    beqz a7, .Lzero
    movi.n a7, 0
    mov.n a6, a9
    movi a11, 53
    j .Lshifted
.Lzero: /* x - x = +0 */
    movi.n a3, 0
    ret.n

/* Below the normal range, and exact: fewer places up, so that the exponent is 1, and no hidden bit. */
.Lsubnormal:
    sub a11, a11, a10
    addi.n a11, a11, 1
    ssr a11 /* modulo 32 */
    srli a3, a3, 31
    slli a3, a3, 31
    bgeui a11, 32, 1f
    src a2, a6, a2
    srl a6, a6
    add.n a3, a3, a6
    ret.n
1:  srl a2, a6
    ret.n
    end_function rt_f64_add

/* ---- multiplication and division ----------------------------------------------------------------------------- */

/* a6, a7 = exponent fields; away to `slow` unless both operands are normal. Leaves 0x7fe in a9. */
    .macro exponents slow
    extui a6, a3, 20, 11
    extui a7, a5, 20, 11
    movi a9, 0x7fe
    addi.n a8, a6, -1
    bgeu a8, a9, \slow
    addi.n a8, a7, -1
    bgeu a8, a9, \slow
    .endm

    function rt_f64_mul
    exponents .Lmul_special
    /* Exponent field of the product if that is below 2, minus 1: its hidden bit makes up for it. */
    add.n a6, a6, a7
    addmi a6, a6, -1024
    addi.n a8, a9, -1
    bgeu a6, a8, .Lmul_slow
    xor a8, a3, a5
    movi a9, 0xfffff
    and a5, a5, a9
    addi.n a9, a9, 1
    or a5, a5, a9 /* b: 53 bits */
    slli a10, a9, 11
    and a8, a8, a10
    slli a6, a6, 20
    or a8, a8, a6 /* sign and exponent */
    ssai 21
    src a3, a3, a2
    or a3, a3, a10 /* a: 64 bits, leading one on top */
    slli a2, a2, 11

    mull a6, a2, a4
    muluh a7, a2, a4
    muluh a11, a2, a5 /* below 2^21: takes carries */
    mull a10, a3, a4
    add.n a7, a7, a10
    bgeu a7, a10, 1f
    addi.n a11, a11, 1
1:  mull a10, a2, a5
    add.n a7, a7, a10
    bgeu a7, a10, 2f
    addi.n a11, a11, 1
2:  muluh a2, a3, a4
    mull a10, a3, a5
    muluh a3, a3, a5
    add.n a2, a2, a11
    bgeu a2, a11, 3f
    addi.n a3, a3, 1
3:  add.n a2, a2, a10
    bgeu a2, a10, 4f
    addi.n a3, a3, 1
4:  /* Product a3:a2:a7:a6 with its leading one at bit 19 or 20 of a3. */
    bbci a3, 20, 5f
    add.n a8, a8, a9
    j 6f
5:  ssai 31
    src a3, a3, a2
    src a2, a2, a7
    src a7, a7, a6
    slli a6, a6, 1
6:  bgez a7, 8f
    slli a7, a7, 1
    or a7, a7, a6
    bnez a7, 7f
    bbci a2, 0, 8f
7:  addi.n a2, a2, 1
    bnez a2, 8f
    addi.n a3, a3, 1
8:  add.n a3, a3, a8
    ret.n
.Lmul_special: /* zeros are common */
    movi a10, 0x7ff
    beq a6, a10, .Lmul_slow
    beq a7, a10, .Lmul_slow
    slli a8, a3, 1
    or a8, a8, a2
    beqz a8, 9f
    slli a8, a5, 1
    or a8, a8, a4
    bnez a8, .Lmul_slow
    movi.n a2, 0
9:  xor a3, a3, a5
    srli a3, a3, 31
    slli a3, a3, 31
    ret.n
.Lmul_slow:
    j rt_f64_mul_slow
    end_function rt_f64_mul

/* a3:a2 -= (a5:a4) * \q modulo 2^64; clobbers \t, a10, a11 */
    .macro subtract_multiple q, t
    mull a10, a4, \q
    muluh a11, a4, \q
    mull \t, a5, \q
    add.n a11, a11, \t
    sub a3, a3, a11
    bgeu a2, a10, 1f
    addi.n a3, a3, -1
1:  sub a2, a2, a10
    .endm

/* The method of rt_f64_div in float64.c: reciprocal to 28 bits, two digits of 28 bits, correction. */
    function rt_f64_div
    exponents .Ldiv_slow
    sub a6, a6, a7
    addmi a6, a6, 1024
    addi a6, a6, -3
    addi.n a8, a9, -1
    bgeu a6, a8, .Ldiv_slow
    xor a8, a3, a5
    srli a8, a8, 31
    slli a8, a8, 31
    slli a6, a6, 20
    or a8, a8, a6
    movi a9, 0xfffff
    and a3, a3, a9
    and a5, a5, a9
    addi.n a9, a9, 1
    or a3, a3, a9
    or a5, a5, a9

    ssai 21
    src a6, a5, a4
    extui a7, a6, 16, 16
    addi.n a7, a7, 1
    movi.n a9, -1
    quou a7, a9, a7
    slli a7, a7, 15
    muluh a9, a7, a6
    addi.n a9, a9, 2
    neg a9, a9
    muluh a7, a7, a9
    slli a7, a7, 1 /* 2^63 / b, from below */

    ssai 22
    src a9, a3, a2
    muluh a9, a9, a7
    srli a9, a9, 3 /* first digit */
    ssai 5
    src a3, a3, a2
    slli a2, a2, 27
    subtract_multiple a9, a6

    ssai 23
    src a6, a3, a2
    muluh a6, a6, a7
    srli a6, a6, 1 /* second digit */
    ssai 4
    src a3, a3, a2
    slli a2, a2, 28
    subtract_multiple a6, a7
    j 3f
2:  sub a3, a3, a5
    bgeu a2, a4, 1f
    addi.n a3, a3, -1
1:  sub a2, a2, a4
    addi.n a6, a6, 1
3:  bltu a5, a3, 2b
    bne a3, a5, 4f
    bgeu a2, a4, 2b
4:  /* Quotient a9 * 2^28 + a6, remainder a3:a2. */
    or a7, a3, a2
    slli a2, a9, 28
    srli a9, a9, 4
    add.n a2, a2, a6
    bgeu a2, a6, 5f
    addi.n a9, a9, 1
5:  mov.n a3, a8
    mov.n a6, a9
    beqz a7, 6f
    movi.n a7, 1
6:  ssai 2
    bbci a6, 23, 7f
    ssai 3
    movi.n a9, 1
    slli a9, a9, 20
    add.n a3, a3, a9
7:  movi.n a10, 0
    src a9, a2, a10
    or a7, a7, a9
    src a2, a6, a2
    srl a6, a6
    round_and_return
.Ldiv_slow:
    j rt_f64_div_slow
    end_function rt_f64_div

/* ---- comparison ---------------------------------------------------------------------------------------------- */

/* 1 if the operand \h:\l, whose exponent is all ones, is a NaN: to \to, else fall through; clobbers a7 */
    .macro if_nan h, l, to
    slli a7, \h, 12
    or a7, a7, \l
    bnez a7, \to
    .endm

    .macro ordering name, equal
    function rt_f64_\name
    movi a6, 0x7ff00000
    ball a3, a6, 5f
    ball a5, a6, 6f
1:  or a7, a3, a5
    bltz a7, 2f
    bltu a3, a5, 3f
    bne a3, a5, 4f
    .if \equal
    bgeu a4, a2, 3f
    .else
    bltu a2, a4, 3f
    .endif
4:  movi.n a2, 0
    ret.n
3:  movi.n a2, 1
    ret.n

2:  /* One is negative or both are. */
    and a7, a3, a5
    bltz a7, 7f
    .if \equal
    bltz a3, 3b
    .else
    bgez a3, 4b
    .endif
    /* Different signs: it is decided unless both are zero. */
    or a7, a3, a5
    slli a7, a7, 1
    or a7, a7, a2
    or a7, a7, a4
    .if \equal
    beqz a7, 3b
    j 4b
    .else
    bnez a7, 3b
    j 4b
    .endif
7:  bltu a5, a3, 3b
    bne a3, a5, 4b
    .if \equal
    bgeu a2, a4, 3b
    .else
    bltu a4, a2, 3b
    .endif
    j 4b

5:  if_nan a3, a2, 4b
    bnall a5, a6, 1b
6:  if_nan a5, a4, 4b
    j 1b
    end_function rt_f64_\name
    .endm

    ordering lt, 0
    ordering le, 1

/* \same: result if equal */
    .macro equality name, same
    function rt_f64_\name
    bne a3, a5, 2f
    bne a2, a4, 3f
    movi a6, 0x7ff00000
    bnall a3, a6, 1f
    if_nan a3, a2, 3f
1:  movi.n a2, \same
    ret.n
2:  or a7, a3, a5 /* zeros of different sign */
    slli a7, a7, 1
    or a7, a7, a2
    or a7, a7, a4
    beqz a7, 1b
3:  movi.n a2, 1 - \same
    ret.n
    end_function rt_f64_\name
    .endm

    equality eq, 1
    equality ne, 0
