// Work for measuring the simulator: integer loops, calls, memory and branches, as a bare CALL0 program for QEMU's and
// our SIMCALL interface. Prints one checksum line and exits; knows nothing of either machine.

typedef unsigned int u32;
typedef unsigned char u8;

static u32 simcall(u32 number, u32 a, u32 b, u32 c) {
  register u32 a2 __asm__("a2") = number;
  register u32 a3 __asm__("a3") = a;
  register u32 a4 __asm__("a4") = b;
  register u32 a5 __asm__("a5") = c;
  __asm__ volatile("simcall" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
  return a2;
}

#define SYS_EXIT 1
#define SYS_WRITE 4
#ifndef ROUNDS
#define ROUNDS 20
#endif

static u8 sieve_bits[8192];
static u32 table[256];
static u32 words[1024];
static int matrix_a[24][24], matrix_b[24][24], matrix_c[24][24];

static u32 sieve(void) {
  u32 count = 0;
  for (u32 i = 0; i < sizeof sieve_bits; i++) sieve_bits[i] = 1;
  for (u32 i = 2; i < sizeof sieve_bits; i++) {
    if (!sieve_bits[i]) continue;
    count++;
    for (u32 j = i + i; j < sizeof sieve_bits; j += i) sieve_bits[j] = 0;
  }
  return count;
}

static u32 crc32(const u8 *data, u32 length) {
  u32 crc = ~0u;
  for (u32 i = 0; i < length; i++) crc = table[(crc ^ data[i]) & 255] ^ (crc >> 8);
  return ~crc;
}

static void make_table(void) {
  for (u32 i = 0; i < 256; i++) {
    u32 c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
}

__attribute__((noinline)) static u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static void sort(u32 *a, int n) {
  for (int gap = n / 2; gap > 0; gap /= 2) {
    for (int i = gap; i < n; i++) {
      u32 x = a[i];
      int j = i;
      for (; j >= gap && a[j - gap] > x; j -= gap) a[j] = a[j - gap];
      a[j] = x;
    }
  }
}

static u32 multiply(void) {
  u32 sum = 0;
  for (int i = 0; i < 24; i++)
    for (int j = 0; j < 24; j++) {
      int s = 0;
      for (int k = 0; k < 24; k++) s += (short)matrix_a[i][k] * (short)matrix_b[k][j];
      matrix_c[i][j] = s;
      sum += (u32)s;
    }
  return sum;
}

void main(void) {
  u32 checksum = 0, x = 1;
  make_table();
  for (int round = 0; round < ROUNDS; round++) {
    checksum += sieve();
    checksum ^= crc32(sieve_bits, sizeof sieve_bits);
    checksum += fib(18);
    for (u32 i = 0; i < 1024; i++) words[i] = (x = x * 1664525u + 1013904223u) >> 4;
    sort(words, 1024);
    checksum ^= words[17];
    for (int i = 0; i < 24; i++)
      for (int k = 0; k < 24; k++) {
        matrix_a[i][k] = (i * 24 + k) ^ round;
        matrix_b[i][k] = i * 24 + k + round;
      }
    checksum += multiply();
  }
  char line[9];
  for (int i = 0; i < 8; i++) line[i] = "0123456789abcdef"[(checksum >> (28 - 4 * i)) & 15];
  line[8] = '\n';
  simcall(SYS_WRITE, 1, (u32)line, 9);
  simcall(SYS_EXIT, 0, 0, 0);
  for (;;) {}
}
