/* Kalman filter in single precision. */
#define real float
#define MIX mix_f32
#include "kalman.inc.h"
