/* What runs in each slot: brings the modules to what the journal says, at boot and after every change, and goes back from
 * a new version that does not start. Knows packages and the journal; refuses to know how a package arrives. */
#include "flash.h"
#include "imc.h"
#include "lifecycle.h"
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
        uint32_t held = ts_slot_records[slot].held;
        int32_t index = ts_module_add(header.info, held ? TS_STATE_HELD : TS_STATE_STOPPED);
        if (index >= 0) {
            ts_slot_states[slot].module = (uint8_t)(index + 1);
            if (held) {
                ts_module_restore(header.info);
                ts_state_settled();
            } else ts_module_start((uint32_t)index);
            return 1;
        }
        refusal = TS_REFUSED_NAME;
    }
    ts_print_refusal(slot, refusal);
    return 0;
}

uint32_t ts_floor_name(const char *name, uint32_t n) { return ts_crc32(name, n) >> 16 | 1; }

uint32_t ts_bank_name(uint32_t slot, uint32_t bank, const struct ts_module_info *info, char name[TS_NAME_BYTES])
{
    const struct ts_slot *description = &ts_boot_table.slots[slot];
    ts_flash_read(ts_bank_flash(description, bank) + ((uint32_t)info->name - description->rodata_base), name, TS_NAME_BYTES);
    uint32_t n = 0;
    while (n < TS_NAME_BYTES && name[n] != 0) n++;
    return n;
}

/** Its record when its module runs: none older comes after it. */
static int confirm(uint32_t slot, struct ts_slot_record *record)
{
    struct ts_package header;
    ts_flash_read(ts_bank_flash(&ts_boot_table.slots[slot], record->active), &header, sizeof header);
    const char *name = header.info->name;
    record->state = TS_SLOT_CONFIRMED;
    record->held = 0;
    record->floor = header.version;
    record->floor_name = (uint16_t)ts_floor_name(name, ts_string_bytes(name));
    return ts_slot_record_change(slot, record);
}

/** One step; true if there may be another one to do at once. Not to be ended half-way. */
static int settle(uint32_t slot)
{
    struct ts_slot_state *now = &ts_slot_states[slot];
    struct ts_slot_record record = ts_slot_records[slot];
    uint32_t wanted = now->refused ? TS_BANK_NONE : record.active;
    int trial = !record.held && (record.state == TS_SLOT_TRIAL || record.state == TS_SLOT_TRYING);
    int held = now->module != 0 && ts_modules[now->module - 1].state == TS_STATE_HELD;
    if (now->bank != wanted || (now->module != 0 && held != record.held)) {
        if (!clear(slot)) return 0;
        if (wanted == TS_BANK_NONE) return 0;
        if (trial && record.state == TS_SLOT_TRIAL) {
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
    case TS_STATE_RUNNING:
        if (confirm(slot, &record)) report(slot, "new version confirmed");
        return 0;
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

int ts_bank_intact(uint32_t slot, uint32_t bank)
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
        if (record->active == TS_BANK_NONE || ts_bank_intact(slot, record->active)) continue;
        ts_print_refusal(slot, TS_REFUSED_FLASH);
        if (record->fallback != TS_BANK_NONE && ts_bank_intact(slot, record->fallback)) roll_back(slot);
        else ts_slot_states[slot].refused = 1;
    }
    ts_slots_settle();
}

/** Slot of a module, or -1. */
static int32_t slot_of(uint32_t module)
{
    for (uint32_t slot = 0; slot < slot_count(); slot++)
        if (ts_slot_states[slot].module == module + 1) return (int32_t)slot;
    return -1;
}

static const char *name(uint32_t module)
{
    int32_t slot = slot_of(module);
    return slot < 0 ? 0 : ts_boot_table.slots[slot].name;
}

/** The journal says so first: whatever happens then, it does not run here by itself. */
static uint32_t hold(uint32_t module)
{
    int32_t slot = slot_of(module);
    if (slot < 0) return TS_FORBIDDEN;
    struct ts_slot_record record = ts_slot_records[slot];
    int given = ts_query_number("epoch", &record.epoch);
    if (given < 0) return TS_BAD_REQUEST;
    uint32_t code = 0, state = ts_hold();
    int was_held = record.held;
    if (!was_held && (record.state != TS_SLOT_CONFIRMED || !ts_module_may_hold(module))) code = TS_CONFLICT;
    record.held = 1;
    if (code == 0 && (given || !was_held) && !ts_slot_record_change((uint32_t)slot, &record)) code = TS_INTERNAL_SERVER_ERROR;
    if (code == 0 && !was_held) ts_module_hold(module);
    ts_release(state);
    return code;
}

static uint32_t release(uint32_t module, int resume)
{
    int32_t slot = slot_of(module);
    if (slot < 0) return TS_FORBIDDEN;
    struct ts_slot_record record = ts_slot_records[slot];
    uint32_t state = ts_hold(), code = resume ? ts_module_resumable(module) : 0;
    if (code == 0 && !record.held) code = TS_CONFLICT;
    if (code == 0 && !confirm((uint32_t)slot, &record)) code = TS_INTERNAL_SERVER_ERROR;
    if (code == 0) code = resume ? ts_module_resume(module) : ts_module_start(module);
    ts_release(state);
    return code;
}

const struct ts_slots_part ts_slots = {.job = ts_slots_settle, .name = name, .hold = hold, .release = release};
