/* The security daemon's grant table: windows into one module's memory for another (D10). Takes native addresses and
 * module indices, gives window addresses; compiled code looks entries up itself (rt_window). Knows no request.
 *
 * An entry is free when its key is 0. Calls end in the opposite order of their beginning, across all chains: their grants
 * are a stack. Free entries of the others wait in a queue, so that an index comes again as late as possible. The grants
 * made from one form a tree below it and end with it. Everything here runs masked. */
#pragma GCC optimize("O2")
#include "grant.h"

#define KEY_BASE (TS_WINDOW_BASE >> TS_WINDOW_OFFSET_BITS)
#define GENERATION_MASK 0x7f

typedef uint32_t __attribute__((may_alias)) word;
typedef uint16_t __attribute__((may_alias)) half;

/** In an entry for calls: the key of its next grant, so that call.S need not make it. */
#define next_key expires_high

static struct ts_grant *entry(uint32_t number) { return &ts_grants[number - 1]; }

void ts_grants_init(void)
{
    for (uint32_t i = 0; i < TS_CALL_GRANTS; i++) ts_grants[i].next_key = KEY_BASE | i;
    ts_kernel.call_grants = ts_grants;
    for (uint32_t i = TS_CALL_GRANTS; i < TS_MAX_GRANTS; i++) ts_grants[i].sibling = (uint8_t)(i + 2);
    ts_grants[TS_MAX_GRANTS - 1].sibling = 0;
    ts_kernel.grant_head = TS_CALL_GRANTS + 1;
    ts_kernel.grant_tail = TS_MAX_GRANTS;
}

uint32_t ts_grant_of_key(uint32_t key)
{
    uint32_t index = key & (TS_MAX_GRANTS - 1);
    return key >= KEY_BASE && ts_grants[index].key == key ? index + 1 : 0;
}

static void fill(struct ts_grant *grant, uint32_t base, uint32_t length, uint32_t who, uint32_t parent)
{
    grant->base = (uint8_t *)base;
    grant->length = length;
    *(word *)&grant->holder = who;
    grant->used_by = 0;
    *(half *)&grant->parent = (half)parent; /* and no child */
    if (parent == 0) return;
    grant->sibling = entry(parent)->child;
    entry(parent)->child = (uint8_t)(grant - ts_grants + 1);
}

uint32_t ts_call_grant(uint32_t base, uint32_t length, uint32_t who, uint32_t parent_key)
{
    struct ts_grant *grant = ts_kernel.call_grants;
    uint32_t parent = ts_grant_of_key(parent_key);
    if (grant == ts_grants + TS_CALL_GRANTS || (parent_key != 0 && parent == 0)) return 0;
    ts_kernel.call_grants = grant + 1;
    fill(grant, base, length, who, parent);
    uint32_t key = grant->next_key;
    grant->key = key;
    grant->next_key = KEY_BASE | ((key + (1u << TS_WINDOW_INDEX_BITS)) & (KEY_BASE - 1));
    return key << TS_WINDOW_OFFSET_BITS;
}

uint32_t ts_grant_make(uint32_t base, uint32_t length, uint32_t who, uint32_t parent)
{
    uint32_t number = ts_kernel.grant_head;
    if (number == 0) return 0;
    struct ts_grant *grant = entry(number);
    ts_kernel.grant_head = grant->sibling;
    uint32_t generation = (grant->generation + 1u) & GENERATION_MASK;
    grant->generation = (uint8_t)generation;
    grant->expires_low = 0;
    grant->expires_high = 0;
    fill(grant, base, length, who, parent);
    grant->key = KEY_BASE | generation << TS_WINDOW_INDEX_BITS | (number - 1);
    return number;
}

/** Dooms the invocations of the holder that may have a native pointer into the grant. */
static void doom_users(const struct ts_grant *grant)
{
    if (grant->used_by == 0) return;
    struct ts_frame *frame = ts_kernel.frame;
    uint32_t other = 0;
    do {
        for (; frame != 0; frame = frame->caller)
            if (frame->module->index == grant->holder && (int32_t)(grant->used_by - frame->serial) >= 0) frame->doomed = 1;
    } while (ts_other_chain(&other, &frame));
}

static void unlink_child(uint32_t number)
{
    uint8_t *link = &entry(entry(number)->parent)->child;
    while (*link != number) link = &entry(*link)->sibling;
    *link = entry(number)->sibling;
}

static void release(uint32_t number)
{
    struct ts_grant *grant = entry(number);
    grant->key = 0;
    grant->parent = 0;
    if (number <= TS_CALL_GRANTS) return; /* stays on the stack until its call ends */
    grant->sibling = 0;
    if (ts_kernel.grant_head == 0) ts_kernel.grant_head = (uint8_t)number;
    else entry(ts_kernel.grant_tail)->sibling = (uint8_t)number;
    ts_kernel.grant_tail = (uint8_t)number;
}

/** Ends everything below `number`, deepest first, and it. */
static void end_tree(uint32_t number)
{
    uint32_t at = number;
    for (;;) {
        while (entry(at)->child != 0) at = entry(at)->child;
        uint32_t parent = entry(at)->parent;
        if (parent != 0) unlink_child(at);
        doom_users(entry(at));
        release(at);
        if (at == number) return;
        at = parent;
    }
}

/** One that was made from another, or others from it. */
static __attribute__((noinline)) void end_relative(struct ts_grant *grant)
{
    uint32_t number = (uint32_t)(grant - ts_grants) + 1;
    if (grant->key == 0) return; /* ended before: what it was made from was revoked */
    /* Whoever used it has ended: only grants made from it can still be in use. */
    if (grant->child != 0) end_tree(number);
    else {
        unlink_child(number);
        grant->key = 0;
    }
}

void ts_call_grants_end(struct ts_grant *first)
{
    while (ts_kernel.call_grants != first) {
        struct ts_grant *grant = --ts_kernel.call_grants;
        /* Both bytes at once: it has neither parent nor child. */
        if (*(const half *)&grant->parent == 0) grant->key = 0;
        else end_relative(grant);
    }
}

uint32_t ts_grant_revoke(uint32_t owner, uint32_t window)
{
    uint32_t number = ts_grant_of_key(window >> TS_WINDOW_OFFSET_BITS);
    if (number == 0 || entry(number)->owner != owner || (entry(number)->flags & TS_GRANT_CALL) != 0) return 0;
    end_tree(number);
    return 1;
}

int ts_grants_drop_one(uint32_t module)
{
    for (uint32_t i = TS_CALL_GRANTS; i < TS_MAX_GRANTS; i++) {
        const struct ts_grant *grant = &ts_grants[i];
        if (grant->key == 0) continue;
        if (grant->owner != module && grant->holder != module) continue;
        end_tree(i + 1);
        return 1;
    }
    return 0;
}

uint64_t ts_grants_expire(uint64_t now)
{
    uint64_t next = ~(uint64_t)0;
    for (uint32_t i = TS_CALL_GRANTS; i < TS_MAX_GRANTS; i++) {
        const struct ts_grant *grant = &ts_grants[i];
        uint64_t expires = (uint64_t)grant->expires_high << 32 | grant->expires_low;
        if (grant->key == 0 || expires == 0) continue;
        if (expires <= now) end_tree(i + 1);
        else if (expires < next) next = expires;
    }
    return next;
}
