// Provides what requests.c asks for: says who asked for what, and echoes path parameter and query.
#include <thingspire.h>

static ts_result echo(const char *what, void *response, uint32_t capacity) {
  char id[20], since[20], caller[16];
  int32_t id_bytes = ts_parameter(0, id, sizeof id), since_bytes = ts_query("since", 5, since, sizeof since);
  int32_t caller_bytes = ts_caller(caller, 3); // cut off, but its whole length is told
  ts_line line = {0};
  ts_line_text(&line, what);
  ts_line_text(&line, " ");
  if (id_bytes > 0) ts_line_bytes(&line, id, (uint32_t)id_bytes > sizeof id ? sizeof id : (uint32_t)id_bytes);
  ts_line_text(&line, " ");
  ts_line_number(&line, since_bytes);
  if (since_bytes > 0) ts_line_bytes(&line, since, (uint32_t)since_bytes);
  ts_line_text(&line, " ");
  ts_line_bytes(&line, caller, 3);
  ts_line_number(&line, caller_bytes);
  ts_line_number(&line, ts_parameter(1, id, sizeof id));
  uint32_t length = line.length;
  ts_log(line.text, length);
  return ts_content(response, capacity, line.text, length);
}

TS_HANDLER(get_entry) { return echo("get", response, capacity); }
TS_HANDLER(put_entry) { return echo("put", response, capacity); }
TS_HANDLER(fixed) { return ts_content(response, capacity, "four", 4); }
TS_HANDLER(post_fixed) { return ts_content(response, capacity, payload, payload_bytes); }
