// Numbers of the ESP32 flash image format (v1) that writing and reading share. Pure data.
// Source: esptool documentation, "Firmware Image Format".

export const IMAGE_MAGIC = 0xe9;
/** First header, then the extended one. */
export const HEADER_BYTES = 8;
export const EXTENDED_HEADER_BYTES = 16;
export const SEGMENT_HEADER_BYTES = 8;
/** The mask ROM refuses more. */
export const MAX_SEGMENTS = 16;
export const CHECKSUM_SEED = 0xef;
export const HASH_BYTES = 32;
/** wp_pin: no write-protect pin is driven. */
export const WP_PIN_DISABLED = 0xee;
export const CHIP_ID_ESP32 = 0;

export const SPI_MODES = ['qio', 'qout', 'dio', 'dout'] as const;
export const FLASH_SIZES: readonly number[] = [0x100000, 0x200000, 0x400000, 0x800000, 0x1000000];
/** Code of the SPI clock: 0 is 40 MHz. */
export const SPI_40_MHZ = 0;

/**
 * The note directly behind the hash, outside of what the mask ROM reads. It tells a host where the runtime's mailbox is
 * and where the flash-mapped pages lie. Little-endian words after an 8-byte magic, CRC-32 of all before as the last.
 */
export const NOTE_MAGIC = 'TSNOTE01';
export const NOTE_BYTES = 64;
export const NOTE_FIELDS = [
  'mailbox',
  'runMailbox',
  'idle',
  'dromAddress',
  'dromPage',
  'dromBytes',
  'iromAddress',
  'iromPage',
  'iromBytes',
  'fileBytes',
  'mappedCrc',
  'reserved0',
  'reserved1',
] as const;
export type ImageNote = Readonly<Record<(typeof NOTE_FIELDS)[number], number>>;
