/* Slipmux on UART0: frames of CoAP messages both ways, console text around them. Takes bytes from the receive interrupt,
 * gives whole messages without their escapes, contiguous and word-aligned; sends messages from where they lie. Knows nothing of
 * what is in them but whose they are: a response or not.
 *
 * The check sequence is left to whoever works with the message, unmasked. A frame starts with C0 A9; what is outside of
 * frames is console text, where a C0 goes as DB DC. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "remote.h"

enum {
    END = 0xc0,
    ESC = 0xdb,
    ESC_END = 0xdc,
    ESC_ESC = 0xdd,
    COAP = 0xa9,
    NO_BYTE = 0x100,
    RX_THRESHOLD = 100, /* of 128: the interrupt may be late by 28 characters */
    TX_THRESHOLD = 16,
    FIFO_ROOM = 126,
    SLACK = 128, /* a look at the FIFO gives no more: frames are measured once a look */
    RING_BYTES = 2 * TS_MESSAGE_BYTES + SLACK,
    TEXT_BYTES = 512,
    TEXT_PIECE = 64,
    INPUT_BYTES = 64,
    TX_QUEUE = 8,
};

uint8_t ts_rx_ring[RING_BYTES] __attribute__((aligned(4)));
struct ts_rx ts_rx_frames[TS_RX_FRAMES];

static struct {
    uint8_t *at, *start;
    uint8_t state;
    uint8_t first, count; /* of ts_rx_frames: in the order of their coming */
    uint8_t heard;        /* a whole message has come */
} rx;
enum { OUTSIDE, AFTER_END, INSIDE, ESCAPED, SKIPPING };

static struct {
    uint8_t bytes[INPUT_BYTES];
    uint8_t first, count;
} input;

static struct {
    const uint8_t *at, *end;
    struct ts_tx *queue[TX_QUEUE];
    uint16_t special[2]; /* bytes that are escaped now */
    uint8_t first, count;
    uint8_t stage;
    uint8_t escape; /* second byte of an escape that is still to go; 0: none */
    uint8_t tail[5]; /* check sequence with its escapes, end */
    uint8_t text_turn;
    uint8_t after_frame;
} tx;
enum { NONE, TEXT, PART_0, PART_1, TAIL };

static struct {
    uint8_t bytes[TEXT_BYTES];
    uint16_t first, count;
    uint16_t piece;
} text;

static const uint8_t FILLER[] = {0};

/* ---- receiving ---- */

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

struct ts_rx *ts_rx_take(int *more)
{
    struct ts_rx *found = 0;
    *more = 0;
    for (uint32_t i = 0; i < rx.count; i++) {
        struct ts_rx *frame = &ts_rx_frames[(rx.first + i) & (TS_RX_FRAMES - 1)];
        if (frame->state != RX_QUEUED) continue;
        if (found != 0) {
            *more = 1;
            break;
        }
        found = frame;
        frame->state = RX_TAKEN;
        frame->owner = ts_current_frame;
    }
    return found;
}

static struct ts_rx *rx_frame(uint32_t i) { return &ts_rx_frames[(rx.first + i) & (TS_RX_FRAMES - 1)]; }

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
static uint8_t *make_room(void)
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

static void message_end(void)
{
    enum { LEAST = 6 };
    uint32_t bytes = (uint32_t)(rx.at - rx.start);
    if (bytes < LEAST || bytes > TS_MESSAGE_BYTES) return;
    struct ts_rx *frame = rx_frame(rx.count++);
    frame->start = (uint16_t)(rx.start - ts_rx_ring);
    frame->bytes = (uint16_t)bytes;
    frame->state = RX_QUEUED;
    rx.heard = 1;
    if (rx.start[1] >> 5 < 2 || !ts_client_take(frame)) ts_remote_work();
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
    } else if (rx.state == AFTER_END && byte == COAP) {
        rx.start = rx.at = make_room();
        rx.state = rx.start == 0 ? SKIPPING : INSIDE;
    } else if (rx.state != SKIPPING) {
        rx.state = OUTSIDE;
        if (input.count < INPUT_BYTES) input.bytes[(input.first + input.count++) & (INPUT_BYTES - 1)] = (uint8_t)byte;
    }
}

uint8_t *ts_fifo_receive(uint8_t *to, uint32_t n, uint32_t fifo, uint32_t *special);
const uint8_t *ts_fifo_send(const uint8_t *from, const uint8_t *end, uint32_t fifo, uint32_t special_0, uint32_t special_1);

static void drain(void)
{
    for (uint32_t n; (n = register_read(UART0_STATUS) & 0xff) != 0;) {
        while (n != 0) {
            if (rx.state != INSIDE) {
                odd_byte(register_read(UART0_FIFO) & 0xff);
                n--;
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

/* ---- sending ---- */

static void segment(const void *bytes, uint32_t n, uint32_t stage, uint32_t special_0, uint32_t special_1)
{
    tx.at = bytes;
    tx.end = tx.at + n;
    tx.stage = (uint8_t)stage;
    tx.special[0] = (uint16_t)special_0;
    tx.special[1] = (uint16_t)special_1;
}

static inline void fifo_put(uint32_t fifo, uint32_t byte) { __asm__ volatile("s32i %0, %1, 0" : : "a"(byte), "a"(fifo) : "memory"); }

static uint32_t make_tail(uint32_t fcs)
{
    uint8_t *at = tx.tail;
    for (uint32_t i = 0; i < 2; i++, fcs >>= 8) {
        uint32_t byte = fcs & 0xff;
        if (byte == END || byte == ESC) {
            *at++ = ESC;
            byte = byte == END ? ESC_END : ESC_ESC;
        }
        *at++ = (uint8_t)byte;
    }
    *at++ = END;
    return (uint32_t)(at - tx.tail);
}

/** A frame may not come before a text byte that would make a frame of the text. */
static int may_begin_frame(void) { return text.count == 0 || text.bytes[text.first] != COAP; }

/** What comes after the segment that is out: 0 if that is nothing, 2 if it has begun with two bytes. */
static int next_segment(void)
{
    struct ts_tx *message = tx.queue[tx.first];
    switch (tx.stage) {
    case PART_0:
        if (message->bytes[1] != 0) {
            segment(message->part[1], message->bytes[1], PART_1, END, ESC);
            return 1;
        } /* fall through */
    case PART_1: segment(tx.tail, make_tail(message->fcs), TAIL, NO_BYTE, NO_BYTE); return 1;
    case TAIL:
        message->queued = 0;
        tx.first = (tx.first + 1) & (TX_QUEUE - 1);
        tx.count--;
        tx.text_turn = 1;
        tx.after_frame = 1;
        break;
    case TEXT:
        text.first = (text.first + text.piece) & (TEXT_BYTES - 1);
        text.count -= text.piece;
        tx.text_turn = 0;
        break;
    default: break;
    }
    tx.stage = NONE;
    tx.at = tx.end = 0;
    if (tx.count != 0 && may_begin_frame() && !(tx.text_turn && text.count != 0)) {
        /* There is always room for one byte more than is said. */
        fifo_put(UART0_FIFO_AHB, END);
        fifo_put(UART0_FIFO_AHB, COAP);
        segment(tx.queue[tx.first]->part[0], tx.queue[tx.first]->bytes[0], PART_0, END, ESC);
        return 2;
    }
    if (text.count == 0) return 0;
    uint32_t n = text.count < TEXT_PIECE ? text.count : TEXT_PIECE;
    if (n > (uint32_t)TEXT_BYTES - text.first) n = (uint32_t)TEXT_BYTES - text.first;
    text.piece = (uint16_t)n;
    if (tx.after_frame && !may_begin_frame()) {
        text.piece = 0;
        segment(FILLER, sizeof FILLER, TEXT, NO_BYTE, NO_BYTE);
    } else segment(text.bytes + text.first, n, TEXT, END, NO_BYTE);
    tx.after_frame = 0;
    return 1;
}

/** Fills the transmitter, and has it ask for more if there is more. */
static void fill(void)
{
    int32_t room = FIFO_ROOM - (int32_t)(register_read(UART0_STATUS) >> 16 & 0xff);
    int more = 1;
    while (room > 0) {
        if (tx.escape != 0) {
            fifo_put(UART0_FIFO_AHB, tx.escape);
            tx.escape = 0;
            room--;
            continue;
        }
        if (tx.at == tx.end) {
            if ((more = next_segment()) == 0) break;
            if (more == 2) room -= 2;
        }
        const uint8_t *at = tx.at, *end = tx.end;
        if (at == end) continue;
        if (end - at > room) end = at + room;
        if (at >= end) break;
        tx.at = ts_fifo_send(at, end, UART0_FIFO_AHB, tx.special[0], tx.special[1]);
        room -= (int32_t)(tx.at - at);
        uint32_t last = tx.at[-1];
        if (last == tx.special[0] || last == tx.special[1]) {
            fifo_put(UART0_FIFO_AHB, ESC);
            tx.escape = last == END ? ESC_END : ESC_ESC;
        }
    }
    uint32_t enable = UART_INT_RX_FULL | UART_INT_RX_TIMEOUT;
    register_write(UART0_INT_ENA, more ? enable | UART_INT_TX_EMPTY : enable);
}

void ts_uart_interrupt(void)
{
    drain();
    if ((register_read(UART0_INT_ST) & UART_INT_TX_EMPTY) != 0) {
        fill();
        register_write(UART0_INT_CLR, UART_INT_TX_EMPTY);
    }
}

void ts_tx_prepare(struct ts_tx *message)
{
    uint32_t fcs = ts_fcs(TS_FCS_START, message->part[0], message->bytes[0]);
    if (message->bytes[1] != 0) fcs = ts_fcs(fcs, message->part[1], message->bytes[1]);
    message->fcs = (uint16_t)~fcs;
}

/** A part with its escapes, straight into the transmitter. */
static void put_part(const uint8_t *at, uint32_t n)
{
    const uint8_t *end = at + n;
    while (at != end) {
        at = ts_fifo_send(at, end, UART0_FIFO_AHB, END, ESC);
        uint32_t last = at[-1];
        if (last == END || last == ESC) {
            fifo_put(UART0_FIFO_AHB, ESC);
            fifo_put(UART0_FIFO_AHB, last == END ? ESC_END : ESC_ESC);
        }
    }
}

/** Sends a short message at once if the transmitter has nothing else to do. */
static int send_short(const struct ts_tx *message)
{
    enum { LONGEST = 56 }; /* with escapes and the frame around it no more than the FIFO takes */
    if (tx.stage != NONE || text.count != 0 || message->bytes[0] + message->bytes[1] > LONGEST) return 0;
    if ((register_read(UART0_STATUS) & 0xff0000) != 0) return 0;
    fifo_put(UART0_FIFO_AHB, END);
    fifo_put(UART0_FIFO_AHB, COAP);
    put_part(message->part[0], message->bytes[0]);
    put_part(message->part[1], message->bytes[1]);
    const uint8_t check[2] = {(uint8_t)message->fcs, (uint8_t)(message->fcs >> 8)};
    put_part(check, 2);
    fifo_put(UART0_FIFO_AHB, END);
    tx.text_turn = 1;
    tx.after_frame = 1;
    return 1;
}

int ts_tx_send(struct ts_tx *message)
{
    if (message->queued || send_short(message)) return 1;
    if (tx.count == TX_QUEUE) return 0;
    tx.queue[(tx.first + tx.count++) & (TX_QUEUE - 1)] = message;
    message->queued = 1;
    if (tx.stage == NONE) fill();
    return 1;
}

void ts_tx_cancel(struct ts_tx *message)
{
    if (!message->queued) return;
    message->queued = 0;
    uint32_t i = 0;
    while (tx.queue[(tx.first + i) & (TX_QUEUE - 1)] != message) i++;
    if (i == 0 && tx.stage >= PART_0) {
        /* Begun: cut short, with a check sequence that cannot be right. */
        static struct ts_tx cut;
        cut = *message;
        cut.fcs ^= 0xffff;
        cut.bytes[0] = cut.bytes[1] = 0;
        tx.queue[tx.first] = &cut;
        if (tx.stage == PART_0 || tx.stage == PART_1) tx.end = tx.at;
        return;
    }
    for (tx.count--; i < tx.count; i++)
        tx.queue[(tx.first + i) & (TX_QUEUE - 1)] = tx.queue[(tx.first + i + 1) & (TX_QUEUE - 1)];
}

int ts_link_up(void) { return rx.heard; }

/* ---- console ---- */

static void write_text(const uint8_t *bytes, uint32_t n)
{
    while (n != 0) {
        uint32_t ps = ts_lock(), room = TEXT_BYTES - text.count;
        if (room > n) room = n;
        if (room > TEXT_PIECE) room = TEXT_PIECE;
        n -= room;
        for (; room != 0; room--) text.bytes[(text.first + text.count++) & (TEXT_BYTES - 1)] = *bytes++;
        if (tx.stage == NONE || text.count == TEXT_BYTES) fill();
        ts_unlock(ps);
    }
}

static void flush_text(void)
{
    while (text.count != 0 || tx.count != 0) {
        uint32_t ps = ts_lock();
        fill();
        ts_unlock(ps);
    }
}

static uint32_t text_available(void)
{
    uint32_t ps = ts_lock();
    drain();
    ts_unlock(ps);
    return input.count;
}

static uint32_t read_text(void)
{
    while (text_available() == 0) {}
    uint32_t ps = ts_lock(), byte = input.bytes[input.first];
    input.first = (input.first + 1) & (INPUT_BYTES - 1);
    input.count--;
    ts_unlock(ps);
    return byte;
}

static const struct rt_uart_user CONSOLE = {
    .write = write_text, .flush = flush_text, .available = text_available, .read = read_text};

void ts_link_start(void)
{
    rt_uart_flush();
    rt_uart_user = &CONSOLE;
    register_write(DPORT_PRO_INTR_MAP + 4 * SOURCE_UART0, INTERRUPT_UART);
    register_write(UART0_CONF1, RX_THRESHOLD | TX_THRESHOLD << 8 | 2 << 24 | 1u << 31);
    register_write(UART0_INT_CLR, UART_INT_RX_FULL | UART_INT_RX_OVERFLOW | UART_INT_RX_TIMEOUT | UART_INT_TX_EMPTY);
    register_write(UART0_INT_ENA, UART_INT_RX_FULL | UART_INT_RX_TIMEOUT);
    uint32_t enable;
    __asm__ volatile("rsr %0, intenable\n\tor %0, %0, %1\n\twsr %0, intenable\n\trsync" : "=&a"(enable) : "a"(1u << INTERRUPT_UART));
}
