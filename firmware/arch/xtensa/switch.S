/* Enters an invocation on its module's stack, and switches between chains. Takes frames and contexts of kernel.h; knows
 * where registers are kept, and no policy. */
#include "kernel.h"
#include "function.h"
#include "lx6-insns.h"

#define SAVED_A0 0
#define SAVED_A12 4
#define SAVED_A13 8
#define SAVED_A14 12
#define SAVED_A15 16
#define SAVE_AREA 32
#define PS_EXCM 0x10
#define CONTEXT_EXTRA EXCEPTION_FRAME_SIZE

/* uint64_t ts_enter(frame, handler, a, b, c, d): masked before and after; the frame is the first thing on its stack.
 * Gives the result word, and in the upper half the stop reason. */
    function ts_enter
    addi a1, a1, -SAVE_AREA
    s32i.n a0, a1, SAVED_A0
    s32i.n a12, a1, SAVED_A12
    s32i.n a13, a1, SAVED_A13
    s32i.n a14, a1, SAVED_A14
    s32i.n a15, a1, SAVED_A15
    s32i.n a1, a2, TS_FRAME_SAVED_SP
    mov.n a8, a3
    mov.n a1, a2
    mov.n a2, a4
    mov.n a3, a5
    mov.n a4, a6
    mov.n a5, a7
    rsil a9, 0
    callx0 a8
    rsil a3, 3
    movi.n a3, 0 /* returned */
    l32i.n a1, a1, TS_FRAME_SAVED_SP

/* Masked; a1 = saved_sp, a2 = result, a3 = stop reason. */
    .global ts_return_target
ts_return_target:
    l32i.n a0, a1, SAVED_A0
    l32i.n a12, a1, SAVED_A12
    l32i.n a13, a1, SAVED_A13
    l32i.n a14, a1, SAVED_A14
    l32i.n a15, a1, SAVED_A15
    addi a1, a1, SAVE_AREA
    ret.n
    end_function ts_enter

/* void ts_leave(saved_sp, reason): ends the invocation that runs; masked. */
    function ts_leave
    mov.n a1, a2
    movi.n a2, 0
    wsr.lcount a2
    j ts_return_target
    end_function ts_leave

/* void ts_chain_switch(module, sp): masked. */
    function ts_chain_switch
    mov.n a1, a3
    movi.n a0, 0
    j ts_chain_begin
    end_function ts_chain_switch

/* void ts_switch_out(sp): masked. */
    function ts_switch_out
    addi a1, a1, -SAVE_AREA
    s32i.n a0, a1, SAVED_A0
    s32i.n a12, a1, SAVED_A12
    s32i.n a13, a1, SAVED_A13
    s32i.n a14, a1, SAVED_A14
    s32i.n a15, a1, SAVED_A15
    s32i.n a1, a2, 0
    j ts_next_chain
    end_function ts_switch_out

/* void ts_switch_in(sp): masked. */
    function ts_switch_in
    mov.n a1, a2
    l32i.n a0, a1, SAVED_A0
    l32i.n a12, a1, SAVED_A12
    l32i.n a13, a1, SAVED_A13
    l32i.n a14, a1, SAVED_A14
    l32i.n a15, a1, SAVED_A15
    addi a1, a1, SAVE_AREA
    ret.n
    end_function ts_switch_in

    function ts_idle_at
    mov.n a1, a2
    j rt_idle
    end_function ts_idle_at

/* void ts_save_extra(extra): what rt_exception_entry does not save. */
    function ts_save_extra
    ssi f0, a2, 0
    ssi f1, a2, 4
    ssi f2, a2, 8
    ssi f3, a2, 12
    ssi f4, a2, 16
    ssi f5, a2, 20
    ssi f6, a2, 24
    ssi f7, a2, 28
    ssi f8, a2, 32
    ssi f9, a2, 36
    ssi f10, a2, 40
    ssi f11, a2, 44
    ssi f12, a2, 48
    ssi f13, a2, 52
    ssi f14, a2, 56
    ssi f15, a2, 60
    rur.fcr a3
    s32i a3, a2, 64
    rur.fsr a3
    s32i a3, a2, 68
    rsr.br a3
    s32i a3, a2, 72
    rsr.misc0 a3
    s32i a3, a2, 76
    rsr.misc1 a3
    s32i a3, a2, 80
    rsr.scompare1 a3
    s32i a3, a2, 84
    rsr.acclo a3
    s32i a3, a2, 88
    rsr.acchi a3
    s32i a3, a2, 92
    ret.n
    end_function ts_save_extra

/* void ts_resume(context): goes on with a preempted chain; masked. */
    function ts_resume
    mov.n a1, a2
    movi a3, PS_EXCM | 3
    wsr a3, ps
    rsync
    addi a2, a2, CONTEXT_EXTRA
    lsi f0, a2, 0
    lsi f1, a2, 4
    lsi f2, a2, 8
    lsi f3, a2, 12
    lsi f4, a2, 16
    lsi f5, a2, 20
    lsi f6, a2, 24
    lsi f7, a2, 28
    lsi f8, a2, 32
    lsi f9, a2, 36
    lsi f10, a2, 40
    lsi f11, a2, 44
    lsi f12, a2, 48
    lsi f13, a2, 52
    lsi f14, a2, 56
    lsi f15, a2, 60
    l32i a3, a2, 64
    wur.fcr a3
    l32i a3, a2, 68
    wur.fsr a3
    l32i a3, a2, 72
    wsr.br a3
    l32i a3, a2, 76
    wsr.misc0 a3
    l32i a3, a2, 80
    wsr.misc1 a3
    l32i a3, a2, 84
    wsr.scompare1 a3
    l32i a3, a2, 88
    wsr.acclo a3
    l32i a3, a2, 92
    wsr.acchi a3
    j rt_exception_return
    end_function ts_resume
