/* What module "control" of motor-control provides and requires. Made by `wasm-aot stubs`: do not edit. */

#ifndef THINGS_CONTROL_H
#define THINGS_CONTROL_H

#include "thingspire.h"

#ifndef THINGS_STRUCT_state
#define THINGS_STRUCT_state
struct state {
  int32_t speed;
  int32_t wanted;
  int32_t duty; /* -1000 to 1000 */
  uint32_t ticks;
  uint32_t missed;
  uint32_t worstEarly;
  uint32_t worstLate;
};
_Static_assert(sizeof(struct state) == 28, "state");
#endif

#ifndef THINGS_STRUCT_setpoint
#define THINGS_STRUCT_setpoint
struct setpoint {
  int32_t speed; /* -4500 to 4500 */
};
_Static_assert(sizeof(struct setpoint) == 4, "setpoint");
#endif

#ifndef THINGS_STRUCT_command
#define THINGS_STRUCT_command
struct command {
  int32_t duty; /* -1000 to 1000 */
};
_Static_assert(sizeof(struct command) == 4, "command");
#endif

#ifndef THINGS_STRUCT_position
#define THINGS_STRUCT_position
struct position {
  int32_t position;
};
_Static_assert(sizeof(struct position) == 4, "position");
#endif

/** Entries of "requires", for ts_call and ts_grant. */
enum {
  REQUIRE_DRIVE = 0,
};

/** POST /drive */
TS_INLINE ts_result call_drive_post(const struct command *request, struct position *response) {
  return ts_call(REQUIRE_DRIVE, request, sizeof *request, response, sizeof *response);
}

/** Handler of GET /motor: to be written. */
TS_EXPORT("get_motor") ts_result get_motor(const void *payload, uint32_t payload_bytes, struct state *response, uint32_t capacity);

/** Handler of PUT /motor/setpoint: to be written. */
TS_EXPORT("put_setpoint") ts_result put_setpoint(const struct setpoint *payload, uint32_t payload_bytes, void *response, uint32_t capacity);

#endif
