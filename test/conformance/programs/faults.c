// Goes wrong in every way a module can: POST /fault/{kind}. Volatile values keep the compiler from knowing.
#include <thingspire.h>

static volatile int32_t zero, minus_one = -1;
static volatile int32_t lowest = (int32_t)0x80000000;
static volatile uint32_t spinning;
typedef int32_t (*function)(int32_t);
typedef int32_t (*other_function)(int32_t, int32_t);

__attribute__((noinline)) static int32_t twice(int32_t x) { return 2 * x + spinning; }
__attribute__((noinline)) static int32_t both(int32_t x, int32_t y) { return x + y + spinning; }
static volatile function one = twice;
static volatile other_function two = both;

__attribute__((noinline)) static uint32_t dig(uint32_t depth) {
  if (depth == 0) return spinning;
  return dig(depth - 1) * 31 + depth;
}

__attribute__((noinline)) static void inner(int32_t kind, const void *payload, void *response) {
  switch (kind) {
    case 0: __builtin_trap();
    case 1: spinning = 7 / zero; break;
    case 2: spinning = 7 % zero; break;
    case 3: spinning = (uint32_t)(lowest / minus_one); break;
    case 4: spinning = *(volatile uint32_t *)0x7ffffff0; break;
    case 5: *(volatile uint32_t *)0x7ffffff0 = 1; break;
    case 6: __builtin_memcpy((void *)0x7fff0000, response, (uint32_t)zero + 64); break;
    case 7: __builtin_memset((void *)0x7fff0000, 1, (uint32_t)zero + 64); break;
    case 8: one = (function)(uintptr_t)(1000 + zero); spinning = (uint32_t)one(1); break;
    case 9: one = (function)(uintptr_t)two; spinning = (uint32_t)one(1); break;
    case 10: one = (function)(uintptr_t)zero; spinning = (uint32_t)one(1); break;
    case 11: spinning = dig(1000000); break;
    case 12: for (;;) spinning++;
    case 13: spinning = *((const volatile uint8_t *)payload + 8); break; // behind the window
    case 14: *(volatile uint8_t *)payload = 1; break; // only for reading
    case 15: *((volatile uint8_t *)response + 8) = 1; break;
    case 16: *(volatile uint32_t *)((uint8_t *)response + 6) = 1; break; // half of it
    case 17: spinning = *(volatile uint8_t *)0x85000000; break; // nobody's window
    case 18: __builtin_memcpy(response, payload, (uint32_t)zero + 9); break;
    case 19: spinning = *((const volatile uint8_t *)payload - 1); break;
    case 20: spinning = *(volatile uint32_t *)0xfffffffe; break;
    case 21: while (spinning < 0xfffffffe) ts_time_left(); break;
    case 22: ts_timer(0, 1, 0); break;
    case 23: ts_timer(1, 1, 0); break;
  }
}

TS_HANDLER(go) {
  int32_t kind = -1;
  ts_parameter_number(0, &kind);
  inner(kind, payload, response);
  return ts_reply(TS_CHANGED, 0);
}

TS_ON_TIMER {
  if (timer == 0) inner(12, 0, 0);
  inner(0, 0, 0);
}

TS_ON_START { ts_log(TS_TEXT("up")); }
