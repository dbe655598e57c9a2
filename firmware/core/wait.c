/* Chains that wait for an answer from outside. A chain that has preempted nobody leaves the processor to all others: its modules
 * are busy meanwhile, calls to them give 5.03 and their events wait. One that has preempted others sleeps where it is, and
 * only events above its ceiling run. Waiting takes none of the invocation's CPU time. Everything masked; knows no message.
 *
 * Grants of calls are a stack, so chains that have left go on in the opposite order of their leaving, and only when no
 * other chain is in the middle of something. */
#include "chain.h"
#include "lifecycle.h"

struct ts_waiter ts_waiters[TS_MAX_WAITERS];

int ts_other_chain(uint32_t *next, struct ts_frame **frame)
{
    while (*next < (uint32_t)ts_kernel.preempted + ts_kernel.waiting) {
        uint32_t i = (*next)++;
        *frame = i < ts_kernel.preempted ? ts_contexts[i].frame : ts_waiters[i - ts_kernel.preempted].frame;
        if (*frame != 0) return 1;
    }
    return 0;
}

static uint32_t modules_of(const struct ts_frame *frame)
{
    uint32_t modules = 0;
    for (; frame != 0; frame = frame->caller) modules |= 1u << frame->module->index;
    return modules;
}

static void arm(const struct ts_frame *frame)
{
    int32_t left = (int32_t)(frame->deadline - (ts_cycles() - ts_kernel.clock_offset));
    ts_alarm_in(left < TS_LEAST_CYCLES ? TS_LEAST_CYCLES : (uint32_t)left);
}

/** Sleeps in the middle of the chain; nobody ends the invocation meanwhile. */
static void sleep_here(const volatile uint8_t *done)
{
    struct ts_frame *frame = ts_kernel.frame;
    uint32_t clock = ts_cycles() - ts_kernel.clock_offset;
    ts_kernel.held = frame->serial;
    while (!*done && !frame->doomed) {
        __asm__ volatile("waiti 0" : : : "memory");
        ts_lock();
    }
    ts_kernel.held = 0;
    ts_kernel.clock_offset = ts_cycles() - clock;
    arm(frame);
}

int ts_wait(const volatile uint8_t *done)
{
    if (ts_kernel.frame == 0 || ts_kernel.held != 0) return 0;
    int alone = ts_kernel.preempted == 1 && ts_contexts[0].frame == 0 && ts_kernel.level != TS_BASE_LEVEL;
    if (!alone || ts_kernel.waiting == TS_MAX_WAITERS) {
        sleep_here(done);
        return 1;
    }
    struct ts_waiter *waiter = &ts_waiters[ts_kernel.waiting++];
    waiter->done = done;
    waiter->frame = ts_kernel.frame;
    waiter->clock = ts_cycles() - ts_kernel.clock_offset;
    waiter->ceiling = ts_kernel.ceiling;
    waiter->level = ts_kernel.level;
    ts_kernel.busy |= (uint16_t)modules_of(waiter->frame);
    ts_find_ready();
    ts_switch_out(&waiter->sp);
    return 1;
}

static int doomed(const struct ts_frame *frame)
{
    while (frame != 0 && !frame->doomed) frame = frame->caller;
    return frame != 0;
}

int ts_waiter_ready(void)
{
    if (ts_kernel.waiting == 0) return 0;
    const struct ts_waiter *waiter = &ts_waiters[ts_kernel.waiting - 1];
    return waiter->level >= ts_kernel.ready && (*waiter->done || doomed(waiter->frame));
}

uint32_t ts_wait_over(void)
{
    struct ts_waiter *waiter = &ts_waiters[--ts_kernel.waiting];
    struct ts_frame *frame = waiter->frame;
    waiter->frame = 0;
    ts_kernel.busy &= (uint16_t)~modules_of(frame);
    ts_kernel.frame = frame;
    ts_kernel.module = frame->module;
    ts_kernel.ceiling = waiter->ceiling;
    ts_kernel.level = waiter->level;
    ts_kernel.clock_offset = ts_cycles() - waiter->clock;
    ts_current_frame = frame->serial;
    ts_current_module = frame->module->index;
    ts_find_ready();
    arm(frame);
    return waiter->sp;
}
