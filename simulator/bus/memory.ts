// The RAM, the flash and the page tables that map addresses onto them. Takes a board's regions, gives mapped typed
// arrays and page tables that translated code reads inline; refuses nothing itself: an address without a table entry is
// the slow path's business (bus.ts). Knows no peripheral and no CPU.

import type { BoardDescription, BoardRegion } from '../../compiler/abi/boards.js';
import { FLASH_PAGE_BYTES } from '../../compiler/abi/boards.js';

/** 8 KiB: the largest size that all of the chip's regions are multiples of; smaller ones make the tables slow to set up. */
export const PAGE_SHIFT = 13;
export const PAGE_BYTES = 1 << PAGE_SHIFT;
const PAGE_COUNT = 1 << (32 - PAGE_SHIFT);

/** Why the fast path for stores to a physical page is closed. Bits. */
const enum Guard {
  CODE = 1,
  WATCHED_STORES = 2,
  WATCHED_LOADS = 4,
}

/**
 * A page table: entry = backing offset - address (as int32), 0 = not mapped for this kind of access. Indexed by
 * address >>> PAGE_SHIFT. Backing offset 0 belongs to no region, so 0 is never a valid entry.
 */
export type PageTable = Int32Array;

export interface MappedRegion extends BoardRegion {
  /** Offset in the backing store; -1 for regions that have none of their own. */
  readonly backing: number;
}

export class Memory {
  readonly bytes: Uint8Array;
  readonly halves: Uint16Array;
  readonly words: Int32Array;
  /** Loads and stores of aligned words. */
  readonly loadWord: PageTable = new Int32Array(PAGE_COUNT);
  readonly storeWord: PageTable = new Int32Array(PAGE_COUNT);
  /** Loads and stores of bytes and halfwords, and unaligned ones. */
  readonly loadNarrow: PageTable = new Int32Array(PAGE_COUNT);
  readonly storeNarrow: PageTable = new Int32Array(PAGE_COUNT);
  readonly regions: readonly MappedRegion[];
  readonly flashOffset: number;
  readonly flashBytes: number;
  private readonly guards: Uint8Array;
  /** Virtual pages that map each physical page. */
  private readonly aliases: (number[] | undefined)[];

  constructor(board: BoardDescription) {
    let size = PAGE_BYTES;
    const regions: MappedRegion[] = [];
    const fastData = board.regions.find((region) => region.name === 'RTC_FAST_DATA');
    for (const region of board.regions) {
      let backing = -1;
      if (region.kind === 'ram') {
        const shared = region.name === 'RTC_FAST_CODE' && fastData !== undefined;
        if (shared) {
          backing = (regions.find((other) => other.name === 'RTC_FAST_DATA') as MappedRegion).backing;
        } else {
          backing = size;
          size += (region.size + PAGE_BYTES - 1) & -PAGE_BYTES;
        }
      }
      regions.push({ ...region, backing });
    }
    this.regions = regions.map((region) =>
      region.kind === 'sram1-reversed'
        ? { ...region, backing: (regions.find((other) => other.name === 'SRAM1') as MappedRegion).backing }
        : region,
    );
    this.flashOffset = size;
    this.flashBytes = board.flashBytes;
    const buffer = new ArrayBuffer(size + board.flashBytes);
    this.bytes = new Uint8Array(buffer);
    this.halves = new Uint16Array(buffer);
    this.words = new Int32Array(buffer);
    this.bytes.fill(0xff, this.flashOffset);
    this.guards = new Uint8Array(buffer.byteLength >>> PAGE_SHIFT);
    this.aliases = new Array<number[] | undefined>(this.guards.length);
    for (const region of this.regions) {
      if (region.kind === 'ram') this.mapRam(region);
    }
  }

  private mapRam(region: MappedRegion): void {
    for (let offset = 0; offset < region.size; offset += PAGE_BYTES) {
      const physical = (region.backing + offset) >>> PAGE_SHIFT;
      const list = (this.aliases[physical] ??= []);
      list.push((region.base + offset) >>> PAGE_SHIFT);
      this.refresh(physical);
    }
  }

  /** Sets the table entries of every virtual page of a physical RAM page from its guards. */
  private refresh(physical: number): void {
    const guard = this.guards[physical] as number;
    for (const page of this.aliases[physical] ?? []) {
      const address = page << PAGE_SHIFT;
      const delta = ((physical << PAGE_SHIFT) - address) | 0;
      const narrow = this.regionAt(address >>> 0)?.wordOnly === false;
      const load = (guard & Guard.WATCHED_LOADS) === 0 ? delta : 0;
      const store = (guard & (Guard.WATCHED_STORES | Guard.CODE)) === 0 ? delta : 0;
      this.loadWord[page] = load;
      this.storeWord[page] = store;
      this.loadNarrow[page] = narrow ? load : 0;
      this.storeNarrow[page] = narrow ? store : 0;
    }
  }

  /** The region an address lies in. */
  regionAt(address: number): MappedRegion | undefined {
    for (const region of this.regions) {
      if (address >= region.base && address < region.base + region.size) return region;
    }
    return undefined;
  }

  /**
   * Maps or unmaps one 64 KiB page of a flash window for loads.
   * @param address of the window page
   * @param flashPage number of the flash page, or -1 for none
   */
  mapFlashPage(address: number, flashPage: number, narrow: boolean): void {
    const start = flashPage * FLASH_PAGE_BYTES;
    const mapped = flashPage >= 0 && start < this.flashBytes;
    for (let offset = 0; offset < FLASH_PAGE_BYTES; offset += PAGE_BYTES) {
      // A window may begin within a flash page (IROM does, at 0x400C2000).
      if (this.regionAt(address + offset)?.kind.startsWith('flash') !== true) continue;
      const page = (address + offset) >>> PAGE_SHIFT;
      const delta = mapped ? (this.flashOffset + start - address) | 0 : 0;
      this.loadWord[page] = delta;
      this.loadNarrow[page] = narrow ? delta : 0;
    }
  }

  /** Closes the fast store path of a physical page because code was translated from it; or opens it again. */
  setCodeGuard(physicalPage: number, closed: boolean): void {
    this.setGuard(physicalPage, Guard.CODE, closed);
  }

  setWatchGuard(physicalPage: number, loads: boolean, stores: boolean): void {
    this.setGuard(physicalPage, Guard.WATCHED_LOADS, loads);
    this.setGuard(physicalPage, Guard.WATCHED_STORES, stores);
  }

  private setGuard(physicalPage: number, guard: Guard, closed: boolean): void {
    const old = this.guards[physicalPage] as number;
    const now = closed ? old | guard : old & ~guard;
    if (now === old) return;
    this.guards[physicalPage] = now;
    this.refresh(physicalPage);
  }

  hasCode(physicalPage: number): boolean {
    return ((this.guards[physicalPage] as number) & Guard.CODE) !== 0;
  }

  /**
   * Backing offset of the byte at `address` of RAM or mapped flash, strictness left out (a debugger's and a fetch's
   * view); -1 when nothing is there.
   */
  locate(address: number): number {
    const region = this.regionAt(address);
    if (region === undefined) return -1;
    if (region.kind === 'ram') return region.backing + address - region.base;
    if (region.kind === 'sram1-reversed') {
      const word = (address - region.base) & ~3;
      return region.backing + region.size - 4 - word + (address & 3);
    }
    const delta = this.loadWord[address >>> PAGE_SHIFT] as number;
    return delta === 0 ? -1 : (address + delta) >>> 0;
  }
}
