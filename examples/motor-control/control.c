// Motor control, control loop: a PI controller that runs every millisecond at the highest priority, whatever the other
// modules do. It watches its own period. Speeds are in encoder counts a second, times in
// microseconds.
#include "control_things.h"

enum { PERIOD_US = 1000 };
static const float KP = 0.3f, KI = 4.0f, SMOOTHING = 0.1f;

static struct state state;
static float integral, speed;
static int32_t last_position;
static uint32_t last_time;

static void watch(uint32_t now) {
  uint32_t period = now - last_time;
  last_time = now;
  if (state.ticks++ == 0) return;
  if (period < PERIOD_US && PERIOD_US - period > state.worstEarly) state.worstEarly = PERIOD_US - period;
  if (period > PERIOD_US && period - PERIOD_US > state.worstLate) state.worstLate = period - PERIOD_US;
  if (period > PERIOD_US * 3 / 2) state.missed++;
}

static float clamp(float value, float limit) { return value > limit ? limit : value < -limit ? -limit : value; }

TS_ON_TIMER {
  watch((uint32_t)ts_now());
  struct command command = {state.duty};
  struct position now;
  if (!ts_ok(call_drive_post(&command, &now))) return;
  float measured = (float)(now.position - last_position) * (1e6f / PERIOD_US);
  last_position = now.position;
  speed += SMOOTHING * (measured - speed);
  float error = (float)state.wanted - speed;
  integral = clamp(integral + KI * error * (PERIOD_US * 1e-6f), 1000.0f);
  state.duty = (int32_t)clamp(KP * error + integral, 1000.0f);
  state.speed = (int32_t)speed;
}

TS_TYPED_HANDLER(get_motor, void, struct state) { return ts_content(response, capacity, &state, sizeof state); }

TS_TYPED_HANDLER(put_setpoint, struct setpoint, void) {
  state.wanted = payload->speed;
  return ts_reply(TS_CHANGED, 0);
}

TS_ON_START { ts_timer(0, 1, 1); }
