/* Observe (RFC 7641) between modules: who wants to hear of which resource, and what it is told. A change marks the
 * observers; each of them gets the new representation on its own chain, several changes at once if it is slow. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"
#include "remote.h"

struct ts_subscription ts_subscriptions[TS_MAX_SUBSCRIPTIONS];

static void mark(struct ts_subscription *subscription)
{
    subscription->pending = 1;
    ts_post(&ts_modules[subscription->subscriber], TS_EVENT_NOTIFY);
}

static uint32_t path_of(const char *uri, uint32_t uri_bytes)
{
    uint32_t bytes = 0;
    while (bytes < uri_bytes && uri[bytes] != '?') bytes++;
    return bytes;
}

/** Module that lets a path be observed: its index, TS_ELSEWHERE if none here has the path, -1 if it cannot be. Unmasked. */
static int32_t provider_of(const char *path, uint32_t bytes)
{
    for (;;) {
        uint32_t epoch = ts_kernel.epoch, route = ts_find_route(TS_GET, path, bytes);
        if (route == ts_result(TS_NOT_FOUND, 0)) return TS_ELSEWHERE;
        if (route > TS_MAX_ROUTES) return -1;
        uint32_t ps = ts_lock();
        const struct ts_service *service = ts_routes[route - 1].service;
        int32_t provider = service != 0 && service->observable ? ts_routes[route - 1].provider : -1;
        ts_unlock(ps);
        if (epoch == ts_kernel.epoch) return provider;
    }
}

/** The lowest number that none of the subscriber's subscriptions has. Masked. */
static uint32_t free_id(uint32_t subscriber)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (ts_subscriptions[i].uri_bytes != 0 && ts_subscriptions[i].subscriber == subscriber) used |= 1u << ts_subscriptions[i].id;
    uint32_t id = 0;
    while ((used >> id & 1) != 0) id++;
    return id;
}

int32_t ts_observe(const char *uri, uint32_t uri_bytes, uint32_t buffer, uint32_t capacity)
{
    uint32_t subscriber = ts_current_module, path_bytes = path_of(uri, uri_bytes);
    if (uri_bytes == 0 || uri_bytes > TS_MAX_OBSERVED_URI || capacity > 0xffff) return -1;
    if (!ts_may_request(&ts_modules[subscriber], TS_GET, uri, path_bytes)) return -1;
    uint32_t epoch = ts_kernel.epoch;
    int32_t number = -1, provider = provider_of(uri, path_bytes);
    if (provider < 0 || (provider == TS_ELSEWHERE && ts_modules[subscriber].info->wasm == 0)) return -1;
    uint32_t ps = ts_lock();
    for (uint32_t i = 0; number < 0 && i < TS_MAX_SUBSCRIPTIONS; i++)
        if (ts_subscriptions[i].uri_bytes == 0) number = (int32_t)i;
    if (number >= 0) {
        struct ts_subscription *subscription = &ts_subscriptions[number];
        subscription->buffer = buffer;
        subscription->capacity = (uint16_t)capacity;
        subscription->id = (uint8_t)free_id(subscriber);
        subscription->subscriber = (uint8_t)subscriber;
        subscription->provider = (uint8_t)provider;
        subscription->epoch = epoch;
        subscription->pending = 0;
        subscription->gone = 0;
        ts_copy_text(subscription->uri, TS_MAX_OBSERVED_URI, uri, uri_bytes);
        subscription->uri_bytes = (uint8_t)uri_bytes;
        if (provider == TS_ELSEWHERE) ts_follow((uint32_t)number);
        else mark(subscription); /* the present representation comes first */
        if (epoch != ts_kernel.epoch) ts_subscriptions_unsettled();
    }
    ts_unlock(ps);
    return number;
}

void ts_subscription_end(uint32_t index)
{
    ts_subscriptions[index].uri_bytes = 0;
    ts_follow_end(index);
}

uint32_t ts_unobserve(uint32_t id)
{
    uint32_t done = 0, ps = ts_lock();
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        const struct ts_subscription *subscription = &ts_subscriptions[i];
        if (subscription->uri_bytes == 0 || subscription->id != id || subscription->subscriber != ts_current_module) continue;
        ts_subscription_end(i);
        done = 1;
    }
    ts_unlock(ps);
    return done;
}

static int is_same(const char *a, const char *b, uint32_t bytes)
{
    while (bytes != 0 && a[bytes - 1] == b[bytes - 1]) bytes--;
    return bytes == 0;
}

void ts_subscriptions_unsettled(void)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        if (ts_subscriptions[i].uri_bytes == 0) continue;
        ts_remote_job(TS_JOB_SETTLE);
        return;
    }
}

/** A provider has been found for a subscription that had another one, or none has. */
static void settle(uint32_t index, int32_t provider)
{
    struct ts_subscription *subscription = &ts_subscriptions[index];
    int native = ts_modules[subscription->subscriber].info->wasm == 0;
    if (provider == subscription->provider && (provider != TS_ELSEWHERE || ts_following(index))) return;
    if (provider >= 0 && provider != TS_ELSEWHERE) {
        ts_follow_end(index);
        subscription->provider = (uint8_t)provider;
        mark(subscription);
    } else if (provider < 0 || native || (subscription->provider < TS_MAX_MODULES && !ts_link_up())) {
        subscription->gone = provider < 0 ? TS_METHOD_NOT_ALLOWED : TS_NOT_FOUND;
        mark(subscription);
    } else {
        subscription->provider = TS_ELSEWHERE;
        ts_follow(index);
    }
}

void ts_subscriptions_settle(void)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        struct ts_subscription *subscription = &ts_subscriptions[i];
        char uri[TS_MAX_OBSERVED_URI];
        uint32_t ps = ts_lock(), bytes = subscription->uri_bytes, epoch = ts_kernel.epoch;
        int old = bytes != 0 && subscription->epoch != epoch;
        if (old) ts_copy_text(uri, sizeof uri, subscription->uri, bytes);
        ts_unlock(ps);
        if (!old) continue;
        int32_t provider = provider_of(uri, path_of(uri, bytes));
        ps = ts_lock();
        if (subscription->uri_bytes == bytes && is_same(uri, subscription->uri, bytes)) {
            subscription->epoch = epoch;
            settle(i, provider);
        }
        ts_unlock(ps);
    }
}

uint32_t ts_changed(uint32_t provider, const char *path, uint32_t path_bytes)
{
    uint32_t count = 0, ps = ts_lock();
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        struct ts_subscription *subscription = &ts_subscriptions[i];
        uint32_t bytes = subscription->uri_bytes, at = 0;
        if (bytes < path_bytes || bytes == 0 || subscription->provider != provider) continue;
        while (at < path_bytes && subscription->uri[at] == path[at]) at++;
        if (at < path_bytes || (at < bytes && subscription->uri[at] != '?')) continue;
        mark(subscription);
        count++;
    }
    ts_unlock(ps);
    return count;
}

void ts_provider_changed(uint32_t module)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (ts_subscriptions[i].uri_bytes != 0 && ts_subscriptions[i].provider == module) mark(&ts_subscriptions[i]);
}

void ts_subscriptions_drop(uint32_t subscriber)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (ts_subscriptions[i].uri_bytes != 0 && ts_subscriptions[i].subscriber == subscriber) ts_subscription_end(i);
}

uint32_t ts_next_notification(struct ts_module *module)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        struct ts_subscription *subscription = &ts_subscriptions[i];
        if (!subscription->pending || subscription->subscriber != module->index || subscription->uri_bytes == 0) continue;
        subscription->pending = 0;
        return i + 1;
    }
    return 0;
}

uint32_t ts_notify_run(uint32_t index)
{
    struct ts_subscription *subscription = &ts_subscriptions[index];
    const struct ts_module_info *info = ts_modules[ts_current_module].info;
    uint32_t ps = ts_lock(), gone = subscription->gone, id = subscription->id;
    if (gone && info->wasm != 0) ts_subscription_end(index);
    ts_unlock(ps);
    if (info->wasm == 0) {
        /* A native observer gets the representation itself, and ends the subscription. */
        ((void (*)(uint32_t, uint32_t))info->on_notify)(index, gone);
        return 0;
    }
    uint32_t result = ts_result(gone, 0);
    if (!gone) {
        uint32_t response = info->memory == 0 ? 0 : (uint32_t)info->memory->base + subscription->buffer;
        struct ts_request request = {.response = response, .capacity = subscription->capacity};
        if (subscription->provider == TS_ELSEWHERE) {
            result = ts_follow_take(index, &request);
            if (result == 0) return 0;
        } else result = ts_request_uri(TS_GET, subscription->uri, subscription->uri_bytes, &request);
    }
    if (info->on_notify != 0) ((void (*)(uint32_t, uint32_t))info->on_notify)(id, result);
    return 0;
}
