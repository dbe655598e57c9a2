/* The slots for installed modules: packages, their states and how a slot goes from one to the next. */
#ifndef SLOTS_H
#define SLOTS_H

#include "journal.h"
#include "sys.h"

/* Why a package is refused: printed as `slot NAME: refused: DNNN ...`, documented in docs/system-services.md. */
enum ts_refusal {
    TS_ACCEPTED = 0,
    TS_REFUSED_ENVELOPE = 1,  /* no COSE_Sign1 with EdDSA */
    TS_REFUSED_LENGTH = 2,    /* not as long as announced, or as its header says */
    TS_REFUSED_SIGNATURE = 3, /* signature */
    TS_REFUSED_HEADER = 4,    /* not a package */
    TS_REFUSED_ABI = 5,       /* another ABI version */
    TS_REFUSED_BASE = 6,      /* linked against another image */
    TS_REFUSED_SLOT = 7,      /* linked for another slot */
    TS_REFUSED_RAM = 8,       /* more RAM than the slot has */
    TS_REFUSED_VERSION = 9,   /* older than what was confirmed last */
    TS_REFUSED_MODULE = 10,   /* descriptor points out of the package or the slot */
    TS_REFUSED_FLASH = 11,    /* flash does not hold what was written */
    TS_REFUSED_NAME = 12,     /* name of another module */
};

/** Where the contents of a package begin in its envelope. */
struct ts_envelope {
    uint32_t start;  /* first byte of the payload */
    uint32_t length; /* bytes of the payload */
};

enum { TS_SIGNATURE_BYTES = 64, TS_ENVELOPE_HEAD = 16 };

/** Reads the head of a COSE_Sign1: the first bytes of the file. */
int ts_envelope_read(struct ts_envelope *envelope, const uint8_t *head, uint32_t n);
/** Checks header and descriptor of the contents of a bank, mapped nowhere, against slot and image, and gives both. */
enum ts_refusal ts_header_check(const struct ts_slot *slot, uint32_t bank_flash, uint32_t length,
                                struct ts_package *header, struct ts_module_info *info);
/** Ed25519 signature of a COSE_Sign1 whose payload is `length` bytes of flash. */
int ts_signature_valid(const uint8_t signature[TS_SIGNATURE_BYTES], const uint8_t public_key[32], uint32_t offset,
                       uint32_t length);
/** Start of the SHA-512 of `length` bytes of flash. */
void ts_flash_hash(uint32_t offset, uint32_t length, uint8_t hash[TS_HASH_BYTES]);
/** Copies from flash. */
void ts_flash_read(uint32_t offset, void *to, uint32_t n);

/** What runs in a slot just now. */
struct ts_slot_state {
    uint8_t bank;    /* mapped; TS_BANK_NONE: nothing */
    uint8_t module;  /* index + 1; 0: none */
    uint8_t refused; /* what the journal names cannot run here */
};
extern struct ts_slot_record ts_slot_records[TS_MAX_SLOTS];
extern struct ts_slot_state ts_slot_states[TS_MAX_SLOTS];

/** Reads the journal, goes back from trials that did not end well, maps and starts what is installed. */
void ts_slots_start(void);
/** Writes a new record for a slot. Whole or not at all, whatever deadline comes. */
int ts_slot_record_change(uint32_t slot, const struct ts_slot_record *record);
/** Brings every slot a step nearer to what its record says; runs as a job of the system module. */
void ts_slots_settle(void);
/** Part of the CRC-32 of a name, for ts_slot_record.floor_name. */
uint32_t ts_floor_name(const char *name, uint32_t n);
enum { TS_NAME_BYTES = 32 };
/** Name of the module that the contents of a bank describe; its length, TS_NAME_BYTES if it is longer. */
uint32_t ts_bank_name(uint32_t slot, uint32_t bank, const struct ts_module_info *info, char name[TS_NAME_BYTES]);
/** Does the flash hold what the record of the bank says? */
int ts_bank_intact(uint32_t slot, uint32_t bank);
/** For the services of modules. */
extern const struct ts_slots_part ts_slots;
/** Flash offset of a bank. */
uint32_t ts_bank_flash(const struct ts_slot *slot, uint32_t bank);
/** `slot NAME: refused: DNN reason` on the console. */
void ts_print_refusal(uint32_t slot, enum ts_refusal refusal);

#endif
