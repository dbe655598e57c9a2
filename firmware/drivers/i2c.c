/* I2C masters 0 and 1: transfers of up to 31 bytes each way, 100 kHz, in one transaction with a repeated start. Waits for
 * the controller without a limit of its own: the deadline of the service is the limit. Each transfer begins with a reset of
 * the controller, whatever the one before left behind. Knows no device on the bus. */
#include "drivers.h"
#include "esp32.h"

enum { RSTART = 0, WRITE = 1, READ = 2, STOP = 3 };
#define COMMAND(op, bytes) ((uint32_t)(op) << 11 | (uint32_t)(bytes))
#define ACK_CHECKED (1u << 8)
#define NACK_SENT (1u << 10)

struct bus {
    uint32_t base, fifo; /* the FIFO is written by its AHB address */
    uint32_t reset_bit;
    uint8_t sda, scl, sda_pad, scl_pad, sda_signal, scl_signal;
};

static const struct bus BUSES[] = {
    {0x3ff53000, 0x6001301c, 1u << 7, 21, 22, 0x7c, 0x80, 30, 29},
    {0x3ff67000, 0x6002701c, 1u << 18, 18, 19, 0x70, 0x74, 96, 95},
};

/** Bus of the request, or null. */
static const struct bus *bus_of_request(void)
{
    int32_t number = ts_path_number(0);
    return number == 0 || number == 1 ? &BUSES[number] : 0;
}

static void connect(uint32_t pin, uint32_t pad, uint32_t signal)
{
    register_write(IO_MUX_BASE + pad, 2 << 12 | 2 << 10 | 1 << 9 | 1 << 8); /* GPIO, drive, input, pull-up */
    register_write(GPIO_PIN + 4 * pin, 1 << 2);                            /* open drain */
    register_write(GPIO_ENABLE_W1TS, 1u << pin);
    register_write(GPIO_FUNC_OUT_SEL + 4 * pin, signal);
    register_write(GPIO_FUNC_IN_SEL + 4 * signal, 1 << 7 | pin);
}

static void prepare(const struct bus *bus)
{
    register_write(DPORT_PERIP_CLK_EN, register_read(DPORT_PERIP_CLK_EN) | bus->reset_bit);
    register_write(DPORT_PERIP_RST_EN, register_read(DPORT_PERIP_RST_EN) | bus->reset_bit);
    register_write(DPORT_PERIP_RST_EN, register_read(DPORT_PERIP_RST_EN) & ~bus->reset_bit);
    connect(bus->sda, bus->sda_pad, bus->sda_signal);
    connect(bus->scl, bus->scl_pad, bus->scl_signal);
    uint32_t half = APB_MHZ * 10 / 2; /* APB cycles of half a bit at 100 kHz */
    register_write(bus->base + I2C_SCL_LOW_PERIOD, half);
    register_write(bus->base + I2C_SCL_HIGH_PERIOD, half);
    register_write(bus->base + I2C_SDA_HOLD, half / 2);
    register_write(bus->base + I2C_SDA_SAMPLE, half / 2);
    register_write(bus->base + I2C_SCL_START_HOLD, half);
    register_write(bus->base + I2C_SCL_RSTART_SETUP, half);
    register_write(bus->base + I2C_SCL_STOP_HOLD, half);
    register_write(bus->base + I2C_SCL_STOP_SETUP, half);
    register_write(bus->base + I2C_TIMEOUT, 20 * half);
    register_write(bus->base + I2C_CTR, I2C_CTR_MASTER | I2C_CTR_OPEN_DRAIN);
}

static void put_byte(const struct bus *bus, uint32_t value) { register_write(bus->fifo, value & 0xff); }

/** Writes, then reads; result word. */
static uint32_t transfer(const struct bus *bus, const uint8_t *out, uint32_t out_bytes, uint8_t *in, uint32_t in_bytes)
{
    int32_t address = ts_path_number(1);
    if (address < 0 || address > 127) return TS_NOT_FOUND;
    prepare(bus);
    uint32_t command = bus->base + I2C_COMMAND;
    if (out_bytes != 0 || in_bytes == 0) {
        put_byte(bus, (uint32_t)address << 1);
        for (uint32_t i = 0; i < out_bytes; i++) put_byte(bus, out[i]);
        register_write(command, COMMAND(RSTART, 0));
        register_write(command + 4, COMMAND(WRITE, out_bytes + 1) | ACK_CHECKED);
        command += 8;
    }
    if (in_bytes != 0) {
        put_byte(bus, (uint32_t)address << 1 | 1);
        register_write(command, COMMAND(RSTART, 0));
        register_write(command + 4, COMMAND(WRITE, 1) | ACK_CHECKED);
        command += 8;
        if (in_bytes > 1) {
            register_write(command, COMMAND(READ, in_bytes - 1));
            command += 4;
        }
        register_write(command, COMMAND(READ, 1) | NACK_SENT);
        command += 4;
    }
    register_write(command, COMMAND(STOP, 0));
    register_write(bus->base + I2C_INT_CLR, 0xffffffff);
    register_write(bus->base + I2C_CTR, I2C_CTR_MASTER | I2C_CTR_OPEN_DRAIN | I2C_CTR_START);
    uint32_t raised;
    do raised = register_read(bus->base + I2C_INT_RAW);
    while ((raised & (I2C_INT_DONE | I2C_INT_NACK | I2C_INT_TIMEOUT | I2C_INT_ARBITRATION)) == 0);
    if ((raised & I2C_INT_NACK) != 0) return TS_NOT_FOUND;
    if ((raised & (I2C_INT_TIMEOUT | I2C_INT_ARBITRATION)) != 0) return TS_BAD_GATEWAY;
    for (uint32_t i = 0; i < in_bytes; i++) in[i] = (uint8_t)register_read(bus->base + I2C_DATA);
    return in_bytes != 0 ? ts_result(TS_CONTENT, in_bytes) : TS_CHANGED;
}

/** Bytes that the query asks for, or all there is room for. */
static uint32_t read_count(uint32_t capacity)
{
    uint32_t wanted;
    if (ts_query_number("read", &wanted) <= 0) wanted = capacity;
    return wanted > TS_I2C_BYTES ? TS_I2C_BYTES : wanted;
}

uint32_t ts_i2c_read(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    return ts_i2c_transfer(payload, bytes, response, capacity);
}

uint32_t ts_i2c_write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    const struct bus *bus = bus_of_request();
    return bus == 0 ? TS_NOT_FOUND : transfer(bus, (const uint8_t *)payload, bytes, 0, 0);
}

uint32_t ts_i2c_transfer(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    const struct bus *bus = bus_of_request();
    uint32_t wanted = read_count(capacity);
    if (bus == 0) return TS_NOT_FOUND;
    if (wanted > capacity) return TS_REQUEST_ENTITY_TOO_LARGE;
    return transfer(bus, (const uint8_t *)payload, bytes, (uint8_t *)response, wanted);
}
