/* Flash writing and mapping, for the module manager. Offsets are bytes from the start of the flash chip. Knows no slots. */
#ifndef FLASH_H
#define FLASH_H

#include "kernel.h"

#define RT_FLASH_SECTOR_BYTES 0x1000u
#define RT_FLASH_PAGE_BYTES 0x100u
/** Last 64 KiB page of the data window: the manager's view of the flash. Nothing else may be placed there. */
#define RT_FLASH_VIEW 0x3f7f0000u
#define RT_FLASH_UNMAPPED 0xffffffffu

/* All of these are called on the system module's chain only, and are never ended half-way (ts_hold). */

/** Sets all bytes of the sector to 0xff; about 45 ms, at most 400 ms. */
void rt_flash_erase_sector(uint32_t offset);
/** Clears the bits that are 0 in `data`, which lies in RAM; about 0.7 ms for each 64 bytes. */
void rt_flash_program(uint32_t offset, const void *data, uint32_t n);
/** Maps `pages` pages of 64 KiB from `offset` on to a window address, or nothing for RT_FLASH_UNMAPPED. */
void rt_flash_map_window(uint32_t address, uint32_t offset, uint32_t pages);
/** Readable address of a flash offset, up to the end of its 64 KiB page; valid until the next call. */
const uint8_t *rt_flash_view(uint32_t offset);

/** From here to ts_release, nothing runs that lives in flash, and the running invocation is not ended: its deadline
 * waits. May be nested. Modules that lie in RAM and call none in flash go on preempting. Gives what ts_release wants back. */
uint32_t ts_hold(void);
/** The same for all events up to a level of the scheduler, whether they need the flash or not. */
uint32_t ts_hold_level(uint32_t level);
void ts_release(uint32_t state);
/** Around the time in which the cache is off, within ts_hold: what looks at all modules leaves out those in flash. */
void ts_flash_goes(void);
void ts_flash_comes(void);

#endif
