/* UART0 as a line of slipmux frames and console: its interrupt, and what the runtime's console is then. Takes and gives
 * bytes by receive.c and transmit.c. */
#include "chain.h"
#include "remote.h"
#include "rt.h"

enum {
    RX_THRESHOLD = 100, /* of 128: the interrupt may be late by 28 characters */
    TX_THRESHOLD = 16,
};

void ts_uart_interrupt(void)
{
    ts_rx_drain();
    if ((register_read(UART0_INT_ST) & UART_INT_TX_EMPTY) != 0) {
        ts_tx_fill();
        register_write(UART0_INT_CLR, UART_INT_TX_EMPTY);
    }
}

static uint32_t text_available(void)
{
    uint32_t ps = ts_lock();
    ts_rx_drain();
    ts_unlock(ps);
    return ts_rx_text();
}

static uint32_t read_text(void)
{
    while (text_available() == 0) {}
    uint32_t ps = ts_lock(), byte = ts_rx_text_take();
    ts_unlock(ps);
    return byte;
}

static const struct rt_uart_user CONSOLE = {
    .write = ts_tx_text, .flush = ts_tx_flush, .available = text_available, .read = read_text};

static void set_baud(uint32_t baud)
{
    enum { SENDING = 0xf << 24 };
    uint32_t sixteenths = div32(16u * APB_MHZ * 1000000u, baud);
    /* The last character is out of the FIFO, but not on its way yet. */
    while ((register_read(UART0_STATUS) & SENDING) != 0) {}
    register_write(UART0_CLKDIV, sixteenths >> 4 | (sixteenths & 15) << 20);
}

void ts_link_start(void)
{
    rt_uart_flush();
    if (ts_boot_table.console_baud != 0) set_baud(ts_boot_table.console_baud);
    rt_uart_user = &CONSOLE;
    register_write(DPORT_PRO_INTR_MAP + 4 * SOURCE_UART0, INTERRUPT_UART);
    register_write(UART0_CONF1, RX_THRESHOLD | TX_THRESHOLD << 8 | 2 << 24 | 1u << 31);
    register_write(UART0_INT_CLR, UART_INT_RX_FULL | UART_INT_RX_OVERFLOW | UART_INT_RX_TIMEOUT | UART_INT_TX_EMPTY);
    register_write(UART0_INT_ENA, UART_INT_RX_FULL | UART_INT_RX_TIMEOUT);
    uint32_t enable;
    __asm__ volatile("rsr %0, intenable\n\tor %0, %0, %1\n\twsr %0, intenable\n\trsync" : "=&a"(enable) : "a"(1u << INTERRUPT_UART));
}
