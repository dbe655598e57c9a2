/* Indirect calls: a bytecode machine whose instructions are functions in a table, and objects with virtual methods. */
#include "bench.h"

struct machine {
    i32 stack[32];
    u32 top;
    i32 locals[8];
    const u8 *code;
    u32 at;
    int running;
};

typedef void instruction(struct machine *);

static i32 pop(struct machine *m) { return m->stack[--m->top & 31]; }
static void push(struct machine *m, i32 value) { m->stack[m->top++ & 31] = value; }

static void op_halt(struct machine *m) { m->running = 0; }
static void op_push(struct machine *m) { push(m, (i8)m->code[m->at++]); }
static void op_get(struct machine *m) { push(m, m->locals[m->code[m->at++] & 7]); }
static void op_set(struct machine *m) { m->locals[m->code[m->at++] & 7] = pop(m); }
static void op_add(struct machine *m)
{
    i32 b = pop(m);
    push(m, (i32)((u32)pop(m) + (u32)b));
}
static void op_subtract(struct machine *m)
{
    i32 b = pop(m);
    push(m, (i32)((u32)pop(m) - (u32)b));
}
static void op_multiply(struct machine *m)
{
    i32 b = pop(m);
    push(m, (i32)((u32)pop(m) * (u32)b));
}
static void op_xor(struct machine *m)
{
    i32 b = pop(m);
    push(m, pop(m) ^ b);
}
static void op_less(struct machine *m)
{
    i32 b = pop(m);
    push(m, pop(m) < b);
}
static void op_branch_if(struct machine *m)
{
    u32 target = m->code[m->at++];
    if (pop(m) != 0) m->at = target;
}

enum { HALT, PUSH, GET, SET, ADD, SUBTRACT, MULTIPLY, XOR, LESS, BRANCH_IF };
static instruction *const instructions[] = {op_halt,     op_push, op_get, op_set,  op_add,
                                            op_subtract, op_multiply, op_xor, op_less, op_branch_if};

/* local 0 counts down, local 1 gathers a hash of it */
static const u8 program[] = {
    GET, 1, PUSH, 31, MULTIPLY, GET, 0, XOR, SET, 1, GET, 0, PUSH, 1, SUBTRACT, SET, 0,
    PUSH, 0, GET, 0, LESS, BRANCH_IF, 0, HALT,
};

static i32 execute(i32 count)
{
    struct machine m;
    m.top = 0;
    m.code = program;
    m.at = 0;
    m.running = 1;
    m.locals[0] = count;
    m.locals[1] = 7;
    while (m.running) instructions[m.code[m.at++]](&m);
    return m.locals[1];
}

struct shape;
struct shape_class {
    i32 (*area)(const struct shape *);
    void (*scale)(struct shape *, i32);
};
struct shape {
    const struct shape_class *class;
    i32 a, b, c;
};

static i32 box_area(const struct shape *s) { return s->a * s->b; }
static i32 disc_area(const struct shape *s) { return s->a * s->a * 22 / 7; }
static i32 trapezium_area(const struct shape *s) { return (s->a + s->b) * s->c / 2; }
static void scale_one(struct shape *s, i32 f) { s->a = (s->a * f) >> 4; }
static void scale_all(struct shape *s, i32 f)
{
    scale_one(s, f);
    s->b = (s->b * f) >> 4;
    s->c = (s->c * f) >> 4;
}

static const struct shape_class classes[3] = {
    {box_area, scale_all},
    {disc_area, scale_one},
    {trapezium_area, scale_all},
};

u32 run(u32 n)
{
    u32 seed = 9, sum = 0;
    struct shape shapes[24];
    for (u32 round = 0; round < n; round++) {
        sum = mix(sum, (u32)execute(60 + (i32)(round % 9)));
        for (u32 i = 0; i < COUNT_OF(shapes); i++) {
            u32 r = next_random(&seed);
            struct shape s = {&classes[r % 3], (i32)(r >> 8 & 63), (i32)(r >> 16 & 63), (i32)(r >> 24 & 63)};
            shapes[i] = s;
        }
        for (u32 pass = 0; pass < 8; pass++) {
            i32 total = 0;
            for (u32 i = 0; i < COUNT_OF(shapes); i++) {
                total += shapes[i].class->area(&shapes[i]);
                shapes[i].class->scale(&shapes[i], 15 + (i32)(pass & 3));
            }
            sum = mix(sum, (u32)total);
        }
    }
    return sum;
}
