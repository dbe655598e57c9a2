/* Beginning and ending invocations, for the two places that do it: calls (imc.c) and events (chain.c). All of it masked. */
#ifndef CHAIN_H
#define CHAIN_H

#include "esp32.h"
#include "grant.h"

static inline uint32_t ts_cycles(void)
{
    uint32_t count;
    __asm__ volatile("rsr %0, ccount" : "=a"(count));
    return count;
}
static inline void ts_alarm_in(uint32_t cycles)
{
    __asm__ volatile("wsr %0, ccompare0\n\tesync" : : "a"(ts_cycles() + cycles));
}

/** Makes `frame` the innermost invocation, with `budget` cycles from now on. Its ceiling, caller, depth are set. */
static inline void ts_frame_begin(struct ts_frame *frame, struct ts_module *module, struct ts_frame *caller, uint32_t budget)
{
    uint32_t serial = ts_kernel.serial + 1;
    if (serial == 0) serial = 1;
    ts_kernel.serial = serial;
    frame->caller = caller;
    frame->module = module;
    frame->serial = serial;
    frame->doomed = 0;
    frame->depth = caller == 0 ? 1 : (uint8_t)(caller->depth + 1);
    uint32_t ceiling = ts_kernel.ceiling;
    frame->ceiling = (uint8_t)ceiling;
    if (module->ceiling > ceiling) ts_kernel.ceiling = module->ceiling;
    module->depth++;
    ts_kernel.frame = frame;
    ts_current_frame = serial;
    ts_kernel.module = module;
    ts_current_module = module->index;
    uint32_t now = ts_cycles();
    frame->deadline = now - ts_kernel.clock_offset + budget;
    ts_alarm_in(budget);
}

/** No invocation runs. */
static inline void ts_no_frame(void)
{
    ts_kernel.frame = 0;
    ts_kernel.module = &ts_modules[TS_SYS];
    ts_current_frame = 0;
    ts_current_module = TS_SYS;
}

/** Takes the innermost invocation off; its grants go. */
static inline void ts_frame_end(struct ts_frame *frame)
{
    struct ts_frame *caller = frame->caller;
    frame->module->depth--;
    if (ts_kernel.call_grants != frame->grants) ts_call_grants_end(frame->grants);
    ts_kernel.frame = caller;
    ts_kernel.ceiling = frame->ceiling;
    if (caller == 0) {
        ts_no_frame();
        return;
    }
    ts_current_frame = caller->serial;
    ts_kernel.module = caller->module;
    ts_current_module = caller->module->index;
    int32_t left = (int32_t)(caller->deadline - (ts_cycles() - ts_kernel.clock_offset));
    ts_alarm_in(left < TS_LEAST_CYCLES ? TS_LEAST_CYCLES : (uint32_t)left);
}

/** If something above the ceiling is ready, its interrupt comes at the unmasking. */
static inline void ts_let_preempt(void)
{
    if (ts_kernel.ready > ts_kernel.ceiling) __asm__ volatile("wsr %0, intset\n\trsync" : : "a"(1u << INTERRUPT_SOFTWARE));
}

/* chain.c */
/** What follows from an invocation of `module` that did not return. It has been taken off already. */
void ts_fault(struct ts_module *module, uint32_t reason);
/** Notes where an invocation was when it ended. */
void ts_note_place(struct ts_module *module, uint32_t trap_code, uint32_t pc, uint32_t sp, uint32_t return_address);
/** Completes the note of the last fault with the frames outwards, while the stack is as it was. Unmasked; whoever comes first:
 * after the fault, or who reports it. */
void ts_note_frames(struct ts_module *module);
/** Dooms every live invocation of a module; the innermost running one ends at the next unmasking. */
void ts_doom(struct ts_module *module);
/** Ends the running invocation with a trap at the call of a kernel function. Any masking. */
_Noreturn void ts_trap_caller(uint32_t trap_code, uint32_t return_address, uint32_t sp);

/* wait.c; masked */
/** Has the running chain wait until `*done` is not 0, or one of its invocations is to be ended: the caller looks which.
 * False if it cannot wait. An interrupt sets `*done`. */
int ts_wait(const volatile uint8_t *done);
/** Something that chains wait for has been set. */
void ts_wait_done(void);
/** Highest level of the chains that only have to be let; 0: none. */
uint32_t ts_waiter_level(void);
/** The chain that goes on next, in ts_waiters, plus 1; 0: none, or an event is first. `ceiling` of what runs; `alone`: nobody
 * is in the middle of something. */
uint32_t ts_waiter_next(uint32_t ceiling, int alone);
/** Makes it the running chain; what to give ts_switch_in. */
uint32_t ts_wait_over(uint32_t waiter);

#endif
