/* The scheduler: which event runs when, under the stack resource policy (Baker 1991); and the kernel's part of every
 * exception: interrupts, the ends of invocations, switching to a chain of higher level. No polling anywhere. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"
#include "rt.h"

struct ts_context ts_contexts[TS_LEVELS - 1];

enum { CAUSE_INTERRUPT = 4, PS_INTLEVEL = 0xf, MASKED = 3, IDLE_BYTES = 6 /* of rt_idle */ };

extern uint32_t __wasm_argbuf[];

__attribute__((weak)) void ts_device_interrupt(uint32_t pending) { (void)pending; }

/** Modules with events that may run. */
static inline uint32_t pending_at(uint32_t level) { return ts_kernel.pending[level] & ~(uint32_t)ts_kernel.busy; }

void ts_find_ready(void)
{
    uint32_t level = TS_TOP_LEVEL;
    while (level != 0 && pending_at(level) == 0) level--;
    uint32_t waiter = ts_kernel.waiting == 0 ? 0 : ts_waiter_level();
    ts_kernel.ready = (uint8_t)(waiter > level ? waiter : level);
}

/** The chain that is to go on before any event starts, in ts_waiters, plus 1; 0: none. */
static inline uint32_t waiter_next(uint32_t ceiling, int alone)
{
    return ts_kernel.waiting == 0 ? 0 : ts_waiter_next(ceiling, alone);
}

void ts_post(struct ts_module *module, uint32_t event)
{
    module->events |= (uint8_t)event;
    ts_kernel.pending[module->level] |= (uint16_t)(1u << module->index);
    if ((ts_kernel.busy >> module->index & 1) != 0) return;
    if (module->level > ts_kernel.ready) ts_kernel.ready = module->level;
    ts_let_preempt();
}

/** Takes a module with events of the highest level there is, and makes that level the chain's. */
static struct ts_module *take_ready(void)
{
    uint32_t level = ts_kernel.ready, modules = pending_at(level);
    /* In turns: the first one after the one that had its turn last. */
    uint32_t after = modules & ~((2u << ts_kernel.last[level]) - 1);
    if (after == 0) after = modules;
    uint32_t index = 31 - clz32(after & -after);
    ts_kernel.last[level] = (uint8_t)index;
    ts_kernel.pending[level] &= (uint16_t)~(1u << index);
    uint32_t next = level;
    while (next != 0 && pending_at(next) == 0) next--;
    ts_kernel.ready = (uint8_t)next;
    if (ts_kernel.waiting != 0) ts_find_ready();
    ts_kernel.level = (uint8_t)level;
    ts_kernel.ceiling = (uint8_t)level;
    ts_no_frame();
    return &ts_modules[index];
}

/** Ends the innermost invocation when the exception returns. */
static void unwind(struct exception_frame *frame, uint32_t reason)
{
    frame->pc = (uint32_t)ts_return_target;
    frame->a[1] = ts_kernel.frame->saved_sp;
    frame->a[2] = 0;
    frame->a[3] = reason;
    frame->lcount = 0;
    frame->ps = (frame->ps & ~(uint32_t)PS_INTLEVEL) | MASKED;
}

/** Puts the interrupted chain aside and has the exception return to the beginning of another. */
static void preempt(struct exception_frame *frame)
{
    struct ts_context *context = &ts_contexts[ts_kernel.preempted++];
    if (frame->pc - (uint32_t)rt_idle < IDLE_BYTES) {
        /* Nobody's registers: it goes on from the beginning. */
        context->registers.pc = (uint32_t)rt_idle;
        context->registers.a[1] = frame->a[1];
    } else {
        /* Word by word: PS.EXCM is set, and memcpy's hardware loop would not loop. */
        const uint32_t *from = (const uint32_t *)frame;
        uint32_t *to = (uint32_t *)&context->registers;
        for (uint32_t i = 0; i < sizeof *frame / 4; i++) to[i] = from[i];
        ts_save_extra(context->extra);
        for (uint32_t i = 0; i < TS_ARGUMENT_WORDS; i++) context->arguments[i] = __wasm_argbuf[i];
    }
    context->frame = ts_kernel.frame;
    context->clock = ts_cycles() - ts_kernel.clock_offset;
    context->ceiling = ts_kernel.ceiling;
    context->level = ts_kernel.level;
    frame->a[0] = 0;
    uint32_t waiter = waiter_next(context->ceiling, ts_kernel.preempted == 1 && context->frame == 0);
    if (waiter != 0) {
        frame->pc = (uint32_t)ts_switch_in;
        frame->a[1] = frame->a[2] = ts_wait_over(waiter - 1);
    } else {
        struct ts_module *module = take_ready();
        frame->pc = (uint32_t)ts_chain_begin;
        frame->a[1] = module->sp;
        frame->a[2] = (uint32_t)module;
    }
    frame->lcount = 0;
    frame->ps = (frame->ps & ~(uint32_t)PS_INTLEVEL) | MASKED;
}

/** A chain that has waited, if it is to go on now; does not return then. */
static void __attribute__((noinline)) go_on_waiting(void)
{
    const struct ts_context *context = &ts_contexts[ts_kernel.preempted - 1];
    uint32_t waiter = ts_waiter_next(context->ceiling, ts_kernel.preempted == 1 && context->frame == 0);
    if (waiter != 0) ts_switch_in(ts_wait_over(waiter - 1));
}

_Noreturn void ts_next_chain(void)
{
    if (ts_kernel.waiting != 0) go_on_waiting();
    struct ts_context *context = &ts_contexts[ts_kernel.preempted - 1];
    if (ts_kernel.ready > context->ceiling) {
        struct ts_module *module = take_ready();
        ts_chain_switch(module, module->sp);
    }
    ts_kernel.preempted--;
    struct ts_frame *frame = context->frame;
    ts_no_frame();
    ts_kernel.ceiling = context->ceiling;
    ts_kernel.level = context->level;
    ts_kernel.clock_offset = ts_cycles() - context->clock;
    if (context->registers.pc == (uint32_t)rt_idle) ts_idle_at(context->registers.a[1]);
    for (uint32_t i = 0; i < TS_ARGUMENT_WORDS; i++) __wasm_argbuf[i] = context->arguments[i];
    if (frame != 0) {
        ts_kernel.frame = frame;
        ts_kernel.module = frame->module;
        ts_current_frame = frame->serial;
        ts_current_module = frame->module->index;
        int32_t left = (int32_t)(frame->deadline - context->clock);
        ts_alarm_in(left < TS_LEAST_CYCLES ? TS_LEAST_CYCLES : (uint32_t)left);
        if (frame->doomed && frame->serial != ts_kernel.held) {
            ts_note_place(frame->module, TRAP_NONE, context->registers.pc, context->registers.a[1], context->registers.a[0]);
            unwind(&context->registers, STOP_KILLED);
        }
    }
    ts_resume(context);
}

static void interrupt(struct exception_frame *frame)
{
    uint32_t pending, enabled;
    __asm__ volatile("rsr %0, interrupt\n\trsr %1, intenable" : "=a"(pending), "=a"(enabled));
    pending &= enabled;
    if ((pending & 1u << INTERRUPT_ALARM) != 0) ts_timer_interrupt();
    if ((pending & 1u << INTERRUPT_UART) != 0) ts_uart_interrupt();
    uint32_t kernel = 1u << INTERRUPT_ALARM | 1u << INTERRUPT_SOFTWARE | 1u << INTERRUPT_CCOMPARE0 | 1u << INTERRUPT_UART;
    uint32_t device = pending & ~kernel;
    if (device != 0) ts_device_interrupt(device);
    /* Whatever was posted by now is looked at below. */
    __asm__ volatile("wsr %0, intclear\n\trsync" : : "a"(1u << INTERRUPT_SOFTWARE));
    struct ts_frame *running = ts_kernel.frame;
    uint32_t reason = STOP_RETURNED;
    if ((pending & 1u << INTERRUPT_CCOMPARE0) != 0) {
        int32_t left = running == 0 ? INT32_MAX : (int32_t)(running->deadline - (ts_cycles() - ts_kernel.clock_offset));
        if (left <= 0) reason = STOP_DEADLINE_EXPIRED;
        else ts_alarm_in((uint32_t)left < TS_LEAST_CYCLES ? TS_LEAST_CYCLES : (uint32_t)left);
    }
    if (running != 0 && running->doomed) reason = STOP_KILLED;
    if (running != 0 && running->serial == ts_kernel.held) {
        /* Not now; ts_release looks again. */
        reason = STOP_RETURNED;
        ts_alarm_in(INT32_MAX);
    }
    if (reason != STOP_RETURNED) {
        ts_note_place(running->module, TRAP_NONE, frame->pc, frame->a[1], frame->a[0]);
        unwind(frame, reason);
    } else if (ts_kernel.ready > ts_kernel.ceiling ||
               waiter_next(ts_kernel.ceiling, ts_kernel.preempted == 0 && running == 0 && ts_kernel.ceiling == 0) != 0)
        preempt(frame);
}

static _Noreturn void panic(struct exception_frame *frame)
{
    rt_print("kernel panic: ");
    rt_print_registers(frame);
    rt_uart_flush();
    register_write(RTC_CNTL_OPTIONS0, RTC_CNTL_SW_SYS_RST);
    for (;;) {}
}

void ts_exception(struct exception_frame *frame)
{
    if (frame->cause == CAUSE_INTERRUPT) {
        interrupt(frame);
        return;
    }
    struct ts_frame *running = ts_kernel.frame;
    if ((frame->ps & PS_INTLEVEL) != 0 || running == 0) panic(frame);
    ts_note_place(running->module, rt_classify(frame), frame->pc, frame->a[1], frame->a[0]);
    running->module->fault.cause = (uint8_t)frame->cause;
    running->module->fault.vaddr = frame->vaddr;
    unwind(frame, STOP_TRAPPED);
}
