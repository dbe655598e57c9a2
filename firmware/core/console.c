/* Text on the console. Knows no format strings, so that no more code is linked than is used. */
#include "runtime.h"

void rt_console_write(const void *text, uint32_t n) { rt_uart_write(text, n); }

void rt_print(const char *text)
{
    const char *end = text;
    while (*end != 0) end++;
    rt_console_write(text, (uint32_t)(end - text));
}

void rt_print_hex(uint32_t value, uint32_t digits)
{
    while (digits-- != 0) {
        uint32_t digit = (value >> (4 * digits)) & 15;
        uint8_t c = (uint8_t)(digit < 10 ? '0' + digit : 'a' + digit - 10);
        rt_console_write(&c, 1);
    }
}

void rt_print_decimal(uint32_t value)
{
    uint8_t text[10];
    uint32_t at = sizeof text;
    do {
        text[--at] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    rt_console_write(text + at, sizeof text - at);
}
