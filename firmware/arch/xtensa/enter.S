/* Enters compiled code and is where every invocation ends. Takes argument words in memory; gives result words and a stop
 * reason. Knows the CALL0 convention of compiled code: words in a2..a7 and a2..a5, further ones in __wasm_argbuf. */
#include "runtime.h"
#include "lx6-insns.h"

#define SAVED_A0 0
#define SAVED_A12 4
#define SAVED_A13 8
#define SAVED_A14 12
#define SAVED_A15 16
#define RESULTS 20
#define RESULT_COUNT 24
#define INVOCATION 28
#define FRAME 32

    .section .text.rt_enter, "ax", @progbits
    .literal_position
    .balign 4
    .global rt_enter
    .type rt_enter, @function
/* uint32_t rt_enter(invocation, entry, args, arg_count, results, result_count) */
rt_enter:
    addi a1, a1, -FRAME
    s32i.n a0, a1, SAVED_A0
    s32i.n a12, a1, SAVED_A12
    s32i.n a13, a1, SAVED_A13
    s32i.n a14, a1, SAVED_A14
    s32i.n a15, a1, SAVED_A15
    s32i.n a6, a1, RESULTS
    s32i.n a7, a1, RESULT_COUNT
    s32i.n a2, a1, INVOCATION
    movi a8, rt_current_invocation
    l32i.n a9, a8, 0
    s32i.n a9, a2, INVOCATION_OUTER
    s32i.n a1, a2, INVOCATION_SAVED_SP
    s32i.n a2, a8, 0
    mov.n a8, a3
    mov.n a9, a4
    bltui a5, 7, 2f
    addi a5, a5, -6
    movi a10, __wasm_argbuf
    addi a11, a9, 24
1:  l32i.n a12, a11, 0
    addi.n a11, a11, 4
    s32i.n a12, a10, 0
    addi.n a10, a10, 4
    addi.n a5, a5, -1
    bnez a5, 1b
2:  l32i.n a2, a9, 0
    l32i.n a3, a9, 4
    l32i.n a4, a9, 8
    l32i.n a5, a9, 12
    l32i.n a6, a9, 16
    l32i.n a7, a9, 20
    callx0 a8
    l32i.n a8, a1, RESULTS
    l32i.n a9, a1, RESULT_COUNT
    beqz a9, 4f
    s32i.n a2, a8, 0
    bltui a9, 2, 4f
    s32i.n a3, a8, 4
    bltui a9, 3, 4f
    s32i.n a4, a8, 8
    bltui a9, 4, 4f
    s32i.n a5, a8, 12
    addi a9, a9, -4
    beqz a9, 4f
    movi a10, __wasm_argbuf
3:  l32i.n a11, a10, 0
    addi.n a10, a10, 4
    s32i.n a11, a8, 16
    addi.n a8, a8, 4
    addi.n a9, a9, -1
    bnez a9, 3b
4:  movi.n a2, 0 /* returned */

    .global rt_unwind_target
rt_unwind_target:
    l32i.n a3, a1, INVOCATION
    l32i.n a3, a3, INVOCATION_OUTER
    movi a4, rt_current_invocation
    s32i.n a3, a4, 0
    l32i.n a0, a1, SAVED_A0
    l32i.n a12, a1, SAVED_A12
    l32i.n a13, a1, SAVED_A13
    l32i.n a14, a1, SAVED_A14
    l32i.n a15, a1, SAVED_A15
    addi a1, a1, FRAME
    ret.n
    .size rt_enter, . - rt_enter

    .section .text.rt_unwind, "ax", @progbits
    .balign 4
    .global rt_unwind
    .type rt_unwind, @function
/* void rt_unwind(invocation, reason) */
rt_unwind:
    l32i.n a1, a2, INVOCATION_SAVED_SP
    mov.n a2, a3
    j rt_unwind_target
    .size rt_unwind, . - rt_unwind

    .section .bss.__wasm_argbuf, "aw", @nobits
    .balign 16
    .global __wasm_argbuf
    .type __wasm_argbuf, @object
__wasm_argbuf:
    .space WASM_ARGUMENT_BUFFER_WORDS * 4
    .size __wasm_argbuf, . - __wasm_argbuf
