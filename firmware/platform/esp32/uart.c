/* UART0 as the mask ROM left it (115200 8N1): polled bytes in and out, unless somebody else has taken it over (the frames of
 * remote IMC). Knows no lines and no end of file. */
#include "esp32.h"
#include "runtime.h"

const struct rt_uart_user *rt_uart_user;

static uint32_t transmit_count(void) { return (register_read(UART0_STATUS) >> 16) & 0xff; }

void rt_uart_write(const uint8_t *bytes, uint32_t n)
{
    if (rt_uart_user != 0) {
        rt_uart_user->write(bytes, n);
        return;
    }
    for (; n != 0; n--) {
        while (transmit_count() >= UART_FIFO_BYTES - 2) {}
        register_write(UART0_FIFO_AHB, *bytes++);
    }
}

void rt_uart_flush(void)
{
    if (rt_uart_user != 0) rt_uart_user->flush();
    while (transmit_count() != 0) {}
}

uint32_t rt_uart_available(void)
{
    return rt_uart_user != 0 ? rt_uart_user->available() : register_read(UART0_STATUS) & 0xff;
}

uint32_t rt_uart_read(void)
{
    if (rt_uart_user != 0) return rt_uart_user->read();
    while (rt_uart_available() == 0) {}
    /* An interrupt in the middle of the read can pop the FIFO twice (erratum CPU-3.21). */
    uint32_t ps, byte;
    __asm__ volatile("rsil %0, 3" : "=a"(ps));
    byte = register_read(UART0_FIFO) & 0xff;
    __asm__ volatile("wsr %0, ps\n\trsync" : : "a"(ps));
    return byte;
}
