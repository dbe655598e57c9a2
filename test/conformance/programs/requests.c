// Asks for everything that may and may not be asked for, and says what it gets: POST /requests/{n}.
#include <thingspire.h>

static char long_uri[300];

static void say(const char *what, ts_result result, const char *text) {
  ts_line line = {0};
  ts_line_text(&line, what);
  ts_line_text(&line, " ");
  ts_line_code(&line, ts_code(result));
  ts_line_text(&line, " ");
  ts_line_bytes(&line, text, ts_length(result));
  ts_line_log(&line);
}

static void ask(enum ts_method method, const char *uri) {
  char text[48];
  say(uri, ts_request(method, uri, ts_text_length(uri), "data", method == TS_GET ? 0 : 4, text, sizeof text), text);
}

static void by_number(uint32_t number, uint32_t bytes, uint32_t capacity) {
  char text[48];
  ts_line line = {0};
  ts_line_number(&line, (int32_t)number);
  line.text[line.length] = 0;
  say(line.text, ts_call(number, "data", bytes, text, capacity), text);
}

TS_HANDLER(run) {
  int32_t step = -1;
  ts_parameter_number(0, &step);
  switch (step) {
    case 0: // what is covered, and what only looks like it
      ask(TS_GET, "/log/7");
      ask(TS_GET, "log/7");
      ask(TS_GET, "/log/7/");
      ask(TS_GET, "/log//7");
      ask(TS_GET, "//log/7");
      ask(TS_GET, "/log");
      ask(TS_GET, "/log/");
      ask(TS_GET, "/log/7/8");
      ask(TS_GET, "/log/{id}");
      ask(TS_GET, "/log/*");
      ask(TS_GET, "/other");
      ask(TS_GET, "/logs/7");
      ask(TS_GET, "");
      ask(TS_GET, "/");
      break;
    case 1: // queries
      ask(TS_GET, "/log/7?since=20");
      ask(TS_GET, "/log/7?a=1&since=-5&b");
      ask(TS_GET, "/log/7?since");
      ask(TS_GET, "/log/7?since=");
      ask(TS_GET, "/log/7?sinc=1&sincex=2&since=3=4");
      ask(TS_GET, "/log/7?a=1?since=2&since=9");
      ask(TS_GET, "/log/7?");
      ask(TS_GET, "/log/7?&&since=1&since=2");
      break;
    case 2: // methods
      ask(TS_POST, "/log/7");
      ask(TS_PUT, "/log/7");
      ask(TS_DELETE, "/log/7");
      ask((enum ts_method)0, "/log/7");
      ask((enum ts_method)5, "/log/7");
      ask(TS_POST, "/only/get");
      break;
    case 3: // by number: exact ones, one with a star, methods behind, out of range
      by_number(0, 0, 48);
      by_number(1, 0, 48);
      by_number(1, 4, 48);
      by_number(2, 0, 48);
      by_number(3, 0, 48);
      by_number(4, 4, 48);
      by_number(5, 4, 48);
      by_number(6, 4, 48);
      by_number(40, 4, 48);
      by_number(0xffffffff, 4, 48);
      break;
    case 4: // room and lengths
      by_number(1, 0, 3);
      by_number(1, 0, 4);
      for (uint32_t i = 0; i < sizeof long_uri; i++) long_uri[i] = i == 0 ? '/' : i < 5 ? "/log/"[i] : 'x';
      char text[8];
      say("255", ts_request(TS_GET, long_uri, 255, 0, 0, text, sizeof text), text);
      say("256", ts_request(TS_GET, long_uri, 256, 0, 0, text, sizeof text), text);
      break;
    case 5: // buffers beyond the memory trap, empty ones may be anywhere
      say("empty", ts_call(1, (void *)0x70000000, 0, (void *)0x70000000, 0), "");
      say("payload", ts_call(0, (void *)0x70000000, 1, 0, 0), "");
      break;
    case 6: say("response", ts_call(1, 0, 0, (void *)0xfffffff0, 64), ""); break;
    case 7: say("uri", ts_request(TS_GET, (const char *)0x7fffffff, 4, 0, 0, 0, 0), ""); break;
    case 8: ts_parameter(0, (char *)0x7fffffff, 4); break;
    case 9: ts_query("x", 1, (char *)0x7fffffff, 1); break;
    case 10: ts_caller((char *)0xfffff000, 1); break;
    case 11: ts_log((char *)0x7ffffff0, 5); break;
    case 12: { // a long line is cut off
      static char line[300];
      for (uint32_t i = 0; i < sizeof line; i++) line[i] = (char)('a' + i % 26);
      ts_log(line, sizeof line);
      ts_log(line, 0);
      break;
    }
  }
  return ts_reply(TS_CHANGED, 0);
}

// In an event there is no request, and the system calls.
TS_ON_START {
  char text[16];
  ts_line line = {0};
  ts_line_number(&line, ts_parameter(0, text, sizeof text));
  ts_line_text(&line, " ");
  ts_line_number(&line, ts_query("a", 1, text, sizeof text));
  ts_line_text(&line, " ");
  int32_t bytes = ts_caller(text, sizeof text);
  ts_line_bytes(&line, text, (uint32_t)bytes);
  ts_line_log(&line);
}
