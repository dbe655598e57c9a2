/* What module "drive" of motor-control provides and requires. Made by `wasm-aot stubs`: do not edit. */

#ifndef THINGS_DRIVE_H
#define THINGS_DRIVE_H

#include "thingspire.h"

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

/** Handler of POST /drive: to be written. */
TS_EXPORT("drive") ts_result drive(const struct command *payload, uint32_t payload_bytes, struct position *response, uint32_t capacity);

#endif
