/* Invocations: entering compiled code with a deadline, and the mailbox through which a host asks for one. */
#include "runtime.h"

struct rt_mailbox rt_mailbox;
struct rt_invocation *rt_current_invocation;

/** Longest time the timer is armed for at once, well below the wrap of CCOUNT. */
#define LONGEST_SLICE 0x40000000u

static uint32_t next_slice(struct rt_invocation *invocation)
{
    uint32_t slice = invocation->remaining > LONGEST_SLICE ? LONGEST_SLICE : (uint32_t)invocation->remaining;
    invocation->remaining -= slice;
    return slice;
}

/** Interrupt of the deadline timer: true if the running invocation's time is over. */
int rt_deadline_interrupt(void)
{
    struct rt_invocation *invocation = rt_current_invocation;
    if (invocation == 0 || !invocation->has_deadline) {
        rt_timer_disarm();
        return 0;
    }
    if (invocation->remaining == 0) {
        rt_timer_disarm();
        return 1;
    }
    rt_timer_arm(next_slice(invocation));
    return 0;
}

uint32_t rt_invoke(uint32_t entry, const uint32_t *args, uint32_t arg_count, uint32_t *results, uint32_t result_count,
                   uint64_t budget)
{
    struct rt_invocation invocation;
    invocation.remaining = budget;
    invocation.has_deadline = budget != 0;
    struct wasm_stop *stop = &rt_mailbox.stop;
    stop->reason = STOP_RETURNED;
    stop->trap_code = TRAP_NONE;
    stop->pc = 0;
    stop->exit_code = 0;
    stop->backtrace_count = 0;
    uint32_t begin = rt_cycle_count();
    if (invocation.has_deadline) rt_timer_arm(next_slice(&invocation));
    uint32_t reason = rt_enter(&invocation, entry, args, arg_count, results, result_count);
    if (invocation.has_deadline) rt_timer_disarm();
    rt_mailbox.cycles_low = rt_cycle_count() - begin;
    stop->reason = reason;
    return reason;
}

void rt_serve_mailbox(void)
{
    if (&ts_boot_table != 0) {
        ts_boot_table.kernel->serve_mailbox();
        return;
    }
    /* The host may have come while an earlier invocation was still running. */
    rt_current_invocation = 0;
    rt_timer_disarm();
    rt_mailbox.state = MAILBOX_RUNNING;
    rt_invoke(rt_mailbox.entry, rt_mailbox.args, rt_mailbox.arg_count, rt_mailbox.results, rt_mailbox.result_count,
              (uint64_t)rt_mailbox.budget_high << 32 | rt_mailbox.budget_low);
    rt_mailbox.state = MAILBOX_IDLE;
}
