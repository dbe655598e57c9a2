/* GPIO pins: level, direction, pulls, and edges that observers of a pin are told of. Knows which pins belong to the flash
 * and the console. */
#include "drivers.h"
#include "esp32.h"

enum {
    PINS = 40,
    FIRST_INPUT_ONLY = 34,
    CPU_INTERRUPT = 12, /* level 1, level-triggered */
    PIN_ANY_EDGE = 3 << 7,
    PIN_INTERRUPT_PRO = 4 << 13,
    MUX_GPIO = 2 << 12,
    MUX_DRIVE = 2 << 10,
    MUX_INPUT = 1 << 9,
    MUX_PULL_UP = 1 << 8,
    MUX_PULL_DOWN = 1 << 7,
    OUTPUT_OF_GPIO = 256, /* signal of the matrix: the OUT register */
};

/** Offsets of the pads in IO_MUX; 0: no such pin, or not ours: 1 and 3 are the console, 6 to 11 the flash. */
static const uint8_t PAD[PINS] = {
    0x44, 0,    0x40, 0,    0x48, 0x6c, 0,    0,    0, 0, 0, 0,    0x34, 0x38, 0x30, 0x3c, 0x4c, 0x50, 0x70, 0x74,
    0,    0x7c, 0x80, 0x8c, 0,    0x24, 0x28, 0x2c, 0, 0, 0, 0,    0x1c, 0x20, 0x14, 0x18, 0x04, 0x08, 0x0c, 0x10,
};

/** Pin of the request, or -1. */
static int32_t pin_of_request(void)
{
    int32_t pin = ts_path_number(0);
    return pin >= 0 && pin < PINS && PAD[pin] != 0 ? pin : -1;
}

/** A register of pins 0-31 or its like of pins 32-39, `step` bytes on. */
static uint32_t bank(uint32_t first, uint32_t step, uint32_t pin) { return first + (pin >= 32 ? step : 0); }

uint32_t ts_gpio_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    int32_t pin = pin_of_request();
    if (pin < 0) return TS_NOT_FOUND;
    if (capacity < 1) return TS_REQUEST_ENTITY_TOO_LARGE;
    *(uint8_t *)response = (uint8_t)(register_read(bank(GPIO_IN, 4, (uint32_t)pin)) >> (pin & 31) & 1);
    return ts_result(TS_CONTENT, 1);
}

static void set_pulls(uint32_t pin, uint32_t pulls)
{
    uint32_t pad = IO_MUX_BASE + PAD[pin];
    register_write(pad, (register_read(pad) & ~(uint32_t)(7 << 12 | MUX_PULL_UP | MUX_PULL_DOWN)) | MUX_GPIO | MUX_INPUT | pulls);
}

static void make_output(uint32_t pin)
{
    register_write(IO_MUX_BASE + PAD[pin], MUX_GPIO | MUX_DRIVE | MUX_INPUT);
    register_write(GPIO_FUNC_OUT_SEL + 4 * pin, OUTPUT_OF_GPIO);
    register_write(bank(GPIO_ENABLE_W1TS, 0x0c, pin), 1u << (pin & 31));
}

static void watch(uint32_t pin)
{
    register_write(DPORT_PRO_INTR_MAP + 4 * SOURCE_GPIO, CPU_INTERRUPT);
    register_write(GPIO_PIN + 4 * pin, PIN_ANY_EDGE | PIN_INTERRUPT_PRO);
    uint32_t ps = ts_lock(), enable;
    __asm__ volatile("rsr %0, intenable\n\tor %0, %0, %1\n\twsr %0, intenable\n\trsync" : "=&a"(enable) : "a"(1u << CPU_INTERRUPT));
    ts_unlock(ps);
}

/** Four characters as a word, for comparing short texts. */
#define WORD(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

/** "0", "1", "in", "out", "up", "down", "none" (pulls), "edge" (observers are told of every change). */
uint32_t ts_gpio_put(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    int32_t number = pin_of_request();
    if (number < 0) return TS_NOT_FOUND;
    uint32_t pin = (uint32_t)number, bit = 1u << (pin & 31), word = 0;
    if (bytes > 4) return TS_BAD_REQUEST;
    for (uint32_t i = 0; i < bytes; i++) word |= (uint32_t)((const uint8_t *)payload)[i] << 8 * i;
    int input_only = pin >= FIRST_INPUT_ONLY;
    switch (word) {
    case WORD('0', 0, 0, 0): register_write(bank(GPIO_OUT_W1TC, 0x0c, pin), bit); break;
    case WORD('1', 0, 0, 0): register_write(bank(GPIO_OUT_W1TS, 0x0c, pin), bit); break;
    case WORD('i', 'n', 0, 0):
        register_write(bank(GPIO_ENABLE_W1TC, 0x0c, pin), bit);
        set_pulls(pin, 0);
        break;
    case WORD('o', 'u', 't', 0):
        if (input_only) return TS_FORBIDDEN;
        make_output(pin);
        break;
    case WORD('u', 'p', 0, 0):
    case WORD('d', 'o', 'w', 'n'):
        if (input_only) return TS_FORBIDDEN;
        set_pulls(pin, (word & 0xff) == 'u' ? MUX_PULL_UP : MUX_PULL_DOWN);
        break;
    case WORD('n', 'o', 'n', 'e'): set_pulls(pin, 0); break;
    case WORD('e', 'd', 'g', 'e'): watch(pin); break;
    default: return TS_BAD_REQUEST;
    }
    return TS_CHANGED;
}

/** Masked, on the exception stack. */
static void tell(uint32_t pin)
{
    char path[] = "dev/gpio/00";
    uint32_t n = 9;
    if (pin >= 10) path[n++] = (char)('0' + pin / 10);
    path[n++] = (char)('0' + pin % 10);
    ts_changed(TS_DEV, path, n);
}

void ts_device_interrupt(uint32_t pending)
{
    if ((pending & 1u << CPU_INTERRUPT) == 0) return;
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t status = register_read(GPIO_STATUS + 0x0c * half);
        register_write(GPIO_STATUS_W1TC + 0x0c * half, status);
        for (uint32_t pin = 32 * half; status != 0; pin++, status >>= 1)
            if ((status & 1) != 0) tell(pin);
    }
}
