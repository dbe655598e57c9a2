/* Bulk operations on linear memories and tables. Takes Wasm addresses and the structs of wasm_abi.h; gives a status (0
 * fine, 1 out of bounds, nothing written). Knows no trap: the caller traps. */
#include "rt.h"
#include "wasm_abi.h"

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);

/** 1 unless [at, at + n) lies within [0, size). Never overflows. */
static inline u32 outside(u32 at, u32 n, u32 size) { return n > size || at > size - n; }

u32 rt_memory_grow(struct wasm_memory *memory, u32 delta)
{
    u32 old = memory->pages;
    if (delta == 0) return old;
    u32 shift = memory->page_shift;
    if (delta > memory->max_pages - old || delta > (memory->capacity_bytes - memory->bytes) >> shift) return ~(u32)0;
    u32 more = delta << shift;
    memset(memory->base + memory->bytes, 0, more);
    memory->pages = old + delta;
    memory->bytes += more;
    return old;
}

u32 rt_memory_fill(struct wasm_memory *memory, u32 to, u32 value, u32 n)
{
    if (outside(to, n, memory->bytes)) return 1;
    memset(memory->base + to, (int)value, n);
    return 0;
}

u32 rt_memory_copy(struct wasm_memory *into, struct wasm_memory *from, u32 to, u32 at, u32 n)
{
    if (outside(to, n, into->bytes) || outside(at, n, from->bytes)) return 1;
    memmove(into->base + to, from->base + at, n);
    return 0;
}

u32 rt_memory_init(struct wasm_memory *memory, struct wasm_segment *segment, u32 to, u32 at, u32 n)
{
    if (outside(to, n, memory->bytes) || outside(at, n, segment->length)) return 1;
    memcpy(memory->base + to, (const uint8_t *)segment->data + at, n);
    return 0;
}

u32 rt_table_grow(struct wasm_table *table, u32 value, u32 delta)
{
    u32 old = table->size;
    u32 room = (table->capacity < table->max ? table->capacity : table->max) - old;
    if (delta > room) return ~(u32)0;
    for (u32 i = old; i < old + delta; i++) table->elems[i] = value;
    table->size = old + delta;
    return old;
}

u32 rt_table_fill(struct wasm_table *table, u32 to, u32 value, u32 n)
{
    if (outside(to, n, table->size)) return 1;
    u32 *p = table->elems + to;
    while (n-- != 0) *p++ = value;
    return 0;
}

u32 rt_table_copy(struct wasm_table *into, struct wasm_table *from, u32 to, u32 at, u32 n)
{
    if (outside(to, n, into->size) || outside(at, n, from->size)) return 1;
    memmove(into->elems + to, from->elems + at, (size_t)n * 4);
    return 0;
}

u32 rt_table_init(struct wasm_table *table, struct wasm_segment *segment, u32 to, u32 at, u32 n)
{
    if (outside(to, n, table->size) || outside(at, n, segment->length)) return 1;
    memcpy(table->elems + to, (const u32 *)segment->data + at, (size_t)n * 4);
    return 0;
}
