/* Keeps out what must not run for a while, e.g. what lives in flash while the flash is busy: raises the scheduler's
 * ceiling and postpones the end of the running invocation. Knows no flash commands. */
#include "chain.h"
#include "flash.h"

enum { DROM_START = 0x3f400000, DROM_END = 0x3f800000, IROM_START = 0x400c2000, IROM_END = 0x40c00000 };

static int in_flash(uint32_t address)
{
    return (address >= DROM_START && address < DROM_END) || (address >= IROM_START && address < IROM_END);
}

/** Its code, constants or descriptors need the cache. Descriptors of a module are together, in RAM or in flash. */
static int needs_flash(const struct ts_module_info *info)
{
    const struct wasm_module *wasm = info->wasm;
    return in_flash((uint32_t)info) || in_flash(info->data_load) || in_flash((uint32_t)wasm) ||
           (wasm != 0 && wasm->func_count != 0 && in_flash(wasm->funcs[0].start));
}

uint32_t ts_hold_level(uint32_t level)
{
    uint32_t ps = ts_lock();
    uint32_t state = ts_kernel.ceiling | (ts_kernel.held != 0 ? 0x100u : 0);
    if (ts_kernel.ceiling < level) ts_kernel.ceiling = (uint8_t)level;
    if (ts_kernel.held == 0) ts_kernel.held = ts_current_frame;
    ts_unlock(ps);
    return state;
}

uint32_t ts_out_of_reach;

/** What the fault handler may look at meanwhile, and what it looked at before. */
static const struct wasm_module *within_reach[TS_MAX_MODULES];
static const struct wasm_module *const *all_modules;
static uint32_t all_count;

void ts_flash_goes(void)
{
    uint32_t mask = 0, count = 0;
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) {
        const struct ts_module_info *info = ts_modules[i].info;
        if (info == 0) continue;
        if (needs_flash(info)) mask |= 1u << i;
        else if (info->wasm != 0) within_reach[count++] = info->wasm;
    }
    uint32_t ps = ts_lock();
    all_modules = rt_mailbox.modules;
    all_count = rt_mailbox.module_count;
    rt_mailbox.modules = within_reach;
    rt_mailbox.module_count = count;
    ts_out_of_reach = mask;
    ts_unlock(ps);
}

void ts_flash_comes(void)
{
    uint32_t ps = ts_lock();
    ts_out_of_reach = 0;
    rt_mailbox.modules = all_modules;
    rt_mailbox.module_count = all_count;
    ts_unlock(ps);
}

uint32_t ts_hold(void)
{
    uint32_t level = 0;
    for (uint32_t i = 0; i < TS_MAX_MODULES; i++) {
        const struct ts_module_info *info = ts_modules[i].info;
        if (info != 0 && ts_modules[i].ceiling > level && needs_flash(info)) level = ts_modules[i].ceiling;
    }
    return ts_hold_level(level);
}

void ts_release(uint32_t state)
{
    uint32_t ps = ts_lock();
    ts_kernel.ceiling = (uint8_t)state;
    if ((state & 0x100) == 0) {
        ts_kernel.held = 0;
        /* The end of the invocation may have been waiting. */
        struct ts_frame *frame = ts_kernel.frame;
        if (frame != 0) {
            int32_t left = (int32_t)(frame->deadline - (ts_cycles() - ts_kernel.clock_offset));
            ts_alarm_in(left < TS_LEAST_CYCLES ? TS_LEAST_CYCLES : (uint32_t)left);
            if (frame->doomed) __asm__ volatile("wsr %0, intset\n\trsync" : : "a"(1u << INTERRUPT_SOFTWARE));
        }
    }
    ts_let_preempt();
    ts_unlock(ps);
}
