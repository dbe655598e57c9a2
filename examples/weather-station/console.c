// Weather station, console: a line a second with the weather and statistics over the store's samples, which it reads
// through a window, and a line for each alarm.
#include "console_things.h"

static struct alarm alarm;
static uint32_t last;

static void add_degrees(ts_line *line, const char *what, int32_t hundredths) {
  ts_line_text(line, what);
  ts_line_fixed(line, hundredths, 2);
}

/** Statistics of the whole ring, read where it is. */
static void add_statistics(ts_line *line) {
  struct ring ring;
  if (!ts_ok(call_ring_get(&ring))) return;
  const struct sample *samples = ts_window(ring.window);
  int32_t lowest = samples[0].temperature, highest = lowest, total = 0;
  for (uint32_t i = 0; i < ring.count; i++) {
    int32_t temperature = samples[i].temperature;
    if (temperature < lowest) lowest = temperature;
    if (temperature > highest) highest = temperature;
    total += temperature;
  }
  add_degrees(line, "; min ", lowest);
  add_degrees(line, " mean ", total / (int32_t)ring.count);
  add_degrees(line, " max ", highest);
}

static uint32_t count_new(void) {
  static struct sample samples[32];
  ts_line uri = {0};
  ts_line_text(&uri, "/store?since=");
  ts_line_number(&uri, (int32_t)last);
  ts_result result = ts_request(TS_GET, uri.text, uri.length, NULL, 0, samples, sizeof samples);
  uint32_t count = ts_ok(result) ? ts_length(result) / sizeof samples[0] : 0;
  if (count != 0) last = samples[count - 1].time;
  return count;
}

TS_ON_START {
  if (ts_observe(TS_TEXT("/alarm"), &alarm, sizeof alarm) < 0) ts_log(TS_TEXT("no alarms to observe"));
  ts_timer(0, 1000, 1000);
}

TS_ON_TIMER {
  struct weather weather;
  ts_result result = call_weather_get(&weather);
  ts_line line = {0};
  if (!ts_ok(result)) {
    ts_line_text(&line, "no weather: ");
    ts_line_code(&line, ts_code(result));
    return ts_line_log(&line);
  }
  ts_line_fixed(&line, (int32_t)(weather.time / 100), 1);
  add_degrees(&line, " s: ", weather.temperature);
  add_degrees(&line, " C, ", weather.trend);
  ts_line_text(&line, " C/s, ");
  ts_line_number(&line, (int32_t)count_new());
  ts_line_text(&line, " new");
  add_statistics(&line);
  ts_line_log(&line);
}

TS_ON_NOTIFY {
  if (!ts_ok(result) || alarm.time == 0) return; // nothing has happened yet
  ts_line line = {0};
  add_degrees(&line, alarm.active ? "ALARM, too hot: " : "alarm is over: ", alarm.temperature);
  ts_line_text(&line, " C");
  ts_line_log(&line);
}
