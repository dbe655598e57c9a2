// Weather station, alarm rules: an alarm with hysteresis on the filtered temperature; it begins above `high` and ends
// below `low`. GET alarm shows it and can be observed, PUT alarm/rule changes the limits.
#include "alarm_things.h"

static struct rule rule = {.high = 2800, .low = 2600};
static struct alarm state;
static struct weather weather;

TS_TYPED_HANDLER(get_alarm, void, struct alarm) { return ts_content(response, capacity, &state, sizeof state); }

TS_TYPED_HANDLER(get_rule, void, struct rule) { return ts_content(response, capacity, &rule, sizeof rule); }

// The contract has checked size and ranges; that one limit is below the other it cannot say.
TS_TYPED_HANDLER(put_rule, struct rule, void) {
  if (payload->low >= payload->high) return ts_reply(TS_BAD_REQUEST, 0);
  rule = *payload;
  return ts_reply(TS_CHANGED, 0);
}

TS_ON_START {
  if (ts_observe(TS_TEXT("/weather"), &weather, sizeof weather) < 0) ts_log(TS_TEXT("no weather to observe"));
}

TS_ON_NOTIFY {
  if (!ts_ok(result)) return;
  uint32_t active = weather.temperature > rule.high || (state.active && weather.temperature >= rule.low);
  if (active == state.active) return;
  state = (struct alarm){weather.time, weather.temperature, active};
  ts_notify(TS_TEXT("alarm"));
}
