/* Erases, programs and maps the SPI flash: commands by SPI1, windows by the cache's MMU table. The cache is off while the
 * chip works, so nothing here and nothing that interrupts it may touch the flash: all of this runs from RAM, and ts_hold
 * keeps out what does not. Knows no slots. Takes flash offsets. */
#include "esp32.h"
#include "flash.h"

enum {
    COMMAND_PAGE_PROGRAM = 0x02,
    COMMAND_READ_STATUS = 0x05,
    COMMAND_WRITE_ENABLE = 0x06,
    COMMAND_SECTOR_ERASE = 0x20,
    STATUS_BUSY = 1,
};

/* Data bytes of one SPI1 transfer. */
#define SPI_BUFFER_BYTES 64

/** One command on one line: `address` is sent if `phases` says so, data go out of and come into the buffer registers. */
static uint32_t spi_command(uint32_t command, uint32_t phases, uint32_t address, uint32_t out_bytes)
{
    register_write(SPI1_CTRL, register_read(SPI1_CTRL) & ~(uint32_t)SPI_CTRL_LINES);
    register_write(SPI1_USER, SPI_USER_COMMAND | phases);
    register_write(SPI1_USER1, 23u << SPI_USER1_ADDRESS_BITS_SHIFT);
    register_write(SPI1_USER2, 7u << SPI_USER2_COMMAND_BITS_SHIFT | command);
    register_write(SPI1_ADDR, address << 8);
    register_write(SPI1_MOSI_DLEN, 8 * out_bytes - 1);
    register_write(SPI1_MISO_DLEN, 7);
    register_write(SPI1_CMD, SPI_CMD_USER);
    while (register_read(SPI1_CMD) != 0) {}
    return register_read(SPI1_W0);
}

/* One invocation at a time is in here (it holds sys), but the deadline of the next can come at any instruction: the
 * cache is on again whenever nothing holds. */
static uint32_t cache_control(uint32_t clear, uint32_t set)
{
    uint32_t old = register_read(DPORT_PRO_CACHE_CTRL);
    register_write(DPORT_PRO_CACHE_CTRL, (old & ~clear) | set);
    return old;
}

static void cache_off(void)
{
    ts_flash_goes();
    /* A line that is being fetched must have come. */
    while (DPORT_PRO_CACHE_STATE(register_read(DPORT_PRO_DCACHE_DBUG0)) != DPORT_PRO_CACHE_IDLE) {}
    cache_control(DPORT_PRO_CACHE_ENABLE, 0);
}

/** The windows are open: not yet at boot if nothing of the image lies in flash. */
static uint32_t opened;

/** On with nothing of what it held before. */
static void cache_on(void)
{
    opened = 1;
    cache_control(DPORT_PRO_CACHE_FLUSH_ENABLE, 0);
    cache_control(0, DPORT_PRO_CACHE_FLUSH_ENABLE);
    while ((register_read(DPORT_PRO_CACHE_CTRL) & DPORT_PRO_CACHE_FLUSH_DONE) == 0) {}
    cache_control(DPORT_PRO_CACHE_FLUSH_ENABLE, 0);
    register_write(DPORT_PRO_CACHE_CTRL1,
                   register_read(DPORT_PRO_CACHE_CTRL1) & ~(uint32_t)(DPORT_PRO_CACHE_MASK_IRAM0 | DPORT_PRO_CACHE_MASK_DROM0));
    cache_control(0, DPORT_PRO_CACHE_ENABLE);
    __asm__ volatile("isync" ::: "memory");
    ts_flash_comes();
}

/** Write enable, the command, and the wait for its end. */
static void change(uint32_t command, uint32_t phases, uint32_t offset, const uint8_t *bytes, uint32_t n)
{
    uint32_t state = ts_hold();
    cache_off();
    spi_command(COMMAND_WRITE_ENABLE, 0, 0, 1);
    for (uint32_t i = 0; i < n; i += 4) {
        uint32_t word = 0;
        for (uint32_t k = 0; k < 4 && i + k < n; k++) word |= (uint32_t)bytes[i + k] << 8 * k;
        register_write(SPI1_W0 + i, word);
    }
    spi_command(command, phases, offset, n == 0 ? 1 : n);
    while ((spi_command(COMMAND_READ_STATUS, SPI_USER_MISO, 0, 1) & STATUS_BUSY) != 0) {}
    cache_on();
    ts_release(state);
}

void rt_flash_erase_sector(uint32_t offset) { change(COMMAND_SECTOR_ERASE, SPI_USER_ADDRESS, offset, 0, 0); }

void rt_flash_program(uint32_t offset, const void *data, uint32_t n)
{
    const uint8_t *bytes = data;
    while (n != 0) {
        uint32_t room = RT_FLASH_PAGE_BYTES - (offset & (RT_FLASH_PAGE_BYTES - 1));
        uint32_t part = n < room ? n : room;
        if (part > SPI_BUFFER_BYTES) part = SPI_BUFFER_BYTES;
        change(COMMAND_PAGE_PROGRAM, SPI_USER_ADDRESS | SPI_USER_MOSI, offset, bytes, part);
        offset += part;
        bytes += part;
        n -= part;
    }
}

/** MMU entry of an address in a flash window. */
static uint32_t mmu_entry(uint32_t address)
{
    uint32_t entry = address >= MMU_IROM_BASE ? MMU_IROM_FIRST_ENTRY + ((address - MMU_IROM_BASE) >> MMU_PAGE_SHIFT)
                                              : MMU_DROM_FIRST_ENTRY + ((address - MMU_DROM_BASE) >> MMU_PAGE_SHIFT);
    return DPORT_PRO_MMU_TABLE + 4 * entry;
}

void rt_flash_map_window(uint32_t address, uint32_t offset, uint32_t pages)
{
    uint32_t state = ts_hold();
    cache_off();
    for (uint32_t i = 0; i < pages; i++)
        register_write(mmu_entry(address + (i << MMU_PAGE_SHIFT)),
                       offset == RT_FLASH_UNMAPPED ? MMU_INVALID : (offset >> MMU_PAGE_SHIFT) + i);
    cache_on();
    ts_release(state);
}

const uint8_t *rt_flash_view(uint32_t offset)
{
    uint32_t page = offset >> MMU_PAGE_SHIFT;
    if (!opened || register_read(mmu_entry(RT_FLASH_VIEW)) != page) rt_flash_map_window(RT_FLASH_VIEW, page << MMU_PAGE_SHIFT, 1);
    return (const uint8_t *)(RT_FLASH_VIEW + (offset & ((1u << MMU_PAGE_SHIFT) - 1)));
}
