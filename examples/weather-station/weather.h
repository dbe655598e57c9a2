// The records that the weather station's modules in C exchange, as in things.json.
#pragma once
#include <thingspire.h>

/** Temperatures are in 1/100 degree Celsius, times in milliseconds since the start. */
struct weather {
  uint32_t time;
  int32_t temperature;
  /** Change in 1/100 degree a second. */
  int32_t trend;
};

struct alarm {
  uint32_t time;
  int32_t temperature;
  /** 1: too hot. */
  uint32_t active;
};

/** An alarm begins above `high` and ends below `low`. */
struct rule {
  int32_t high;
  int32_t low;
};

struct sample {
  uint32_t time;
  int32_t temperature;
};

/** A window on the store's ring: `count` samples, of which number `newest` is the last one. */
struct ring {
  uint32_t window;
  uint32_t count;
  uint32_t newest;
};
