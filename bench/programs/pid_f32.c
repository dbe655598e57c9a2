/* PID control in single precision. */
#define real float
#define MIX mix_f32
#include "pid.inc.h"
