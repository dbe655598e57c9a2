/* Chains: an event of a module and the calls made from it, from the first invocation to the last; and what a fault means
 * for a module. Takes modules with events; starts, ends and counts. Knows no request and no device. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"
#include "rt.h"

struct ts_kernel ts_kernel;
struct ts_module ts_modules[TS_MAX_MODULES];

enum {
    CHAIN_BYTES = 224, /* of the module's stack, for ts_chain_begin and what it calls */
    SECOND = 1000000,
    QUIET_SECONDS = 60, /* without fault: the back-off begins anew */
    HOUR_SECONDS = 3600,
    LARGEST_BACKOFF = 6, /* doublings */
};

uint32_t ts_run_event(struct ts_module *module, uint32_t entry, uint32_t a, uint32_t b, uint32_t budget)
{
    struct ts_frame *frame = (struct ts_frame *)(module->sp - sizeof *frame);
    frame->grants = ts_kernel.call_grants;
    frame->service = 0;
    frame->uri = 0;
    frame->caller_index = TS_SYS;
    ts_frame_begin(frame, module, 0, budget);
    uint32_t reason = (uint32_t)(ts_enter(frame, entry, a, b, 0, 0) >> 32);
    ts_frame_end(frame);
    if (reason == STOP_RETURNED) return reason;
    ts_fault(module, reason);
    /* Between invocations: a higher event may come in. */
    ts_let_preempt();
    ts_unlock(0);
    ts_note_frames(module);
    ts_lock();
    return reason;
}

/** One of the things a module has to do. */
static void run_one(struct ts_module *module)
{
    uint32_t events = module->events, budget = module->info->event_deadline_cycles;
    if ((events & TS_EVENT_REPORT) != 0) {
        module->events &= (uint8_t)~TS_EVENT_REPORT;
        ts_run_event(module, (uint32_t)ts_report_faults, 0, 0, budget);
    } else if ((events & TS_EVENT_START) != 0) {
        module->events &= (uint8_t)~TS_EVENT_START;
        ts_start_now(module);
    } else if (module->state != TS_STATE_RUNNING) module->events = 0;
    else if ((events & TS_EVENT_JOB) != 0) {
        module->events &= (uint8_t)~TS_EVENT_JOB;
        ts_run_event(module, (uint32_t)module->job, 0, 0, budget);
    } else if (module->timers_due != 0) {
        uint32_t timer = 31 - clz32(module->timers_due);
        module->timers_due &= (uint8_t)~(1u << timer);
        if (module->timers_due == 0) module->events &= (uint8_t)~TS_EVENT_TIMER;
        ts_run_event(module, module->info->on_timer, timer, 0, budget);
    } else {
        uint32_t index = ts_next_notification(module);
        if (index != 0) ts_run_event(module, (uint32_t)ts_notify_run, index - 1, 0, budget);
        else module->events = 0;
    }
}

_Noreturn void ts_chain_begin(struct ts_module *module)
{
    uint32_t top = module->sp;
    module->sp = top - CHAIN_BYTES;
    if (module->info != 0) run_one(module);
    module->sp = top;
    if (module->info != 0 && module->events != 0) ts_post(module, 0);
    ts_next_chain();
}

static void plan_restart(struct ts_module *module, uint64_t now)
{
    const struct ts_module_info *info = module->info;
    uint32_t now_s = (uint32_t)rt_i64_div_u(now, SECOND);
    if (now_s - module->last_fault_s >= QUIET_SECONDS) module->backoff = 0;
    module->last_fault_s = now_s;
    if (now_s - module->first_restart_s >= HOUR_SECONDS) {
        module->first_restart_s = now_s;
        module->restarts = 0;
    }
    module->restart_ms = 0;
    module->state = TS_STATE_FAILED;
    if (info->restart == TS_RESTART_NEVER) return;
    if (info->max_restarts != 0 && module->restarts >= info->max_restarts) return;
    module->state = TS_STATE_BACKING_OFF;
    module->restarts++;
    module->restart_ms = info->backoff_ms << module->backoff;
    if (module->restart_ms == 0) module->restart_ms = 1;
    if (module->backoff < LARGEST_BACKOFF) module->backoff++;
    ts_timer_set(module, TS_RESTART_TIMER, now + mul32(module->restart_ms, 1000), 0);
}

void ts_fault(struct ts_module *module, uint32_t reason)
{
    if (module->state == TS_STATE_STOPPING) {
        if (module->depth == 0) ts_stopped(module);
        ts_state_settled();
        return;
    }
    /* Outer invocations of a module that has faulted are ended without a second count. */
    if (module->state != TS_STATE_RUNNING && module->state != TS_STATE_STARTING) return;
    uint64_t now = rt_clock_microseconds();
    module->fault.reason = (uint8_t)reason;
    module->fault.time_low = (uint32_t)now;
    module->fault.time_high = (uint32_t)(now >> 32);
    module->fault.pending = 1;
    module->intact = 0;
    ts_module_silence(module);
    if (reason == STOP_EXITED && module->info->restart != TS_RESTART_ALWAYS) module->state = TS_STATE_STOPPED;
    else plan_restart(module, now);
    module->fault_count++;
    ts_doom(module);
    ts_provider_changed(module->index);
    ts_post_report();
    ts_state_settled();
}

void ts_note_place(struct ts_module *module, uint32_t trap_code, uint32_t pc, uint32_t sp, uint32_t return_address)
{
    struct ts_fault *fault = &module->fault;
    /* What ends later in a module that has faulted already is no news. */
    if (module->state != TS_STATE_RUNNING && module->state != TS_STATE_STARTING) return;
    fault->trap_code = (uint8_t)trap_code;
    fault->cause = 0;
    fault->vaddr = 0;
    fault->frames[0] = pc;
    fault->count = pc != 0;
    fault->noted = 0;
    fault->sp = sp;
    fault->return_address = return_address;
}

void ts_note_frames(struct ts_module *module)
{
    struct ts_fault *fault = &module->fault;
    uint32_t count = 1;
    if (fault->noted) return;
    struct rt_walk walk = {.pc = fault->frames[0], .sp = fault->sp, .return_address = fault->return_address};
    walk.saved = fault->trap_code != TRAP_STACK_OVERFLOW;
    walk.stack_bottom = module->info->stack_bottom;
    walk.stack_top = module->info->stack_top;
    while (fault->count != 0 && count < TS_FAULT_FRAMES && rt_step_out(&walk) && rt_find_module(walk.pc - 1) != 0)
        fault->frames[count++] = walk.pc;
    if (fault->count != 0) fault->count = (uint8_t)count;
    fault->noted = 1;
}

void ts_doom(struct ts_module *module)
{
    struct ts_frame *frame = ts_kernel.frame;
    uint32_t other = 0;
    do {
        for (; frame != 0; frame = frame->caller)
            if (frame->module == module) frame->doomed = 1;
    } while (ts_other_chain(&other, &frame));
}

_Noreturn void ts_trap_caller(uint32_t trap_code, uint32_t return_address, uint32_t sp)
{
    ts_lock();
    struct ts_frame *frame = ts_kernel.frame;
    ts_note_place(frame->module, trap_code, return_address, sp, 0);
    ts_leave(frame->saved_sp, STOP_TRAPPED);
}

_Noreturn void ts_abandon(uint32_t reason)
{
    ts_lock();
    struct ts_frame *frame = ts_kernel.frame;
    ts_note_place(frame->module, TRAP_NONE, (uint32_t)__builtin_return_address(0), (uint32_t)__builtin_dwarf_cfa(), 0);
    ts_leave(frame->saved_sp, reason);
}
