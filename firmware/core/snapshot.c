/* State of a module between calls as bytes: its initialised and zeroed data (globals, tables, descriptors of memories)
 * and its linear memory, raw, behind a header that says what they belong to. Only the same code at the same addresses
 * can take it back. Takes and gives native pointers; knows no module's contents. */
#include "flash.h"
#include "imc.h"
#include "sys.h"

void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

enum { SNAPSHOT_MAGIC = 0x31535354 /* "TSS1" */ };

/** Little-endian; `data_bytes`, `bss_bytes` and `memory_bytes` bytes follow. */
struct snapshot {
    uint32_t magic;
    uint32_t identity; /* of descriptor, version and function table: the same code at the same addresses */
    uint32_t data_bytes;
    uint32_t bss_bytes;
    uint32_t memory_bytes;
};

static struct snapshot describe(const struct ts_module_info *info)
{
    uint32_t parts[3] = {ts_crc32(info, sizeof *info), ts_crc32(info->version, ts_string_bytes(info->version)), 0};
    if (info->wasm != 0) parts[2] = ts_crc32(info->wasm->funcs, info->wasm->func_count * sizeof *info->wasm->funcs);
    return (struct snapshot){SNAPSHOT_MAGIC, ts_crc32(parts, sizeof parts), info->data_bytes, info->bss_bytes,
                             info->memory != 0 ? info->memory->bytes : 0};
}

static uint32_t total(const struct snapshot *snapshot)
{
    return sizeof *snapshot + snapshot->data_bytes + snapshot->bss_bytes + snapshot->memory_bytes;
}

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

/** Module of the request if it can be looked at: none of its invocations is alive. Otherwise null and why. */
static struct ts_module *module_at_rest(uint32_t *error)
{
    int32_t index = ts_module_of_request();
    *error = index < 0 ? TS_NOT_FOUND : TS_CONFLICT;
    if (index <= TS_DEV) return 0;
    struct ts_module *module = &ts_modules[index];
    int still = module->state == TS_STATE_RUNNING || module->state == TS_STATE_STOPPED;
    return still && module->depth == 0 ? module : 0;
}

uint32_t ts_state_read(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)payload, (void)bytes;
    uint32_t error;
    const struct ts_module *module = module_at_rest(&error);
    if (module == 0) return error;
    const struct ts_module_info *info = module->info;
    struct snapshot snapshot = describe(info);
    uint32_t needed = total(&snapshot);
    struct ts_block *block = ts_block_of_request();
    if (needed > capacity && block == 0) {
        if (capacity < sizeof needed) return TS_REQUEST_ENTITY_TOO_LARGE;
        memcpy((void *)response, &needed, sizeof needed);
        return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, sizeof needed);
    }
    /* In pieces only while nothing can change in between. */
    if (needed > capacity && module->state != TS_STATE_STOPPED) return TS_CONFLICT;
    struct span span = {(uint8_t *)response, block == 0 ? 0 : block->offset2, capacity, 0};
    /* Nobody who can reach the module runs until this ends. */
    uint32_t state = ts_hold_level(module->ceiling);
    put(&span, &snapshot, sizeof snapshot);
    put(&span, (const void *)info->data_start, snapshot.data_bytes);
    put(&span, (const void *)info->bss_start, snapshot.bss_bytes);
    if (snapshot.memory_bytes != 0) put(&span, info->memory->base, snapshot.memory_bytes);
    ts_release(state);
    return block == 0 ? ts_result(TS_CONTENT, needed) : ts_block_result(block, needed, capacity);
}

/** A state that comes in pieces. */
static struct {
    struct snapshot given;
    uint32_t next;
    uint8_t module;
} incoming;

/** Header of a state: 0, or the code that it deserves. */
static uint32_t check(const struct ts_module_info *info, const struct snapshot *given)
{
    struct snapshot have = describe(info);
    if (given->magic != SNAPSHOT_MAGIC) return TS_BAD_REQUEST;
    if (given->identity != have.identity || given->data_bytes != have.data_bytes || given->bss_bytes != have.bss_bytes)
        return TS_PRECONDITION_FAILED;
    return given->memory_bytes > (info->memory != 0 ? info->memory->capacity_bytes : 0) ? TS_BAD_REQUEST : 0;
}

uint32_t ts_state_write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    uint32_t error;
    struct ts_module *module = module_at_rest(&error);
    if (module == 0) return error;
    const struct ts_module_info *info = module->info;
    const struct ts_block *block = ts_block_of_request();
    uint32_t offset = block == 0 || block->offset1 == ~0u ? 0 : block->offset1;
    if (offset == 0) {
        if (bytes < sizeof incoming.given) return TS_BAD_REQUEST;
        memcpy(&incoming.given, (const void *)payload, sizeof incoming.given);
        incoming.next = 0;
        incoming.module = module->index;
        error = check(info, &incoming.given);
        if (error != 0) return error;
    } else if (incoming.module != module->index || offset > incoming.next) return TS_CONFLICT;
    uint32_t whole = total(&incoming.given);
    if (bytes > whole || offset > whole - bytes) return TS_BAD_REQUEST;
    if (bytes != whole && block == 0) return TS_BAD_REQUEST;
    if (bytes != whole && module->state != TS_STATE_STOPPED) return TS_CONFLICT;
    struct span span = {(uint8_t *)payload, offset, bytes, 0};
    uint32_t had = info->memory != 0 ? info->memory->bytes : 0, given = incoming.given.memory_bytes;
    uint32_t state = ts_hold_level(module->ceiling);
    module->intact = 0;
    get(&span, &incoming.given, sizeof incoming.given);
    get(&span, (void *)info->data_start, incoming.given.data_bytes);
    get(&span, (void *)info->bss_start, incoming.given.bss_bytes);
    if (info->memory != 0) {
        get(&span, info->memory->base, given);
        /* The descriptor came with the data; what the memory had grown by since is zero again. */
        info->memory->bytes = given;
        if (had > given) memset((uint8_t *)info->memory->base + given, 0, had - given);
    }
    incoming.next = offset + bytes;
    module->intact = incoming.next == whole;
    ts_release(state);
    return TS_CHANGED;
}
