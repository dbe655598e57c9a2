/* Remote IMC: CoAP (RFC 7252, 7641, 7959) in slipmux frames on UART0, beside the console. What its parts give each other.
 * receive.c and transmit.c move frames; worker.c takes messages; exchange.c, server.c and observers.c answer requests of the
 * edge; client.c and follow.c ask it on behalf of modules. */
#ifndef REMOTE_H
#define REMOTE_H

#include "imc.h"

enum {
    TS_MESSAGE_BYTES = 1152, /* longest message, RFC 7252, 4.6 */
    TS_BLOCK_BYTES = 1024,   /* longest payload of a message */
    TS_BLOCK_SZX = 6,
    TS_TOKEN_BYTES = 8,
    TS_WORKERS = 2, /* modules that handle requests: while one waits for the edge there is another */
    TS_RX_FRAMES = 8,
};

/* Message layer. */
enum { COAP_CON = 0, COAP_NON = 1, COAP_ACK = 2, COAP_RST = 3 };
enum {
    OPTION_URI_HOST = 3,
    OPTION_ETAG = 4,
    OPTION_OBSERVE = 6,
    OPTION_URI_PORT = 7,
    OPTION_URI_PATH = 11,
    OPTION_CONTENT_FORMAT = 12,
    OPTION_MAX_AGE = 14,
    OPTION_URI_QUERY = 15,
    OPTION_ACCEPT = 17,
    OPTION_BLOCK2 = 23,
    OPTION_BLOCK1 = 27,
    OPTION_PROXY_URI = 35,
    OPTION_PROXY_SCHEME = 39,
    OPTION_SIZE1 = 60,
    OPTION_CALLER = 65000, /* elective, string: MODULE or MODULE@THING */
};
#define TS_NO_BLOCK 0xffffffffu

/* fcs.c */
#define TS_FCS_START 0x374cu /* of the byte that begins a message's frame, 0xa9 */
#define TS_FCS_GOOD 0xf0b8u
uint32_t ts_fcs(uint32_t fcs, const uint8_t *bytes, uint32_t n);
extern const uint16_t ts_fcs_table[2][256]; /* of one byte; of the first one of two */

/** A message to be sent: two parts, in place until it is out. */
struct ts_tx {
    const uint8_t *part[2];
    uint16_t bytes[2];
    uint16_t fcs;
    uint8_t queued; /* waits or is on its way */
    uint8_t checked; /* fcs is right */
};

/* RX_PARKED: a representation that waits for its subscriber (follow.c), and goes when there is no room. */
enum { RX_FREE = 0, RX_QUEUED, RX_TAKEN, RX_PARKED };

/** A received message, its check sequence not yet looked at. */
struct ts_rx {
    uint16_t start, bytes;
    uint8_t state;
    uint8_t reserved[3];
    uint32_t owner; /* RX_TAKEN: serial of the invocation that works with it */
};
extern struct ts_rx ts_rx_frames[TS_RX_FRAMES];
extern uint8_t ts_rx_ring[];

/* receive.c. Masked unless said otherwise. */
/** The oldest message that nobody has taken yet, for the running invocation; null if there is none. */
struct ts_rx *ts_rx_take(void);
/** How many there are. */
extern uint8_t ts_rx_queued;
/** Takes all bytes that have come. */
void ts_rx_drain(void);
/** Is the invocation still there that has taken a frame? If not, it ended in the middle of its work. */
int ts_frame_alive(uint32_t serial);
/** Bytes of console input that are there, and the first of them. */
uint32_t ts_rx_text(void);
uint32_t ts_rx_text_take(void);

/* transmit.c. Masked unless said otherwise. */
/** Computes the check sequence. Any masking. */
void ts_tx_check(struct ts_tx *tx);
/** Longest message that is checked on its way out: with all bytes escaped and the frame around it, what the FIFO takes. */
#define TS_TX_SHORT 56
/** Has the check sequence computed, or have it computed. Unmasked. */
static inline void ts_tx_prepare(struct ts_tx *tx)
{
    tx->checked = 0;
    if (tx->bytes[0] + tx->bytes[1] > TS_TX_SHORT) ts_tx_check(tx);
}
/** False if the queue is full. Nothing if it is queued already. */
int ts_tx_send(struct ts_tx *tx);
/** What it points to goes away: it is not sent, or what has begun of it is cut. */
void ts_tx_cancel(struct ts_tx *tx);
/** Fills the transmitter, and has it ask for more if there is more. */
void ts_tx_fill(void);
/** Console text; waits for room. Unmasked. */
void ts_tx_text(const uint8_t *bytes, uint32_t n);
/** Waits until all is out. Unmasked. */
void ts_tx_flush(void);

/* link.c */
void ts_link_start(void);

/* coap.c */
/** A message as it was understood; what it points to lies in the frame. */
struct ts_message {
    uint32_t first;    /* first word as it came */
    uint32_t token[2]; /* as it came, zeros behind it */
    uint8_t type, code, token_bytes;
    uint8_t refused; /* code to answer with, 0: none */
    uint16_t mid;
    uint16_t caller_bytes;
    char *uri; /* without leading slash */
    uint32_t uri_bytes, path_bytes;
    const uint8_t *payload;
    uint32_t bytes;
    uint32_t observe, block1, block2, accept, max_age; /* TS_NO_BLOCK: not there */
    const char *caller; /* null: none */
    uint8_t *raw;       /* server.c: the whole, null if this is none that was received */
    uint16_t raw_bytes;
    const struct known *known; /* server.c: what its options mean; null: they have been read */
};
/** Reads header and token of a word-aligned message; false: it is none. */
static inline int ts_message_begin(struct ts_message *message, const uint8_t *bytes, uint32_t n)
{
    typedef uint32_t __attribute__((may_alias)) word;
    const word *words = (const word *)bytes;
    uint32_t first = words[0], token_bytes = first & 15, low = words[1], high = words[2];
    if (token_bytes < 4) {
        low &= (1u << (token_bytes << 3)) - 1;
        high = 0;
    } else if (token_bytes < 8) high &= (1u << ((token_bytes << 3) - 32)) - 1;
    message->first = first;
    message->token[0] = low;
    message->token[1] = high;
    message->type = first >> 4 & 3;
    message->code = (uint8_t)(first >> 8);
    message->mid = (uint16_t)((first >> 8 & 0xff00) | first >> 24);
    message->token_bytes = (uint8_t)token_bytes;
    if ((first & 0xc0) != 0x40 || token_bytes > TS_TOKEN_BYTES || n < 4 + token_bytes) return 0;
    return message->code != 0 || n == 4;
}
/** The rest. False: no message that could be answered. The URI of a request is put together in the frame. */
int ts_message_read(struct ts_message *message, uint8_t *bytes, uint32_t n);

/** Writes header, token and options, in the order of their numbers. */
struct ts_head {
    uint8_t *at;
    uint32_t option;
};
/** `to` is word-aligned and has room for 12 bytes. */
static inline void ts_head_start(struct ts_head *head, uint8_t *to, uint32_t first, const uint32_t *token, uint32_t token_bytes)
{
    typedef uint32_t __attribute__((may_alias)) word;
    word *words = (word *)to;
    words[0] = first;
    if (token_bytes != 0) {
        words[1] = token[0];
        words[2] = token[1];
    }
    head->at = to + 4 + token_bytes;
    head->option = 0;
}
static inline void ts_head_begin(struct ts_head *head, uint8_t *to, uint32_t type, uint32_t code, uint32_t mid,
                                 const uint32_t *token, uint32_t token_bytes)
{
    uint32_t first = 0x40 | type << 4 | token_bytes | code << 8 | (mid & 0xff00) << 8 | mid << 24;
    ts_head_start(head, to, first, token, token_bytes);
}
void ts_head_option(struct ts_head *head, uint32_t number, const void *value, uint32_t n);
void ts_head_number(struct ts_head *head, uint32_t number, uint32_t value);
/** Options of a request of module `caller`; `observe`: TS_NO_BLOCK or the value. False: it does not fit into `end`. */
int ts_head_request(struct ts_head *head, const uint8_t *end, const char *uri, uint32_t uri_bytes, uint32_t observe,
                    uint32_t caller);
static inline uint32_t ts_block_size(uint32_t block) { return 16u << (block & 7); }
static inline uint32_t ts_block_offset(uint32_t block) { return (block >> 4) << ((block & 7) + 4); }

/* worker.c */
/** Somebody has to look at received messages. Masked. */
void ts_remote_work(void);
/** Something else for the workers to do. Masked. */
enum { TS_JOB_SETTLE = 1, TS_JOB_FOLLOW = 2 };
void ts_remote_job(uint32_t job);
/** Is it one of the workers? */
int ts_is_worker(uint32_t module);
/** Name of the caller of the remote request that the running handler serves; for callers that are workers. */
const char *ts_remote_caller(uint32_t *bytes);
/** Sends what is due again; when the next such thing is, all ones if there is none. Masked. */
uint64_t ts_remote_tick(uint64_t now);
/** Looks again in so many microseconds. Masked. */
void ts_remote_later(uint32_t microseconds);
/** A new message ID. Masked. */
uint32_t ts_message_id(void);
/** Sends an empty message, if there is room for it. Masked. */
void ts_send_empty(uint32_t type, uint32_t mid);
/** Is the edge known to be there? */
int ts_link_up(void);
extern const struct ts_module_info ts_worker_infos[TS_WORKERS];

/* observers.c */
/** Runs as an event when a resource changes that the edge observes; `gone`: a code, it is no more. */
void ts_remote_notify(uint32_t subscription, uint32_t gone);

/* client.c */
/** Gives a response to the chain that waits for it; false if none does. Masked, from the interrupt. */
int ts_client_take(struct ts_rx *frame);
/** An acknowledgement or reset of one of its messages; false if it is none. Masked. */
int ts_client_acknowledged(uint32_t mid, int reset);
uint64_t ts_client_tick(uint64_t now);
/** Sends a request of the running module to the edge and waits: result word. Unmasked. */
uint32_t ts_remote_request(uint32_t method, const char *uri, uint32_t uri_bytes, const struct ts_request *request,
                           uint32_t timeout_ms);
/** What a response means for the request that it answers: result word. Its payload is copied. Unmasked. */
uint32_t ts_response_result(const struct ts_message *message, const struct ts_request *request);

/* follow.c: subscriptions to what the edge knows. Masked unless said otherwise. */
enum { TS_FOLLOW_FIRST_TOKEN = 0x80 };
/** Asks the edge to tell of changes. */
void ts_follow(uint32_t subscription);
void ts_follow_end(uint32_t subscription);
int ts_following(uint32_t subscription);
/** Asks for all again: the edge knows nothing of them any more. */
void ts_follow_again(void);
/** Sends what is due. Unmasked, by a worker. */
void ts_follow_work(void);
uint64_t ts_follow_tick(uint64_t now);
/** A response that nobody else waits for: FOLLOW_NOT_MINE, or whether the frame is kept. Unmasked. */
enum { FOLLOW_NOT_MINE = 0, FOLLOW_DONE, FOLLOW_KEPT };
int ts_follow_response(struct ts_rx *frame, const struct ts_message *message);
int ts_follow_acknowledged(uint32_t mid, int reset);
/** Frees frames that wait for their subscribers; false if there is none. */
int ts_follow_make_room(void);
/** The representation for the subscriber, which runs: result word; 0: it is no more here, and asked for. Unmasked. */
uint32_t ts_follow_take(uint32_t subscription, const struct ts_request *request);

#endif
