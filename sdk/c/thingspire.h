/* What a module in C sees of ThingSpire: the imports of "thingspire", result words, handlers, and helpers that need no
 * libc. Header only, for clang --target=wasm32 -mbulk-memory. Knows no kernel; constants equal compiler/abi/os-layout.ts
 * (tested). The modules for AssemblyScript and Rust offer the same under the same names. */
#ifndef THINGSPIRE_H
#define THINGSPIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Exports a function under `name`. */
#define TS_EXPORT(name) __attribute__((export_name(name)))
#define TS_IMPORT(name) __attribute__((import_module("thingspire"), import_name(name)))
#define TS_UNUSED __attribute__((unused))
#define TS_INLINE static inline TS_UNUSED

/** Request methods, as in CoAP (RFC 7252). */
enum ts_method { TS_GET = 1, TS_POST = 2, TS_PUT = 3, TS_DELETE = 4 };

/** Response codes, as in CoAP: class << 5 | detail, so 0x45 is 2.05. */
enum ts_code {
  TS_CREATED = 0x41,
  TS_DELETED = 0x42,
  TS_VALID = 0x43,
  TS_CHANGED = 0x44,
  TS_CONTENT = 0x45,
  TS_BAD_REQUEST = 0x80,
  TS_UNAUTHORIZED = 0x81,
  TS_BAD_OPTION = 0x82,
  TS_FORBIDDEN = 0x83,
  TS_NOT_FOUND = 0x84,
  TS_METHOD_NOT_ALLOWED = 0x85,
  TS_NOT_ACCEPTABLE = 0x86,
  TS_CONFLICT = 0x89,
  TS_PRECONDITION_FAILED = 0x8c,
  TS_REQUEST_ENTITY_TOO_LARGE = 0x8d,
  TS_UNSUPPORTED_CONTENT_FORMAT = 0x8f,
  TS_TOO_MANY_REQUESTS = 0x9d,
  TS_INTERNAL_SERVER_ERROR = 0xa0,
  TS_NOT_IMPLEMENTED = 0xa1,
  TS_BAD_GATEWAY = 0xa2,
  TS_SERVICE_UNAVAILABLE = 0xa3,
  TS_GATEWAY_TIMEOUT = 0xa4,
};

/** Rights of a grant; or them together. */
enum ts_right { TS_READ = 1, TS_WRITE = 2 };

/** Result word of a handler and of a request: response code << 24 | payload bytes. */
typedef uint32_t ts_result;

/* ---- Results ---- */

/** The result word of a response with `bytes` of payload, which the handler has put into the response buffer. */
TS_INLINE ts_result ts_reply(enum ts_code code, uint32_t bytes) { return (uint32_t)code << 24 | bytes; }

/** Response code of a result. */
TS_INLINE enum ts_code ts_code(ts_result result) { return (enum ts_code)(result >> 24); }

/** Payload bytes of a result. */
TS_INLINE uint32_t ts_length(ts_result result) { return result & 0xffffff; }

/** True if the code is 2.xx. */
TS_INLINE bool ts_ok(ts_result result) { return result >> 29 == 2; }

/* ---- Handlers and events ---- */

/** Opens the definition of a handler and exports it. The body sees the request's payload and the response buffer;
 * both are windows into the caller's memory, valid until the handler returns, and loads and stores through the pointers
 * go straight there. It returns ts_reply(code, bytes). Path, query and caller: ts_parameter, ts_query, ts_caller. */
#define TS_HANDLER(name)                                                                              \
  TS_EXPORT(#name)                                                                                    \
  ts_result name(TS_UNUSED const void *payload, TS_UNUSED uint32_t payload_bytes, TS_UNUSED void *response, \
                 TS_UNUSED uint32_t capacity)

/** The same with types for payload and response, as the prototypes of `wasm-aot stubs` have them; `void` for none. */
#define TS_TYPED_HANDLER(name, request, reply)                                                            \
  TS_EXPORT(#name)                                                                                        \
  ts_result name(TS_UNUSED const request *payload, TS_UNUSED uint32_t payload_bytes, TS_UNUSED reply *response, \
                 TS_UNUSED uint32_t capacity)

/** Opens the function that runs once after the module was instantiated, and after each restart. */
#define TS_ON_START TS_EXPORT("on_start") void on_start(void)

/** Opens the function that runs when timer `timer` is due. */
#define TS_ON_TIMER TS_EXPORT("on_timer") void on_timer(TS_UNUSED uint32_t timer)

/** Opens the function that runs when an observed resource has changed: its new representation is in the buffer that
 * ts_observe got, `result` says what it is. */
#define TS_ON_NOTIFY TS_EXPORT("on_notify") void on_notify(TS_UNUSED int32_t subscription, TS_UNUSED ts_result result)

/* ---- Requests ---- */

/** Requests what entry `requirement` of the manifest's `requires` names (an exact path with one method): the fast way,
 * without a URI. The payload is granted to the callee for reading, the response buffer for writing, until it returns.
 * Gives the callee's result, or an error of the system: 4.03 not allowed, 4.04 no such service, 4.13 too large, 4.29 too
 * often, 5.00 the callee failed, 5.03 it is not running, 5.04 its deadline expired. */
TS_IMPORT("call")
ts_result ts_call(uint32_t requirement, const void *payload, uint32_t payload_bytes, void *response, uint32_t capacity);

/** Requests any URI that the manifest's `requires` covers, e.g. "/log/7?since=20". Errors as ts_call, and 4.05. */
TS_IMPORT("request")
ts_result ts_request(enum ts_method method, const char *uri, uint32_t uri_bytes, const void *payload,
                     uint32_t payload_bytes, void *response, uint32_t capacity);

/** In a handler: the text of the index-th `{}` of the path, not terminated. Gives its length, or -1. */
TS_IMPORT("parameter") int32_t ts_parameter(uint32_t index, char *buffer, uint32_t capacity);

/** In a handler: the value of a query parameter, not terminated. Gives its length, or -1 if there is none. */
TS_IMPORT("query") int32_t ts_query(const char *key, uint32_t key_bytes, char *buffer, uint32_t capacity);

/** In a handler: the name of the module that calls, not terminated. Gives its length. */
TS_IMPORT("caller") int32_t ts_caller(char *buffer, uint32_t capacity);

/* ---- Grants ---- */

/** Opens a window on `bytes` of this module's memory for the provider of entry `requirement` of `requires`; `rights` are
 * of enum ts_right. It closes after `milliseconds`, or by ts_revoke if that is 0. Of memory that is a window itself, a
 * grant of the same or fewer rights. Gives the window's address as the provider sees it, to be sent to it, or 0. */
TS_IMPORT("grant")
uint32_t ts_grant(uint32_t requirement, const void *address, uint32_t bytes, uint32_t rights, uint32_t milliseconds);

/** In a handler: the same for the module that calls. */
TS_IMPORT("grant_caller")
uint32_t ts_grant_caller(const void *address, uint32_t bytes, uint32_t rights, uint32_t milliseconds);

/** Closes a window that this module has opened. False if there is no such window. */
TS_IMPORT("revoke") bool ts_revoke(uint32_t window);

/** The pointer behind a window's address that another module has sent. An access outside of the window, against its
 * rights or after its end traps. */
TS_INLINE void *ts_window(uint32_t window) { return (void *)(uintptr_t)window; }

/* ---- Observing ---- */

/** Subscribes to a GET resource: on_notify runs with its representation in `buffer`, which must stay, once at first and
 * then after each change. Several changes may come as one. Gives a subscription number, or -1. */
TS_IMPORT("observe") int32_t ts_observe(const char *uri, uint32_t uri_bytes, void *buffer, uint32_t capacity);

/** Ends a subscription. False if there is no such one. */
TS_IMPORT("unobserve") bool ts_unobserve(int32_t subscription);

/** Says that an observable service of this module has changed. Gives the number of observers. */
TS_IMPORT("notify") uint32_t ts_notify(const char *path, uint32_t path_bytes);

/* ---- Time and console ---- */

/** Starts timer 0 to 3: on_timer runs after `first_ms` and then every `period_ms` milliseconds (0: only once). Both 0
 * stop it. False if there is no such timer. */
TS_IMPORT("timer") bool ts_timer(uint32_t timer, uint32_t first_ms, uint32_t period_ms);

/** Microseconds since the start of the device. */
TS_IMPORT("now") uint64_t ts_now(void);

/** 32 random bits. */
TS_IMPORT("random") uint32_t ts_random(void);

/** A line on the console, with the module's name before it. */
TS_IMPORT("log") void ts_log(const char *text, uint32_t bytes);

/** CPU microseconds that this invocation may still take until its deadline. */
TS_IMPORT("time_left") int32_t ts_time_left(void);

/* ---- Helpers ---- */

/** A string literal as the two arguments text and length. */
#define TS_TEXT(literal) (literal), (uint32_t)(sizeof(literal) - 1)

/** Length of a terminated text. */
__attribute__((no_builtin("strlen"))) TS_INLINE uint32_t ts_text_length(const char *text) {
  uint32_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

/** ts_request with method GET; `uri` is terminated, as in the three below. */
TS_INLINE ts_result ts_get(const char *uri, void *response, uint32_t capacity) {
  return ts_request(TS_GET, uri, ts_text_length(uri), NULL, 0, response, capacity);
}

/** ts_request with method PUT, for services that answer with a code alone. */
TS_INLINE ts_result ts_put(const char *uri, const void *payload, uint32_t payload_bytes) {
  return ts_request(TS_PUT, uri, ts_text_length(uri), payload, payload_bytes, NULL, 0);
}

/** ts_request with method POST. */
TS_INLINE ts_result ts_post(const char *uri, const void *payload, uint32_t payload_bytes, void *response,
                            uint32_t capacity) {
  return ts_request(TS_POST, uri, ts_text_length(uri), payload, payload_bytes, response, capacity);
}

/** ts_request with method DELETE. */
TS_INLINE ts_result ts_delete(const char *uri) {
  return ts_request(TS_DELETE, uri, ts_text_length(uri), NULL, 0, NULL, 0);
}

/** In a handler: copies `bytes` into the response buffer and gives 2.05 with them; 4.13 if the buffer is too small. */
TS_INLINE ts_result ts_content(void *response, uint32_t capacity, const void *data, uint32_t bytes) {
  if (bytes > capacity) return ts_reply(TS_REQUEST_ENTITY_TOO_LARGE, 0);
  __builtin_memcpy(response, data, bytes);
  return ts_reply(TS_CONTENT, bytes);
}

/** The value of a decimal text with optional sign. False, and `value` as it was, if it is none that fits. */
TS_INLINE bool ts_parse_number(const char *text, int32_t length, int32_t *value) {
  int32_t at = length > 0 && text[0] == '-' ? 1 : 0;
  int64_t number = 0;
  if (at >= length || length > 11) return false;
  for (int32_t i = at; i < length; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    number = number * 10 + (text[i] - '0');
  }
  if (at == 1) number = -number;
  if (number != (int32_t)number) return false;
  *value = (int32_t)number;
  return true;
}

/** In a handler: the index-th `{}` of the path as a number. False if it is none. */
TS_INLINE bool ts_parameter_number(uint32_t index, int32_t *value) {
  char text[12];
  int32_t length = ts_parameter(index, text, sizeof text);
  return length <= (int32_t)sizeof text && ts_parse_number(text, length, value);
}

/** In a handler: a query parameter as a number. False if there is none or it is no number. */
TS_INLINE bool ts_query_number(const char *key, int32_t *value) {
  char text[12];
  int32_t length = ts_query(key, ts_text_length(key), text, sizeof text);
  return length <= (int32_t)sizeof text && ts_parse_number(text, length, value);
}

/** A line of text under construction; begin with `ts_line line = {0};`. What does not fit is cut off. */
typedef struct {
  uint32_t length;
  char text[96];
} ts_line;

/** Adds `bytes` of text. */
TS_INLINE void ts_line_bytes(ts_line *line, const char *text, uint32_t bytes) {
  uint32_t room = (uint32_t)sizeof line->text - line->length;
  if (bytes > room) bytes = room;
  __builtin_memcpy(line->text + line->length, text, bytes);
  line->length += bytes;
}

/** Adds a terminated text. */
TS_INLINE void ts_line_text(ts_line *line, const char *text) { ts_line_bytes(line, text, ts_text_length(text)); }

/** Adds a number with `decimals` digits after the point: (2350, 2) is 23.50. */
TS_INLINE void ts_line_fixed(ts_line *line, int32_t value, uint32_t decimals) {
  char digits[24];
  uint32_t at = sizeof digits;
  uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
  if (decimals > 9) decimals = 9;
  for (uint32_t written = 0; rest != 0 || written <= decimals; written++) {
    if (written == decimals && decimals != 0) digits[--at] = '.';
    digits[--at] = (char)('0' + rest % 10);
    rest /= 10;
  }
  if (value < 0) digits[--at] = '-';
  ts_line_bytes(line, digits + at, (uint32_t)sizeof digits - at);
}

/** Adds a number. */
TS_INLINE void ts_line_number(ts_line *line, int32_t value) { ts_line_fixed(line, value, 0); }

/** Adds a response code as people write it: 2.05. */
TS_INLINE void ts_line_code(ts_line *line, enum ts_code code) {
  char text[4] = {(char)('0' + ((uint32_t)code >> 5)), '.', (char)('0' + (code & 31) / 10), (char)('0' + (code & 31) % 10)};
  ts_line_bytes(line, text, sizeof text);
}

/** Prints the line and empties it. */
TS_INLINE void ts_line_log(ts_line *line) {
  ts_log(line->text, line->length);
  line->length = 0;
}

#endif
