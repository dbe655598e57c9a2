/* The grant table as the kernel's other parts see it. Grants are named by index + 1; 0 is none. All of it masked. */
#ifndef GRANT_H
#define GRANT_H

#include "kernel.h"

/** Flag: belongs to a frame and ends with it. */
#define TS_GRANT_CALL 1

/** holder, owner, rights and flags of a grant as the word they are kept in. */
static inline uint32_t ts_grant_who(uint32_t holder, uint32_t owner, uint32_t rights, uint32_t flags)
{
    return holder | owner << 8 | rights << 16 | flags << 24;
}
static inline uint32_t ts_grant_window(uint32_t number)
{
    return number == 0 ? 0 : ts_grants[number - 1].key << TS_WINDOW_OFFSET_BITS;
}

void ts_grants_init(void);
/** A new grant, or 0 if the table is full. `parent` is the grant it is made from. */
uint32_t ts_grant_make(uint32_t base, uint32_t length, uint32_t who, uint32_t parent);
/** The same below the grant of key `parent_key` (0: none); 0 also if that has ended meanwhile. */
static inline uint32_t ts_grant_call(uint32_t base, uint32_t length, uint32_t who, uint32_t parent_key)
{
    if (parent_key == 0) return ts_grant_make(base, length, who, 0);
    uint32_t parent = parent_key & (TS_MAX_GRANTS - 1);
    return ts_grants[parent].key == parent_key ? ts_grant_make(base, length, who, parent + 1) : 0;
}
/** Ends the call grant of that key when its frame has ended. */
void ts_grant_end_call(uint32_t key);
/** Grant of a window address, whoever holds it. */
uint32_t ts_grant_of_window(uint32_t address);
/** Ends a lasting grant and what was made from it; 0 if `owner` has no such grant. */
uint32_t ts_grant_revoke(uint32_t owner, uint32_t window);
/** Ends one lasting grant that the module gave or got; 0 if there is none left. */
int ts_grants_drop_one(uint32_t module);
/** Ends the grants whose time is over; gives the time when the next one's is. */
uint64_t ts_grants_expire(uint64_t now);

#endif
