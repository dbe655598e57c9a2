/* Requests of the edge and what was answered, as the parts of firmware/remote that serve them see it. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "remote.h"

enum {
    TS_NO_FORMAT = 0xffff,
    TS_NO_OBSERVER = 0xff,
    TS_HEAD_BYTES = 44, /* header, token, and the longest options of a response */
    TS_SMALL_BYTES = 64,
};
enum { COAP_CONTINUE = 0x5f, COAP_INCOMPLETE = 0x88, COAP_PROXYING_NOT_SUPPORTED = 0xa5 };

/** A request and what was answered; or a notification. */
struct ts_exchange {
    struct ts_tx tx;
    uint32_t due, timeout;
    uint32_t first;    /* first word of the request as it came: type, code, message ID */
    uint32_t token[2]; /* as it came, zeros behind it */
    uint16_t own_mid;  /* of a separate response or notification */
    uint8_t token_bytes;
    uint8_t state;
    uint8_t separate; /* the request has been acknowledged */
    uint8_t retries;
    uint8_t observer; /* whose notification it is */
    uint8_t seen;     /* running: the tick has seen it before */
    uint8_t worker;   /* running: module that does it */
    uint8_t reserved[3];
    uint8_t head[TS_HEAD_BYTES] __attribute__((aligned(4)));
    uint8_t small[TS_SMALL_BYTES] __attribute__((aligned(4)));
};

/** Options that an answer may have besides its content format; bits of ts_answer.options. */
enum { ANSWER_OBSERVE = 1, ANSWER_BLOCK1 = 2, ANSWER_BLOCK2 = 4, ANSWER_SIZE1 = 8, ANSWER_ETAG = 16 };
struct ts_answer {
    uint32_t code;
    const uint8_t *payload;
    uint32_t bytes;
    uint32_t format;  /* TS_NO_FORMAT: none */
    uint32_t options; /* which of these are there */
    uint32_t observe, block1, block2, size1, etag;
};

/* exchange.c */
/** Begins the exchange of a request; null if it has been answered already: it is a repetition, or there is no room. */
struct ts_exchange *ts_exchange_begin(const struct ts_message *message);
/** Begins a notification, in the place of an older one; null: no room, it is tried again. */
struct ts_exchange *ts_exchange_notify(uint32_t observer, const uint32_t *token, uint32_t token_bytes);
/** Sends what an exchange waits for. */
void ts_exchange_answer(struct ts_exchange *exchange, const struct ts_answer *answer);
/** A buffer for more than TS_SMALL_BYTES; null if another exchange still needs it. */
uint8_t *ts_exchange_large(struct ts_exchange *exchange);
/** An acknowledgement or reset of one of its messages. Masked. */
void ts_exchange_acknowledged(uint32_t mid, int reset);
/** Sends again what is due; when the next such thing is. Masked. */
uint64_t ts_exchange_tick(uint64_t now);
/** Forgets what a worker, a module, was doing. Masked. */
void ts_exchange_abandon(uint32_t module);

/* server.c */
/** Reads a request behind what ts_message_begin has read. False: it could not be answered. */
int ts_request_read(struct ts_message *message, uint8_t *bytes, uint32_t n);
/** Has the service do what a request asks for; the answer's payload stays where it is until it has been sent. */
void ts_serve(struct ts_exchange *exchange, struct ts_message *message, struct ts_answer *answer);
/** Forgets the payload that a worker was reading. Masked. */
void ts_serve_abandon(uint32_t worker);

/* observers.c */
/** Takes the edge as an observer of what it has just got. False if there is no room. */
int ts_observer_add(const struct ts_message *message);
/** Ends what the message's token observes, if anything. */
void ts_observer_remove(const struct ts_message *message);
/** Masked. */
void ts_observer_drop(uint32_t number);
/** Has observers that found no room be told now. Masked. */
void ts_observers_again(void);
/** Drops all: there is another edge. Masked. */
void ts_observers_forget(void);
/** Drops observers whose subscription is gone. Masked. */
void ts_observers_check(void);

/* worker.c */
/** Which of the workers runs. */
uint32_t ts_this_worker(void);
/** Who asks for what it does now. */
void ts_worker_serves(const char *caller, uint32_t bytes);

#endif
