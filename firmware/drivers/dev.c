/* The native module "dev": table of the device drivers' services, and what they share. Drivers are called like any other
 * module: each has a contract and a deadline, and one that hangs or faults is ended and started again. */
#include "drivers.h"

enum { STACK_BYTES = 1024 };
static uint8_t stack[STACK_BYTES] __attribute__((aligned(16)));

int32_t ts_path_number(uint32_t index)
{
    char text[4];
    int32_t length = ts_path_parameter(index, text, sizeof text), value = 0;
    if (length <= 0 || length > 3) return -1;
    for (int32_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static uint32_t clock_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    if (capacity < 8) return TS_REQUEST_ENTITY_TOO_LARGE;
    uint64_t now = rt_clock_microseconds();
    for (uint32_t i = 0; i < 8; i++) ((uint8_t *)response)[i] = (uint8_t)(now >> 8 * i);
    return ts_result(TS_CONTENT, 8);
}

/** As many random bytes as there is room for, at most 64. */
static uint32_t random_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    uint32_t n = capacity < 64 ? capacity : 64, word = 0;
    for (uint32_t i = 0; i < n; i++) {
        if ((i & 3) == 0) word = rt_random();
        ((uint8_t *)response)[i] = (uint8_t)(word >> 8 * (i & 3));
    }
    return ts_result(TS_CONTENT, n);
}

/** A line of text with the name of the module that sends it. */
static uint32_t console_post(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    rt_print(ts_modules[ts_caller_module()].info->name);
    rt_print(": ");
    rt_console_write((const void *)payload, bytes);
    if (bytes == 0 || ((const char *)payload)[bytes - 1] != '\n') rt_print("\n");
    return TS_CHANGED;
}

/** Bytes that have come in, as many as there is room for; none is no error. */
static uint32_t uart_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    if (ts_path_number(0) != 0) return TS_NOT_FOUND;
    uint32_t n = 0;
    while (n < capacity && rt_uart_available() != 0) ((uint8_t *)response)[n++] = (uint8_t)rt_uart_read();
    return ts_result(TS_CONTENT, n);
}

static uint32_t uart_post(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    if (ts_path_number(0) != 0) return TS_NOT_FOUND;
    rt_uart_write((const uint8_t *)payload, bytes);
    return TS_CHANGED;
}

TS_TYPE(LEVEL, TS_PAYLOAD_BYTES, 1, 1);
TS_TYPE(COMMAND, TS_PAYLOAD_UTF8, 1, 8);
TS_TYPE(EIGHT, TS_PAYLOAD_BYTES, 8, 8);
TS_TYPE(RANDOM, TS_PAYLOAD_BYTES, 0, 64);
TS_TYPE(LINE, TS_PAYLOAD_UTF8, 0, 256);
TS_TYPE(SERIAL, TS_PAYLOAD_BYTES, 0, 1024);
TS_TYPE(WIRE, TS_PAYLOAD_BYTES, 0, TS_I2C_BYTES);
static TS_CONTRACT(GPIO_GET, 0, &LEVEL, 1);
static TS_CONTRACT(GPIO_PUT, &COMMAND, 0, 1);
static TS_CONTRACT(CLOCK_GET, 0, &EIGHT, 1);
static TS_CONTRACT(RANDOM_GET, 0, &RANDOM, 1);
static TS_CONTRACT(CONSOLE_POST, &LINE, 0, 40); /* at 115200 baud, 86 us a byte */
static TS_CONTRACT(UART_GET, 0, &SERIAL, 5);
static TS_CONTRACT(UART_POST, &SERIAL, 0, 120);
static TS_CONTRACT(I2C_READ, 0, &WIRE, 10); /* at 100 kHz, 90 us a byte */
static TS_CONTRACT(I2C_WRITE, &WIRE, 0, 10);
static TS_CONTRACT(I2C_BOTH, &WIRE, &WIRE, 20);

static const struct ts_service SERVICES[] = {
    TS_SERVICE("dev/gpio/{pin}", TS_GET, ts_gpio_get, GPIO_GET, ";obs", 1),
    TS_SERVICE("dev/gpio/{pin}", TS_PUT, ts_gpio_put, GPIO_PUT, "", 0),
    TS_SERVICE("dev/clock", TS_GET, clock_get, CLOCK_GET, "", 0),
    TS_SERVICE("dev/random", TS_GET, random_get, RANDOM_GET, "", 0),
    TS_SERVICE("dev/console", TS_POST, console_post, CONSOLE_POST, "", 0),
    TS_SERVICE("dev/uart/{port}", TS_GET, uart_get, UART_GET, "", 0),
    TS_SERVICE("dev/uart/{port}", TS_POST, uart_post, UART_POST, "", 0),
    TS_SERVICE("dev/i2c/{bus}/{address}", TS_GET, ts_i2c_read, I2C_READ, "", 0),
    TS_SERVICE("dev/i2c/{bus}/{address}", TS_PUT, ts_i2c_write, I2C_WRITE, "", 0),
    TS_SERVICE("dev/i2c/{bus}/{address}", TS_POST, ts_i2c_transfer, I2C_BOTH, "", 0),
};

const struct ts_module_info ts_dev_info = {
    .os_abi_version = TS_OS_ABI_VERSION,
    .name = "dev",
    .version = "1.0.0",
    .restart = TS_RESTART_ALWAYS,
    .backoff_ms = 1,
    .stack_bottom = (uint32_t)stack,
    .stack_top = (uint32_t)(stack + STACK_BYTES),
    .services = SERVICES,
    .service_count = sizeof SERVICES / sizeof SERVICES[0],
    .start_deadline_cycles = TS_MILLISECONDS(10),
    .event_deadline_cycles = TS_MILLISECONDS(10),
};
