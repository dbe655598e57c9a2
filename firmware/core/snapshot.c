/* State of a module as bytes: its initialised and zeroed data (globals, tables, descriptors of memories), its linear
 * memory, raw, its timers and subscriptions, behind a header that says what they belong to. Only the same code at the same
 * addresses can take it back. Takes and gives native pointers; knows no module's contents.
 *
 * Timers and subscriptions of a module that nobody runs lie as those bytes at the bottom of its stack, which is free then:
 * a word with their length, and they (module->staged). */
#include "chain.h"
#include "flash.h"
#include "imc.h"
#include "lifecycle.h"
#include "rt.h"
#include "sys.h"

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

enum { SNAPSHOT_MAGIC = 0x32535354 /* "TSS2" */, LEAST_CRC_BLOCK = 64, MOST_CRC_BLOCK = 1024, MOST_SUBSCRIPTION_IDS = 32 };

/** Little-endian; as many bytes of each follow. */
struct snapshot {
    uint32_t magic;
    uint32_t identity; /* of descriptor, version and function table: the same code at the same addresses */
    uint32_t data_bytes;
    uint32_t bss_bytes;
    uint32_t memory_bytes;
    uint32_t events_bytes;
};

/** Their numbers come first, as a word each. */
struct timer_event {
    uint32_t number, remaining_ms, period_ms;
};
struct subscription_event {
    uint32_t id, buffer, capacity, uri_bytes; /* and the URI, filled up to words */
};

/** The piece of a state that a buffer holds. */
struct span {
    uint8_t *bytes;
    uint32_t offset, length; /* in the whole */
    uint32_t at; /* where the next part of the whole begins */
};

/** Bytes of a part of `n` bytes that lie in the span: where in the part, where in the buffer. */
static uint32_t overlap(struct span *span, uint32_t n, uint32_t *in_part, uint32_t *in_span)
{
    uint32_t first = span->at, end = first + n, last = span->offset + span->length;
    span->at = end;
    if (first < span->offset) first = span->offset;
    if (end > last) end = last;
    *in_part = first - (span->at - n);
    *in_span = first - span->offset;
    return end > first ? end - first : 0;
}

static void put(struct span *span, const void *part, uint32_t n)
{
    uint32_t in_part, in_span, bytes = overlap(span, n, &in_part, &in_span);
    if (bytes != 0) memcpy(span->bytes + in_span, (const uint8_t *)part + in_part, bytes);
}

static void get(struct span *span, void *part, uint32_t n)
{
    uint32_t in_part, in_span, bytes = overlap(span, n, &in_part, &in_span);
    if (bytes != 0) memcpy((uint8_t *)part + in_part, span->bytes + in_span, bytes);
}

static void put_word(struct span *span, uint32_t word) { put(span, &word, sizeof word); }

static uint32_t remaining_ms(const struct ts_timer *timer)
{
    uint32_t ps = ts_lock();
    uint64_t due = (uint64_t)timer->due_high << 32 | timer->due_low, now = rt_clock_microseconds();
    ts_unlock(ps);
    return due <= now ? 0 : (uint32_t)rt_i64_div_u(due - now, 1000);
}

static int has(const struct ts_module *module, const struct ts_subscription *subscription)
{
    return subscription->uri_bytes != 0 && subscription->subscriber == module->index;
}

static void put_live_events(struct span *span, const struct ts_module *module)
{
    uint32_t due = module->timers_due, timers = (module->timers_on | due) & ((1u << TS_MODULE_TIMERS) - 1), count = 0;
    for (uint32_t i = 0; i < TS_MODULE_TIMERS; i++) count += timers >> i & 1;
    put_word(span, count);
    for (uint32_t i = 0; i < TS_MODULE_TIMERS; i++) {
        const struct ts_timer *timer = &module->timers[i];
        struct timer_event event = {i, (due >> i & 1) != 0 ? 0 : remaining_ms(timer), timer->period_ms};
        if ((timers >> i & 1) != 0) put(span, &event, sizeof event);
    }
    count = 0;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) count += has(module, &ts_subscriptions[i]);
    put_word(span, count);
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++) {
        const struct ts_subscription *subscription = &ts_subscriptions[i];
        uint32_t n = subscription->uri_bytes, none = 0;
        struct subscription_event event = {subscription->id, subscription->buffer, subscription->capacity, n};
        if (!has(module, subscription)) continue;
        put(span, &event, sizeof event);
        put(span, subscription->uri, n);
        put(span, &none, -n & 3);
    }
}

static uint32_t *stage_of(const struct ts_module *module) { return (uint32_t *)module->info->stack_bottom; }

/** Most bytes of events that a module's stack has room for. */
static uint32_t stage_room(const struct ts_module_info *info)
{
    enum { MOST_EVENTS_BYTES = 8 + TS_MODULE_TIMERS * sizeof(struct timer_event) +
                               TS_MAX_SUBSCRIPTIONS * (sizeof(struct subscription_event) + TS_MAX_OBSERVED_URI) };
    uint32_t room = info->stack_top - info->stack_bottom - sizeof(uint32_t);
    return room < MOST_EVENTS_BYTES ? room : MOST_EVENTS_BYTES;
}

static void put_events(struct span *span, const struct ts_module *module)
{
    const uint32_t *stage = stage_of(module);
    if (module->staged) put(span, stage + 1, *stage);
    else put_live_events(span, module);
}

void ts_events_stage(struct ts_module *module)
{
    uint32_t *stage = stage_of(module);
    struct span span = {(uint8_t *)(stage + 1), 0, stage_room(module->info), 0};
    put_live_events(&span, module);
    *stage = span.at;
    module->staged = 1;
}

static void restore_subscription(const struct ts_module *module, const struct subscription_event *event, const char *uri)
{
    uint32_t i = 0, ps = ts_lock();
    while (i < TS_MAX_SUBSCRIPTIONS && ts_subscriptions[i].uri_bytes != 0) i++;
    if (i < TS_MAX_SUBSCRIPTIONS) {
        struct ts_subscription *subscription = &ts_subscriptions[i];
        *subscription = (struct ts_subscription){.buffer = event->buffer, .capacity = (uint16_t)event->capacity,
                                                 .id = (uint8_t)event->id, .subscriber = module->index, .provider = TS_ELSEWHERE};
        memcpy(subscription->uri, uri, event->uri_bytes);
        subscription->uri_bytes = (uint8_t)event->uri_bytes;
        ts_subscriptions_unsettled();
    }
    ts_unlock(ps);
}

/** Looks through events, and takes them up if told to. 0, or what is wrong with them. */
static uint32_t take_events(struct ts_module *module, const uint8_t *bytes, uint32_t length, int apply)
{
    const struct ts_module_info *info = module->info;
    struct span span = {(uint8_t *)bytes, 0, length, 0};
    uint32_t count = 0, room = 0;
    for (uint32_t i = 0; i < TS_MAX_SUBSCRIPTIONS; i++)
        room += ts_subscriptions[i].uri_bytes == 0 || ts_subscriptions[i].subscriber == module->index;
    get(&span, &count, sizeof count);
    while (count-- != 0 && span.at < length) {
        struct timer_event event = {0};
        get(&span, &event, sizeof event);
        if (span.at > length || event.number >= TS_MODULE_TIMERS || info->on_timer == 0) return TS_BAD_REQUEST;
        if (!apply) continue;
        uint32_t ps = ts_lock();
        ts_timer_set(module, event.number, rt_clock_microseconds() + mul32(event.remaining_ms, 1000), event.period_ms);
        ts_unlock(ps);
    }
    count = 0;
    get(&span, &count, sizeof count);
    while (count-- != 0 && span.at < length) {
        struct subscription_event event = {0};
        char uri[TS_MAX_OBSERVED_URI];
        get(&span, &event, sizeof event);
        if (span.at > length || event.uri_bytes == 0 || event.uri_bytes > sizeof uri || event.capacity > 0xffff || event.id >= MOST_SUBSCRIPTION_IDS ||
            info->memory == 0 || event.capacity > info->memory->bytes || event.buffer > info->memory->bytes - event.capacity)
            return TS_BAD_REQUEST;
        get(&span, uri, event.uri_bytes);
        span.at += -event.uri_bytes & 3;
        if (apply) restore_subscription(module, &event, uri);
        else if (room-- == 0) return TS_SERVICE_UNAVAILABLE;
    }
    return span.at == length && count == ~0u ? 0 : TS_BAD_REQUEST;
}

uint32_t ts_events_check(const struct ts_module *module)
{
    const uint32_t *stage = stage_of(module);
    return take_events((struct ts_module *)module, (const uint8_t *)(stage + 1), *stage, 0);
}

void ts_events_restore(struct ts_module *module)
{
    const uint32_t *stage = stage_of(module);
    take_events(module, (const uint8_t *)(stage + 1), *stage, 1);
}

static struct snapshot describe(const struct ts_module *module)
{
    const struct ts_module_info *info = module->info;
    uint32_t parts[3] = {ts_crc32(info, sizeof *info), ts_crc32(info->version, ts_string_bytes(info->version)), 0};
    if (info->wasm != 0) parts[2] = ts_crc32(info->wasm->funcs, info->wasm->func_count * sizeof *info->wasm->funcs);
    struct span events = {0};
    put_events(&events, module);
    return (struct snapshot){SNAPSHOT_MAGIC, ts_crc32(parts, sizeof parts), info->data_bytes, info->bss_bytes,
                             info->memory != 0 ? info->memory->bytes : 0, events.at};
}

static uint32_t total(const struct snapshot *snapshot)
{
    return sizeof *snapshot + snapshot->data_bytes + snapshot->bss_bytes + snapshot->memory_bytes + snapshot->events_bytes;
}

static void put_state(struct span *span, const struct ts_module *module, const struct snapshot *snapshot)
{
    const struct ts_module_info *info = module->info;
    put(span, snapshot, sizeof *snapshot);
    put(span, (const void *)info->data_start, snapshot->data_bytes);
    put(span, (const void *)info->bss_start, snapshot->bss_bytes);
    if (snapshot->memory_bytes != 0) put(span, info->memory->base, snapshot->memory_bytes);
    put_events(span, module);
}

/** Module of the request, or null and why: one whose state is defined. */
static struct ts_module *module_with_state(uint32_t *error)
{
    int32_t index = ts_module_of_request();
    *error = index < 0 ? TS_NOT_FOUND : TS_CONFLICT;
    if (index <= TS_DEV) return 0;
    struct ts_module *module = &ts_modules[index];
    uint32_t state = module->state;
    return state == TS_STATE_RUNNING || state == TS_STATE_STOPPED || state == TS_STATE_HELD ? module : 0;
}

/** CRC-32 of each block of the state, as far as there is room. */
static uint32_t put_checks(const struct ts_module *module, const struct snapshot *snapshot, uint32_t block_bytes, uint32_t first,
                           uint8_t *to, uint32_t capacity)
{
    uint8_t bytes[LEAST_CRC_BLOCK];
    uint32_t end = total(snapshot), written = 0;
    for (uint32_t at = first * block_bytes; at < end && written + 4 <= capacity; at += block_bytes) {
        uint32_t crc = 0, block_end = end - at < block_bytes ? end : at + block_bytes;
        for (uint32_t part = at; part < block_end; part += sizeof bytes) {
            uint32_t n = block_end - part < sizeof bytes ? block_end - part : sizeof bytes;
            struct span span = {bytes, part, n, 0};
            put_state(&span, module, snapshot);
            crc = ts_crc32_more(crc, bytes, n);
        }
        memcpy(to + written, &crc, sizeof crc);
        written += sizeof crc;
    }
    return written;
}

uint32_t ts_state_read(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    uint32_t error, check_bytes;
    const struct ts_module *module = module_with_state(&error);
    if (module == 0) return error;
    int checks = ts_query_number("crc", &check_bytes);
    if (checks < 0 || (checks && (check_bytes < LEAST_CRC_BLOCK || check_bytes > MOST_CRC_BLOCK || (check_bytes & (check_bytes - 1)) != 0)))
        return TS_BAD_REQUEST;
    struct snapshot snapshot = describe(module);
    struct ts_block *block = ts_block_of_request();
    uint32_t needed = total(&snapshot), offset = block == 0 ? 0 : block->offset2;
    if (checks) needed = 4 * div32(needed + check_bytes - 1, check_bytes);
    if (needed > capacity && block == 0) {
        if (capacity < sizeof needed) return TS_REQUEST_ENTITY_TOO_LARGE;
        memcpy((void *)response, &needed, sizeof needed);
        return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, sizeof needed);
    }
    if (checks) put_checks(module, &snapshot, check_bytes, offset / 4, (uint8_t *)response, capacity);
    else {
        /* Pieces of what runs are looked at as they are; the whole is that of one instant, between calls. */
        if (block == 0 && module->depth != 0) return TS_CONFLICT;
        struct span span = {(uint8_t *)response, offset, capacity, 0};
        /* Nobody who can reach the module runs until this ends. */
        uint32_t state = ts_hold_level(module->ceiling);
        put_state(&span, module, &snapshot);
        ts_release(state);
    }
    return block == 0 ? ts_result(TS_CONTENT, needed) : ts_block_result(block, needed, capacity);
}

/** Header of a state: 0, or the code that it deserves. */
static uint32_t check(const struct ts_module *module, const struct snapshot *given)
{
    const struct ts_module_info *info = module->info;
    struct snapshot have = describe(module);
    if (given->magic != SNAPSHOT_MAGIC) return TS_BAD_REQUEST;
    if (given->identity != have.identity || given->data_bytes != have.data_bytes || given->bss_bytes != have.bss_bytes)
        return TS_PRECONDITION_FAILED;
    if (given->events_bytes > stage_room(info)) return TS_REQUEST_ENTITY_TOO_LARGE;
    return given->memory_bytes > (info->memory != 0 ? info->memory->capacity_bytes : 0) ? TS_BAD_REQUEST : 0;
}

/** Sizes of the state that is to be written: what is new is zero. */
static void resize(struct ts_module *module, const struct snapshot *given)
{
    const struct ts_module_info *info = module->info;
    uint32_t *stage = stage_of(module);
    if (!module->staged) ts_events_stage(module);
    if (given->events_bytes > *stage) memset((uint8_t *)(stage + 1) + *stage, 0, given->events_bytes - *stage);
    *stage = given->events_bytes;
    if (info->memory == 0) return;
    uint32_t had = info->memory->bytes, now = given->memory_bytes;
    if (had > now) memset((uint8_t *)info->memory->base + now, 0, had - now);
    else memset((uint8_t *)info->memory->base + had, 0, now - had);
    info->memory->bytes = now;
}

uint32_t ts_state_write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    uint32_t error, offset = 0;
    struct ts_module *module = module_with_state(&error);
    if (module == 0) return error;
    if (module->depth != 0) return TS_CONFLICT;
    const struct ts_module_info *info = module->info;
    const struct ts_block *block = ts_block_of_request();
    int in_parts = ts_query_number("offset", &offset);
    if (in_parts < 0) return TS_BAD_REQUEST;
    if (block != 0 && block->offset1 != ~0u) offset += block->offset1;
    struct snapshot given;
    if (offset == 0) {
        if (bytes < sizeof given) return TS_BAD_REQUEST;
        memcpy(&given, (const void *)payload, sizeof given);
        error = check(module, &given);
        if (error != 0) return error;
    } else if (!module->staged) return TS_CONFLICT;
    else given = describe(module);
    uint32_t whole = total(&given);
    if (bytes > whole || offset > whole - bytes) return TS_BAD_REQUEST;
    int running = module->state == TS_STATE_RUNNING;
    if (bytes != whole && running) return TS_CONFLICT;
    if (running) {
        error = take_events(module, (const uint8_t *)payload + whole - given.events_bytes, given.events_bytes, 0);
        if (error != 0) return error;
    }
    struct span span = {(uint8_t *)payload, offset, bytes, sizeof given};
    uint32_t state = ts_hold_level(module->ceiling);
    if (offset == 0) resize(module, &given);
    get(&span, (void *)info->data_start, given.data_bytes);
    get(&span, (void *)info->bss_start, given.bss_bytes);
    if (info->memory != 0) {
        /* The descriptor came with the data. */
        info->memory->bytes = given.memory_bytes;
        get(&span, info->memory->base, given.memory_bytes);
    }
    get(&span, stage_of(module) + 1, given.events_bytes);
    /* Whoever says which parts he writes knows the others. */
    module->intact = (uint8_t)(in_parts || offset + bytes == whole);
    if (running) {
        ts_module_silence(module);
        ts_subscriptions_drop(module->index);
        ts_events_restore(module);
        module->staged = 0;
    }
    ts_release(state);
    return TS_CHANGED;
}
