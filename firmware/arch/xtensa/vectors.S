/* Exception and interrupt vectors at VECBASE, with the entry code in the space that the window vectors leave free (CALL0
 * code never raises window exceptions). Takes an exception; gives rt_exception the saved registers and returns to
 * wherever it changed them to. PS.EXCM stays set all the time: a fault in the handler is a double exception. */
#include "runtime.h"
#include "lx6-insns.h"

#define F(name) EXCEPTION_FRAME_##name
#define PS_EXCM 0x10

    .section .vectors, "ax", @progbits
    .balign 4
    .global rt_vectors
    .type rt_vectors, @object
rt_vectors:
    j .Lunexpected
    .balign 4
.Lstack_literal:
    .word __exception_stack_top
.Lhandler_literal:
    .word rt_exception
.Lpanic_literal:
    .word rt_panic

    .balign 4
    .type rt_exception_entry, @function
rt_exception_entry:
    l32r a0, .Lstack_literal
    addi a0, a0, -EXCEPTION_FRAME_SIZE
    s32i a1, a0, F(A) + 4
    mov.n a1, a0
    rsr a0, excsave1
    s32i a0, a1, F(A)
    s32i a2, a1, F(A) + 8
    s32i a3, a1, F(A) + 12
    s32i a4, a1, F(A) + 16
    s32i a5, a1, F(A) + 20
    s32i a6, a1, F(A) + 24
    s32i a7, a1, F(A) + 28
    s32i a8, a1, F(A) + 32
    s32i a9, a1, F(A) + 36
    s32i a10, a1, F(A) + 40
    s32i a11, a1, F(A) + 44
    /* C code keeps a12-a15, but reports and unwinding want to see them. */
    s32i a12, a1, F(A) + 48
    s32i a13, a1, F(A) + 52
    s32i a14, a1, F(A) + 56
    s32i a15, a1, F(A) + 60
    rsr a2, epc1
    s32i a2, a1, F(PC)
    rsr a2, ps
    s32i a2, a1, F(PS)
    rsr a2, sar
    s32i a2, a1, F(SAR)
    rsr.lbeg a2
    s32i a2, a1, F(LBEG)
    rsr.lend a2
    s32i a2, a1, F(LEND)
    rsr.lcount a2
    s32i a2, a1, F(LCOUNT)
    rsr a2, exccause
    s32i a2, a1, F(CAUSE)
    rsr a2, excvaddr
    s32i a2, a1, F(VADDR)
    mov.n a2, a1
    l32r a3, .Lhandler_literal
    callx0 a3

/* Goes on where the frame at a1 says; PS.EXCM is set. */
    .global rt_exception_return
rt_exception_return:
    l32i a2, a1, F(LBEG)
    wsr.lbeg a2
    l32i a2, a1, F(LEND)
    wsr.lend a2
    l32i a2, a1, F(LCOUNT)
    wsr.lcount a2
    l32i a2, a1, F(SAR)
    wsr a2, sar
    l32i a2, a1, F(PC)
    wsr a2, epc1
    l32i a2, a1, F(PS) /* with EXCM, which RFE clears */
    wsr a2, ps
    rsync
    l32i a15, a1, F(A) + 60
    l32i a14, a1, F(A) + 56
    l32i a13, a1, F(A) + 52
    l32i a12, a1, F(A) + 48
    l32i a11, a1, F(A) + 44
    l32i a10, a1, F(A) + 40
    l32i a9, a1, F(A) + 36
    l32i a8, a1, F(A) + 32
    l32i a7, a1, F(A) + 28
    l32i a6, a1, F(A) + 24
    l32i a5, a1, F(A) + 20
    l32i a4, a1, F(A) + 16
    l32i a3, a1, F(A) + 12
    l32i a2, a1, F(A) + 8
    l32i a0, a1, F(A)
    l32i a1, a1, F(A) + 4
    rfe
    .size rt_exception_entry, . - rt_exception_entry

/* a2 = vector number, a3 = pc: nothing that we enable comes here. */
.Lunexpected:
    movi a4, PS_EXCM | 15
    wsr a4, ps
    rsync
    l32r a1, .Lstack_literal
    l32r a0, .Lpanic_literal
    callx0 a0

    .macro unexpected offset, number
    .org rt_vectors + \offset
    rsr.epc\number a3
    movi a2, \number
    j .Lunexpected
    .endm

    unexpected 0x180 2
    unexpected 0x1c0 3
    unexpected 0x200 4
    unexpected 0x240 5
    unexpected 0x280 6
    unexpected 0x2c0 7

    .org rt_vectors + 0x300 /* kernel */
    wsr a0, excsave1
    j rt_exception_entry
    .org rt_vectors + 0x340 /* user */
    wsr a0, excsave1
    j rt_exception_entry
    .org rt_vectors + 0x3c0 /* double */
    rsr a3, depc
    movi a2, 0
    j .Lunexpected
    .org rt_vectors + 0x400
    .size rt_vectors, . - rt_vectors
