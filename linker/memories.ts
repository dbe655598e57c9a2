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

interface Claim {
  readonly section: InputSection;
  readonly module: string;
  readonly index: number;
  readonly info: ObjectMemoryInfo | null;
  /** Bytes beyond the initial size that the module could use, a multiple of its page size. */
  readonly wanted: number;
  granted: number;
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
  const claims = sections.map((section) => claim(section, growthLimit));
  const claimants = claims.filter((entry) => entry.wanted > 0).sort((a, b) => a.wanted - b.wanted);
  let left = region.end - alignUp(region.cursor, MEMORY_ALIGN);
  for (const { section } of claims) left -= alignUp(section.size, MEMORY_ALIGN);
  claimants.forEach((entry, i) => {
    const share = Math.max(0, Math.min(entry.wanted, Math.floor(left / (claimants.length - i))));
    const page = 2 ** (entry.info?.pageShift ?? 0);
    entry.granted = Math.floor(share / page) * page;
    left -= alignUp(entry.granted, MEMORY_ALIGN);
  });
  const ordered = [...claims.filter((entry) => entry.wanted === 0), ...claims.filter((entry) => entry.wanted > 0)];
  return ordered.map(({ section, module, index, info, granted }) => {
    const capacity = section.size + granted;
    symbols.set(memoryCapacitySymbol(module, index), capacity);
    const address = region.take(capacity, Math.max(MEMORY_ALIGN, section.align));
    return { section, module, index, address, bytes: section.size, capacity, info };
  });
}

function claim(section: InputSection, growthLimit: number | null): Claim {
  const { info: object } = section.object;
  const index = Number(section.name.slice('.wasm_memory.'.length));
  const info = object?.memories.find((memory) => memory.index === index) ?? null;
  const maximum = Math.min(info?.maxBytes ?? ADDRESS_SPACE, growthLimit ?? ADDRESS_SPACE);
  const wanted = info?.growable === true ? Math.max(0, maximum - section.size) : 0;
  return { section, module: object?.module ?? section.object.name, index, info, wanted, granted: 0 };
}
