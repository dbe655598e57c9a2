// The caller of examples/sdk in C: uses every service of the provider. The same in AssemblyScript and Rust, with the
// same transcript.
#include <thingspire.h>

// Indices of the manifest's `requires`.
enum { GET_COUNTER = 0, PUT_COUNTER = 1, SUM = 2 };

struct counter {
  int32_t value;
  uint32_t changes;
};

static struct counter observed;
static uint32_t table_window;

static void show(const char *what, const struct counter *counter) {
  ts_line line = {0};
  ts_line_text(&line, what);
  ts_line_text(&line, " ");
  ts_line_number(&line, counter->value);
  ts_line_text(&line, ", changed ");
  ts_line_number(&line, (int32_t)counter->changes);
  ts_line_text(&line, "x");
  ts_line_log(&line);
}

static void show_code(const char *what, ts_result result) {
  ts_line line = {0};
  ts_line_text(&line, what);
  ts_line_text(&line, " ");
  ts_line_code(&line, ts_code(result));
  ts_line_text(&line, ", ");
  ts_line_number(&line, (int32_t)ts_length(result));
  ts_line_text(&line, " bytes");
  ts_line_log(&line);
}

static void use_table(void) {
  if (!ts_ok(ts_get("/table", &table_window, sizeof table_window))) return ts_log(TS_TEXT("no table"));
  int32_t *table = ts_window(table_window);
  table[3] = table[2] + 33;
}

// Has the provider close the window: later, since that would end the invocation that has used it.
static void delete_table(void) {
  ts_line uri = {0};
  ts_line_text(&uri, "/table?window=");
  ts_line_number(&uri, (int32_t)table_window);
  show_code("delete table", ts_request(TS_DELETE, uri.text, uri.length, NULL, 0, NULL, 0));
}

// Lets the provider add up numbers where they are: in this module's memory.
static void use_sum(void) {
  static int32_t numbers[100];
  for (int i = 0; i < 100; i++) numbers[i] = i;
  struct {
    uint32_t window, count;
  } request = {ts_grant(SUM, numbers, sizeof numbers, TS_READ, 0), 100};
  int32_t total = 0;
  show_code("sum", ts_call(SUM, &request, sizeof request, &total, sizeof total));
  ts_line line = {0};
  ts_line_text(&line, "total ");
  ts_line_number(&line, total);
  ts_line_text(&line, ts_revoke(request.window) ? ", revoked" : ", not revoked");
  ts_line_text(&line, ts_revoke(request.window) ? " again" : " once");
  ts_line_log(&line);
}

// Time passes, but the deadline is not over; random bits are 32.
static bool clocks_run(void) { return ts_now() > 0 && ts_time_left() > 0 && (uint64_t)ts_random() >> 32 == 0; }

TS_ON_START {
  int32_t subscription = ts_observe(TS_TEXT("/counter"), &observed, sizeof observed);
  int32_t value = -7;
  show_code("put", ts_call(PUT_COUNTER, &value, sizeof value, NULL, 0));
  struct counter counter;
  show_code("get", ts_call(GET_COUNTER, NULL, 0, &counter, sizeof counter));
  show("counter", &counter);
  char text[32];
  ts_result result = ts_post("/greeting/ada/3?since=-20", "hello", 5, text, sizeof text);
  show_code("post", result);
  ts_line line = {0};
  ts_line_text(&line, "answer ");
  ts_line_bytes(&line, text, ts_length(result));
  ts_line_log(&line);
  show_code("post", ts_post("/greeting/ada/many", "hello", 5, text, sizeof text));
  show_code("get", ts_get("/nowhere", text, sizeof text));
  use_table();
  use_sum();
  ts_line_text(&line, "observing ");
  ts_line_number(&line, subscription >= 0);
  ts_line_log(&line);
  ts_timer(1, 5, 0);
}

TS_ON_TIMER {
  int32_t value = 41;
  delete_table();
  show_code(timer == 1 ? "timer put" : "wrong timer", ts_put("/counter", &value, sizeof value));
}

TS_ON_NOTIFY {
  show_code("notified", result);
  show("observed", &observed);
  if (observed.value != 41) return;
  bool ended = ts_unobserve(subscription), again = ts_unobserve(subscription);
  if (ended && !again && clocks_run()) ts_log(TS_TEXT("done"));
}
