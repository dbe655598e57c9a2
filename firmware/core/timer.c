/* Timers of modules and the ends of grants, on one hardware timer: the microsecond counter's alarm. Takes times, posts
 * events. Everything masked. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"
#include "remote.h"
#include "rt.h"

#define NEVER (~(uint64_t)0)
static uint64_t next_alarm = NEVER, next_expiry = NEVER;

static void set_alarm(uint64_t due)
{
    uint32_t config = TIMG_T0_ENABLE | TIMG_T0_INCREASE | TIMG_T0_LEVEL_INTERRUPT | (uint32_t)APB_MHZ << TIMG_T0_DIVIDER_SHIFT;
    next_alarm = due;
    if (due != NEVER) {
        register_write(TIMG0_BASE + TIMG_T0ALARMLO, (uint32_t)due);
        register_write(TIMG0_BASE + TIMG_T0ALARMHI, (uint32_t)(due >> 32));
        config |= TIMG_T0_ALARM;
    }
    register_write(TIMG0_BASE + TIMG_T0CONFIG, config);
}

void ts_timers_init(void)
{
    rt_clock_microseconds(); /* starts the counter */
    set_alarm(NEVER);
    register_write(DPORT_PRO_INTERRUPT_MAP + 4 * INTERRUPT_SOURCE_TIMG0_T0, INTERRUPT_ALARM);
    register_write(TIMG0_BASE + TIMG_INT_ENA, 1);
}

void ts_timer_earliest(uint64_t due)
{
    if (due < next_expiry) next_expiry = due;
    if (due < next_alarm) set_alarm(due);
}

void ts_timer_set(struct ts_module *module, uint32_t number, uint64_t due, uint32_t period_ms)
{
    struct ts_timer *timer = &module->timers[number];
    /* What was due of the old setting is not delivered any more. */
    module->timers_due &= (uint8_t)~(1u << number);
    if (due == 0) {
        module->timers_on &= (uint8_t)~(1u << number);
        return;
    }
    timer->due_low = (uint32_t)due;
    timer->due_high = (uint32_t)(due >> 32);
    timer->period_ms = period_ms;
    module->timers_on |= (uint8_t)(1u << number);
    if (due < next_alarm) set_alarm(due);
}

/** Fires what is due of one module; gives the earliest time of the rest. */
static uint64_t fire(struct ts_module *module, uint64_t now, uint64_t next)
{
    for (uint32_t on = module->timers_on; on != 0; on &= on - 1) {
        uint32_t number = 31 - clz32(on & -on);
        struct ts_timer *timer = &module->timers[number];
        uint64_t due = (uint64_t)timer->due_high << 32 | timer->due_low;
        if (due <= now) {
            if (number == TS_RESTART_TIMER) ts_post(module, TS_EVENT_START);
            else {
                module->timers_due |= (uint8_t)(1u << number);
                ts_post(module, TS_EVENT_TIMER);
            }
            if (timer->period_ms == 0) {
                module->timers_on &= (uint8_t)~(1u << number);
                continue;
            }
            due += mul32(timer->period_ms, 1000);
            /* A timer that could not be served in time does not fire twice for it. */
            if (due <= now) due = now + mul32(timer->period_ms, 1000);
            timer->due_low = (uint32_t)due;
            timer->due_high = (uint32_t)(due >> 32);
        }
        if (due < next) next = due;
    }
    return next;
}

void ts_timer_interrupt(void)
{
    register_write(TIMG0_BASE + TIMG_INT_CLR, 1);
    uint64_t now = rt_clock_microseconds(), next = NEVER;
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++)
        if (ts_modules[i].timers_on != 0) next = fire(&ts_modules[i], now, next);
    uint64_t remote = ts_remote_tick(now);
    if (remote < next) next = remote;
    if (next_expiry <= now) next_expiry = ts_grants_expire(now);
    set_alarm(next_expiry < next ? next_expiry : next);
}
