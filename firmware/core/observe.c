/* Observe (RFC 7641) between modules: who wants to hear of which resource, and what it is told. A change marks the
 * observers; each of them gets the new representation on its own chain, several changes at once if it is slow. */
#include "chain.h"
#include "imc.h"
#include "lifecycle.h"

struct ts_subscription ts_subscriptions[TS_MAX_SUBSCRIPTIONS];

static void mark(struct ts_subscription *subscription)
{
    subscription->pending = 1;
    ts_post(&ts_modules[subscription->subscriber], TS_EVENT_NOTIFY);
}

int32_t ts_observe(const char *uri, uint32_t uri_bytes, uint32_t buffer, uint32_t capacity)
{
    uint32_t path_bytes = 0, subscriber = ts_current_module;
    while (path_bytes < uri_bytes && uri[path_bytes] != '?') path_bytes++;
    if (uri_bytes == 0 || uri_bytes > TS_MAX_OBSERVED_URI || capacity > 0xffff) return -1;
    if (!ts_may_request(&ts_modules[subscriber], TS_GET, uri, path_bytes)) return -1;
    uint32_t route = ts_find_route(TS_GET, uri, path_bytes);
    if (route > TS_MAX_ROUTES) return -1;
    int32_t number = -1;
    uint32_t ps = ts_lock();
    const struct ts_service *service = ts_routes[route - 1].service;
    if (service != 0 && service->observable)
        for (uint32_t i = 0; number < 0 && i < TS_MAX_SUBSCRIPTIONS; i++)
            if (ts_subscriptions[i].uri_bytes == 0) number = (int32_t)i;
    if (number >= 0) {
        struct ts_subscription *subscription = &ts_subscriptions[number];
        subscription->buffer = buffer;
        subscription->capacity = (uint16_t)capacity;
        subscription->subscriber = (uint8_t)subscriber;
        subscription->provider = ts_routes[route - 1].provider;
        subscription->gone = 0;
        ts_copy_text(subscription->uri, TS_MAX_OBSERVED_URI, uri, uri_bytes);
        subscription->uri_bytes = (uint8_t)uri_bytes;
        mark(subscription); /* the present representation comes first */
    }
    ts_unlock(ps);
    return number;
}

uint32_t ts_unobserve(uint32_t number)
{
    uint32_t done = 0, ps = ts_lock();
    if (number < TS_MAX_SUBSCRIPTIONS && ts_subscriptions[number].uri_bytes != 0 &&
        ts_subscriptions[number].subscriber == ts_current_module) {
        ts_subscriptions[number].uri_bytes = 0;
        done = 1;
    }
    ts_unlock(ps);
    return done;
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

void ts_provider_changed(uint32_t module, int gone)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        struct ts_subscription *subscription = &ts_subscriptions[i];
        if (subscription->uri_bytes == 0 || subscription->provider != module) continue;
        if (gone) subscription->gone = 1;
        mark(subscription);
    }
}

void ts_subscriptions_drop(uint32_t subscriber)
{
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        if (ts_subscriptions[i].subscriber == subscriber) ts_subscriptions[i].uri_bytes = 0;
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
    uint32_t result = ts_result(TS_NOT_FOUND, 0);
    if (info->wasm == 0) {
        /* A native observer gets the representation itself. */
        uint32_t gone = subscription->gone;
        if (gone) subscription->uri_bytes = 0;
        ((void (*)(uint32_t, uint32_t))info->on_notify)(index, gone);
        return 0;
    }
    if (subscription->gone) subscription->uri_bytes = 0;
    else {
        uint32_t response = info->memory == 0 ? 0 : (uint32_t)info->memory->base + subscription->buffer;
        struct ts_request request = {.response = response, .capacity = subscription->capacity};
        result = ts_request_uri(TS_GET, subscription->uri, subscription->uri_bytes, &request);
    }
    if (info->on_notify != 0) ((void (*)(uint32_t, uint32_t))info->on_notify)(index, result);
    return 0;
}
