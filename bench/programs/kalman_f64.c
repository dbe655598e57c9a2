/* Kalman filter in double precision, which the chip computes in software. */
#define real double
#define MIX mix_f64
#include "kalman.inc.h"
