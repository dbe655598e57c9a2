/* Register addresses of the ESP32 that the runtime touches (ESP32 Technical Reference Manual). Pure numbers, usable from
 * C and from assembly; knows no policy. */
#ifndef ESP32_H
#define ESP32_H

/* Flash cache of the PRO CPU and its MMU table: one word per 64 KiB page, value = flash page number. */
#define DPORT_PRO_CACHE_CTRL 0x3ff00040
#define DPORT_PRO_CACHE_ENABLE (1 << 3)
#define DPORT_PRO_CACHE_FLUSH_ENABLE (1 << 4)
#define DPORT_PRO_CACHE_FLUSH_DONE (1 << 5)
#define DPORT_PRO_CACHE_CTRL1 0x3ff00044
#define DPORT_PRO_CACHE_MASK_IRAM0 (1 << 0)
#define DPORT_PRO_CACHE_MASK_DROM0 (1 << 4)
#define DPORT_PRO_MMU_TABLE 0x3ff10000
#define MMU_DROM_BASE 0x3f400000
#define MMU_DROM_FIRST_ENTRY 0
#define MMU_IROM_BASE 0x40000000
#define MMU_IROM_FIRST_ENTRY 64
#define MMU_PAGE_SHIFT 16

#define UART0_FIFO 0x3ff40000     /* for reading */
#define UART0_FIFO_AHB 0x60000000 /* for writing: by the other address, bytes can get lost on revision 0 (erratum 3.3) */
#define UART0_STATUS 0x3ff4001c /* bytes in the FIFOs: RX 7:0, TX 23:16; state of the transmitter 27:24 */
#define UART_FIFO_BYTES 128

/* Watchdogs: writes are locked unless the key is in the protect register. */
#define WDT_KEY 0x50d83aa1
#define RTC_CNTL_WDTCONFIG0 0x3ff4808c
#define RTC_CNTL_WDTWPROTECT 0x3ff480a4
#define TIMG0_BASE 0x3ff5f000
#define TIMG1_BASE 0x3ff60000
#define TIMG_T0CONFIG 0x00
#define TIMG_T0LO 0x04
#define TIMG_T0HI 0x08
#define TIMG_T0UPDATE 0x0c
#define TIMG_WDTCONFIG0 0x48
#define TIMG_WDTWPROTECT 0x64
#define TIMG_T0_ENABLE (1u << 31)
#define TIMG_T0_INCREASE (1u << 30)
#define TIMG_T0_DIVIDER_SHIFT 13

/* The mask ROM leaves CPU and APB on the 40 MHz crystal; so do we. */
#define APB_MHZ 40

#define WDEV_RND 0x3ff75144 /* random number generator */

/* CPU interrupt of CCOMPARE0, level 1. */
#define INTERRUPT_CCOMPARE0 6

#ifndef __ASSEMBLER__
#include <stdint.h>
static inline uint32_t register_read(uint32_t address) { return *(volatile uint32_t *)address; }
static inline void register_write(uint32_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
#endif
#endif
