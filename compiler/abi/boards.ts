// The boards as data (D14): address regions for the simulator's bus, and the windows the linker may fill. Takes nothing;
// knows no section, no peripheral and no instruction.

/**
 * What answers in a region. `sram1-reversed` is SRAM1 seen from the instruction side: the same words in reverse order
 * (`iram = 0x400A0000 + (0x40000000 - dram) - 4`). Flash windows go through the MMU tables in 64 KiB pages.
 */
export type RegionKind = 'ram' | 'sram1-reversed' | 'rom' | 'flash-data' | 'flash-code' | 'peripheral';

export interface BoardRegion {
  readonly name: string;
  readonly base: number;
  /** In bytes. */
  readonly size: number;
  readonly kind: RegionKind;
  /** Instructions can be fetched from here. */
  readonly executable: boolean;
  /** Data accesses must be aligned 32-bit ones (IRAM, IROM): anything else raises LoadStoreError (EXCCAUSE 3). */
  readonly wordOnly: boolean;
}

/** A half-open address range [base, end). */
export interface AddressRange {
  readonly base: number;
  readonly end: number;
}

export interface BoardDescription {
  readonly name: string;
  readonly description: string;
  /** CPU clock in Hz that the firmware runs at: the unit of deadlines. */
  readonly cpuHz: number;
  /** Size of the SPI flash in bytes. */
  readonly flashBytes: number;
  readonly regions: readonly BoardRegion[];
  /** Code loaded into RAM by the mask ROM; the first 0x400 bytes are the exception vectors (VECBASE). */
  readonly iram: AddressRange;
  /** All byte-addressable internal RAM that a program without ROM calls may use once it runs. */
  readonly dram: AddressRange;
  /**
   * The part of `dram` that the image may fill: outside of it the mask ROM keeps its data and stack while it loads the
   * image, so only zero-initialised things can live there.
   */
  readonly dramLoadable: AddressRange;
  /** Flash-mapped constants and code, in 64 KiB pages. */
  readonly drom: AddressRange;
  readonly irom: AddressRange;
  /** Byte-addressable RAM outside the chip, for linear memories; null when the board has none. */
  readonly external: AddressRange | null;
}

/** Bytes of a page of the flash MMU. */
export const FLASH_PAGE_BYTES = 0x10000;
/** Flash offset at which the mask ROM looks for the image. */
export const IMAGE_FLASH_OFFSET = 0x1000;
/** Bytes at the start of IRAM that hold the exception vectors. */
export const VECTOR_BYTES = 0x400;

function region(
  name: string,
  base: number,
  size: number,
  kind: RegionKind,
  executable: boolean,
  wordOnly: boolean,
): BoardRegion {
  return { name, base, size, kind, executable, wordOnly };
}

// Sources: esp-idf components/soc/esp32/include/soc/soc.h and soc_memory_layout.c; mask ROM reservations as listed there
// (ROM data from 0x3FFAE000 and 0x3FFE0000, ROM stacks below 0x3FFE4350).
const ESP32_REGIONS: readonly BoardRegion[] = [
  region('DROM', 0x3f400000, 0x400000, 'flash-data', false, false),
  region('DPORT', 0x3ff00000, 0x40000, 'peripheral', false, true),
  region('APB', 0x3ff40000, 0x40000, 'peripheral', false, true),
  region('RTC_FAST_DATA', 0x3ff80000, 0x2000, 'ram', false, false),
  region('SRAM2', 0x3ffae000, 0x32000, 'ram', false, false),
  region('SRAM1', 0x3ffe0000, 0x20000, 'ram', false, false),
  region('ROM', 0x40000000, 0x70000, 'rom', true, true),
  region('CACHE_PRO', 0x40070000, 0x8000, 'ram', true, true),
  region('CACHE_APP', 0x40078000, 0x8000, 'ram', true, true),
  region('IRAM', 0x40080000, 0x20000, 'ram', true, true),
  region('SRAM1_IRAM', 0x400a0000, 0x20000, 'sram1-reversed', true, true),
  region('RTC_FAST_CODE', 0x400c0000, 0x2000, 'ram', true, true),
  region('IROM', 0x400c2000, 0x33e000, 'flash-code', true, true),
  region('RTC_SLOW', 0x50000000, 0x2000, 'ram', true, false),
  region('AHB', 0x60000000, 0x40000, 'peripheral', false, true),
];

export const ESP32: BoardDescription = {
  name: 'esp32',
  description: 'ESP32 (Xtensa LX6), 520 KiB of RAM on the chip, 4 MiB of flash',
  cpuHz: 40_000_000,
  flashBytes: 0x400000,
  regions: ESP32_REGIONS,
  iram: { base: 0x40080000, end: 0x400a0000 },
  dram: { base: 0x3ffae000, end: 0x40000000 },
  dramLoadable: { base: 0x3ffb0000, end: 0x3ffe0000 },
  drom: { base: 0x3f400000, end: 0x3f800000 },
  irom: { base: 0x400d0000, end: 0x40400000 },
  external: null,
};

/** Bytes of the RAM that `esp32-large` has in the PSRAM window. */
export const LARGE_EXTERNAL_BYTES = 0x400000;

export const ESP32_LARGE: BoardDescription = {
  ...ESP32,
  name: 'esp32-large',
  description: 'esp32 with 4 MiB of byte-addressable RAM in the PSRAM window; exists only in the simulator',
  regions: [...ESP32_REGIONS, region('PSRAM', 0x3f800000, LARGE_EXTERNAL_BYTES, 'ram', false, false)],
  external: { base: 0x3f800000, end: 0x3f800000 + LARGE_EXTERNAL_BYTES },
};

export const BOARDS: ReadonlyMap<string, BoardDescription> = new Map([
  [ESP32.name, ESP32],
  [ESP32_LARGE.name, ESP32_LARGE],
]);
