// Motor control, control loop: a PI controller that runs every millisecond at the highest priority, whatever the other
// modules do. It watches its own period.
#include "motor.h"

enum { PERIOD_US = 1000, DRIVE = 0 };
static const float KP = 0.3f, KI = 4.0f, SMOOTHING = 0.1f;

static struct motor_state state;
static float integral, speed;
static int32_t last_position;
static uint32_t last_time;

static void watch(uint32_t now) {
  uint32_t period = now - last_time;
  last_time = now;
  if (state.ticks++ == 0) return;
  if (period < PERIOD_US && PERIOD_US - period > state.worst_early) state.worst_early = PERIOD_US - period;
  if (period > PERIOD_US && period - PERIOD_US > state.worst_late) state.worst_late = period - PERIOD_US;
  if (period > PERIOD_US * 3 / 2) state.missed++;
}

static float clamp(float value, float limit) { return value > limit ? limit : value < -limit ? -limit : value; }

TS_ON_TIMER {
  watch((uint32_t)ts_now());
  struct drive_command command = {state.duty};
  struct drive_state drive;
  if (!ts_ok(ts_call(DRIVE, &command, sizeof command, &drive, sizeof drive))) return;
  float measured = (float)(drive.position - last_position) * (1e6f / PERIOD_US);
  last_position = drive.position;
  speed += SMOOTHING * (measured - speed);
  float error = (float)state.wanted - speed;
  integral = clamp(integral + KI * error * (PERIOD_US * 1e-6f), 1000.0f);
  state.duty = (int32_t)clamp(KP * error + integral, 1000.0f);
  state.speed = (int32_t)speed;
}

TS_HANDLER(get_motor) { return ts_content(response, capacity, &state, sizeof state); }

TS_HANDLER(put_setpoint) {
  state.wanted = ((const struct setpoint *)payload)->speed;
  return ts_reply(TS_CHANGED, 0);
}

TS_ON_START { ts_timer(0, 1, 1); }
