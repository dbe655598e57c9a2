// Motor control, the module that goes wrong: POST rogue/{kind} does one thing a module must not do. What it does harms
// nobody but itself.
#include <thingspire.h>

enum kind { ENDLESS_LOOP, WILD_POINTER, STACK_OVERFLOW, BREACH, ENDLESS_EVENT, STALE_WINDOW };

static volatile uint32_t spinning;
static const volatile char *kept;

// Recursion that no optimiser turns into a loop, deeper than any stack here.
__attribute__((noinline)) static uint32_t dig(uint32_t depth) {
  if (depth == 0) return spinning;
  return dig(depth - 1) * 31 + depth;
}

static void spin(void) {
  for (;;) spinning++;
}

TS_HANDLER(misbehave) {
  int32_t kind = -1;
  ts_parameter_number(0, &kind);
  switch (kind) {
    case ENDLESS_LOOP: spin(); break;
    case WILD_POINTER: *(volatile uint32_t *)0xfffff000 = 1; break;
    case STACK_OVERFLOW: return dig(1000000);
    case BREACH: return ts_reply(TS_CONTENT, 1000); // the contract allows four bytes
    case ENDLESS_EVENT: ts_timer(0, 1, 0); return ts_reply(TS_CHANGED, 0);
    case STALE_WINDOW: // the payload is the caller's memory, for as long as this call takes
      kept = payload;
      ts_timer(1, 1, 0);
      return ts_reply(TS_CHANGED, 0);
  }
  return ts_reply(TS_NOT_FOUND, 0);
}

TS_ON_TIMER {
  if (timer == 0) spin();
  spinning += (uint32_t)*kept;
}

TS_ON_START { ts_log(TS_TEXT("up")); }
