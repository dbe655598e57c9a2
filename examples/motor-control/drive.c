// Motor control, drive: a simulated DC motor with an encoder behind the interface a real power stage would have. One
// request sets the duty and reads the position.
#include "drive_things.h"

/** Counts a second at full power, and seconds until 63 % of a step is reached. */
static const float FULL_SPEED = 5000.0f, TIME_CONSTANT = 0.08f;

static float speed, position;
static int32_t duty;
static uint32_t last;

/** The motor turns on by itself: brings it to the present. */
static void advance(void) {
  uint32_t now = (uint32_t)ts_now();
  float seconds = (float)(now - last) * 1e-6f;
  last = now;
  float share = seconds / TIME_CONSTANT;
  speed += (FULL_SPEED * (float)duty / 1000.0f - speed) * (share > 1.0f ? 1.0f : share);
  position += speed * seconds;
}

TS_TYPED_HANDLER(drive, struct command, struct position) {
  advance();
  duty = payload->duty;
  struct position here = {(int32_t)position};
  return ts_content(response, capacity, &here, sizeof here);
}

TS_ON_START { last = (uint32_t)ts_now(); }
