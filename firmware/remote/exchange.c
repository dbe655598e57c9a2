/* Exchanges with the edge, message by message: what has come already, what was answered, what has to be confirmed. Takes
 * requests as they were read and answers, gives messages. Retransmission, deduplication, separate responses. Knows no service. */
#pragma GCC optimize("O2")
#include "chain.h"
#include "exchange.h"

enum {
    EXCHANGES = 8,
    HISTORY = 64,
    ACK_AFTER = 100000,     /* microseconds: a request without an answer for one to two of them is acknowledged */
    FIRST_TIMEOUT = 500000, /* of confirmable messages: the line is short */
    MOST_RETRIES = 4,
    AGAIN = 50000,
    EMPTIES = 4,
};
enum { FREE = 0, RUNNING, ANSWERED, UNCONFIRMED };

static struct ts_exchange exchanges[EXCHANGES];
/** Summary of requests whose exchange may be gone already, by message ID. */
static uint32_t history[HISTORY];
static uint8_t next_exchange;

/** For responses that are not small: one at a time. */
static uint8_t large[TS_BLOCK_BYTES] __attribute__((aligned(4)));
static struct ts_exchange *large_owner;

static struct {
    struct ts_tx tx;
    uint8_t head[4] __attribute__((aligned(4)));
} empties[EMPTIES];
static struct {
    struct ts_tx tx;
    uint8_t head[4 + TS_TOKEN_BYTES + 4] __attribute__((aligned(4)));
} refusal;

static uint16_t last_mid;
static uint8_t ticking; /* an alarm is set that looks for requests without an answer yet */

uint32_t ts_message_id(void)
{
    if (last_mid == 0) last_mid = (uint16_t)rt_random();
    return ++last_mid;
}

void ts_remote_later(uint32_t microseconds) { ts_timer_earliest(rt_clock_microseconds() + microseconds); }

static uint32_t now_low(void) { return (uint32_t)rt_clock_microseconds(); }

void ts_send_empty(uint32_t type, uint32_t mid)
{
    uint32_t i = 0;
    while (i < EMPTIES && empties[i].tx.queued) i++;
    if (i == EMPTIES) return;
    struct ts_head head;
    ts_head_begin(&head, empties[i].head, type, 0, mid, 0, 0);
    empties[i].tx.part[0] = empties[i].head;
    empties[i].tx.bytes[0] = 4;
    empties[i].tx.bytes[1] = 0;
    ts_tx_prepare(&empties[i].tx);
    ts_tx_send(&empties[i].tx);
}

/** There is no room for this request now; it may come again. */
static void send_refusal(const struct ts_message *message)
{
    uint32_t ps = ts_lock();
    if (!refusal.tx.queued) {
        struct ts_head head;
        uint32_t confirmable = message->type == COAP_CON;
        ts_head_begin(&head, refusal.head, confirmable ? COAP_ACK : COAP_NON, TS_SERVICE_UNAVAILABLE,
                      confirmable ? message->mid : ts_message_id(), message->token, message->token_bytes);
        ts_head_number(&head, OPTION_MAX_AGE, 1);
        refusal.tx.part[0] = refusal.head;
        refusal.tx.bytes[0] = (uint16_t)(head.at - refusal.head);
        refusal.tx.bytes[1] = 0;
        ts_tx_prepare(&refusal.tx);
        ts_tx_send(&refusal.tx);
    }
    ts_unlock(ps);
}

static uint32_t summary(const struct ts_message *message)
{
    /* Turned, so that tokens and message IDs that count together do not cancel out. */
    return message->first ^ (message->token[0] << 11 | message->token[0] >> 21) ^ (message->token[1] << 5 | message->token[1] >> 27);
}

static struct ts_exchange *find(const struct ts_message *message)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct ts_exchange *exchange = &exchanges[i];
        if (exchange->first == message->first && exchange->state != FREE && exchange->observer == TS_NO_OBSERVER &&
            exchange->token[0] == message->token[0] && exchange->token[1] == message->token[1])
            return exchange;
    }
    return 0;
}

/** The one that was finished longest ago, or null. Masked. */
static inline struct ts_exchange *take(void)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct ts_exchange *exchange = &exchanges[next_exchange];
        next_exchange = (next_exchange + 1) & (EXCHANGES - 1);
        if (exchange->state == RUNNING || exchange->state == UNCONFIRMED || exchange->tx.queued) continue;
        if (large_owner == exchange) large_owner = 0;
        exchange->state = RUNNING;
        exchange->worker = (uint8_t)ts_current_module;
        exchange->observer = TS_NO_OBSERVER;
        exchange->separate = 0;
        exchange->tx.bytes[1] = 0;
        return exchange;
    }
    return 0;
}

uint8_t *ts_exchange_large(struct ts_exchange *exchange)
{
    /* Only workers take it, and one of them at a time. */
    struct ts_exchange *owner = large_owner;
    int busy = owner != 0 && owner != exchange && (owner->state == RUNNING || owner->state == UNCONFIRMED || owner->tx.queued);
    if (!busy) large_owner = exchange;
    return busy ? 0 : large;
}

/** It has come before: what was answered is sent again. False if that is gone and asking again does no harm. */
static int repeated(struct ts_exchange *exchange, const struct ts_message *message)
{
    int known = 1;
    uint32_t ps = ts_lock();
    if (exchange->state == RUNNING || exchange->separate) {
        if (exchange->separate && message->type == COAP_CON) ts_send_empty(COAP_ACK, message->mid);
    } else if (exchange->tx.bytes[1] != 0 && exchange->tx.part[1] >= large && exchange->tx.part[1] < large + sizeof large &&
               large_owner != exchange) {
        known = message->code != TS_GET;
        if (known) {
            /* The answer is lost, and to run it twice would be worse. */
            exchange->head[1] = TS_INTERNAL_SERVER_ERROR;
            exchange->tx.bytes[0] = (uint16_t)(4 + exchange->token_bytes);
            exchange->tx.bytes[1] = 0;
            ts_tx_prepare(&exchange->tx);
            ts_tx_send(&exchange->tx);
        } else exchange->state = FREE;
    } else ts_tx_send(&exchange->tx);
    ts_unlock(ps);
    return known;
}

static void confirm_later(struct ts_exchange *exchange)
{
    exchange->state = UNCONFIRMED;
    exchange->retries = 0;
    exchange->timeout = FIRST_TIMEOUT + (rt_random() & 0x3ffff);
    exchange->due = now_low() + exchange->timeout;
    ts_remote_later(exchange->timeout);
}

struct ts_exchange *ts_exchange_begin(const struct ts_message *message)
{
    uint32_t key = summary(message), *past = &history[message->mid & (HISTORY - 1)];
    if (*past == key) {
        struct ts_exchange *earlier = find(message);
        if (earlier != 0 && repeated(earlier, message)) return 0;
        /* So old that nobody waits for an answer any more. */
        if (earlier == 0 && message->code != TS_GET) return 0;
    }
    uint32_t ps = ts_lock();
    struct ts_exchange *exchange = take();
    if (exchange != 0) {
        *past = key;
        exchange->first = message->first;
        exchange->token[0] = message->token[0];
        exchange->token[1] = message->token[1];
        exchange->token_bytes = message->token_bytes;
        exchange->seen = 0;
        if (!ticking) {
            /* One alarm for all that come until then. */
            ticking = 1;
            ts_remote_later(ACK_AFTER);
        }
    }
    ts_unlock(ps);
    if (exchange == 0) send_refusal(message);
    return exchange;
}

struct ts_exchange *ts_exchange_notify(uint32_t observer, const uint32_t *token, uint32_t token_bytes)
{
    struct ts_exchange *exchange = 0;
    uint32_t ps = ts_lock();
    /* What has not been acknowledged yet is out of date. */
    for (uint32_t i = 0; i < EXCHANGES; i++)
        if (exchanges[i].state == UNCONFIRMED && exchanges[i].observer == observer) exchange = &exchanges[i];
    if (exchange != 0) {
        ts_tx_cancel(&exchange->tx);
        exchange->state = RUNNING;
        exchange->worker = (uint8_t)ts_current_module;
    } else exchange = take();
    if (exchange != 0) {
        exchange->observer = (uint8_t)observer;
        exchange->token_bytes = (uint8_t)token_bytes;
        exchange->token[0] = token[0];
        exchange->token[1] = token[1];
    } else ts_remote_later(AGAIN);
    ts_unlock(ps);
    return exchange;
}

static inline uint32_t type_of(uint32_t first) { return first >> 4 & 3; }
static inline uint32_t mid_of(uint32_t first) { return (first >> 8 & 0xff00) | first >> 24; }

void ts_exchange_answer(struct ts_exchange *exchange, const struct ts_answer *answer)
{
    struct ts_head head;
    uint32_t ps = ts_lock(), first = exchange->first, mid = first & 0xffff0000;
    uint32_t type = type_of(first) == COAP_CON ? COAP_ACK : COAP_NON;
    int confirmable = exchange->observer != TS_NO_OBSERVER || (exchange->separate && type == COAP_ACK);
    if (confirmable) type = COAP_CON;
    if (type != COAP_ACK) {
        uint32_t own = ts_message_id();
        exchange->own_mid = (uint16_t)own;
        mid = (own & 0xff00) << 8 | own << 24;
    } else exchange->separate = 0;
    /* From here on no empty acknowledgement comes in between. */
    exchange->state = ANSWERED;
    ts_unlock(ps);
    ts_head_start(&head, exchange->head, 0x40 | type << 4 | exchange->token_bytes | answer->code << 8 | mid, exchange->token,
                  exchange->token_bytes);
    uint32_t options = answer->options;
    if (options != 0) {
        if ((options & ANSWER_ETAG) != 0) ts_head_number(&head, OPTION_ETAG, answer->etag);
        if ((options & ANSWER_OBSERVE) != 0) ts_head_number(&head, OPTION_OBSERVE, answer->observe);
    }
    if (answer->format != TS_NO_FORMAT) ts_head_number(&head, OPTION_CONTENT_FORMAT, answer->format);
    if (answer->code == TS_SERVICE_UNAVAILABLE) ts_head_number(&head, OPTION_MAX_AGE, 1);
    if (options != 0) {
        if ((options & ANSWER_BLOCK2) != 0) ts_head_number(&head, OPTION_BLOCK2, answer->block2);
        if ((options & ANSWER_BLOCK1) != 0) ts_head_number(&head, OPTION_BLOCK1, answer->block1);
        if ((options & ANSWER_SIZE1) != 0) ts_head_number(&head, OPTION_SIZE1, answer->size1);
    }
    if (answer->bytes != 0) *head.at++ = 0xff;
    exchange->tx.part[0] = exchange->head;
    exchange->tx.bytes[0] = (uint16_t)(head.at - exchange->head);
    exchange->tx.part[1] = answer->payload;
    exchange->tx.bytes[1] = (uint16_t)answer->bytes;
    ts_tx_prepare(&exchange->tx);
    ps = ts_lock();
    if (confirmable) confirm_later(exchange);
    ts_tx_send(&exchange->tx);
    ts_unlock(ps);
}

void ts_exchange_acknowledged(uint32_t mid, int reset)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct ts_exchange *exchange = &exchanges[i];
        if (exchange->state != UNCONFIRMED || exchange->own_mid != mid) continue;
        exchange->state = exchange->observer == TS_NO_OBSERVER ? ANSWERED : FREE;
        if (reset && exchange->observer != TS_NO_OBSERVER) ts_observer_drop(exchange->observer);
    }
}

uint64_t ts_exchange_tick(uint64_t now)
{
    uint64_t next = ~(uint64_t)0;
    ticking = 0;
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct ts_exchange *exchange = &exchanges[i];
        int unacknowledged = exchange->state == RUNNING && !exchange->separate && type_of(exchange->first) == COAP_CON &&
                             exchange->observer == TS_NO_OBSERVER;
        if (!unacknowledged && exchange->state != UNCONFIRMED) continue;
        if (unacknowledged) {
            if (exchange->seen) {
                exchange->separate = 1;
                ts_send_empty(COAP_ACK, mid_of(exchange->first));
                continue;
            }
            exchange->seen = 1;
            ticking = 1;
            if (now + ACK_AFTER < next) next = now + ACK_AFTER;
            continue;
        }
        int32_t left = (int32_t)(exchange->due - (uint32_t)now);
        if (left <= 0 && exchange->retries++ == MOST_RETRIES) {
            exchange->state = exchange->observer == TS_NO_OBSERVER ? ANSWERED : FREE;
            if (exchange->observer != TS_NO_OBSERVER) ts_observer_drop(exchange->observer);
            continue;
        }
        if (left <= 0) {
            ts_tx_send(&exchange->tx);
            exchange->timeout <<= 1;
            exchange->due = (uint32_t)now + exchange->timeout;
            left = (int32_t)exchange->timeout;
        }
        if (now + (uint32_t)left < next) next = now + (uint32_t)left;
    }
    return next;
}

void ts_exchange_abandon(uint32_t module)
{
    for (uint32_t i = 0; i < EXCHANGES; i++)
        if (exchanges[i].state == RUNNING && exchanges[i].worker == module) exchanges[i].state = FREE;
}
