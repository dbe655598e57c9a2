/* What runs in each slot: brings the modules to what the journal says, at boot and after every change, and goes back from
 * a new version that does not start. Knows packages and the journal; refuses to know how a package arrives. */
#include "flash.h"
#include "slots.h"

struct ts_slot_record ts_slot_records[TS_MAX_SLOTS];
struct ts_slot_state ts_slot_states[TS_MAX_SLOTS];

static const char *const REFUSALS[] = {
    "",
    "not a signed package",
    "length differs from what was announced",
    "signature does not match",
    "not a package",
    "other ABI version",
    "linked against another image",
    "linked for another slot",
    "needs more RAM than the slot has",
    "older than the version confirmed last",
    "descriptor points out of the package",
    "flash does not hold what was written",
    "another module has its name",
};

void ts_print_refusal(uint32_t slot, enum ts_refusal refusal)
{
    rt_print("slot ");
    rt_print(ts_boot_table.slots[slot].name);
    rt_print(": refused: D");
    rt_print_hex(refusal / 10 << 4 | refusal % 10, 2);
    rt_print(" ");
    rt_print(REFUSALS[refusal]);
    rt_print("\n");
}

static void report(uint32_t slot, const char *what)
{
    rt_print("slot ");
    rt_print(ts_boot_table.slots[slot].name);
    rt_print(": ");
    rt_print(what);
    rt_print("\n");
}

static uint32_t slot_count(void)
{
    return ts_boot_table.slot_count < TS_MAX_SLOTS ? ts_boot_table.slot_count : TS_MAX_SLOTS;
}

uint32_t ts_bank_flash(const struct ts_slot *slot, uint32_t bank)
{
    return bank == TS_BANK_A ? slot->flash_a : slot->flash_b;
}

int ts_slot_record_change(uint32_t slot, const struct ts_slot_record *record)
{
    uint32_t state = ts_hold();
    struct ts_slot_record old = ts_slot_records[slot];
    ts_slot_records[slot] = *record;
    int fine = ts_journal_write(ts_boot_table.journal_flash, ts_slot_records, slot_count(), slot);
    if (!fine) ts_slot_records[slot] = old;
    ts_release(state);
    ts_changed(TS_SYS, "sys/slots", 9);
    return fine;
}

/** Takes the trial back: the fallback is active again, or nothing. */
static void roll_back(uint32_t slot)
{
    struct ts_slot_record record = ts_slot_records[slot];
    record.active = record.fallback;
    record.fallback = TS_BANK_NONE;
    record.state = record.active == TS_BANK_NONE ? TS_SLOT_EMPTY : TS_SLOT_CONFIRMED;
    report(slot, record.active == TS_BANK_NONE ? "new version did not start, removed" : "new version did not start, rolled back");
    ts_slot_record_change(slot, &record);
}

static void map(uint32_t slot, uint32_t bank)
{
    const struct ts_slot *description = &ts_boot_table.slots[slot];
    uint32_t flash = bank == TS_BANK_NONE ? RT_FLASH_UNMAPPED : ts_bank_flash(description, bank);
    rt_flash_map_window(description->rodata_base, flash, description->pages);
    rt_flash_map_window(description->code_base, flash, description->pages);
    ts_slot_states[slot].bank = (uint8_t)bank;
}

/** Ends what runs in the slot; false while it has not ended yet. */
static int clear(uint32_t slot)
{
    struct ts_slot_state *now = &ts_slot_states[slot];
    if (now->module != 0) {
        uint32_t index = now->module - 1u;
        if (ts_modules[index].state != TS_STATE_STOPPED) ts_module_stop(index);
        if (ts_modules[index].state != TS_STATE_STOPPED) return 0;
        ts_module_remove(index);
        now->module = 0;
    }
    if (now->bank != TS_BANK_NONE) map(slot, TS_BANK_NONE);
    return 1;
}

/** Maps the active bank and starts its module; false if that cannot be done. */
static int begin(uint32_t slot, uint32_t bank)
{
    const struct ts_slot *description = &ts_boot_table.slots[slot];
    struct ts_package header;
    struct ts_module_info info;
    enum ts_refusal refusal = ts_header_check(description, ts_bank_flash(description, bank),
                                              ts_slot_records[slot].bank[bank - 1].length, &header, &info);
    if (refusal == TS_ACCEPTED) {
        map(slot, bank);
        int32_t index = ts_module_add(header.info);
        if (index >= 0) {
            ts_slot_states[slot].module = (uint8_t)(index + 1);
            ts_module_start((uint32_t)index);
            return 1;
        }
        refusal = TS_REFUSED_NAME;
    }
    ts_print_refusal(slot, refusal);
    return 0;
}

/** One step; true if there may be another one to do at once. Not to be ended half-way. */
static int settle(uint32_t slot)
{
    struct ts_slot_state *now = &ts_slot_states[slot];
    struct ts_slot_record record = ts_slot_records[slot];
    uint32_t wanted = now->refused ? TS_BANK_NONE : record.active;
    int trial = record.state == TS_SLOT_TRIAL || record.state == TS_SLOT_TRYING;
    if (now->bank != wanted) {
        if (!clear(slot)) return 0;
        if (wanted == TS_BANK_NONE) return 0;
        if (record.state == TS_SLOT_TRIAL) {
            record.state = TS_SLOT_TRYING;
            if (!ts_slot_record_change(slot, &record)) return 0;
        }
        if (begin(slot, wanted)) return 0;
        if (trial) roll_back(slot);
        else now->refused = 1;
        return 1;
    }
    if (!trial || now->module == 0) return 0;
    uint32_t index = now->module - 1u;
    switch (ts_modules[index].state) {
    case TS_STATE_RUNNING: {
        struct ts_package header;
        ts_flash_read(ts_bank_flash(&ts_boot_table.slots[slot], wanted), &header, sizeof header);
        record.state = TS_SLOT_CONFIRMED;
        record.floor = header.version;
        if (ts_slot_record_change(slot, &record)) report(slot, "new version confirmed");
        return 0;
    }
    case TS_STATE_BACKING_OFF:
    case TS_STATE_FAILED: roll_back(slot); return 1;
    default: return 0;
    }
}

void ts_slots_settle(void)
{
    for (uint32_t slot = 0; slot < slot_count(); slot++) {
        uint32_t state = ts_hold();
        while (settle(slot)) {}
        ts_release(state);
    }
}

static int bank_intact(uint32_t slot, uint32_t bank)
{
    const struct ts_bank_record *record = &ts_slot_records[slot].bank[bank - 1];
    const struct ts_slot *description = &ts_boot_table.slots[slot];
    if (bank == TS_BANK_NONE || record->length == 0 || record->length > description->pages << 16) return 0;
    uint8_t hash[TS_HASH_BYTES];
    ts_flash_hash(ts_bank_flash(description, bank), record->length, hash);
    for (uint32_t i = 0; i < TS_HASH_BYTES; i++)
        if (hash[i] != record->hash[i]) return 0;
    return 1;
}

void ts_slots_start(void)
{
    ts_journal_read(ts_boot_table.journal_flash, ts_slot_records, slot_count());
    for (uint32_t slot = 0; slot < slot_count(); slot++) {
        const struct ts_slot_record *record = &ts_slot_records[slot];
        /* The power failed, or the device reset, while the new version was being started: it gets no second chance. */
        if (record->state == TS_SLOT_TRYING) roll_back(slot);
        if (record->active == TS_BANK_NONE || bank_intact(slot, record->active)) continue;
        ts_print_refusal(slot, TS_REFUSED_FLASH);
        if (record->fallback != TS_BANK_NONE && bank_intact(slot, record->fallback)) roll_back(slot);
        else ts_slot_states[slot].refused = 1;
    }
    ts_slots_settle();
}
