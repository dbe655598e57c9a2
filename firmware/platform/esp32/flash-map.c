/* Maps the flash pages behind the image into the code and constant windows of the PRO CPU, by registers alone. Runs from
 * RAM before anything there is used; takes its page numbers from the linker. */
#include "esp32.h"
#include "runtime.h"

/* Absolute linker symbols: the address is the value. */
extern const char __irom_vaddr[], __irom_flash_page[], __irom_page_count[];
extern const char __drom_vaddr[], __drom_flash_page[], __drom_page_count[];

/** Value of an absolute symbol. The compiler may not know where it comes from: it takes addresses to be non-zero. */
static inline uint32_t value_of(const char *symbol)
{
    __asm__("" : "+r"(symbol));
    return (uint32_t)symbol;
}

static void map(uint32_t entry, uint32_t page, uint32_t count)
{
    for (; count != 0; count--) {
        register_write(DPORT_PRO_MMU_TABLE + 4 * entry, page);
        entry++;
        page++;
    }
}

static void cache_control(uint32_t clear, uint32_t set)
{
    register_write(DPORT_PRO_CACHE_CTRL, (register_read(DPORT_PRO_CACHE_CTRL) & ~clear) | set);
}

void rt_flash_map(void)
{
    uint32_t irom_pages = value_of(__irom_page_count), drom_pages = value_of(__drom_page_count);
    if (irom_pages == 0 && drom_pages == 0) return;
    cache_control(DPORT_PRO_CACHE_ENABLE, 0);
    cache_control(DPORT_PRO_CACHE_FLUSH_ENABLE, 0);
    cache_control(0, DPORT_PRO_CACHE_FLUSH_ENABLE);
    while ((register_read(DPORT_PRO_CACHE_CTRL) & DPORT_PRO_CACHE_FLUSH_DONE) == 0) {}
    cache_control(DPORT_PRO_CACHE_FLUSH_ENABLE, 0);
    map(MMU_IROM_FIRST_ENTRY + ((value_of(__irom_vaddr) - MMU_IROM_BASE) >> MMU_PAGE_SHIFT), value_of(__irom_flash_page),
        irom_pages);
    map(MMU_DROM_FIRST_ENTRY + ((value_of(__drom_vaddr) - MMU_DROM_BASE) >> MMU_PAGE_SHIFT), value_of(__drom_flash_page),
        drom_pages);
    register_write(DPORT_PRO_CACHE_CTRL1,
                   register_read(DPORT_PRO_CACHE_CTRL1) & ~(uint32_t)(DPORT_PRO_CACHE_MASK_IRAM0 | DPORT_PRO_CACHE_MASK_DROM0));
    cache_control(0, DPORT_PRO_CACHE_ENABLE);
    __asm__ volatile("isync");
}
