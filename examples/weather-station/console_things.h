/* What module "console" of weather-station provides and requires. Made by `wasm-aot stubs`: do not edit. */

#ifndef THINGS_CONSOLE_H
#define THINGS_CONSOLE_H

#include "thingspire.h"

#ifndef THINGS_STRUCT_weather
#define THINGS_STRUCT_weather
struct weather {
  uint32_t time;
  int32_t temperature; /* -5500 to 15000 */
  int32_t trend;
};
_Static_assert(sizeof(struct weather) == 12, "weather");
#endif

#ifndef THINGS_STRUCT_alarm
#define THINGS_STRUCT_alarm
struct alarm {
  uint32_t time;
  int32_t temperature;
  uint32_t active; /* 0 to 1 */
};
_Static_assert(sizeof(struct alarm) == 12, "alarm");
#endif

#ifndef THINGS_STRUCT_sample
#define THINGS_STRUCT_sample
struct sample {
  uint32_t time;
  int32_t temperature; /* -5500 to 15000 */
};
_Static_assert(sizeof(struct sample) == 8, "sample");
#endif

#ifndef THINGS_STRUCT_ring
#define THINGS_STRUCT_ring
struct ring {
  uint32_t window;
  uint32_t count; /* 1 to 64 */
  uint32_t newest; /* 0 to 63 */
};
_Static_assert(sizeof(struct ring) == 12, "ring");
#endif

/** Entries of "requires", for ts_call and ts_grant. */
enum {
  REQUIRE_WEATHER = 0,
  REQUIRE_ALARM = 1,
  REQUIRE_STORE = 2,
  REQUIRE_RING = 3,
};

/** GET /weather */
TS_INLINE ts_result call_weather_get(struct weather *response) {
  return ts_call(REQUIRE_WEATHER, NULL, 0, response, sizeof *response);
}

/** GET /alarm */
TS_INLINE ts_result call_alarm_get(struct alarm *response) {
  return ts_call(REQUIRE_ALARM, NULL, 0, response, sizeof *response);
}

/** GET /store; `room` and `got` count elements */
TS_INLINE ts_result call_store_get(struct sample *response, uint32_t room, uint32_t *got) {
  ts_result result = ts_call(REQUIRE_STORE, NULL, 0, response, room * (uint32_t)sizeof *response);
  *got = ts_ok(result) ? ts_length(result) / (uint32_t)sizeof *response : 0;
  return result;
}

/** GET /ring */
TS_INLINE ts_result call_ring_get(struct ring *response) {
  return ts_call(REQUIRE_RING, NULL, 0, response, sizeof *response);
}

#endif
