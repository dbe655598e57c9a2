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
#define DPORT_PRO_DCACHE_DBUG0 0x3ff003f0
#define DPORT_PRO_CACHE_STATE(value) ((value) >> 7 & 0xfff)
#define DPORT_PRO_CACHE_IDLE 1
#define DPORT_PRO_MMU_TABLE 0x3ff10000
/* CPU interrupt of each peripheral interrupt source, one word per source. */
#define DPORT_PRO_INTERRUPT_MAP 0x3ff00104
#define INTERRUPT_SOURCE_TIMG0_T0 14
#define MMU_DROM_BASE 0x3f400000
#define MMU_DROM_FIRST_ENTRY 0
#define MMU_IROM_BASE 0x40000000
#define MMU_IROM_FIRST_ENTRY 64
#define MMU_PAGE_SHIFT 16
#define MMU_INVALID 0x100

/* SPI1: commands to the flash chip by software. */
#define SPI1_CMD 0x3ff42000
#define SPI_CMD_USER (1 << 18)
#define SPI1_ADDR 0x3ff42004
#define SPI1_CTRL 0x3ff42008
#define SPI_CTRL_LINES (1 << 14 | 1 << 20 | 1 << 23 | 1 << 24) /* reads on two or four lines */
#define SPI1_USER 0x3ff4201c
#define SPI_USER_COMMAND (1u << 31)
#define SPI_USER_ADDRESS (1u << 30)
#define SPI_USER_MISO (1u << 28)
#define SPI_USER_MOSI (1u << 27)
#define SPI1_USER1 0x3ff42020
#define SPI_USER1_ADDRESS_BITS_SHIFT 26
#define SPI1_USER2 0x3ff42024
#define SPI_USER2_COMMAND_BITS_SHIFT 28
#define SPI1_MOSI_DLEN 0x3ff42028
#define SPI1_MISO_DLEN 0x3ff4202c
#define SPI1_W0 0x3ff42080

#define UART0_FIFO 0x3ff40000     /* for reading */
#define UART0_FIFO_AHB 0x60000000 /* for writing: by the other address, bytes can get lost on revision 0 (erratum 3.3) */
#define UART0_STATUS 0x3ff4001c /* bytes in the FIFOs: RX 7:0, TX 23:16; state of the transmitter 27:24 */
#define UART_FIFO_BYTES 128
#define UART0_INT_ST 0x3ff40008
#define UART0_INT_ENA 0x3ff4000c
#define UART0_INT_CLR 0x3ff40010
#define UART_INT_RX_FULL (1 << 0)
#define UART_INT_TX_EMPTY (1 << 1)
#define UART_INT_RX_OVERFLOW (1 << 4)
#define UART_INT_RX_TIMEOUT (1 << 8)
#define UART0_CLKDIV 0x3ff40014 /* of the APB clock: whole part 19:0, sixteenths 23:20 */
#define UART0_CONF1 0x3ff40024 /* thresholds: RX full 6:0, TX empty 14:8, RX timeout in characters 30:24, enabled 31 */

/* Watchdogs: writes are locked unless the key is in the protect register. */
#define WDT_KEY 0x50d83aa1
#define RTC_CNTL_OPTIONS0 0x3ff48000
#define RTC_CNTL_SW_SYS_RST (1u << 31)
#define RTC_CNTL_WDTCONFIG0 0x3ff4808c
#define RTC_CNTL_WDTWPROTECT 0x3ff480a4
#define TIMG0_BASE 0x3ff5f000
#define TIMG1_BASE 0x3ff60000
#define TIMG_T0CONFIG 0x00
#define TIMG_T0LO 0x04
#define TIMG_T0HI 0x08
#define TIMG_T0UPDATE 0x0c
#define TIMG_T0ALARMLO 0x10
#define TIMG_T0ALARMHI 0x14
#define TIMG_WDTCONFIG0 0x48
#define TIMG_WDTWPROTECT 0x64
#define TIMG_T0_ENABLE (1u << 31)
#define TIMG_T0_INCREASE (1u << 30)
#define TIMG_T0_LEVEL_INTERRUPT (1u << 11)
#define TIMG_T0_ALARM (1u << 10)
#define TIMG_INT_ENA 0x98
#define TIMG_INT_CLR 0xa4
#define TIMG_T0_DIVIDER_SHIFT 13

/* The mask ROM leaves CPU and APB on the 40 MHz crystal; so do we. */
#define APB_MHZ 40

#define WDEV_RND 0x3ff75144 /* random number generator */

/* Interrupt matrix: CPU interrupt of each source. */
#ifndef DPORT_PRO_INTR_MAP
#define DPORT_PRO_INTR_MAP 0x3ff00104
#endif
#define SOURCE_GPIO 22
#define SOURCE_UART0 34
#define DPORT_PERIP_CLK_EN 0x3ff000c0
#define DPORT_PERIP_RST_EN 0x3ff000c4

/* Pins 0-31; the registers of pins 32-39 are 0x0c further on, those of IN 4. */
#define GPIO_OUT_W1TS 0x3ff44008
#define GPIO_OUT_W1TC 0x3ff4400c
#define GPIO_ENABLE_W1TS 0x3ff44024
#define GPIO_ENABLE_W1TC 0x3ff44028
#define GPIO_IN 0x3ff4403c
#define GPIO_STATUS 0x3ff44044
#define GPIO_STATUS_W1TC 0x3ff4404c
#define GPIO_PIN 0x3ff44088
#define GPIO_FUNC_IN_SEL 0x3ff44130
#define GPIO_FUNC_OUT_SEL 0x3ff44530
#define IO_MUX_BASE 0x3ff49000

/* I2C controllers, offsets. */
#define I2C_SCL_LOW_PERIOD 0x00
#define I2C_CTR 0x04
#define I2C_CTR_OPEN_DRAIN 3
#define I2C_CTR_MASTER (1 << 4)
#define I2C_CTR_START (1 << 5)
#define I2C_TIMEOUT 0x0c
#define I2C_DATA 0x1c
#define I2C_INT_RAW 0x20
#define I2C_INT_CLR 0x24
#define I2C_INT_ARBITRATION (1 << 5)
#define I2C_INT_DONE (1 << 7)
#define I2C_INT_TIMEOUT (1 << 8)
#define I2C_INT_NACK (1 << 10)
#define I2C_SDA_HOLD 0x30
#define I2C_SDA_SAMPLE 0x34
#define I2C_SCL_HIGH_PERIOD 0x38
#define I2C_SCL_START_HOLD 0x40
#define I2C_SCL_RSTART_SETUP 0x44
#define I2C_SCL_STOP_HOLD 0x48
#define I2C_SCL_STOP_SETUP 0x4c
#define I2C_COMMAND 0x58

/* CPU interrupt of CCOMPARE0, level 1. */
#define INTERRUPT_CCOMPARE0 6

#ifndef __ASSEMBLER__
#include <stdint.h>
static inline uint32_t register_read(uint32_t address) { return *(volatile uint32_t *)address; }
static inline void register_write(uint32_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
#endif
#endif
