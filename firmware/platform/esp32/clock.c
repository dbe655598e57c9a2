/* Time and chance: a free-running microsecond counter (timer 0 of TIMG0), CCOUNT, the deadline interrupt (CCOMPARE0) and
 * the hardware random number generator. Knows no Wasm. */
#include "esp32.h"
#include "runtime.h"

uint64_t rt_clock_microseconds(void)
{
    if ((register_read(TIMG0_BASE + TIMG_T0CONFIG) & TIMG_T0_ENABLE) == 0)
        register_write(TIMG0_BASE + TIMG_T0CONFIG,
                       TIMG_T0_ENABLE | TIMG_T0_INCREASE | (uint32_t)APB_MHZ << TIMG_T0_DIVIDER_SHIFT);
    register_write(TIMG0_BASE + TIMG_T0UPDATE, 1);
    uint32_t low = register_read(TIMG0_BASE + TIMG_T0LO);
    return (uint64_t)register_read(TIMG0_BASE + TIMG_T0HI) << 32 | low;
}

uint32_t rt_cycle_count(void)
{
    uint32_t count;
    __asm__ volatile("rsr %0, ccount" : "=a"(count));
    return count;
}

void rt_timer_arm(uint32_t cycles)
{
    uint32_t enable;
    /* Writing CCOMPARE0 clears a pending interrupt. */
    __asm__ volatile("wsr %1, ccompare0\n\t"
                     "esync\n\t"
                     "rsr %0, intenable\n\t"
                     "or %0, %0, %2\n\t"
                     "wsr %0, intenable\n\t"
                     "rsync"
                     : "=&a"(enable)
                     : "a"(rt_cycle_count() + cycles), "a"(1u << INTERRUPT_CCOMPARE0));
}

void rt_timer_disarm(void)
{
    __asm__ volatile("wsr %0, intenable\n\trsync" : : "a"(0));
}

uint32_t rt_random(void) { return register_read(WDEV_RND); }
