/* The journal of the slots. Takes records, gives them back after any cut of power: a record counts when its CRC is right,
 * a sector when its head is. The head is written last, so a sector is whole or does not count. Knows no package. */
#include "flash.h"
#include "journal.h"
#include "sys.h"

void *memset(void *to, int value, size_t n);

enum { CELLS = RT_FLASH_SECTOR_BYTES / sizeof(struct ts_slot_record), HEAD_MAGIC = 0x314a5354 /* "TSJ1" */ };

/** First cell of a sector. */
struct head {
    uint32_t magic;
    uint32_t sequence; /* the sector with the higher one is in use */
    uint32_t crc;
};

static const struct head *head_of(uint32_t sector) { return (const struct head *)rt_flash_view(sector); }

static int head_valid(const struct head *head)
{
    return head->magic == HEAD_MAGIC && head->crc == ts_crc32(head, offsetof(struct head, crc));
}

/** Sector in use, or the first one if neither counts (then `valid` is 0). */
static uint32_t current_sector(uint32_t journal, int *valid)
{
    const struct head *a = head_of(journal), *b = head_of(journal + RT_FLASH_SECTOR_BYTES);
    int first = head_valid(a), second = head_valid(b);
    *valid = first || second;
    return second && (!first || (int32_t)(b->sequence - a->sequence) > 0) ? journal + RT_FLASH_SECTOR_BYTES : journal;
}

static int record_valid(const struct ts_slot_record *record)
{
    return record->crc == ts_crc32(record, offsetof(struct ts_slot_record, crc));
}

static int cell_free(const struct ts_slot_record *cell)
{
    const uint32_t *words = (const uint32_t *)cell;
    for (uint32_t i = 0; i < sizeof *cell / 4; i++)
        if (words[i] != 0xffffffff) return 0;
    return 1;
}

void ts_journal_read(uint32_t journal, struct ts_slot_record *records, uint32_t count)
{
    memset(records, 0, count * sizeof *records);
    for (uint32_t i = 0; i < count; i++) records[i].slot = (uint8_t)i;
    int valid;
    const struct ts_slot_record *cells = (const struct ts_slot_record *)rt_flash_view(current_sector(journal, &valid));
    if (!valid) return;
    for (uint32_t i = 1; i < CELLS; i++)
        if (cells[i].slot < count && record_valid(&cells[i]) &&
            (int32_t)(cells[i].sequence - records[cells[i].slot].sequence) > 0)
            records[cells[i].slot] = cells[i];
}

/** Programs RAM contents and reads them back. */
static int program(uint32_t offset, const void *data, uint32_t n)
{
    rt_flash_program(offset, data, n);
    const uint8_t *want = data, *have = rt_flash_view(offset);
    for (uint32_t i = 0; i < n; i++)
        if (want[i] != have[i]) return 0;
    return 1;
}

/** Makes the other sector the one in use, with the newest records of all slots. */
static int start_sector(uint32_t journal, const struct ts_slot_record *records, uint32_t count)
{
    int valid;
    uint32_t old = current_sector(journal, &valid);
    uint32_t sector = !valid || old != journal ? journal : journal + RT_FLASH_SECTOR_BYTES;
    struct head head = {.magic = HEAD_MAGIC, .sequence = valid ? head_of(old)->sequence + 1 : 1};
    head.crc = ts_crc32(&head, offsetof(struct head, crc));
    rt_flash_erase_sector(sector);
    uint32_t cell = 1;
    for (uint32_t i = 0; i < count; i++)
        if (records[i].sequence != 0 && !program(sector + cell++ * sizeof *records, &records[i], sizeof *records)) return 0;
    return program(sector, &head, sizeof head);
}

int ts_journal_write(uint32_t journal, struct ts_slot_record *records, uint32_t count, uint32_t slot)
{
    uint32_t sequence = 0;
    for (uint32_t i = 0; i < count; i++)
        if ((int32_t)(records[i].sequence - sequence) > 0) sequence = records[i].sequence;
    struct ts_slot_record *record = &records[slot];
    record->slot = (uint8_t)slot;
    record->sequence = sequence + 1;
    record->crc = ts_crc32(record, offsetof(struct ts_slot_record, crc));
    int valid;
    uint32_t sector = current_sector(journal, &valid);
    if (valid) {
        /* Behind the last cell that anything was written to: one torn by a cut of power is skipped. */
        uint32_t cell = CELLS;
        const struct ts_slot_record *cells = (const struct ts_slot_record *)rt_flash_view(sector);
        while (cell > 1 && cell_free(&cells[cell - 1])) cell--;
        for (; cell < CELLS; cell++)
            if (program(sector + cell * sizeof *record, record, sizeof *record)) return 1;
    }
    return start_sector(journal, records, count);
}
