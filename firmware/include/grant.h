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

void ts_grants_init(void);
/** The grant of that key, whoever holds it; 0 if it has ended. */
uint32_t ts_grant_of_key(uint32_t key);
/** A new lasting grant, or 0 if the table is full. `parent` is the grant it is made from. */
uint32_t ts_grant_make(uint32_t base, uint32_t length, uint32_t who, uint32_t parent);
/** Window address of a new grant for the innermost call, or 0 if there is no room or the grant of key `parent_key` (0: it
 * needs none) has ended. */
uint32_t ts_call_grant(uint32_t base, uint32_t length, uint32_t who, uint32_t parent_key);
/** Ends the grants of calls from `first` on. */
void ts_call_grants_end(struct ts_grant *first);
/** Ends a lasting grant and what was made from it; 0 if `owner` has no such grant. */
uint32_t ts_grant_revoke(uint32_t owner, uint32_t window);
/** Ends one lasting grant that the module gave or got; 0 if there is none left. */
int ts_grants_drop_one(uint32_t module);
/** Ends the grants whose time is over; gives the time when the next one's is. */
uint64_t ts_grants_expire(uint64_t now);

#endif
