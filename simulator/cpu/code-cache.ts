// Code the machine has decoded or translated, by address, and what must be thrown away when memory under it changes.
// Takes addresses, gives entries; knows no semantics and no translation.

import type { Memory } from '../bus/memory.js';
import { PAGE_BYTES, PAGE_SHIFT } from '../bus/memory.js';
import type { DecodedOp } from './decoded.js';

/** A straight run of decoded instructions: the last one may leave it, the others do not. */
export class Block {
  constructor(
    readonly ops: readonly DecodedOp[],
    /** Upper bound of its cycles. */
    readonly maxCycles: number,
  ) {}
}

/**
 * Translated code: runs until it leaves its region or a count would pass its limit.
 * @returns pc to go on with
 */
export type RegionFunction = (maxInstructions: number, maxCycles: number) => number;

export class Region {
  constructor(
    readonly run: RegionFunction,
    /** Upper bounds of what it executes between two looks at its limits. */
    readonly maxInstructions: number,
    readonly maxCycles: number,
    readonly usesFloat: boolean,
    /** Addresses of all its instructions lie within [start, end). */
    readonly start: number,
    readonly end: number,
  ) {}
}

/** What is known about the code at one address. */
export class Entry {
  block: Block | undefined = undefined;
  region: Region | undefined = undefined;
  /** How often the interpreter has begun a block here since the last translation. */
  heat = 0;
  /** The interpreter has begun a block here at least once. */
  warm = false;
  /** How often its region was made again because a cold exit turned hot. */
  rebuilds = 0;
  /** How often the region came back without having done anything. */
  idle = 0;

  constructor(readonly pc: number) {}
}

class CodePage {
  readonly entries = new Array<Entry | undefined>(PAGE_BYTES);
  /** Bytes [first, last] of the page hold decoded code. */
  first = PAGE_BYTES;
  last = -1;
}

export class CodeCache {
  private readonly pages = new Map<number, CodePage>();
  /** Changes whenever entries are thrown away. */
  generation = 0;
  /** The page looked up last. */
  private lastNumber = -1;
  private lastPage: CodePage | undefined = undefined;
  /** Virtual code pages decoded from each physical page. */
  private readonly byPhysical = new Map<number, Set<number>>();
  private readonly regions = new Set<Entry>();

  constructor(private readonly memory: Memory) {}

  /** The entry at an address, made when missing. */
  entry(pc: number): Entry {
    const number = pc >>> PAGE_SHIFT;
    let page = this.lastPage;
    if (page === undefined || number !== this.lastNumber) {
      page = this.page(number);
      this.lastNumber = number;
      this.lastPage = page;
    }
    return (page.entries[pc & (PAGE_BYTES - 1)] ??= new Entry(pc));
  }

  /** The entry at an address if there is one. */
  find(pc: number): Entry | undefined {
    return this.pages.get(pc >>> PAGE_SHIFT)?.entries[pc & (PAGE_BYTES - 1)];
  }

  private page(number: number): CodePage {
    let page = this.pages.get(number);
    if (page === undefined) {
      page = new CodePage();
      this.pages.set(number, page);
    }
    return page;
  }

  /** Notes that code was decoded from [start, end): stores to it must be seen from now on. */
  cover(start: number, end: number): void {
    for (let number = start >>> PAGE_SHIFT; number <= (end - 1) >>> PAGE_SHIFT; number++) {
      const page = this.page(number);
      const base = number * PAGE_BYTES;
      const first = Math.max(start - base, 0);
      const last = Math.min(end - 1 - base, PAGE_BYTES - 1);
      if (first >= page.first && last <= page.last) continue;
      page.first = Math.min(page.first, first);
      page.last = Math.max(page.last, last);
      // SRAM1 seen from the instruction side is reversed, so its two ends give the physical pages too.
      for (const address of [base + page.first, base + page.last]) {
        const offset = this.memory.locate(address);
        if (offset >= 0 && offset < this.memory.flashOffset) this.guard(offset >>> PAGE_SHIFT, number);
      }
    }
  }

  private guard(physical: number, virtual: number): void {
    const set = this.byPhysical.get(physical);
    if (set === undefined) this.byPhysical.set(physical, new Set([virtual]));
    else set.add(virtual);
    this.memory.setCodeGuard(physical, true);
  }

  /**
   * Bytes of the backing store changed: forgets code decoded from their page.
   * @returns true when there was any
   */
  invalidatePhysical(offset: number, size: number): boolean {
    let any = false;
    for (let physical = offset >>> PAGE_SHIFT; physical <= (offset + size - 1) >>> PAGE_SHIFT; physical++) {
      const virtuals = this.byPhysical.get(physical);
      if (virtuals === undefined) continue;
      let touched = false;
      for (const number of virtuals) touched ||= this.touches(number, physical, offset, size);
      if (!touched) continue;
      any = true;
      for (const number of virtuals) this.dropPage(number);
      this.byPhysical.delete(physical);
      this.memory.setCodeGuard(physical, false);
    }
    return any;
  }

  /** True when the changed bytes meet the decoded range of a virtual page (assumed for reversed memory). */
  private touches(number: number, physical: number, offset: number, size: number): boolean {
    const page = this.pages.get(number);
    if (page === undefined) return false;
    const base = this.memory.locate(number * PAGE_BYTES);
    if (base >>> PAGE_SHIFT !== physical || (base & (PAGE_BYTES - 1)) !== 0) return true;
    return offset + size > base + page.first && offset <= base + page.last;
  }

  private dropPage(number: number): void {
    const start = number * PAGE_BYTES;
    this.pages.delete(number);
    this.generation++;
    this.lastPage = undefined;
    this.dropRegions(start, start + PAGE_BYTES);
    // Blocks of the page before may run into this one.
    const before = this.pages.get(number - 1);
    if (before !== undefined) for (const entry of before.entries) if (entry !== undefined) entry.block = undefined;
  }

  addRegion(entry: Entry, region: Region): void {
    entry.region = region;
    this.regions.add(entry);
  }

  /** Forgets one region; its entry stays hot, so it is made again soon. */
  dropRegion(entry: Entry): void {
    entry.region = undefined;
    this.regions.delete(entry);
  }

  /** Forgets translated code that touches [start, end); decoded blocks stay. */
  dropRegions(start: number, end: number): void {
    for (const entry of this.regions) {
      const region = entry.region;
      if (region === undefined || (region.start < end && region.end > start)) {
        entry.region = undefined;
        entry.heat = 0;
        this.regions.delete(entry);
      }
    }
  }

  /** Forgets the code in [start, end), which the flash mapping has changed. */
  dropRange(start: number, end: number): void {
    for (const number of [...this.pages.keys()]) {
      if (number >= start >>> PAGE_SHIFT && number < end >>> PAGE_SHIFT) this.dropPage(number);
    }
  }

  /** Forgets everything: flash contents changed, or breakpoints did. */
  clear(): void {
    this.pages.clear();
    this.generation++;
    this.lastPage = undefined;
    this.regions.clear();
    for (const physical of this.byPhysical.keys()) this.memory.setCodeGuard(physical, false);
    this.byPhysical.clear();
  }

  /** True when code at the address may have been decoded. */
  isCovered(address: number): boolean {
    const page = this.pages.get(address >>> PAGE_SHIFT);
    const at = address & (PAGE_BYTES - 1);
    return page !== undefined && at >= page.first && at <= page.last;
  }

  get regionCount(): number {
    return this.regions.size;
  }
}
