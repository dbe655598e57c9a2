/* UART0 as the mask ROM left it (115200 8N1): polled bytes in and out. Knows no lines and no end of file. */
#include "esp32.h"
#include "runtime.h"

static uint32_t transmit_count(void) { return (register_read(UART0_STATUS) >> 16) & 0xff; }

void rt_uart_write(const uint8_t *bytes, uint32_t n)
{
    for (; n != 0; n--) {
        while (transmit_count() >= UART_FIFO_BYTES - 2) {}
        register_write(UART0_FIFO_AHB, *bytes++);
    }
}

void rt_uart_flush(void)
{
    while (transmit_count() != 0) {}
}

uint32_t rt_uart_available(void) { return register_read(UART0_STATUS) & 0xff; }

uint32_t rt_uart_read(void)
{
    while (rt_uart_available() == 0) {}
    /* An interrupt in the middle of the read can pop the FIFO twice (erratum CPU-3.21). */
    uint32_t ps, byte;
    __asm__ volatile("rsil %0, 3" : "=a"(ps));
    byte = register_read(UART0_FIFO) & 0xff;
    __asm__ volatile("wsr %0, ps\n\trsync" : : "a"(ps));
    return byte;
}
