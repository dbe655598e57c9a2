/* A hash table with string keys (FNV-1a, open addressing, tombstones, growth by rehashing): counts words of a text,
 * then looks up and removes. */
#include "bench.h"

#define SLOTS 512

struct entry {
    const char *key; /* NULL: never used */
    u32 hash;
    u32 value;
    u8 length;
    u8 removed;
};

static struct entry tables[2][SLOTS];
static struct entry *table;
static u32 capacity, used;

static const char text[] =
    "the quick brown fox jumps over the lazy dog while a slow green turtle walks under the old stone bridge and looks at "
    "the small fish in the cold clear water of the river that runs from the high hills to the wide blue sea where ships "
    "with white sails carry salt and spice and silk to ports of many lands whose people speak many tongues and tell many "
    "tales of kings and queens and wars and peace of love and loss of storms at sea and stars at night of gold and iron ";

static u32 hash_of(const char *s, u32 n)
{
    u32 h = 2166136261u;
    for (u32 i = 0; i < n; i++) h = (h ^ (u8)s[i]) * 16777619u;
    return h;
}

static int equal(const char *a, const char *b, u32 n)
{
    for (u32 i = 0; i < n; i++)
        if (a[i] != b[i]) return 0;
    return 1;
}

static struct entry *lookup(const char *key, u32 length, u32 hash)
{
    struct entry *grave = NULL;
    for (u32 i = hash & (capacity - 1);; i = (i + 1) & (capacity - 1)) {
        struct entry *e = &table[i];
        if (e->key == NULL) return grave != NULL ? grave : e;
        if (e->removed) {
            if (grave == NULL) grave = e;
        } else if (e->hash == hash && e->length == length && equal(e->key, key, length)) {
            return e;
        }
    }
}

static void clear(struct entry *t, u32 n)
{
    for (u32 i = 0; i < n; i++) {
        t[i].key = NULL;
        t[i].removed = 0;
    }
}

static void grow(void)
{
    struct entry *old = table;
    u32 old_capacity = capacity;
    table = old == tables[0] ? tables[1] : tables[0];
    capacity *= 2;
    clear(table, capacity);
    for (u32 i = 0; i < old_capacity; i++)
        if (old[i].key != NULL && !old[i].removed) *lookup(old[i].key, old[i].length, old[i].hash) = old[i];
}

static void increment(const char *key, u32 length)
{
    if (4 * (used + 1) > 3 * capacity) grow();
    u32 hash = hash_of(key, length);
    struct entry *e = lookup(key, length, hash);
    if (e->key == NULL || e->removed) {
        e->key = key;
        e->length = (u8)length;
        e->hash = hash;
        e->value = 0;
        e->removed = 0;
        used++;
    }
    e->value++;
}

static int take_out(const char *key, u32 length)
{
    struct entry *e = lookup(key, length, hash_of(key, length));
    if (e->key == NULL || e->removed) return 0;
    e->removed = 1;
    used--;
    return 1;
}

u32 run(u32 n)
{
    u32 sum = 0;
    for (u32 round = 0; round < n; round++) {
        table = tables[0];
        capacity = 16;
        used = 0;
        clear(table, capacity);
        for (u32 pass = 0; pass < 4; pass++) {
            /* later passes see the words without their first letters, so that new keys appear */
            u32 start = 0;
            for (u32 i = 0; i < sizeof text - 1; i++) {
                if (text[i] != ' ') continue;
                u32 skip = (pass + round) % 3;
                if (start + skip < i) increment(text + start + skip, i - start - skip);
                if (pass == 3 && i % 7 == 0) sum = mix(sum, (u32)take_out(text + start, i - start));
                start = i + 1;
            }
        }
        for (u32 i = 0; i < capacity; i++)
            if (table[i].key != NULL && !table[i].removed) sum = mix(sum, table[i].hash + table[i].value);
        sum = mix(sum, used + capacity);
    }
    return sum;
}
