/* Singly linked lists in a pool: insertion, search, reversal, removal, and merge sort by relinking. */
#include "bench.h"

#define NODES 300

struct node {
    struct node *next;
    i16 key;
    i16 payload;
};

static struct node pool[NODES];
static struct node *free_list;

static void reset_pool(void)
{
    free_list = NULL;
    for (u32 i = 0; i < NODES; i++) {
        pool[i].next = free_list;
        free_list = &pool[i];
    }
}

static struct node *push(struct node *list, i16 key, i16 payload)
{
    struct node *n = free_list;
    if (n == NULL) return list;
    free_list = n->next;
    n->next = list;
    n->key = key;
    n->payload = payload;
    return n;
}

static struct node *reverse(struct node *list)
{
    struct node *done = NULL;
    while (list != NULL) {
        struct node *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static struct node *find(struct node *list, i16 key)
{
    while (list != NULL && list->key != key) list = list->next;
    return list;
}

static struct node *remove_multiples(struct node *list, i32 divisor)
{
    struct node **link = &list;
    while (*link != NULL) {
        struct node *n = *link;
        if (n->key % divisor == 0) {
            *link = n->next;
            n->next = free_list;
            free_list = n;
        } else {
            link = &n->next;
        }
    }
    return list;
}

static struct node *merge(struct node *a, struct node *b)
{
    struct node head, *tail = &head;
    while (a != NULL && b != NULL) {
        if (b->key < a->key) {
            tail->next = b;
            b = b->next;
        } else {
            tail->next = a;
            a = a->next;
        }
        tail = tail->next;
    }
    tail->next = a != NULL ? a : b;
    return head.next;
}

static struct node *sort(struct node *list)
{
    if (list == NULL || list->next == NULL) return list;
    struct node *slow = list, *fast = list->next;
    while (fast != NULL && fast->next != NULL) {
        slow = slow->next;
        fast = fast->next->next;
    }
    struct node *second = slow->next;
    slow->next = NULL;
    return merge(sort(list), sort(second));
}

u32 run(u32 n)
{
    u32 seed = 64, sum = 0;
    for (u32 round = 0; round < n; round++) {
        struct node *list = NULL;
        reset_pool();
        for (u32 i = 0; i < NODES; i++) list = push(list, (i16)(next_random(&seed) % 1000), (i16)i);
        for (i16 key = 0; key < 40; key++) {
            struct node *found = find(list, (i16)(key * 25));
            sum = mix(sum, found == NULL ? 0 : (u32)found->payload);
        }
        list = reverse(list);
        list = sort(list);
        list = remove_multiples(list, 3 + (i32)(round % 5));
        i32 previous = -1;
        for (struct node *p = list; p != NULL; p = p->next) {
            sum = mix(sum, (u32)(p->key * 2 + (p->key < previous)) ^ (u32)p->payload);
            previous = p->key;
        }
    }
    return sum;
}
