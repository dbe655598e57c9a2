/* Packages: reads the COSE_Sign1 envelope (RFC 9052) and judges the contents of a bank against slot and image before
 * anything of it is mapped. Knows no upload and no module states. */
#include "flash.h"
#include "slots.h"

void *memcpy(void *to, const void *from, size_t n);

int ts_envelope_read(struct ts_envelope *envelope, const uint8_t *head, uint32_t n)
{
    /* [<< {1: -8} >>, {}, payload, signature], the tag of COSE_Sign1 may be left out */
    static const uint8_t start[] = {0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0};
    uint32_t at = head[0] == 0xd2;
    for (uint32_t i = 0; i < sizeof start; i++)
        if (head[at++] != start[i]) return 0;
    uint32_t kind = head[at++], bytes = kind == 0x5a ? 4 : kind == 0x59 ? 2 : kind == 0x58 ? 1 : 0;
    if (bytes == 0 || at + bytes > n) return 0;
    uint32_t length = 0;
    for (; bytes != 0; bytes--) length = length << 8 | head[at++];
    envelope->start = at;
    envelope->length = length;
    return 1;
}

void ts_flash_read(uint32_t offset, void *to, uint32_t n)
{
    uint8_t *bytes = to;
    while (n != 0) {
        uint32_t room = (1u << 16) - (offset & 0xffff);
        uint32_t part = n < room ? n : room;
        memcpy(bytes, rt_flash_view(offset), part);
        bytes += part;
        offset += part;
        n -= part;
    }
}

/** [start, start + bytes) lies in [base, base + size). */
static int within(uint32_t start, uint32_t bytes, uint32_t base, uint32_t size)
{
    return start >= base && start - base <= size && bytes <= size - (start - base);
}

enum ts_refusal ts_header_check(const struct ts_slot *slot, uint32_t bank_flash, uint32_t length,
                                struct ts_package *header, struct ts_module_info *info)
{
    if (length < sizeof *header || length > slot->pages << 16) return TS_REFUSED_LENGTH;
    ts_flash_read(bank_flash, header, sizeof *header);
    if (header->magic != TS_PACKAGE_MAGIC) return TS_REFUSED_HEADER;
    if (header->os_abi_version != TS_OS_ABI_VERSION || header->wasm_abi_version != WASM_ABI_VERSION) return TS_REFUSED_ABI;
    if (header->total_bytes != length) return TS_REFUSED_LENGTH;
    if (header->base_id != ts_boot_table.base_id) return TS_REFUSED_BASE;
    if (header->slot_code_base != slot->code_base || header->slot_ram_base != slot->ram_base) return TS_REFUSED_SLOT;
    if (header->ram_bytes > slot->ram_bytes) return TS_REFUSED_RAM;
    uint32_t rodata = slot->rodata_base, at = (uint32_t)header->info, ram = slot->ram_base, ram_bytes = header->ram_bytes;
    if ((at & 3) != 0 || !within(at, sizeof *info, rodata, length)) return TS_REFUSED_MODULE;
    ts_flash_read(bank_flash + (at - rodata), info, sizeof *info);
    if (info->os_abi_version != TS_OS_ABI_VERSION || info->stack_top < info->stack_bottom ||
        !within((uint32_t)info->name, 1, rodata, length) || !within((uint32_t)info->wasm, 1, rodata, length) ||
        !within(info->stack_bottom, info->stack_top - info->stack_bottom, ram, ram_bytes) ||
        (info->data_bytes != 0 && !within(info->data_load, info->data_bytes, rodata, length)) ||
        (info->data_bytes != 0 && !within(info->data_start, info->data_bytes, ram, ram_bytes)) ||
        (info->bss_bytes != 0 && !within(info->bss_start, info->bss_bytes, ram, ram_bytes)))
        return TS_REFUSED_MODULE;
    return TS_ACCEPTED;
}
