/* Recursion: Fibonacci, Ackermann, n-queens with backtracking, towers of Hanoi. Calls and frames are all there is. */
#include "bench.h"

__attribute__((noinline)) static u32 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

__attribute__((noinline)) static u32 ackermann(u32 m, u32 n)
{
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

__attribute__((noinline)) static u32 queens(u32 all, u32 columns, u32 left, u32 right)
{
    if (columns == all) return 1;
    u32 solutions = 0, open = all & ~(columns | left | right);
    while (open != 0) {
        u32 bit = open & (0u - open);
        open ^= bit;
        solutions += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return solutions;
}

static u32 pegs[3];

__attribute__((noinline)) static u32 hanoi(u32 disks, u32 from, u32 to, u32 via)
{
    if (disks == 0) return 0;
    u32 moves = hanoi(disks - 1, from, via, to);
    pegs[from] -= disks;
    pegs[to] += disks;
    return moves + 1 + hanoi(disks - 1, via, to, from);
}

u32 run(u32 n)
{
    u32 sum = 0;
    for (u32 round = 0; round < n; round++) {
        sum = mix(sum, fibonacci(15 + round % 3));
        sum = mix(sum, ackermann(2, 16 + round % 5));
        sum = mix(sum, queens((1u << 6) - 1, 0, 0, 0));
        pegs[0] = 36, pegs[1] = pegs[2] = 0;
        sum = mix(sum, hanoi(8, 0, 2, 1) + pegs[2]);
    }
    return sum;
}
