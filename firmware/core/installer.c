/* Services under /sys/slots: takes a package in pieces, writes it to the bank that is not in use, judges it, and says what
 * is installed. One upload at a time. Refuses to know how modules are started. */
#include "cbor.h"
#include "flash.h"
#include "imc.h"
#include "slots.h"
#include "sys.h"

/** The upload that is under way. Changed so that an end at any instruction leaves something to go on from. */
static struct {
    uint32_t total;    /* bytes of the file; 0: none */
    uint32_t received; /* all of them before this one have been taken */
    struct ts_envelope envelope;
    uint8_t slot;
    uint8_t bank;
    uint8_t head[TS_ENVELOPE_HEAD];
    uint8_t signature[TS_SIGNATURE_BYTES];
} upload;

/** Head of the signature's byte string, behind the payload. */
static const uint8_t SIGNATURE_HEAD[] = {0x58, TS_SIGNATURE_BYTES};

/** Slot that the path of the request names, or -1. */
static int32_t slot_of_request(void)
{
    char name[24];
    int32_t length = ts_path_parameter(0, name, sizeof name);
    for (uint32_t slot = 0; slot < ts_boot_table.slot_count && slot < TS_MAX_SLOTS; slot++) {
        if (length >= 0 && ts_name_is(ts_boot_table.slots[slot].name, name, (uint32_t)length)) return (int32_t)slot;
    }
    return -1;
}

static uint32_t code_of(enum ts_refusal refusal)
{
    switch (refusal) {
    case TS_REFUSED_SIGNATURE: return TS_UNAUTHORIZED;
    case TS_REFUSED_ABI:
    case TS_REFUSED_BASE:
    case TS_REFUSED_SLOT: return TS_PRECONDITION_FAILED;
    case TS_REFUSED_RAM: return TS_REQUEST_ENTITY_TOO_LARGE;
    case TS_REFUSED_VERSION:
    case TS_REFUSED_NAME: return TS_CONFLICT;
    case TS_REFUSED_FLASH: return TS_INTERNAL_SERVER_ERROR;
    default: return TS_BAD_REQUEST;
    }
}

/** Drops the upload and says why. */
static uint32_t refuse(uint32_t slot, enum ts_refusal refusal)
{
    ts_print_refusal(slot, refusal);
    if (upload.slot == slot) upload.total = 0;
    return code_of(refusal);
}

static uint32_t begin_upload(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)bytes, (void)response, (void)capacity;
    int32_t slot = slot_of_request();
    if (slot < 0) return TS_NOT_FOUND;
    if (ts_boot_table.public_key == 0) return TS_FORBIDDEN;
    const struct ts_slot_record *record = &ts_slot_records[slot];
    const struct ts_slot_state *now = &ts_slot_states[slot];
    /* One upload at a time, and none while the slot is on its way to another state: its banks are in use. */
    int underway = !record->held && (record->state == TS_SLOT_TRIAL || record->state == TS_SLOT_TRYING);
    if ((upload.total != 0 && upload.slot != slot) || underway || (!now->refused && now->bank != record->active))
        return TS_CONFLICT;
    uint32_t total = *(const uint32_t *)payload;
    upload.total = 0;
    upload.slot = (uint8_t)slot;
    upload.bank = record->active == TS_BANK_A ? TS_BANK_B : TS_BANK_A;
    upload.received = 0;
    if (total < TS_ENVELOPE_HEAD + TS_SIGNATURE_BYTES) return refuse((uint32_t)slot, TS_REFUSED_ENVELOPE);
    if (total > (ts_boot_table.slots[slot].pages << 16) + TS_ENVELOPE_HEAD + sizeof SIGNATURE_HEAD + TS_SIGNATURE_BYTES)
        return TS_REQUEST_ENTITY_TOO_LARGE;
    upload.total = total;
    return TS_CREATED;
}

/** Writes contents of the bank at `at`; what is behind it in its sector is erased with it. */
static void write_bank(uint32_t at, const uint8_t *data, uint32_t n)
{
    uint32_t flash = ts_bank_flash(&ts_boot_table.slots[upload.slot], upload.bank);
    while (n != 0) {
        uint32_t room = 64 - (at & 63), part = n < room ? n : room;
        if ((at & (RT_FLASH_SECTOR_BYTES - 1)) == 0) rt_flash_erase_sector(flash + at);
        rt_flash_program(flash + at, data, part);
        at += part;
        data += part;
        n -= part;
    }
}

/** Takes some of the next bytes; how many, or 0 if the file cannot be a package. */
static uint32_t take(const uint8_t *data, uint32_t n)
{
    const struct ts_envelope *envelope = &upload.envelope;
    if (upload.received < TS_ENVELOPE_HEAD) {
        upload.head[upload.received] = *data;
        if (upload.received == TS_ENVELOPE_HEAD - 1) {
            if (!ts_envelope_read(&upload.envelope, upload.head, TS_ENVELOPE_HEAD)) return 0;
            if (envelope->length < sizeof(struct ts_package) ||
                envelope->length > ts_boot_table.slots[upload.slot].pages << 16 ||
                envelope->length != upload.total - envelope->start - sizeof SIGNATURE_HEAD - TS_SIGNATURE_BYTES)
                return 0;
            write_bank(0, upload.head + envelope->start, TS_ENVELOPE_HEAD - envelope->start);
        }
        return 1;
    }
    uint32_t at = upload.received - envelope->start;
    if (at < envelope->length) {
        /* Up to the end of a sector, so that little is done twice after a deadline. */
        uint32_t part = RT_FLASH_SECTOR_BYTES - (at & (RT_FLASH_SECTOR_BYTES - 1));
        if (part > envelope->length - at) part = envelope->length - at;
        if (part > n) part = n;
        write_bank(at, data, part);
        return part;
    }
    at -= envelope->length;
    if (at < sizeof SIGNATURE_HEAD) return *data == SIGNATURE_HEAD[at];
    upload.signature[at - sizeof SIGNATURE_HEAD] = *data;
    return 1;
}

static uint32_t write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    int32_t slot = slot_of_request();
    if (slot < 0) return TS_NOT_FOUND;
    uint32_t offset;
    const struct ts_block *block = ts_block_of_request();
    if (block != 0 && block->offset1 != ~0u) offset = block->offset1;
    else if (ts_query_number("offset", &offset) != 1) return TS_BAD_REQUEST;
    if (upload.total == 0 || upload.slot != slot || offset > upload.received) return TS_CONFLICT;
    if (bytes > upload.total - offset) return refuse((uint32_t)slot, TS_REFUSED_LENGTH);
    /* What came before, e.g. in a request whose answer was lost, is taken as it was. */
    uint32_t at = upload.received - offset;
    while (at < bytes) {
        uint32_t taken = take((const uint8_t *)payload + at, bytes - at);
        if (taken == 0) return refuse((uint32_t)slot, TS_REFUSED_ENVELOPE);
        upload.received += taken;
        at += taken;
    }
    return TS_CHANGED;
}

/** Hash in the query: 1, 0 if there is none, negative if it is none. */
static int hash_of_request(uint8_t hash[TS_HASH_BYTES])
{
    char text[2 * TS_HASH_BYTES];
    int32_t length = ts_query_parameter("hash", 4, text, sizeof text);
    if (length < 0) return 0;
    if (length != (int32_t)sizeof text) return -1;
    for (uint32_t i = 0; i < sizeof text; i++) {
        uint32_t digit = (uint8_t)text[i] - '0', letter = ((uint8_t)text[i] | 0x20u) - 'a';
        if (digit > 9) digit = letter > 5 ? 0xff : letter + 10;
        if (digit == 0xff) return -1;
        hash[i >> 1] = (uint8_t)(hash[i >> 1] << 4 | digit);
    }
    return 1;
}

/** Bank of the slot that holds these bytes, or TS_BANK_NONE. */
static uint32_t bank_of_hash(uint32_t slot, const uint8_t hash[TS_HASH_BYTES])
{
    for (uint32_t bank = TS_BANK_A; bank <= TS_BANK_B; bank++) {
        uint32_t i = 0;
        while (i < TS_HASH_BYTES && ts_slot_records[slot].bank[bank - 1].hash[i] == hash[i]) i++;
        if (i == TS_HASH_BYTES && ts_bank_intact(slot, bank)) return bank;
    }
    return TS_BANK_NONE;
}

/** Makes a bank the active one of its slot, if its contents may be: refusal. */
static enum ts_refusal activate(uint32_t slot, uint32_t bank, struct ts_slot_record *record)
{
    const struct ts_slot *description = &ts_boot_table.slots[slot];
    uint32_t flash = ts_bank_flash(description, bank), length = record->bank[bank - 1].length;
    struct ts_package header;
    struct ts_module_info info;
    char name[TS_NAME_BYTES];
    enum ts_refusal refusal = ts_header_check(description, flash, length, &header, &info);
    if (refusal != TS_ACCEPTED) return refusal;
    uint32_t n = ts_bank_name(slot, bank, &info, name);
    if (header.version < record->floor && (record->floor_name == 0 || record->floor_name == ts_floor_name(name, n)))
        return TS_REFUSED_VERSION;
    int32_t other = ts_module_find(name, n);
    if (n == 0 || n == sizeof name || (other >= 0 && other != (int32_t)ts_slot_states[slot].module - 1)) return TS_REFUSED_NAME;
    if (record->active == bank && record->state != TS_SLOT_EMPTY) return TS_ACCEPTED;
    /* Whoever has it held says how it goes on, also if it does not start. */
    record->fallback = record->held || ts_slot_records[slot].held || ts_slot_states[slot].refused ? TS_BANK_NONE : record->active;
    record->state = TS_SLOT_TRIAL;
    record->active = (uint8_t)bank;
    return TS_ACCEPTED;
}

/** The bytes that came, or those of a hash, or what is held there already. */
static uint32_t commit(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes, (void)response, (void)capacity;
    int32_t index = slot_of_request();
    if (index < 0) return TS_NOT_FOUND;
    uint32_t slot = (uint32_t)index;
    struct ts_slot_record record = ts_slot_records[slot];
    uint8_t hash[TS_HASH_BYTES];
    int held = ts_query_number("held", &record.epoch), by_hash = hash_of_request(hash);
    int vacant = record.state == TS_SLOT_EMPTY || record.held || ts_slot_states[slot].refused;
    uint32_t bank = upload.bank;
    if (held < 0 || by_hash < 0) return TS_BAD_REQUEST;
    if (held && !vacant) return TS_CONFLICT;
    if (by_hash) {
        bank = bank_of_hash(slot, hash);
        if (bank == TS_BANK_NONE) return TS_NOT_FOUND;
        if (record.active != bank && !vacant && record.state != TS_SLOT_CONFIRMED) return TS_CONFLICT;
    } else if (upload.total == 0 || upload.slot != slot) {
        if (!held || !record.held) return TS_CONFLICT;
        bank = record.active;
    } else if (upload.received != upload.total) return refuse(slot, TS_REFUSED_LENGTH);
    else if (record.active != bank) {
        uint32_t flash = ts_bank_flash(&ts_boot_table.slots[slot], bank), length = upload.envelope.length;
        if (!ts_signature_valid(upload.signature, ts_boot_table.public_key, flash, length))
            return refuse(slot, TS_REFUSED_SIGNATURE);
        record.bank[bank - 1].length = length;
        ts_flash_hash(flash, length, record.bank[bank - 1].hash);
    }
    record.held = (uint8_t)held;
    enum ts_refusal refusal = activate(slot, bank, &record);
    if (refusal == TS_ACCEPTED && !ts_slot_record_change(slot, &record)) refusal = TS_REFUSED_FLASH;
    if (refusal != TS_ACCEPTED) return refuse(slot, refusal);
    ts_slot_states[slot].refused = 0;
    if (upload.slot == slot) upload.total = 0;
    ts_sys_wake();
    return TS_CHANGED;
}

static uint32_t abort_upload(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes, (void)response, (void)capacity;
    int32_t slot = slot_of_request();
    if (slot < 0) return TS_NOT_FOUND;
    if (upload.slot == slot) upload.total = 0;
    return TS_DELETED;
}

static uint32_t remove_module(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes, (void)response, (void)capacity;
    int32_t slot = slot_of_request();
    if (slot < 0) return TS_NOT_FOUND;
    struct ts_slot_record record = ts_slot_records[slot];
    if (record.state == TS_SLOT_EMPTY) return TS_DELETED;
    record.state = TS_SLOT_EMPTY;
    record.active = record.fallback = TS_BANK_NONE;
    record.held = 0;
    if (!ts_slot_record_change((uint32_t)slot, &record)) return TS_INTERNAL_SERVER_ERROR;
    ts_sys_wake();
    return TS_DELETED;
}

static void put_hash(struct ts_cbor *out, const struct ts_slot_record *record, uint32_t bank)
{
    int empty = bank == TS_BANK_NONE || record->bank[bank - 1].length == 0;
    ts_cbor_bytes(out, empty ? 0 : record->bank[bank - 1].hash, empty ? 0 : TS_HASH_BYTES);
}

/** {"slot", "state", "bank", "bytes", "capacity", "floor", "module", "received", "held", "epoch", "ram", "hash", "banks"} */
static void describe(struct ts_cbor *out, uint32_t slot)
{
    static const char *const STATES[] = {"empty", "trial", "trying", "confirmed"};
    const struct ts_slot_record *record = &ts_slot_records[slot];
    const struct ts_slot_state *now = &ts_slot_states[slot];
    ts_cbor_map(out, 13, "slot\0state\0bank\0bytes\0capacity\0floor\0module\0received\0held\0epoch\0ram\0hash\0banks");
    ts_cbor_put_text(out, ts_boot_table.slots[slot].name);
    ts_cbor_put_text(out, now->refused ? "refused" : STATES[record->state & 3]);
    ts_cbor_put_number(out, record->active);
    ts_cbor_put_number(out, record->active == TS_BANK_NONE ? 0 : record->bank[record->active - 1].length);
    ts_cbor_put_number(out, ts_boot_table.slots[slot].pages << 16);
    ts_cbor_put_number(out, record->floor);
    ts_cbor_put_text(out, now->module != 0 ? ts_modules[now->module - 1].info->name : "");
    ts_cbor_put_number(out, upload.total != 0 && upload.slot == slot ? upload.received : 0);
    ts_cbor_put_truth(out, record->held);
    ts_cbor_put_number(out, record->epoch);
    ts_cbor_put_number(out, ts_boot_table.slots[slot].ram_bytes);
    ts_cbor_key(out);
    put_hash(out, record, record->active);
    ts_cbor_key(out);
    ts_cbor_array(out, 2);
    for (uint32_t bank = TS_BANK_A; bank <= TS_BANK_B; bank++) put_hash(out, record, bank);
}

static uint32_t list(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    struct ts_cbor out;
    uint32_t count = ts_boot_table.slot_count < TS_MAX_SLOTS ? ts_boot_table.slot_count : TS_MAX_SLOTS;
    ts_cbor_begin(&out, response, capacity);
    ts_cbor_array(&out, count);
    for (uint32_t slot = 0; slot < count; slot++) describe(&out, slot);
    return ts_cbor_result(&out);
}

static uint32_t get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    int32_t slot = slot_of_request();
    if (slot < 0) return TS_NOT_FOUND;
    struct ts_cbor out;
    ts_cbor_begin(&out, response, capacity);
    describe(&out, (uint32_t)slot);
    return ts_cbor_result(&out);
}

/** Start of the system module: at boot, and after it was ended by a deadline. */
static void start(void)
{
    if (ts_slots_part == 0) {
        ts_slots_start();
        ts_slots_part = &ts_slots;
        ts_state_observer = ts_sys_wake;
    }
    /* After a fault of "sys": what was to be done may still be. */
    ts_sys_wake();
}

TS_TYPE(TOTAL, TS_PAYLOAD_BYTES, 4, 4);
TS_TYPE(PIECE, TS_PAYLOAD_BYTES, 1, 4096);
static TS_CONTRACT(BEGIN, &TOTAL, 0, 50);
static TS_CONTRACT(WRITE, &PIECE, 0, 2000); /* erases up to two sectors of 400 ms */
static TS_CONTRACT(COMMIT, 0, 0, 5000);
static TS_CONTRACT(CHANGE, 0, 0, 1000);

/* Checking a signature takes most of it: 2.5 KiB, measured in test/os. */
static uint8_t stack[3072] __attribute__((aligned(16)));
static const struct ts_service SERVICES[] = {
    TS_MODULE_SERVICES,
    TS_BLOCKWISE_SERVICE("sys/slots", TS_GET, list, ts_contract_cbor, ";ct=60;obs", 1),
    TS_SERVICE("sys/slots/{slot}", TS_GET, get, ts_contract_cbor, ";ct=60", 0),
    TS_SERVICE("sys/slots/{slot}", TS_POST, begin_upload, BEGIN, "", 0),
    TS_BLOCKWISE_SERVICE("sys/slots/{slot}", TS_PUT, write, WRITE, "", 0),
    TS_SERVICE("sys/slots/{slot}", TS_DELETE, remove_module, CHANGE, "", 0),
    TS_SERVICE("sys/slots/{slot}/commit", TS_POST, commit, COMMIT, "", 0),
    TS_SERVICE("sys/slots/{slot}/upload", TS_DELETE, abort_upload, CHANGE, "", 0),
};

const struct ts_module_info ts_sys_slots_info = {
    TS_SYS_INFO,
    .services = SERVICES,
    .service_count = sizeof SERVICES / sizeof SERVICES[0],
    .on_start = (uint32_t)start,
};
