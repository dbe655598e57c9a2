/* For QEMU's de233_fpu: runs f32 division and square root by step instructions on pseudo-random operands and prints a
 * hash of the results. The same sequence is computed in float-steps.test.ts. */
#include "rt.h"

u32 rt_f32_div(u32 a, u32 b);
u32 rt_f32_sqrt(u32 a);

enum { SYS_EXIT = 1, SYS_WRITE = 4 };

static void simcall(u32 operation, u32 a, u32 b, u32 c)
{
    register u32 a2 __asm__("a2") = operation;
    register u32 a3 __asm__("a3") = a;
    register u32 a4 __asm__("a4") = b;
    register u32 a5 __asm__("a5") = c;
    __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
}

static u32 state = 12345;
static u32 random32(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state * 0x9e3779b1u;
}

int main(void)
{
    __asm__ volatile("movi a2, 1\n\twsr.cpenable a2\n\trsync" : : : "a2");
    u32 hash = 0x811c9dc5u;
    for (u32 i = 0; i < COUNT; i++) {
        u32 a = random32(), b = random32();
        if (i % 8 == 0) a &= 0x807fffffu;                     /* subnormal */
        if (i % 16 == 1) b &= 0x807fffffu;
        if (i % 32 == 2) a = (a & 0x80000000u) | 0x7f800000u; /* infinite */
        if (i % 64 == 3) b &= 0x80000000u;                    /* zero */
        if (i % 8 == 4) b = (b & 0x007fffffu) | (a & 0xff800000u);
        if (i % 3 == 0) a &= 0xffffff00u;
        hash = (hash ^ rt_f32_div(a, b)) * 0x01000193u;
        hash = (hash ^ rt_f32_sqrt(a)) * 0x01000193u;
    }
    char text[9];
    for (u32 i = 0; i < 8; i++) text[i] = "0123456789abcdef"[(hash >> (28 - 4 * i)) & 15];
    text[8] = '\n';
    simcall(SYS_WRITE, 1, (u32)text, sizeof text);
    simcall(SYS_EXIT, 0, 0, 0);
    return 0;
}
