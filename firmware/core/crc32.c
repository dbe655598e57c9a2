/* CRC-32 (ISO-HDLC) bit by bit: small, and nothing here has much to check. */
#include "sys.h"

uint32_t ts_crc32(const void *data, uint32_t n)
{
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffff;
    while (n-- != 0) {
        crc ^= *bytes++;
        for (uint32_t bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
    }
    return ~crc;
}
