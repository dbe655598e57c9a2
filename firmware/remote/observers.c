/* The edge as an observer of services of this device (RFC 7641): its tokens, and what it is told. Takes changes as the
 * subscriber of a local subscription does, gives confirmable notifications. Knows no message. */
#include "exchange.h"

static struct {
    uint32_t token[2];
    uint32_t sequence;
    uint8_t token_bytes;
    uint8_t used;
} observers[TS_MAX_SUBSCRIPTIONS];

static int32_t find(const struct ts_message *message)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (observers[i].used && observers[i].token_bytes == message->token_bytes && observers[i].token[0] == message->token[0] &&
            observers[i].token[1] == message->token[1])
            return (int32_t)i;
    return -1;
}

void ts_observer_drop(uint32_t number)
{
    observers[number].used = 0;
    ts_subscription_end(number);
}

void ts_observer_remove(const struct ts_message *message)
{
    uint32_t ps = ts_lock();
    int32_t number = find(message);
    if (number >= 0) ts_observer_drop((uint32_t)number);
    ts_unlock(ps);
}

int ts_observer_add(const struct ts_message *message)
{
    if (find(message) >= 0) return 1;
    int32_t number = ts_observe(message->uri, message->uri_bytes, 0, 0);
    if (number < 0) return 0;
    uint32_t ps = ts_lock();
    ts_subscriptions[number].pending = 0; /* the first representation goes as the response */
    observers[number].used = 1;
    observers[number].sequence = 1;
    observers[number].token_bytes = message->token_bytes;
    observers[number].token[0] = message->token[0];
    observers[number].token[1] = message->token[1];
    ts_unlock(ps);
    return 1;
}

void ts_observers_forget(void)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (observers[i].used) ts_observer_drop(i);
}

void ts_observers_again(void)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (observers[i].used && ts_subscriptions[i].pending)
            ts_post(&ts_modules[ts_subscriptions[i].subscriber], TS_EVENT_NOTIFY);
}

void ts_observers_check(void)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (observers[i].used && ts_subscriptions[i].uri_bytes == 0) observers[i].used = 0;
}

void ts_remote_notify(uint32_t number, uint32_t gone)
{
    struct ts_subscription *subscription = &ts_subscriptions[number];
    if (!observers[number].used) return;
    struct ts_exchange *exchange = ts_exchange_notify(number, observers[number].token, observers[number].token_bytes);
    if (exchange == 0) {
        subscription->pending = 1;
        return;
    }
    struct ts_answer answer = {.code = gone, .format = TS_NO_FORMAT};
    uint32_t path_bytes = 0;
    while (path_bytes < subscription->uri_bytes && subscription->uri[path_bytes] != '?') path_bytes++;
    struct ts_message message = {.code = TS_GET,
                                 .uri = subscription->uri,
                                 .uri_bytes = subscription->uri_bytes,
                                 .path_bytes = path_bytes,
                                 .observe = TS_NO_BLOCK,
                                 .block1 = TS_NO_BLOCK,
                                 .block2 = TS_NO_BLOCK,
                                 .accept = TS_NO_BLOCK};
    ts_worker_serves("", 0);
    if (!gone) ts_serve(exchange, &message, &answer);
    if (answer.code >> 5 == 2) {
        answer.observe = ++observers[number].sequence & 0xffffff;
        answer.options |= ANSWER_OBSERVE;
    } else {
        uint32_t ps = ts_lock();
        ts_observer_drop(number);
        ts_unlock(ps);
    }
    ts_exchange_answer(exchange, &answer);
}
