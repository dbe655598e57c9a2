/* Slipmux, inwards: takes bytes from UART0's receiver, gives whole messages without their escapes, contiguous and
 * word-aligned, and console text. Knows nothing of what is in them but whose they are: a response or not.
 *
 * The check sequence is left to whoever works with the message, unmasked. A frame starts with C0 A9; what is outside of
 * frames is console text, where a C0 comes as DB DC. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "remote.h"
#include "slipmux.h"

enum {
    SLACK = 128, /* a look at the FIFO gives no more: frames are measured once a look */
    RING_BYTES = 2 * TS_MESSAGE_BYTES + SLACK,
    INPUT_BYTES = 64,
};

uint8_t ts_rx_ring[RING_BYTES] __attribute__((aligned(4)));
struct ts_rx ts_rx_frames[TS_RX_FRAMES];

static struct {
    uint8_t *at, *start;
    uint8_t state;
    uint8_t first, count; /* of ts_rx_frames: in the order of their coming */
} rx;
enum { OUTSIDE, AFTER_END, INSIDE, ESCAPED, SKIPPING };

static struct {
    uint8_t bytes[INPUT_BYTES];
    uint8_t first, count;
} input;

static struct ts_rx *rx_frame(uint32_t i) { return &ts_rx_frames[(rx.first + i) & (TS_RX_FRAMES - 1)]; }

int ts_frame_alive(uint32_t serial)
{
    struct ts_frame *frame = ts_kernel.frame;
    uint32_t other = 0;
    do {
        for (; frame != 0; frame = frame->caller)
            if (frame->serial == serial) return 1;
    } while (ts_other_chain(&other, &frame));
    return 0;
}

uint8_t ts_rx_queued;

struct ts_rx *ts_rx_take(void)
{
    if (ts_rx_queued == 0) return 0;
    for (uint32_t i = 0; i < rx.count; i++) {
        struct ts_rx *frame = rx_frame(i);
        if (frame->state != RX_QUEUED) continue;
        ts_rx_queued--;
        frame->state = RX_TAKEN;
        frame->owner = ts_current_frame;
        return frame;
    }
    return 0;
}

/** Takes off what is free at the old end. */
static void trim(void)
{
    while (rx.count != 0) {
        struct ts_rx *frame = rx_frame(0);
        if (frame->state == RX_TAKEN && !ts_frame_alive(frame->owner)) frame->state = RX_FREE;
        if (frame->state != RX_FREE) return;
        rx.first = (rx.first + 1) & (TS_RX_FRAMES - 1);
        rx.count--;
    }
}

/** Where the next message goes, null if there is no room for a long one. */
static uint8_t *find_room(void)
{
    trim();
    if (rx.count == 0) return ts_rx_ring;
    if (rx.count == TS_RX_FRAMES) return 0;
    uint32_t oldest = rx_frame(0)->start, newest = rx_frame(rx.count - 1u)->start;
    uint32_t free = (newest + rx_frame(rx.count - 1u)->bytes + 3) & ~3u;
    uint32_t needed = TS_MESSAGE_BYTES + SLACK;
    if (newest >= oldest) {
        if (RING_BYTES - free >= needed) return ts_rx_ring + free;
        return oldest >= needed ? ts_rx_ring : 0;
    }
    return oldest - free >= needed ? ts_rx_ring + free : 0;
}

static uint8_t *make_room(void)
{
    uint8_t *room = find_room();
    return room == 0 && ts_follow_make_room() ? find_room() : room;
}

static void message_end(void)
{
    enum { LEAST = 6 };
    uint32_t bytes = (uint32_t)(rx.at - rx.start);
    if (bytes < LEAST || bytes > TS_MESSAGE_BYTES) return;
    struct ts_rx *frame = rx_frame(rx.count++);
    frame->start = (uint16_t)(rx.start - ts_rx_ring);
    frame->bytes = (uint16_t)bytes;
    frame->state = RX_QUEUED;
    if (rx.start[1] >> 5 >= 2 && ts_client_take(frame)) return;
    ts_rx_queued++;
    ts_remote_work();
}

static void message_begin(void)
{
    rx.start = rx.at = make_room();
    rx.state = rx.start == 0 ? SKIPPING : INSIDE;
}

/** A byte that is no content. */
static void odd_byte(uint32_t byte)
{
    if (byte == END) {
        if (rx.state == INSIDE) message_end();
        rx.state = AFTER_END;
    } else if (rx.state == INSIDE) rx.state = byte == ESC ? ESCAPED : INSIDE;
    else if (rx.state == ESCAPED) {
        rx.state = byte == ESC_END || byte == ESC_ESC ? INSIDE : SKIPPING;
        *rx.at++ = byte == ESC_END ? END : ESC;
    } else if (rx.state != SKIPPING) {
        rx.state = OUTSIDE;
        if (input.count < INPUT_BYTES) input.bytes[(input.first + input.count++) & (INPUT_BYTES - 1)] = (uint8_t)byte;
    }
}

uint8_t *ts_fifo_receive(uint8_t *to, uint32_t n, uint32_t fifo, uint32_t *special);

void ts_rx_drain(void)
{
    for (uint32_t n; (n = register_read(UART0_STATUS) & 0xff) != 0;) {
        while (n != 0) {
            if (rx.state != INSIDE) {
                uint32_t byte = register_read(UART0_FIFO) & 0xff;
                n--;
                if (byte == END) rx.state = AFTER_END;
                else if (byte == COAP && rx.state == AFTER_END) message_begin();
                else odd_byte(byte);
                continue;
            }
            uint32_t special;
            uint8_t *at = ts_fifo_receive(rx.at, n, UART0_FIFO, &special);
            n -= (uint32_t)(at - rx.at);
            rx.at = at;
            if (at > rx.start + TS_MESSAGE_BYTES) rx.state = SKIPPING;
            if (special != 0) {
                odd_byte(special);
                n--;
            }
        }
        register_write(UART0_INT_CLR, UART_INT_RX_FULL | UART_INT_RX_OVERFLOW | UART_INT_RX_TIMEOUT);
    }
}

uint32_t ts_rx_text(void) { return input.count; }

uint32_t ts_rx_text_take(void)
{
    uint32_t byte = input.bytes[input.first];
    input.first = (input.first + 1) & (INPUT_BYTES - 1);
    input.count--;
    return byte;
}
