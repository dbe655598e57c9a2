/* What module "alarm" of weather-station provides and requires. Made by `wasm-aot stubs`: do not edit. */

#ifndef THINGS_ALARM_H
#define THINGS_ALARM_H

#include "thingspire.h"

#ifndef THINGS_STRUCT_alarm
#define THINGS_STRUCT_alarm
struct alarm {
  uint32_t time;
  int32_t temperature;
  uint32_t active; /* 0 to 1 */
};
_Static_assert(sizeof(struct alarm) == 12, "alarm");
#endif

#ifndef THINGS_STRUCT_rule
#define THINGS_STRUCT_rule
struct rule {
  int32_t high; /* -5500 to 15000 */
  int32_t low; /* -5500 to 15000 */
};
_Static_assert(sizeof(struct rule) == 8, "rule");
#endif

#ifndef THINGS_STRUCT_weather
#define THINGS_STRUCT_weather
struct weather {
  uint32_t time;
  int32_t temperature; /* -5500 to 15000 */
  int32_t trend;
};
_Static_assert(sizeof(struct weather) == 12, "weather");
#endif

/** Entries of "requires", for ts_call and ts_grant. */
enum {
  REQUIRE_WEATHER = 0,
};

/** GET /weather */
TS_INLINE ts_result call_weather_get(struct weather *response) {
  return ts_call(REQUIRE_WEATHER, NULL, 0, response, sizeof *response);
}

/** Handler of GET /alarm: to be written. */
TS_EXPORT("get_alarm") ts_result get_alarm(const void *payload, uint32_t payload_bytes, struct alarm *response, uint32_t capacity);

/** Handler of GET /alarm/rule: to be written. */
TS_EXPORT("get_rule") ts_result get_rule(const void *payload, uint32_t payload_bytes, struct rule *response, uint32_t capacity);

/** Handler of PUT /alarm/rule: to be written. */
TS_EXPORT("put_rule") ts_result put_rule(const struct rule *payload, uint32_t payload_bytes, void *response, uint32_t capacity);

#endif
