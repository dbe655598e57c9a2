/* Device drivers: handlers of the native module "dev". Each takes and gives native pointers and may be ended at any
 * instruction, so no driver relies on the hardware being as the one before left it. */
#ifndef DRIVERS_H
#define DRIVERS_H

#include "sys.h"

/** Bytes of an I2C transfer in each direction: the controller's FIFO less the address. */
#define TS_I2C_BYTES 31

/** Number of up to three digits that the index-th brace of the path is, or -1. */
int32_t ts_path_number(uint32_t index);

uint32_t ts_gpio_get(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_gpio_put(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_i2c_read(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_i2c_write(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);
uint32_t ts_i2c_transfer(uint32_t payload, uint32_t bytes, uint32_t response, uint32_t capacity);

#endif
