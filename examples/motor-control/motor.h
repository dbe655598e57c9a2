// The records that the motor example's modules in C exchange, as in things.json.
#pragma once
#include <thingspire.h>

/** What the drive is told and what it answers. */
struct drive_command {
  /** Share of full power in 1/1000, signed. */
  int32_t duty;
};
struct drive_state {
  /** Encoder counts since the start. */
  int32_t position;
};

/** Speeds are in encoder counts a second, times in microseconds. */
struct setpoint {
  int32_t speed;
};
struct motor_state {
  int32_t speed;
  int32_t wanted;
  int32_t duty;
  /** Runs of the control loop, and how many came more than half a period late. */
  uint32_t ticks;
  uint32_t missed;
  /** Largest departures of the period from 1,000 microseconds. */
  uint32_t worst_early;
  uint32_t worst_late;
};
