/* Subscriptions to what is not on this device: asks the edge to tell of changes (RFC 7641), keeps asking while there is no
 * answer, and has each new representation wait where it was received until its subscriber runs. Takes subscriptions, gives
 * representations. Knows no module.
 *
 * A representation that waits goes when room is needed for a message, and none is kept for a subscriber that itself waits for
 * the edge: it is asked for anew as soon as the subscriber could take it. */
#include "chain.h"
#include "imc.h"
#include "remote.h"

enum {
    TOKEN_BYTES = 2,
    HEAD_BYTES = 128,
    MOST_RETRIES = 4,
    PATIENCE = 30, /* modules start one after the other, and move: how often "not found" means "not yet" */
    SECOND = 1000000, /* microseconds */
    FIRST_TIMEOUT = 400000,
    NO_ROOM_AGAIN = 20000,
    NOT_YET_AGAIN = SECOND,    /* asked again when the service is on the move */
    SILENCE_AGAIN = 60 * SECOND,
    DEFAULT_MAX_AGE = 60, /* seconds */
    LONGEST_MAX_AGE = 1800,
    LEAST_AFTER_MAX_AGE = 5 * SECOND, /* RFC 7641, 3.3.1; and up to 8 more */
    REORDERED_SECONDS = 128,          /* RFC 7641, 3.4 */
};
enum { OFF = 0, WANTED, ASKED, ACKNOWLEDGED, FOLLOWING };

static struct follow {
    uint32_t due; /* of the next step; microseconds, low word */
    uint32_t timeout;
    uint32_t sequence; /* of the newest representation */
    uint32_t heard;    /* when it came; microseconds, low word */
    uint16_t mid;
    uint8_t state;
    uint8_t retries;
    uint8_t generation; /* second byte of the token */
    uint8_t any;        /* any representation is newer */
    uint8_t patience;   /* what is left of it */
    uint8_t frame;      /* 1 + number in ts_rx_frames of the newest representation; 0: not here */
} follows[TS_MAX_SUBSCRIPTIONS];

static struct {
    struct ts_tx tx;
    uint8_t head[HEAD_BYTES] __attribute__((aligned(4)));
} request;

static uint32_t now_low(void) { return (uint32_t)rt_clock_microseconds(); }

static void forget_frame(struct follow *follow)
{
    if (follow->frame != 0) ts_rx_frames[follow->frame - 1].state = RX_FREE;
    follow->frame = 0;
}

static void step_in(struct follow *follow, uint32_t state, uint32_t microseconds)
{
    follow->state = (uint8_t)state;
    follow->due = now_low() + microseconds;
    ts_remote_later(microseconds);
}

static void ask_now(struct follow *follow)
{
    follow->state = WANTED;
    follow->any = 1;
    follow->due = now_low();
    ts_remote_job(TS_JOB_FOLLOW);
}

void ts_follow(uint32_t number)
{
    struct follow *follow = &follows[number];
    forget_frame(follow);
    follow->generation++;
    follow->patience = PATIENCE;
    ask_now(follow);
}

void ts_follow_end(uint32_t number)
{
    struct follow *follow = &follows[number];
    /* What the edge still tells is answered by a reset. */
    follow->state = OFF;
    forget_frame(follow);
}

int ts_following(uint32_t number) { return follows[number].state != OFF; }

void ts_follow_again(void)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (follows[i].state != OFF) ask_now(&follows[i]);
}

int ts_follow_make_room(void)
{
    int found = 0;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        found |= follows[i].frame != 0;
        forget_frame(&follows[i]);
    }
    return found;
}

/** Is it time to ask? The message ID is that of the first time, until an answer or silence. Masked. */
static int is_due(struct follow *follow)
{
    if ((follow->state != WANTED && follow->state != ASKED) || (int32_t)(follow->due - now_low()) > 0) return 0;
    if (request.tx.queued) {
        ts_remote_later(NO_ROOM_AGAIN);
        return 0;
    }
    if (follow->state == WANTED) {
        follow->mid = (uint16_t)ts_message_id();
        follow->retries = 0;
        follow->timeout = FIRST_TIMEOUT + (rt_random() & 0x1ffff);
    } else follow->timeout <<= 1;
    return 1;
}

/** Sends a registration if it is time to. */
static void ask(uint32_t number)
{
    struct follow *follow = &follows[number];
    const struct ts_subscription *subscription = &ts_subscriptions[number];
    char uri[TS_MAX_OBSERVED_URI];
    uint32_t ps = ts_lock();
    int due = is_due(follow);
    uint32_t n = subscription->uri_bytes, subscriber = subscription->subscriber, generation = follow->generation;
    if (due) ts_copy_text(uri, sizeof uri, subscription->uri, n);
    ts_unlock(ps);
    if (!due) return;
    const uint32_t token[2] = {(TS_FOLLOW_FIRST_TOKEN + number) | generation << 8, 0};
    struct ts_head head;
    ts_head_begin(&head, request.head, COAP_CON, TS_GET, follow->mid, token, TOKEN_BYTES);
    ts_head_request(&head, request.head + HEAD_BYTES, uri, n, 0, subscriber);
    request.tx.part[0] = request.head;
    request.tx.bytes[0] = (uint16_t)(head.at - request.head);
    request.tx.bytes[1] = 0;
    ts_tx_prepare(&request.tx);
    ps = ts_lock();
    if (follow->generation == generation && (follow->state == WANTED || follow->state == ASKED)) {
        ts_tx_send(&request.tx);
        if (follow->state == ASKED && follow->retries++ == MOST_RETRIES) step_in(follow, WANTED, SILENCE_AGAIN);
        else step_in(follow, ASKED, follow->timeout);
    }
    ts_unlock(ps);
}

void ts_follow_work(void)
{
    if (!ts_link_up()) return;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) ask(i);
}

uint64_t ts_follow_tick(uint64_t now)
{
    uint64_t next = ~(uint64_t)0;
    if (!ts_link_up()) return next;
    int work = 0;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        struct follow *follow = &follows[i];
        if (follow->state == OFF) continue;
        int32_t left = (int32_t)(follow->due - (uint32_t)now);
        if (left <= 0) {
            /* No answer, or nothing new for so long that the edge may have forgotten. */
            if (follow->state > ASKED) {
                follow->state = WANTED;
                follow->any = 1;
            }
            work = 1;
            left = NO_ROOM_AGAIN;
        }
        if (now + (uint32_t)left < next) next = now + (uint32_t)left;
    }
    if (work) ts_remote_job(TS_JOB_FOLLOW);
    return next;
}

int ts_follow_acknowledged(uint32_t mid, int reset)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        struct follow *follow = &follows[i];
        if (follow->state != ASKED || follow->mid != mid) continue;
        step_in(follow, reset ? WANTED : ACKNOWLEDGED, SILENCE_AGAIN);
        return 1;
    }
    return 0;
}

/** RFC 7641, 3.4. */
static int is_newer(const struct follow *follow, uint32_t sequence)
{
    enum { HALF = 1 << 23 };
    if (follow->any || now_low() - follow->heard > REORDERED_SECONDS * SECOND) return 1;
    uint32_t before = follow->sequence;
    return (before < sequence && sequence - before < HALF) || (before > sequence && before - sequence > HALF);
}

static uint32_t max_age(const struct ts_message *message, uint32_t otherwise)
{
    uint32_t seconds = message->max_age == TS_NO_BLOCK ? otherwise : message->max_age;
    return (seconds < LONGEST_MAX_AGE ? seconds : LONGEST_MAX_AGE) * SECOND;
}

/** A representation: true if the frame is kept. */
static int take(uint32_t number, struct ts_rx *frame, const struct ts_message *message)
{
    struct follow *follow = &follows[number];
    if (!is_newer(follow, message->observe)) return 0;
    follow->any = 0;
    follow->patience = PATIENCE;
    follow->sequence = message->observe;
    follow->heard = now_low();
    step_in(follow, FOLLOWING, max_age(message, DEFAULT_MAX_AGE) + LEAST_AFTER_MAX_AGE + (rt_random() & 0x7fffff));
    struct ts_subscription *subscription = &ts_subscriptions[number];
    forget_frame(follow);
    /* It would be in the way of what the subscriber waits for. */
    int keep = (ts_kernel.busy >> subscription->subscriber & 1) == 0;
    if (keep) {
        frame->state = RX_PARKED;
        follow->frame = (uint8_t)(1 + (frame - ts_rx_frames));
    }
    subscription->pending = 1;
    ts_post(&ts_modules[subscription->subscriber], TS_EVENT_NOTIFY);
    return keep;
}

/** The edge will not tell, or no more. */
static void refused(uint32_t number, const struct ts_message *message)
{
    enum { REFUSED_MAX_AGE = 2 };
    struct follow *follow = &follows[number];
    uint32_t code = message->code;
    if (code >> 5 == 5 || (code == TS_NOT_FOUND && follow->patience != 0)) {
        if (code == TS_NOT_FOUND) follow->patience--;
        uint32_t wait = code == TS_NOT_FOUND ? (uint32_t)NOT_YET_AGAIN : max_age(message, REFUSED_MAX_AGE);
        step_in(follow, WANTED, wait < NOT_YET_AGAIN ? (uint32_t)NOT_YET_AGAIN : wait);
        follow->any = 1;
        return;
    }
    ts_follow_end(number);
    struct ts_subscription *subscription = &ts_subscriptions[number];
    /* A representation alone: it cannot be observed. */
    subscription->gone = code >> 5 == 4 ? (uint8_t)code : TS_METHOD_NOT_ALLOWED;
    subscription->pending = 1;
    ts_post(&ts_modules[subscription->subscriber], TS_EVENT_NOTIFY);
}

int ts_follow_response(struct ts_rx *frame, const struct ts_message *message)
{
    uint32_t number = (message->token[0] & 0xff) - TS_FOLLOW_FIRST_TOKEN;
    if (message->token_bytes != TOKEN_BYTES || number >= TS_MAX_SUBSCRIPTIONS) return FOLLOW_NOT_MINE;
    int done = FOLLOW_NOT_MINE;
    uint32_t ps = ts_lock();
    const struct follow *follow = &follows[number];
    if (follow->state != OFF && follow->generation == message->token[0] >> 8) {
        done = FOLLOW_DONE;
        if (message->code >> 5 != 2 || message->observe == TS_NO_BLOCK) refused(number, message);
        else if (take(number, frame, message)) done = FOLLOW_KEPT;
    }
    ts_unlock(ps);
    return done;
}

uint32_t ts_follow_take(uint32_t number, const struct ts_request *wanted)
{
    struct follow *follow = &follows[number];
    uint32_t ps = ts_lock(), result = 0;
    struct ts_rx *frame = follow->frame == 0 ? 0 : &ts_rx_frames[follow->frame - 1];
    if (frame != 0) {
        /* From here on the invocation's: it is free when that ends. */
        follow->frame = 0;
        frame->state = RX_TAKEN;
        frame->owner = ts_current_frame;
    }
    ts_unlock(ps);
    if (frame != 0) {
        struct ts_message message;
        uint8_t *bytes = ts_rx_ring + frame->start;
        uint32_t n = frame->bytes - 2u;
        /* It has been read before, and well. */
        if (ts_message_begin(&message, bytes, n) && ts_message_read(&message, bytes, n)) result = ts_response_result(&message, wanted);
        frame->state = RX_FREE;
    }
    if (result != 0) return result;
    ps = ts_lock();
    if (follow->state == FOLLOWING) ask_now(follow);
    ts_unlock(ps);
    return 0;
}
