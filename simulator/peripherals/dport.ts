// DPORT: the flash cache and its MMU tables, the interrupt matrix of the PRO CPU, CPU clock selection and inter-processor
// interrupts. Source: ESP32 TRM, chapters 3 to 5 and esp-idf dport_reg.h. Knows nothing of the APP CPU but its registers.

import { FLASH_PAGE_BYTES } from '../../compiler/abi/boards.js';
import type { Memory } from '../bus/memory.js';
import type { Peripheral } from '../bus/peripheral.js';
import { RegisterBlock } from '../bus/peripheral.js';
import { INTERNAL_MASK } from '../cpu/interrupts.js';
import { MachineStop } from '../stop.js';

export const INTERRUPT_SOURCES = 69;
const FROM_CPU_SOURCE = 24;
/** Reset value of the map registers: CPU interrupt 16, which no peripheral drives. */
const UNMAPPED = 16;

const CACHE_ENABLE = 1 << 3;
const CACHE_FLUSH_ENABLE = 1 << 4;
const CACHE_FLUSH_DONE = 1 << 5;
const MASK_IRAM0 = 1 << 0;
const MASK_DROM0 = 1 << 4;
const APP_CLOCK_ENABLE = 1;

export interface DportEvents {
  /** The CPU interrupt lines that peripherals drive through the matrix. */
  setLines(lines: number): void;
  /** Flash windows look different now: code fetched through them is stale. */
  flashMappingChanged(): void;
  /** CPU_PER_CONF was written. */
  clockChanged(): void;
}

export class Dport extends RegisterBlock {
  readonly name = 'DPORT';
  readonly base = 0x3ff00000;
  /** Active sources, by number. */
  private readonly active = new Uint8Array(INTERRUPT_SOURCES);
  /** The flash has changed since the cache was last flushed. */
  private stale = false;

  constructor(
    private readonly events: DportEvents,
    private readonly mmu: FlashMmu,
  ) {
    super();
    const status = (word: number): number => {
      let bits = 0;
      for (let i = 0; i < 32 && word * 32 + i < INTERRUPT_SOURCES; i++) {
        bits |= (this.active[word * 32 + i] as number) << i;
      }
      return bits;
    };
    const windows = (): void => this.updateWindows();
    this.define({
      0x30: {
        name: 'APPCPU_CTRL_B',
        write: (value) => {
          if ((value & APP_CLOCK_ENABLE) !== 0) throw new MachineStop('unmodelled', 'the APP CPU is not modelled');
        },
      },
      0x3c: { name: 'CPU_PER_CONF', write: () => this.events.clockChanged() },
      0x40: {
        name: 'PRO_CACHE_CTRL',
        reset: 0x10,
        read: () => this.cacheControl(),
        write: (value) => this.setCache(value),
      },
      0x44: { name: 'PRO_CACHE_CTRL1', reset: 0x8ff, write: windows },
      // The cache is never in the middle of a fetch: state 1 in bits 18 to 7.
      0x3f0: { name: 'PRO_DCACHE_DBUG0', writable: 0, read: () => 1 << 7 },
      0xec: { name: 'PRO_INTR_STATUS_0', writable: 0, read: () => status(0) },
      0xf0: { name: 'PRO_INTR_STATUS_1', writable: 0, read: () => status(1) },
      0xf4: { name: 'PRO_INTR_STATUS_2', writable: 0, read: () => status(2) },
    });
    for (let i = 0; i < 4; i++) {
      this.define({
        [0xdc + 4 * i]: {
          name: `CPU_INTR_FROM_CPU_${i}`,
          write: (value) => this.setSource(FROM_CPU_SOURCE + i, (value & 1) !== 0),
        },
      });
    }
    for (let i = 0; i < INTERRUPT_SOURCES; i++) {
      this.define({ [0x104 + 4 * i]: { name: `PRO_INTR_MAP_${i}`, reset: UNMAPPED, write: () => this.updateLines() } });
    }
    this.acceptRest();
    this.reset();
  }

  /** Registers that are kept but have no effect here. */
  private acceptRest(): void {
    this.accept(0x00, 'PRO_BOOT_REMAP_CTRL');
    this.accept(0x04, 'APP_BOOT_REMAP_CTRL');
    this.accept(0x08, 'ACCESS_CHECK');
    this.accept(0x0c, 'PRO_DPORT_APB_MASK', 4);
    this.accept(0x1c, 'PERI_CLK_EN');
    this.accept(0x20, 'PERI_RST_EN');
    this.accept(0x24, 'WIFI_BB_CFG', 2);
    this.accept(0x2c, 'APPCPU_CTRL_A', 1, 1);
    this.accept(0x34, 'APPCPU_CTRL_C');
    this.accept(0x38, 'APPCPU_CTRL_D');
    this.accept(0x48, 'PRO_CACHE_LOCK', 4);
    this.accept(0x58, 'APP_CACHE_CTRL', 1, 0x10);
    this.accept(0x5c, 'APP_CACHE_CTRL1', 1, 0x8ff);
    this.accept(0x60, 'APP_CACHE_LOCK', 4);
    this.accept(0x70, 'TRACEMEM_MUX_MODE');
    this.accept(0x74, 'PRO_TRACEMEM_ENA');
    this.accept(0x78, 'APP_TRACEMEM_ENA');
    this.accept(0x7c, 'CACHE_MUX_MODE');
    this.accept(0xc0, 'PERIP_CLK_EN', 1, 0xf9c1e06f | 0);
    this.accept(0xc4, 'PERIP_RST_EN');
    this.accept(0xcc, 'WIFI_CLK_EN', 1, 0xfffce030 | 0);
    this.accept(0xd0, 'CORE_RST_EN');
    this.accept(0x218, 'APP_INTR_MAP_', INTERRUPT_SOURCES, UNMAPPED);
  }

  override reset(): void {
    super.reset();
    this.active.fill(0);
    this.stale = false;
    this.mmu.reset();
    this.updateWindows();
    this.updateLines();
  }

  /** Level of an interrupt source. */
  setSource(source: number, active: boolean): void {
    if (this.active[source] === Number(active)) return;
    this.active[source] = Number(active);
    this.updateLines();
  }

  private updateLines(): void {
    let lines = 0;
    for (let source = 0; source < INTERRUPT_SOURCES; source++) {
      if (this.active[source] === 1) lines |= 1 << (this.value(0x104 + 4 * source) & 31);
    }
    this.events.setLines(lines & ~INTERNAL_MASK);
  }

  private cacheControl(): number {
    const value = this.value(0x40);
    return (value & CACHE_FLUSH_ENABLE) !== 0 ? value | CACHE_FLUSH_DONE : value & ~CACHE_FLUSH_DONE;
  }

  get cacheEnabled(): boolean {
    return (this.value(0x40) & CACHE_ENABLE) !== 0;
  }

  /** Somebody erased or programmed the flash: the cache must be flushed before it is used again. */
  flashChanged(): void {
    this.stale = true;
  }

  private setCache(value: number): void {
    if ((value & CACHE_FLUSH_ENABLE) !== 0) this.stale = false;
    if ((value & CACHE_ENABLE) !== 0 && this.stale) {
      throw new MachineStop('unmodelled', 'cache switched on without a flush after the flash was written');
    }
    this.updateWindows();
  }

  private updateWindows(): void {
    const enabled = this.cacheEnabled;
    const masks = this.value(0x44);
    const changed = this.mmu.setEnabled(enabled && (masks & MASK_DROM0) === 0, enabled && (masks & MASK_IRAM0) === 0);
    if (changed) this.events.flashMappingChanged();
  }

  /** CPU clock with the PLL selected: 80, 160 or 240 MHz. */
  get pllCpuHz(): number {
    return [80e6, 160e6, 240e6, 240e6][this.value(0x3c) & 3] as number;
  }
}

const INVALID = 1 << 8;
const DROM_ENTRIES = 64;
const DROM_BASE = 0x3f400000;
const IROM_BASE = 0x40000000;
const MAPPED_ENTRIES = 128;

/** The PRO CPU's flash MMU table: entries 0-63 map 0x3F400000, 64-127 map 0x40000000, in 64 KiB pages. */
export class FlashMmu implements Peripheral {
  readonly name = 'PRO_FLASH_MMU_TABLE';
  readonly base = 0x3ff10000;
  readonly size = 0x2000;
  private readonly entries = new Int32Array(this.size / 4);
  private dataEnabled = false;
  private codeEnabled = false;

  constructor(
    private readonly memory: Memory,
    private readonly changed: () => void,
  ) {
    this.entries.fill(INVALID);
  }

  reset(): void {
    this.entries.fill(INVALID);
    for (let i = 0; i < MAPPED_ENTRIES; i++) this.apply(i);
  }

  read(offset: number): number {
    return this.entries[offset / 4] as number;
  }

  write(offset: number, value: number): void {
    const index = offset / 4;
    if (this.entries[index] === value) return;
    this.entries[index] = value;
    if (index < MAPPED_ENTRIES) {
      this.apply(index);
      this.changed();
    }
  }

  /** @returns true when a window appeared or vanished */
  setEnabled(data: boolean, code: boolean): boolean {
    if (data === this.dataEnabled && code === this.codeEnabled) return false;
    this.dataEnabled = data;
    this.codeEnabled = code;
    for (let i = 0; i < MAPPED_ENTRIES; i++) this.apply(i);
    return true;
  }

  private apply(index: number): void {
    const data = index < DROM_ENTRIES;
    const value = this.entries[index] as number;
    const valid = (value & INVALID) === 0 && (data ? this.dataEnabled : this.codeEnabled);
    const address = data ? DROM_BASE + index * FLASH_PAGE_BYTES : IROM_BASE + (index - DROM_ENTRIES) * FLASH_PAGE_BYTES;
    this.memory.mapFlashPage(address, valid ? value & 0xff : -1, data);
  }
}

/** The APP CPU's table: storage, since that CPU is not modelled. */
export class StorageTable implements Peripheral {
  readonly size = 0x2000;
  private readonly entries = new Int32Array(this.size / 4);

  constructor(
    readonly name: string,
    readonly base: number,
  ) {}

  reset(): void {
    this.entries.fill(INVALID);
  }
  read(offset: number): number {
    return this.entries[offset / 4] as number;
  }
  write(offset: number, value: number): void {
    this.entries[offset / 4] = value;
  }
}
