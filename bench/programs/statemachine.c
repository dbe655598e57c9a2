/* State machines: classification of numbers in text by a switch, a byte-wise SLIP receiver (RFC 1055) with a checksum,
 * and a traffic of Modbus RTU frames through a table-driven machine. */
#include "bench.h"

enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, SCIENTIFIC, INVALID, STATES };

static const char numbers[] = "5012,-12.75,+0.5,1e9,.25,3.,-7e-3,12a,1.2.3,,--4,6.02e+23,0x1F,77,8E,9e+,100000,3.14159,-.5,"
                              "+,e5,42.0e0,";

static enum state step(enum state s, char c)
{
    int digit = c >= '0' && c <= '9';
    switch (s) {
    case START: return digit ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? POINT : INVALID;
    case SIGN: return digit ? INTEGER : c == '.' ? POINT : INVALID;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' || c == 'E' ? EXPONENT : INVALID;
    case POINT: return digit ? FRACTION : INVALID;
    case FRACTION: return digit ? FRACTION : c == 'e' || c == 'E' ? EXPONENT : INVALID;
    case EXPONENT: return digit ? SCIENTIFIC : c == '+' || c == '-' ? EXPONENT_SIGN : INVALID;
    case EXPONENT_SIGN: return digit ? SCIENTIFIC : INVALID;
    case SCIENTIFIC: return digit ? SCIENTIFIC : INVALID;
    default: return INVALID;
    }
}

static u32 classify(u32 *counts)
{
    enum state s = START;
    u32 transitions = 0;
    for (u32 i = 0; i < sizeof numbers - 1; i++) {
        char c = numbers[i];
        if (c == ',') {
            counts[s]++;
            s = START;
            continue;
        }
        enum state next = step(s, c);
        transitions += next != s;
        s = next;
    }
    return transitions;
}

#define SLIP_END 0xc0
#define SLIP_ESC 0xdb
#define SLIP_ESC_END 0xdc
#define SLIP_ESC_ESC 0xdd

struct receiver {
    u8 frame[64];
    u32 used, frames, errors;
    int escaped;
};

static void receive(struct receiver *r, u8 c)
{
    if (r->escaped) {
        r->escaped = 0;
        if (c == SLIP_ESC_END) {
            c = SLIP_END;
        } else if (c == SLIP_ESC_ESC) {
            c = SLIP_ESC;
        } else {
            r->errors++;
            return;
        }
    } else if (c == SLIP_ESC) {
        r->escaped = 1;
        return;
    } else if (c == SLIP_END) {
        u8 check = 0;
        for (u32 i = 0; i < r->used; i++) check ^= r->frame[i];
        if (r->used > 0) {
            if (check == 0)
                r->frames++;
            else
                r->errors++;
        }
        r->used = 0;
        return;
    }
    if (r->used < sizeof r->frame)
        r->frame[r->used++] = c;
    else
        r->errors++;
}

enum input { QUIET, ADDRESS_MINE, ADDRESS_OTHER, READ, WRITE, DATA, INPUTS };
enum action { NOTHING, SELECT, SKIP, REPLY, STORE, FAIL };
struct transition {
    u8 next, action;
};
static const struct transition modbus[4][INPUTS] = {
    {{0, NOTHING}, {1, SELECT}, {3, SKIP}, {3, FAIL}, {3, FAIL}, {3, FAIL}},
    {{0, FAIL}, {1, NOTHING}, {1, NOTHING}, {2, REPLY}, {2, STORE}, {3, FAIL}},
    {{0, NOTHING}, {2, STORE}, {2, STORE}, {2, STORE}, {2, STORE}, {2, STORE}},
    {{0, NOTHING}, {3, SKIP}, {3, SKIP}, {3, SKIP}, {3, SKIP}, {3, SKIP}},
};

u32 run(u32 n)
{
    static struct receiver r;
    u32 seed = 321, sum = 0, counts[STATES] = {0}, actions[6] = {0}, state = 0;
    for (u32 round = 0; round < n; round++) {
        sum = mix(sum, classify(counts));
        u8 check = 0;
        for (u32 i = 0; i < 40; i++) {
            u32 x = next_random(&seed);
            u8 byte = (u8)((x & 0x700) == 0 ? SLIP_END : x);
            check ^= byte;
            if (byte == SLIP_END) {
                receive(&r, SLIP_ESC);
                receive(&r, SLIP_ESC_END);
            } else if (byte == SLIP_ESC) {
                receive(&r, SLIP_ESC);
                receive(&r, SLIP_ESC_ESC);
            } else {
                receive(&r, byte);
            }
            enum input in = (enum input)((x >> 12) % INPUTS);
            struct transition t = modbus[state][in];
            state = t.next;
            actions[t.action]++;
        }
        if (check != SLIP_END && check != SLIP_ESC) receive(&r, check);
        receive(&r, SLIP_END);
    }
    for (u32 i = 0; i < STATES; i++) sum = mix(sum, counts[i]);
    for (u32 i = 0; i < COUNT_OF(actions); i++) sum = mix(sum, actions[i]);
    return mix(mix(sum, r.frames), r.errors);
}
