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

/** Module of the request if it can be looked at: none of its invocations is alive. Otherwise null and why. */
static const struct ts_module *module_at_rest(uint32_t *error)
{
    int32_t index = ts_module_of_request();
    *error = index < 0 ? TS_NOT_FOUND : TS_CONFLICT;
    if (index <= TS_DEV) return 0;
    const struct ts_module *module = &ts_modules[index];
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
    /* Nobody who can reach the module runs until this ends. */
    uint32_t state = ts_hold_level(module->ceiling);
    struct snapshot snapshot = describe(info);
    uint32_t needed = total(&snapshot);
    if (needed <= capacity) {
        uint8_t *to = (uint8_t *)response;
        memcpy(to, &snapshot, sizeof snapshot);
        to += sizeof snapshot;
        memcpy(to, (const void *)info->data_start, snapshot.data_bytes);
        to += snapshot.data_bytes;
        memcpy(to, (const void *)info->bss_start, snapshot.bss_bytes);
        to += snapshot.bss_bytes;
        if (snapshot.memory_bytes != 0) memcpy(to, info->memory->base, snapshot.memory_bytes);
    }
    ts_release(state);
    if (needed <= capacity) return ts_result(TS_CONTENT, needed);
    if (capacity < sizeof needed) return TS_REQUEST_ENTITY_TOO_LARGE;
    memcpy((void *)response, &needed, sizeof needed);
    return ts_result(TS_REQUEST_ENTITY_TOO_LARGE, sizeof needed);
}

uint32_t ts_state_write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity)
{
    (void)response, (void)capacity;
    uint32_t error;
    const struct ts_module *module = module_at_rest(&error);
    if (module == 0) return error;
    const struct ts_module_info *info = module->info;
    struct snapshot have = describe(info), given;
    if (bytes < sizeof given) return TS_BAD_REQUEST;
    const uint8_t *from = (const uint8_t *)payload;
    memcpy(&given, from, sizeof given);
    from += sizeof given;
    if (given.magic != SNAPSHOT_MAGIC) return TS_BAD_REQUEST;
    if (given.identity != have.identity || given.data_bytes != have.data_bytes || given.bss_bytes != have.bss_bytes)
        return TS_PRECONDITION_FAILED;
    uint32_t room = info->memory != 0 ? info->memory->capacity_bytes : 0;
    if (given.memory_bytes > room || bytes != total(&given)) return TS_BAD_REQUEST;
    uint32_t state = ts_hold_level(module->ceiling);
    memcpy((void *)info->data_start, from, given.data_bytes);
    from += given.data_bytes;
    memcpy((void *)info->bss_start, from, given.bss_bytes);
    from += given.bss_bytes;
    if (info->memory != 0) {
        /* The descriptor came with the data; what the memory had grown by since is zero again. */
        info->memory->bytes = given.memory_bytes;
        memcpy(info->memory->base, from, given.memory_bytes);
        if (have.memory_bytes > given.memory_bytes)
            memset((uint8_t *)info->memory->base + given.memory_bytes, 0, have.memory_bytes - given.memory_bytes);
    }
    ts_release(state);
    return TS_CHANGED;
}
