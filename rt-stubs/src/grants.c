/* The grant table and what C code does with it: translation of a window address, and bulk operations for modules that may
 * use windows. Takes Wasm addresses; gives native ones, or a status (0 fine, 1 out of bounds, nothing written). Knows no
 * policy: the kernel fills the table. */
#include "rt.h"
#include "wasm_abi.h"

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

struct ts_grant ts_grants[TS_MAX_GRANTS];
/* Side by side, so that call.S reaches both from one address. */
#ifdef __XTENSA__
__asm__(".section .bss.ts_current, \"aw\", @nobits\n\t.balign 4\n"
        ".global ts_current_module, ts_current_frame\n.type ts_current_module, @object\n.type ts_current_frame, @object\n"
        "ts_current_module: .space 4\n.size ts_current_module, 4\n"
        "ts_current_frame: .space 4\n.size ts_current_frame, 4\n\t.previous");
extern uint32_t ts_current_module, ts_current_frame;
#else
uint32_t ts_current_module;
uint32_t ts_current_frame;
#endif

void *rt_window_translate(u32 address, u32 length, u32 rights)
{
    volatile struct ts_grant *grant = &ts_grants[(address >> TS_WINDOW_OFFSET_BITS) % TS_MAX_GRANTS];
    u32 offset = address & ((1u << TS_WINDOW_OFFSET_BITS) - 1);
    if (address < TS_WINDOW_BASE || grant->holder != ts_current_module) return 0;
    /* Before the key is looked at, see window.S. */
    grant->used_by = ts_current_frame;
    if (grant->key != address >> TS_WINDOW_OFFSET_BITS || (rights & ~grant->rights) != 0) return 0;
    if (length > grant->length || offset > grant->length - length) return 0;
    return grant->base + offset;
}

/** Native address of [at, at + n) in the memory or a window with the rights, null if it is in neither. */
static uint8_t *span(const struct wasm_memory *memory, u32 at, u32 n, u32 rights)
{
    if (at >= TS_WINDOW_BASE) return rt_window_translate(at, n, rights);
    if (n > memory->bytes || at > memory->bytes - n) return 0;
    return memory->base + at;
}

u32 rt_window_memory_fill(struct wasm_memory *memory, u32 to, u32 value, u32 n)
{
    uint8_t *target = span(memory, to, n, TS_GRANT_RIGHT_WRITE);
    if (target == 0) return 1;
    memset(target, (int)value, n);
    return 0;
}

u32 rt_window_memory_copy(struct wasm_memory *into, struct wasm_memory *from, u32 to, u32 at, u32 n)
{
    uint8_t *target = span(into, to, n, TS_GRANT_RIGHT_WRITE);
    const uint8_t *source = span(from, at, n, TS_GRANT_RIGHT_READ);
    if (target == 0 || source == 0) return 1;
    memmove(target, source, n);
    return 0;
}

u32 rt_window_memory_init(struct wasm_memory *memory, struct wasm_segment *segment, u32 to, u32 at, u32 n)
{
    uint8_t *target = span(memory, to, n, TS_GRANT_RIGHT_WRITE);
    if (target == 0 || n > segment->length || at > segment->length - n) return 1;
    memcpy(target, (const uint8_t *)segment->data + at, n);
    return 0;
}
