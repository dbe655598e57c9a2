/* Inter-module communication: what its parts give each other. Paths are without leading slash. */
#ifndef IMC_H
#define IMC_H

#include "kernel.h"

/** A request with native pointers. */
struct ts_request {
    uint32_t epoch; /* ts_kernel.epoch when its route was looked up */
    const char *uri;
    uint32_t uri_bytes;
    uint32_t payload, bytes; /* native */
    uint32_t response, capacity;
    uint32_t payload_parent, response_parent; /* keys of the windows that the caller's pointers are, 0: own memory */
};

/* route.c */
/** Do the `requires` of the caller cover method and path? Native modules may request anything. */
int ts_may_request(const struct ts_module *caller, uint32_t method, const char *path, uint32_t bytes);
/** Index + 1 in ts_routes, or a result word with an error code. */
uint32_t ts_find_route(uint32_t method, const char *path, uint32_t bytes);
/** Drops all routes and bindings: a module has come or gone. Masked. */
void ts_routes_forget(void);
uint32_t ts_string_bytes(const char *text);
int ts_name_is(const char *name, const char *text, uint32_t bytes);
/** Copies what fits; gives `bytes`. */
int32_t ts_copy_text(char *buffer, uint32_t capacity, const char *text, uint32_t bytes);

/* imc.c */
/** Carries a request to the provider of a route and back: result word. Unmasked. */
uint32_t ts_dispatch(uint32_t route, const struct ts_request *request);
/** The whole of a request by URI; `request` without uri. Unmasked. */
uint32_t ts_request_uri(uint32_t method, const char *uri, uint32_t uri_bytes, struct ts_request *request);

/* observe.c */
/** Index of a new subscription of the running module, or -1; `buffer` is an address in its memory. What is not on this
 * device is asked for at the edge. Unmasked. */
int32_t ts_observe(const char *uri, uint32_t uri_bytes, uint32_t buffer, uint32_t capacity);
/** Ends a subscription of the running module by its id; 0 if there is none. */
uint32_t ts_unobserve(uint32_t id);
/** Has the observers of all services of a module look again. Masked. */
void ts_provider_changed(uint32_t module);
/** Ends a subscription, here and at the edge. Masked. */
void ts_subscription_end(uint32_t index);
/** Ends the subscriptions that a module has. Masked. */
void ts_subscriptions_drop(uint32_t subscriber);
/** Routes have changed, or subscriptions have been put in the table with an epoch of 0: who provides what is looked up
 * again, soon. Masked. */
void ts_subscriptions_unsettled(void);
/** Looks it up. Runs as an invocation of the lowest level. */
void ts_subscriptions_settle(void);
/** Runs as an invocation of the subscriber. */
uint32_t ts_notify_run(uint32_t index);

/* timer.c */
void ts_timers_init(void);
void ts_timer_interrupt(void);
/** Starts a timer of a module: both in microseconds since the start, and milliseconds; 0, 0 stops it. Masked. */
void ts_timer_set(struct ts_module *module, uint32_t timer, uint64_t due, uint32_t period_ms);
/** The next time something is due may be as early as `due`. Masked. */
void ts_timer_earliest(uint64_t due);

#endif
