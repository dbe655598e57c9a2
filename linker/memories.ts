// Takes the linear memories and the region that holds them, gives each an address and a capacity for growth. Refuses
// to know code and data sections.
import { memoryCapacitySymbol } from '../compiler/abi/symbols.js';
import type { ObjectMemoryInfo } from '../compiler/abi/object-info.js';
import type { InputSection } from './object.js';
import { alignUp } from './regions.js';
import type { Region } from './regions.js';

export interface PlacedMemory {
  readonly section: InputSection;
  /** Name of the owning module. */
  readonly module: string;
  readonly index: number;
  readonly address: number;
  /** Bytes at instantiation. */
  readonly bytes: number;
  /** Bytes reserved; memory.grow beyond it gives -1. */
  readonly capacity: number;
  readonly info: ObjectMemoryInfo | null;
}

/** A memory and what it may grow by. */
export interface MemoryClaim {
  readonly section: InputSection;
  readonly module: string;
  readonly index: number;
  readonly info: ObjectMemoryInfo | null;
  /** Bytes beyond the initial size that the module could use, a multiple of its page size. */
  readonly wanted: number;
  /** Gets all it wants, or the image does not fit. */
  readonly firm: boolean;
  granted: number;
}

/** What a growable memory's capacity is limited to, in bytes; `firm`: it is that and not less. */
export interface GrowthLimit {
  readonly bytes: number | null;
  readonly firm: boolean;
}

const MEMORY_ALIGN = 16;
/** A 32-bit address space holds no more. */
const ADDRESS_SPACE = 0x1_0000_0000;

/**
 * Places fixed memories first, then growable ones, which share what is left of the region: equally, but nobody gets
 * more than its declared maximum, and what one leaves the others get.
 * @param growthLimit upper limit in bytes of a growable memory's capacity, or null
 * @param symbols receives the capacity symbols
 */
export function placeMemories(
  sections: readonly InputSection[],
  region: Region,
  growthLimit: number | null,
  symbols: Map<string, number>,
): PlacedMemory[] {
  const claims = claimMemories(sections, () => ({ bytes: growthLimit, firm: false }));
  shareRoom(claims, region.end - alignUp(region.cursor, MEMORY_ALIGN));
  const fixedFirst = [...claims.filter((entry) => entry.wanted === 0), ...claims.filter((entry) => entry.wanted > 0)];
  return placeClaims(fixedFirst, region, symbols);
}

export function claimMemories(
  sections: readonly InputSection[],
  limitOf: (module: string) => GrowthLimit,
): MemoryClaim[] {
  return sections.map((section) => claim(section, limitOf));
}

/** Grants growth: to firm claims all, to the others equal shares of what `room` (bytes, 16-aligned) then leaves. */
export function shareRoom(claims: readonly MemoryClaim[], room: number): void {
  let left = room;
  for (const entry of claims) {
    if (entry.firm) entry.granted = entry.wanted;
    left -= alignUp(entry.section.size + entry.granted, MEMORY_ALIGN);
  }
  const claimants = claims.filter((entry) => entry.wanted > 0 && !entry.firm).sort((a, b) => a.wanted - b.wanted);
  claimants.forEach((entry, i) => {
    const share = Math.max(0, Math.min(entry.wanted, Math.floor(left / (claimants.length - i))));
    const page = 2 ** (entry.info?.pageShift ?? 0);
    entry.granted = Math.floor(share / page) * page;
    left -= alignUp(entry.granted, MEMORY_ALIGN);
  });
}

/** @param symbols receives the capacity symbols */
export function placeClaims(
  claims: readonly MemoryClaim[],
  region: Region,
  symbols: Map<string, number>,
): PlacedMemory[] {
  return claims.map(({ section, module, index, info, granted }) => {
    const capacity = section.size + granted;
    symbols.set(memoryCapacitySymbol(module, index), capacity);
    const address = region.take(capacity, Math.max(MEMORY_ALIGN, section.align));
    return { section, module, index, address, bytes: section.size, capacity, info };
  });
}

function claim(section: InputSection, limitOf: (module: string) => GrowthLimit): MemoryClaim {
  const { info: object } = section.object;
  const index = Number(section.name.slice('.wasm_memory.'.length));
  const info = object?.memories.find((memory) => memory.index === index) ?? null;
  const module = object?.module ?? section.object.name;
  const { bytes: limit, firm } = limitOf(module);
  const maximum = Math.min(info?.maxBytes ?? ADDRESS_SPACE, limit ?? ADDRESS_SPACE);
  const page = 2 ** (info?.pageShift ?? 0);
  const wanted = info?.growable === true ? Math.max(0, Math.floor((maximum - section.size) / page) * page) : 0;
  return { section, module, index, info, wanted, firm: firm && limit !== null, granted: 0 };
}
