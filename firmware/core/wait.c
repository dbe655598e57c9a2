/* Chains that wait for an answer from outside: they leave the processor to all others. Their modules are busy meanwhile, calls
 * to them give 5.03 and their events wait. Waiting takes none of the invocation's CPU time. Everything masked; knows no message.
 *
 * Grants of calls are a stack. A chain that holds none is light: it may leave whomever it has preempted, and goes on like
 * an event of its level. One that holds some leaves only if it has preempted nobody, and goes on when nobody else is in the
 * middle of something, the last one first; otherwise it sleeps where it is, and only what is above its ceiling runs. */
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

/** Is the invocation that is not to be ended one of this chain? */
static int holds(const struct ts_frame *frame)
{
    while (frame != 0 && frame->serial != ts_kernel.held) frame = frame->caller;
    return frame != 0;
}

static int is_light(const struct ts_frame *frame)
{
    while (frame->caller != 0) frame = frame->caller;
    return frame->grants == ts_kernel.call_grants;
}

/** Sleeps in the middle of the chain; nobody ends the invocation meanwhile. */
static void sleep_here(const volatile uint8_t *done)
{
    struct ts_frame *frame = ts_kernel.frame;
    uint32_t clock = ts_cycles() - ts_kernel.clock_offset, held = ts_kernel.held;
    ts_kernel.held = frame->serial;
    while (!*done && !frame->doomed) {
        __asm__ volatile("waiti 0" : : : "memory");
        ts_lock();
    }
    ts_kernel.held = held;
    ts_kernel.clock_offset = ts_cycles() - clock;
    arm(frame);
}

int ts_wait(const volatile uint8_t *done)
{
    struct ts_frame *frame = ts_kernel.frame;
    if (frame == 0 || holds(frame)) return 0;
    int is_event = ts_kernel.level != TS_BASE_LEVEL, light = is_event && is_light(frame);
    int alone = is_event && ts_kernel.preempted == 1 && ts_contexts[0].frame == 0;
    if ((!alone && !light) || ts_kernel.waiting == TS_MAX_WAITERS) {
        sleep_here(done);
        return 1;
    }
    struct ts_waiter *waiter = &ts_waiters[ts_kernel.waiting++];
    waiter->done = done;
    waiter->frame = frame;
    waiter->clock = ts_cycles() - ts_kernel.clock_offset;
    waiter->ceiling = ts_kernel.ceiling;
    waiter->level = ts_kernel.level;
    waiter->light = (uint8_t)light;
    ts_kernel.busy |= (uint16_t)modules_of(frame);
    ts_find_ready();
    /* Others may move it in the table, but not before its registers are away. */
    ts_switch_out(&waiter->sp);
    return 1;
}

static int doomed(const struct ts_frame *frame)
{
    while (frame != 0 && !frame->doomed) frame = frame->caller;
    return frame != 0;
}

static int is_over(const struct ts_waiter *waiter) { return *waiter->done || doomed(waiter->frame); }

uint32_t ts_waiter_level(void)
{
    uint32_t level = 0;
    for (uint32_t i = 0; i < ts_kernel.waiting; i++) {
        const struct ts_waiter *waiter = &ts_waiters[i];
        if (waiter->light && waiter->level > level && is_over(waiter)) level = waiter->level;
    }
    return level;
}

void ts_wait_done(void)
{
    if (ts_kernel.waiting == 0) return;
    ts_find_ready();
    ts_let_preempt();
}

uint32_t ts_waiter_next(uint32_t ceiling, int alone)
{
    uint32_t best = 0, level = ceiling;
    for (uint32_t i = ts_kernel.waiting; i != 0; i--) {
        const struct ts_waiter *waiter = &ts_waiters[i - 1];
        int may = waiter->light || alone;
        /* Of those that hold grants, the last one only. */
        if (!waiter->light) alone = 0;
        if (!may || waiter->level <= level || waiter->level < ts_kernel.ready || !is_over(waiter)) continue;
        level = waiter->level;
        best = i;
    }
    return best;
}

uint32_t ts_wait_over(uint32_t number)
{
    struct ts_waiter waiter = ts_waiters[number];
    ts_kernel.waiting--;
    for (uint32_t i = number; i < ts_kernel.waiting; i++) ts_waiters[i] = ts_waiters[i + 1];
    struct ts_frame *frame = waiter.frame;
    ts_kernel.busy &= (uint16_t)~modules_of(frame);
    /* The stack of grants is another one by now. */
    if (waiter.light)
        for (struct ts_frame *each = frame; each != 0; each = each->caller) each->grants = ts_kernel.call_grants;
    ts_kernel.frame = frame;
    ts_kernel.module = frame->module;
    ts_kernel.ceiling = waiter.ceiling;
    ts_kernel.level = waiter.level;
    ts_kernel.clock_offset = ts_cycles() - waiter.clock;
    ts_current_frame = frame->serial;
    ts_current_module = frame->module->index;
    ts_find_ready();
    arm(frame);
    return waiter.sp;
}
