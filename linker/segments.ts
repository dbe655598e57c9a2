// Takes placed sections with their bytes, gives the contiguous segments that a loader or an image writer handles.
// Refuses to know file formats.
import { LinkerSymbol } from '../compiler/abi/linker-symbols.js';
import type { Layout } from './layout.js';
import type { LinkedSegment } from './linked.js';
import type { InputSection } from './object.js';
import { alignUp } from './regions.js';
import type { VeneerPlan } from './veneers.js';

/** Regions whose segment is mapped from flash, with the symbol of its first page. */
const FLASH_PAGE: Readonly<Record<string, string>> = {
  IROM: LinkerSymbol.IromFlashPage,
  DROM: LinkerSymbol.DromFlashPage,
};

/**
 * Per region one segment with bytes for the initialised sections and one without for zero-initialised ones; one more
 * per linear memory.
 * @param bytesOf final bytes of the sections that have some
 */
export function buildSegments(
  live: ReadonlySet<InputSection>,
  bytesOf: ReadonlyMap<InputSection, Uint8Array>,
  layout: Layout,
  veneers: VeneerPlan,
  pages: ReadonlyMap<string, number>,
): LinkedSegment[] {
  const byRegion = new Map<string, InputSection[]>();
  const bssByRegion = new Map<string, InputSection[]>();
  const segments: LinkedSegment[] = [];
  for (const section of live) {
    const size = veneers.sizeOf(section);
    if (size === 0) continue;
    const region = layout.regionOf.get(section)!.name;
    if (bytesOf.has(section)) {
      const list = byRegion.get(region);
      if (list === undefined) byRegion.set(region, [section]);
      else list.push(section);
      continue;
    }
    if (section.kind === 'bss') {
      const list = bssByRegion.get(region);
      if (list === undefined) bssByRegion.set(region, [section]);
      else list.push(section);
    } else {
      segments.push(withoutBytes(section.name, layout.addresses.get(section)!, size));
    }
  }
  for (const sections of bssByRegion.values()) {
    const { start, end } = bounds(sections, layout, veneers);
    segments.push(withoutBytes('.bss', start, end - start));
  }
  for (const [name, sections] of byRegion) {
    const { end } = bounds(sections, layout, veneers);
    // From the region's start, which may hold padding, in words: that is how IRAM is loaded.
    const start = Math.floor(layout.regionOf.get(sections[0]!)!.base / 4) * 4;
    const bytes = new Uint8Array(alignUp(end, 4) - start);
    for (const section of sections) bytes.set(bytesOf.get(section)!, layout.addresses.get(section)! - start);
    const pageSymbol = FLASH_PAGE[name];
    segments.push({
      name: name === 'DRAM (loaded)' ? 'DRAM' : name,
      address: start,
      bytes,
      size: bytes.length,
      executable: sections.some((section) => section.kind === 'code' || section.kind === 'vectors'),
      writable: sections.some((section) => section.kind === 'data'),
      flashPage: pageSymbol === undefined ? null : (pages.get(pageSymbol) ?? null),
    });
  }
  return segments.sort((a, b) => a.address - b.address);
}

function withoutBytes(name: string, address: number, size: number): LinkedSegment {
  return { name, address, bytes: null, size, executable: false, writable: true, flashPage: null };
}

function bounds(
  sections: readonly InputSection[],
  layout: Layout,
  veneers: VeneerPlan,
): { readonly start: number; readonly end: number } {
  let start = Infinity;
  let end = 0;
  for (const section of sections) {
    const address = layout.addresses.get(section)!;
    start = Math.min(start, address);
    end = Math.max(end, address + veneers.sizeOf(section));
  }
  return { start, end };
}
