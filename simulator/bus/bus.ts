// Data accesses the way LX6 in an ESP32 makes them: RAM by page tables, word-only memories, unaligned accesses in
// hardware where the chip has that, peripherals, and the exception for everything else. Takes addresses, gives values or
// throws CpuException/MachineStop. Knows no instruction.

import { Cause } from '../cpu/state.js';
import { CpuException, MachineStop, hex32 } from '../stop.js';
import type { WatchHit } from '../stop.js';
import type { Memory } from './memory.js';
import { PAGE_SHIFT } from './memory.js';
import type { Peripheral } from './peripheral.js';

const PERIPHERAL_BASE = 0x3ff00000;
const APB_BASE = 0x3ff40000;
const AHB_BASE = 0x60000000;
const PERIPHERAL_END = 0x3ff80000;
/** Peripherals come in 4 KiB blocks. */
const PERIPHERAL_SHIFT = 12;

export interface Watch {
  readonly name: string;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly loads: boolean;
  readonly stores: boolean;
}

/** What the bus tells the machine. */
export interface BusEvents {
  /** A store hit bytes [offset, offset + size) of the backing store in a page that holds translated code. */
  codeWritten(offset: number, size: number): void;
  /** A watched range is about to be touched: the access completes and the machine stops after the instruction. */
  watchHit(hit: WatchHit): void;
}

export class Bus {
  private readonly peripherals: (Peripheral | undefined)[] = new Array<Peripheral | undefined>(
    (PERIPHERAL_END - PERIPHERAL_BASE) >>> PERIPHERAL_SHIFT,
  );
  private readonly exception = new CpuException();
  private watches: readonly Watch[] = [];

  constructor(
    readonly memory: Memory,
    private readonly events: BusEvents,
    private readonly unaligned: boolean,
  ) {}

  attach(peripheral: Peripheral): void {
    const first = (peripheral.base - PERIPHERAL_BASE) >>> PERIPHERAL_SHIFT;
    for (let page = 0; page < peripheral.size >>> PERIPHERAL_SHIFT; page++) this.peripherals[first + page] = peripheral;
  }

  load32(address: number): number {
    const delta = this.memory.loadWord[address >>> PAGE_SHIFT] as number;
    if (delta !== 0 && (address & 3) === 0) return this.memory.words[(address + delta) >>> 2] as number;
    return this.loadSlow(address >>> 0, 4);
  }

  /** Zero-extended. */
  load16(address: number): number {
    const delta = this.memory.loadNarrow[address >>> PAGE_SHIFT] as number;
    if (delta !== 0 && (address & 1) === 0) return this.memory.halves[(address + delta) >>> 1] as number;
    return this.loadSlow(address >>> 0, 2);
  }

  /** Zero-extended. */
  load8(address: number): number {
    const delta = this.memory.loadNarrow[address >>> PAGE_SHIFT] as number;
    if (delta !== 0) return this.memory.bytes[(address + delta) >>> 0] as number;
    return this.loadSlow(address >>> 0, 1);
  }

  store32(address: number, value: number): void {
    const delta = this.memory.storeWord[address >>> PAGE_SHIFT] as number;
    if (delta !== 0 && (address & 3) === 0) this.memory.words[(address + delta) >>> 2] = value;
    else this.storeSlow(address >>> 0, value, 4);
  }

  store16(address: number, value: number): void {
    const delta = this.memory.storeNarrow[address >>> PAGE_SHIFT] as number;
    if (delta !== 0 && (address & 1) === 0) this.memory.halves[(address + delta) >>> 1] = value;
    else this.storeSlow(address >>> 0, value, 2);
  }

  store8(address: number, value: number): void {
    const delta = this.memory.storeNarrow[address >>> PAGE_SHIFT] as number;
    if (delta !== 0) this.memory.bytes[(address + delta) >>> 0] = value;
    else this.storeSlow(address >>> 0, value, 1);
  }

  /** Raises an exception of the chip for the current instruction. */
  raise(cause: number, address: number | undefined): never {
    this.exception.cause = cause;
    this.exception.address = address;
    throw this.exception;
  }

  /** Backing offset for an access in plain memory, after every check; -1 for a peripheral. */
  private resolve(address: number, size: number, store: boolean): number {
    const region = this.memory.regionAt(address);
    if (region === undefined) return this.raise(store ? Cause.STORE_PROHIBITED : Cause.LOAD_PROHIBITED, address);
    const aligned = (address & (size - 1)) === 0;
    if (region.wordOnly && (size !== 4 || !aligned)) return this.raise(Cause.LOAD_STORE_ERROR, address);
    if (!aligned && !this.unaligned) return this.raise(Cause.UNALIGNED, address);
    if (region.kind === 'peripheral') return -1;
    if (region.kind === 'rom') {
      throw new MachineStop(
        'unmodelled',
        `data access to the mask ROM at ${hex32(address)}: its contents are not modelled`,
      );
    }
    if (region.kind === 'flash-data' || region.kind === 'flash-code') {
      // Flash answers no stores, and an invalid MMU entry makes the cache report an illegal access.
      if (store || this.memory.locate(address) < 0) {
        return this.raise(store ? Cause.STORE_PROHIBITED : Cause.LOAD_PROHIBITED, address);
      }
    }
    return this.memory.locate(address);
  }

  private loadSlow(address: number, size: number): number {
    const offset = this.resolve(address, size, false);
    if (offset < 0) return this.peripheral(address).read(this.peripheralOffset(address));
    this.checkWatches(address, size, 'load');
    const { bytes } = this.memory;
    const last = address + size - 1;
    let value = 0;
    // An unaligned access can cross into another page, even into one that is not there.
    if (last >>> PAGE_SHIFT === address >>> PAGE_SHIFT) {
      for (let i = size - 1; i >= 0; i--) value = (value << 8) | (bytes[offset + i] as number);
    } else {
      for (let i = size - 1; i >= 0; i--) {
        value = (value << 8) | (bytes[this.resolve((address + i) >>> 0, 1, false)] as number);
      }
    }
    return value;
  }

  private storeSlow(address: number, value: number, size: number): void {
    const offset = this.resolve(address, size, true);
    if (offset < 0) {
      this.peripheral(address).write(this.peripheralOffset(address), value);
      return;
    }
    const last = address + size - 1;
    const crosses = last >>> PAGE_SHIFT !== address >>> PAGE_SHIFT;
    if (crosses) this.resolve(last >>> 0, 1, true);
    this.checkWatches(address, size, 'store');
    for (let i = 0; i < size; i++) {
      const at = crosses ? this.memory.locate(address + i) : offset + i;
      this.memory.bytes[at] = value >>> (8 * i);
      if (crosses && this.memory.hasCode(at >>> PAGE_SHIFT)) this.events.codeWritten(at, 1);
    }
    if (!crosses && this.memory.hasCode(offset >>> PAGE_SHIFT)) this.events.codeWritten(offset, size);
  }

  private peripheral(address: number): Peripheral {
    const apb = address >= AHB_BASE ? address - AHB_BASE + APB_BASE : address;
    const peripheral = this.peripherals[(apb - PERIPHERAL_BASE) >>> PERIPHERAL_SHIFT];
    if (peripheral === undefined) {
      throw new MachineStop('unmodelled', `access to unmodelled peripheral at ${hex32(address)}`, address);
    }
    return peripheral;
  }

  private peripheralOffset(address: number): number {
    const apb = address >= AHB_BASE ? address - AHB_BASE + APB_BASE : address;
    return apb - this.peripheral(address).base;
  }

  /** Replaces the watched ranges. */
  setWatches(watches: readonly Watch[]): void {
    const pages = new Map<number, { loads: boolean; stores: boolean }>();
    const mark = (list: readonly Watch[], on: boolean): void => {
      for (const watch of list) {
        for (let page = watch.start >>> PAGE_SHIFT; page <= (watch.end - 1) >>> PAGE_SHIFT; page++) {
          const offset = this.memory.locate((page << PAGE_SHIFT) >>> 0);
          if (offset < 0) continue;
          const entry = pages.get(offset >>> PAGE_SHIFT) ?? { loads: false, stores: false };
          entry.loads ||= on && watch.loads;
          entry.stores ||= on && watch.stores;
          pages.set(offset >>> PAGE_SHIFT, entry);
        }
      }
    };
    mark(this.watches, false);
    mark(watches, true);
    this.watches = watches;
    for (const [page, { loads, stores }] of pages) this.memory.setWatchGuard(page, loads, stores);
  }

  private checkWatches(address: number, size: number, access: 'load' | 'store'): void {
    for (const watch of this.watches) {
      if (address + size <= watch.start || address >= watch.end) continue;
      if (access === 'load' ? watch.loads : watch.stores) {
        this.events.watchHit({ name: watch.name, access, address, bytes: size });
      }
    }
  }
}
