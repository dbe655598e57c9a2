// The provider of examples/sdk in C: a counter, a text service and a window on a table. The same in AssemblyScript and
// Rust, with the same transcript.
#include <thingspire.h>

static struct {
  int32_t value;
  uint32_t changes;
} counter;
static int32_t table[4];

TS_HANDLER(get_counter) { return ts_content(response, capacity, &counter, sizeof counter); }

TS_HANDLER(put_counter) {
  if (payload_bytes < sizeof counter.value) return ts_reply(TS_BAD_REQUEST, 0);
  counter.value = *(const int32_t *)payload;
  counter.changes++;
  ts_notify(TS_TEXT("counter"));
  return ts_reply(TS_CHANGED, 0);
}

// POST greeting/{name}/{times}: the payload, the name from the path and who asked.
TS_HANDLER(greet) {
  char name[16], caller[16];
  int32_t name_bytes = ts_parameter(0, name, sizeof name), times, since;
  if (name_bytes < 0 || name_bytes > (int32_t)sizeof name) return ts_reply(TS_BAD_REQUEST, 0);
  if (!ts_parameter_number(1, &times)) return ts_reply(TS_BAD_REQUEST, 0);
  int32_t caller_bytes = ts_caller(caller, sizeof caller);
  ts_line line = {0};
  ts_line_bytes(&line, payload, payload_bytes);
  ts_line_text(&line, " ");
  ts_line_bytes(&line, name, (uint32_t)name_bytes);
  ts_line_text(&line, " x");
  ts_line_number(&line, times);
  ts_line_text(&line, " for ");
  ts_line_bytes(&line, caller, (uint32_t)caller_bytes);
  if (ts_query_number("since", &since)) {
    ts_line_text(&line, " since ");
    ts_line_number(&line, since);
  }
  ts_line_log(&line);
  const char *text = payload;
  char *answer = response;
  uint32_t length = payload_bytes < 32 ? payload_bytes : 32;
  if (length > capacity) return ts_reply(TS_REQUEST_ENTITY_TOO_LARGE, 0);
  for (uint32_t i = 0; i < length; i++) answer[i] = text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i];
  return ts_reply(TS_CONTENT, length);
}

// GET table: the address of a window that the caller may read and write.
TS_HANDLER(get_table) {
  for (int i = 0; i < 4; i++) table[i] = 100 * i;
  uint32_t window = ts_grant_caller(table, sizeof table, TS_READ | TS_WRITE, 0);
  if (window == 0) return ts_reply(TS_SERVICE_UNAVAILABLE, 0);
  return ts_content(response, capacity, &window, sizeof window);
}

// DELETE table: closes the window again; says what the caller has written.
TS_HANDLER(delete_table) {
  int32_t window;
  bool closed = ts_query_number("window", &window) && ts_revoke((uint32_t)window);
  ts_line line = {0};
  ts_line_text(&line, "table[3] is ");
  ts_line_number(&line, table[3]);
  ts_line_text(&line, closed ? ", closed" : ", not closed");
  ts_line_log(&line);
  return ts_reply(TS_DELETED, 0);
}

// POST sum: adds up numbers that the caller has opened a window on.
TS_HANDLER(sum) {
  const struct {
    uint32_t window, count;
  } *request = payload;
  if (payload_bytes != sizeof *request) return ts_reply(TS_BAD_REQUEST, 0);
  const int32_t *numbers = ts_window(request->window);
  int32_t total = 0;
  for (uint32_t i = 0; i < request->count; i++) total += numbers[i];
  return ts_content(response, capacity, &total, sizeof total);
}

TS_ON_START {
  ts_line line = {0};
  ts_line_text(&line, "provider up, ");
  ts_line_fixed(&line, -1205, 2);
  ts_line_log(&line);
}
