/* Sorting: quicksort with insertion sort at the bottom, heap sort, and a stable merge sort of records through a comparison
 * function. */
#include "bench.h"

#define COUNT 512

static i32 values[COUNT], work[COUNT];

struct record {
    u32 key;
    u32 order;
};
static struct record records[COUNT / 2], spare[COUNT / 2];

static void insertion_sort(i32 *p, i32 n)
{
    for (i32 i = 1; i < n; i++) {
        i32 x = p[i], j = i;
        for (; j > 0 && p[j - 1] > x; j--) p[j] = p[j - 1];
        p[j] = x;
    }
}

static void quick_sort(i32 *p, i32 n)
{
    while (n > 12) {
        i32 a = p[0], b = p[n / 2], c = p[n - 1];
        i32 pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
        i32 i = 0, j = n - 1;
        for (;;) {
            while (p[i] < pivot) i++;
            while (p[j] > pivot) j--;
            if (i >= j) break;
            i32 t = p[i];
            p[i++] = p[j];
            p[j--] = t;
        }
        quick_sort(p, i);
        p += i;
        n -= i;
    }
    insertion_sort(p, n);
}

static void sift_down(i32 *p, u32 root, u32 n)
{
    i32 x = p[root];
    for (u32 child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && p[child + 1] > p[child]) child++;
        if (p[child] <= x) break;
        p[root] = p[child];
    }
    p[root] = x;
}

static void heap_sort(i32 *p, u32 n)
{
    for (u32 i = n / 2; i-- > 0;) sift_down(p, i, n);
    for (u32 i = n - 1; i > 0; i--) {
        i32 t = p[0];
        p[0] = p[i];
        p[i] = t;
        sift_down(p, 0, i);
    }
}

typedef int compare(const struct record *, const struct record *);

static int by_key(const struct record *a, const struct record *b) { return a->key < b->key ? -1 : a->key > b->key; }
static int by_low_bits(const struct record *a, const struct record *b)
{
    return (int)(a->key & 255) - (int)(b->key & 255);
}

static void merge_sort(struct record *p, u32 n, compare *order)
{
    if (n < 2) return;
    u32 half = n / 2;
    merge_sort(p, half, order);
    merge_sort(p + half, n - half, order);
    for (u32 i = 0; i < half; i++) spare[i] = p[i];
    for (u32 i = 0, j = half, k = 0; i < half; k++) p[k] = j < n && order(&p[j], &spare[i]) < 0 ? p[j++] : spare[i++];
}

u32 run(u32 n)
{
    u32 seed = 17, sum = 0;
    for (u32 round = 0; round < n; round++) {
        for (u32 i = 0; i < COUNT; i++) values[i] = work[i] = (i32)next_random(&seed) >> (round % 20);
        quick_sort(values, COUNT);
        heap_sort(work, COUNT);
        for (u32 i = 0; i < COUNT; i++) sum = mix(sum, (u32)values[i] ^ ((u32)work[i] << 1));
        for (u32 i = 0; i < COUNT_OF(records); i++) {
            records[i].key = next_random(&seed) >> 8;
            records[i].order = i;
        }
        merge_sort(records, COUNT_OF(records), by_key);
        merge_sort(records, COUNT_OF(records), by_low_bits);
        for (u32 i = 0; i < COUNT_OF(records); i += 4) sum = mix(sum, records[i].key + records[i].order);
    }
    return sum;
}
