/* Slipmux, outwards: sends messages from where they lie, and console text around them, through UART0's transmitter. Takes
 * messages of two parts and text, gives bytes. Knows nothing of what is in them. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "remote.h"
#include "slipmux.h"

enum {
    FIFO_ROOM = 126,
    TEXT_BYTES = 512,
    TEXT_PIECE = 64,
    TX_QUEUE = 8,
};

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

const uint8_t *ts_fifo_send(const uint8_t *from, const uint8_t *end, uint32_t fifo, uint32_t special_0, uint32_t special_1);
uint32_t ts_fifo_send_checked(const uint8_t *from, uint32_t n, uint32_t fifo, uint32_t fcs);

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

void ts_tx_fill(void)
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

void ts_tx_check(struct ts_tx *message)
{
    uint32_t fcs = ts_fcs(TS_FCS_START, message->part[0], message->bytes[0]);
    if (message->bytes[1] != 0) fcs = ts_fcs(fcs, message->part[1], message->bytes[1]);
    message->fcs = (uint16_t)~fcs;
    message->checked = 1;
}

static inline void put_escaped(uint32_t byte)
{
    if (__builtin_expect(byte == END, 0)) {
        fifo_put(UART0_FIFO_AHB, ESC);
        byte = ESC_END;
    } else if (__builtin_expect(byte == ESC, 0)) {
        fifo_put(UART0_FIFO_AHB, ESC);
        byte = ESC_ESC;
    }
    fifo_put(UART0_FIFO_AHB, byte);
}

/** Sends a short message at once if the transmitter has nothing else to do. */
static inline int send_short(const struct ts_tx *message)
{
    if (message->bytes[0] + message->bytes[1] > TS_TX_SHORT || tx.stage != NONE || text.count != 0) return 0;
    if ((register_read(UART0_STATUS) & 0xff0000) != 0) return 0;
    fifo_put(UART0_FIFO_AHB, END);
    fifo_put(UART0_FIFO_AHB, COAP);
    uint32_t fcs = ts_fifo_send_checked(message->part[0], message->bytes[0], UART0_FIFO_AHB, TS_FCS_START);
    if (message->bytes[1] != 0) fcs = ts_fifo_send_checked(message->part[1], message->bytes[1], UART0_FIFO_AHB, fcs);
    fcs = ~fcs;
    put_escaped(fcs & 0xff);
    put_escaped(fcs >> 8 & 0xff);
    fifo_put(UART0_FIFO_AHB, END);
    tx.text_turn = 1;
    tx.after_frame = 1;
    return 1;
}

int ts_tx_send(struct ts_tx *message)
{
    if (message->queued || send_short(message)) return 1;
    if (tx.count == TX_QUEUE) return 0;
    if (!message->checked) ts_tx_check(message);
    tx.queue[(tx.first + tx.count++) & (TX_QUEUE - 1)] = message;
    message->queued = 1;
    if (tx.stage == NONE) ts_tx_fill();
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

void ts_tx_text(const uint8_t *bytes, uint32_t n)
{
    while (n != 0) {
        uint32_t ps = ts_lock(), room = TEXT_BYTES - text.count;
        if (room > n) room = n;
        if (room > TEXT_PIECE) room = TEXT_PIECE;
        n -= room;
        for (; room != 0; room--) text.bytes[(text.first + text.count++) & (TEXT_BYTES - 1)] = *bytes++;
        if (tx.stage == NONE || text.count == TEXT_BYTES) ts_tx_fill();
        ts_unlock(ps);
    }
}

void ts_tx_flush(void)
{
    while (text.count != 0 || tx.count != 0) {
        uint32_t ps = ts_lock();
        ts_tx_fill();
        ts_unlock(ps);
    }
}
