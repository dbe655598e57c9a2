/* Image entry. Takes the processor as the mask ROM leaves it (windowed code, watchdogs armed); gives rt_boot a CALL0
 * processor: own vectors, no watchdog, FPU on, zeroed data, a stack. Afterwards the processor waits in rt_idle. */
#include "esp32.h"
#include "lx6-insns.h"

#define PS_EXCM 0x10
#define REGION_ILLEGAL 15

    .section .text.rt_start, "ax", @progbits
    .literal_position
    .balign 4
    .global rt_start
    .type rt_start, @function
rt_start:
    /* No interrupts and no window exceptions while the state changes. */
    movi a2, PS_EXCM | 15
    wsr a2, ps
    rsync
    movi.n a2, 0
    wsr a2, intenable
    wsr.windowbase a2
    rsync
    movi.n a2, 1
    wsr.windowstart a2
    rsync
    wsr.cpenable a2 /* coprocessor 0: the FPU */
    rsync
    movi.n a2, 0
    wur.fcr a2 /* round to nearest even */
    wur.fsr a2
    wsr.lcount a2
    /* The loop buffer is off because of erratum 572. */
    wsr.memctl a2
    movi a2, rt_vectors
    wsr a2, vecbase
    isync

    /* Null pointers and wild ones must fault: address space regions without anything in them become illegal. */
    movi.n a3, REGION_ILLEGAL
    movi.n a2, 0
    wdtlb a3, a2
    witlb a3, a2
    movi a4, 0x20000000
    slli a2, a4, 2
1:  wdtlb a3, a2
    witlb a3, a2
    add.n a2, a2, a4
    bnez a2, 1b
    isync

    movi a1, __wasm_stack_top

    movi a3, WDT_KEY
    movi.n a4, 0
    movi a2, RTC_CNTL_WDTCONFIG0
    s32i.n a3, a2, RTC_CNTL_WDTWPROTECT - RTC_CNTL_WDTCONFIG0
    memw
    s32i.n a4, a2, 0
    memw
    s32i.n a4, a2, RTC_CNTL_WDTWPROTECT - RTC_CNTL_WDTCONFIG0
    movi a2, TIMG0_BASE
    movi a5, TIMG1_BASE
2:  s32i a3, a2, TIMG_WDTWPROTECT
    memw
    s32i a4, a2, TIMG_WDTCONFIG0
    memw
    s32i a4, a2, TIMG_WDTWPROTECT
    memw
    mov.n a6, a2
    mov.n a2, a5
    bne a6, a5, 2b

    movi a2, __bss_start
    movi a3, __bss_end
    bgeu a2, a3, 4f
3:  s32i.n a4, a2, 0
    addi.n a2, a2, 4
    bltu a2, a3, 3b
4:  wsr a4, ps /* interrupts on, none enabled yet */
    rsync
    call0 rt_boot
    j rt_idle
    .size rt_start, . - rt_start

/* Nothing to do. A host that finds the processor here may fill the mailbox and set pc to rt_run_mailbox. */
    .section .text.rt_idle, "ax", @progbits
    .balign 4
    .global rt_idle
    .type rt_idle, @function
rt_idle:
    waiti 0
    j rt_idle
    .size rt_idle, . - rt_idle

    .section .text.rt_run_mailbox, "ax", @progbits
    .literal_position
    .balign 4
    .global rt_run_mailbox
    .type rt_run_mailbox, @function
rt_run_mailbox:
    movi.n a2, 0
    wsr a2, ps
    rsync
    wsr.lcount a2 /* the host may have come out of the middle of a loop */
    movi a1, __wasm_stack_top
    call0 rt_serve_mailbox
    j rt_idle
    .size rt_run_mailbox, . - rt_run_mailbox
