/* What is installed in each slot, in two sectors of flash. Written so that a cut of power leaves the old or the new record. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "kernel.h"

enum { TS_HASH_BYTES = 16 };

/* State of a slot's active bank. */
enum {
    TS_SLOT_EMPTY = 0,
    TS_SLOT_TRIAL = 1,     /* committed, has never been started */
    TS_SLOT_TRYING = 2,    /* is being started for the first time */
    TS_SLOT_CONFIRMED = 3, /* has started once */
};
/* Numbers of banks. */
enum { TS_BANK_NONE = 0, TS_BANK_A = 1, TS_BANK_B = 2 };

struct ts_bank_record {
    uint32_t length; /* bytes from the start of the bank; 0: nothing */
    uint8_t hash[TS_HASH_BYTES]; /* start of the SHA-512 of those bytes */
};

/** Record of a slot; 64 bytes, so that a page of flash holds whole ones. All 0xff is a free cell. */
struct ts_slot_record {
    uint32_t sequence; /* counts the records of the journal; the highest of a slot holds */
    uint8_t slot;
    uint8_t state;
    uint8_t active;   /* bank; TS_BANK_NONE if empty */
    uint8_t fallback; /* bank to go back to if the trial fails, or TS_BANK_NONE */
    struct ts_bank_record bank[2];
    uint32_t floor; /* version of the package that was confirmed last: none older of the same name is taken */
    uint32_t epoch; /* as whoever had the module held wants to remember it */
    uint16_t floor_name; /* part of the CRC-32 of the name that `floor` is about; 0: any */
    uint8_t held; /* 1: the module is there and does not run; state is TRIAL (never ran) or CONFIRMED */
    uint8_t reserved;
    uint32_t crc; /* CRC-32 of what is before */
};
_Static_assert(sizeof(struct ts_slot_record) == 64, "a cell of the journal");

/** Reads the newest record of each slot from the sectors at flash offset `journal`; slots without one are empty. */
void ts_journal_read(uint32_t journal, struct ts_slot_record *records, uint32_t count);
/** Appends a record for its slot, with sequence and CRC filled in here. `records` holds all slots' current ones, for when
 * the sector is full. False if the flash does not hold what was written (worn out or write-protected). */
int ts_journal_write(uint32_t journal, struct ts_slot_record *records, uint32_t count, uint32_t slot);

#endif
