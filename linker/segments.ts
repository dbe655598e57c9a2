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

interface Placed {
  readonly section: InputSection;
  readonly address: number;
}

/** Lists by key, in the order of their first entries. */
function append(lists: Map<string, Placed[]>, key: string, entry: Placed): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [entry]);
  else list.push(entry);
}

/**
 * Per region one segment with bytes for the initialised sections and one without for zero-initialised ones; one more
 * per linear memory. A module with RAM of its own has a segment for its data and one for its zeros.
 * @param bytesOf final bytes of the sections that have some
 */
export function buildSegments(
  live: ReadonlySet<InputSection>,
  bytesOf: ReadonlyMap<InputSection, Uint8Array>,
  layout: Layout,
  veneers: VeneerPlan,
  pages: ReadonlyMap<string, number>,
): LinkedSegment[] {
  const byRegion = new Map<string, Placed[]>();
  const zeros = new Map<string, Placed[]>();
  const copied = new Map<string, Placed[]>();
  const regionBase = new Map(layout.regions.map(({ name, base }) => [name, base]));
  const hasOwnRam = new Set(layout.modules?.map(({ module }) => module));
  const segments: LinkedSegment[] = [];
  for (const section of live) {
    if (veneers.sizeOf(section) === 0) continue;
    const address = layout.addresses.get(section)!;
    const region = layout.regionOf.get(section)!.name;
    const module = section.object.info?.module ?? '';
    const owner = hasOwnRam.has(module) ? module : '';
    const load = layout.loadAddresses?.get(section);
    if (load !== undefined) {
      append(byRegion, load.region.name, { section, address: load.address });
      append(copied, owner, { section, address });
    } else if (bytesOf.has(section)) append(byRegion, region, { section, address });
    else if (section.kind === 'bss') append(zeros, `${region}\0${owner}`, { section, address });
    else segments.push(withoutBytes(section.name, address, veneers.sizeOf(section)));
  }
  for (const sections of zeros.values()) {
    const { start, end } = bounds(sections, veneers);
    segments.push(withoutBytes('.bss', start, end - start));
  }
  for (const [owner, sections] of copied) {
    const { start } = bounds(sections, veneers);
    const bytes = join(sections, start, bytesOf, veneers);
    const place = { address: start, bytes, size: bytes.length, flashPage: null };
    segments.push({ name: `.data.${owner}`, ...place, executable: false, writable: true, copied: true });
  }
  for (const [name, sections] of byRegion) {
    // From the region's start, which may hold padding, in words: that is how IRAM is loaded.
    const start = Math.floor(regionBase.get(name)! / 4) * 4;
    const bytes = join(sections, start, bytesOf, veneers);
    const pageSymbol = FLASH_PAGE[name];
    segments.push({
      name: name === 'DRAM (loaded)' ? 'DRAM' : name,
      address: start,
      bytes,
      size: bytes.length,
      executable: sections.some(({ section }) => section.kind === 'code' || section.kind === 'vectors'),
      writable: sections.some(({ section }) => section.kind === 'data'),
      flashPage: pageSymbol === undefined ? null : (pages.get(pageSymbol) ?? null),
    });
  }
  return segments.sort((a, b) => a.address - b.address);
}

/** The bytes of all of them from `start` on, in words. */
function join(
  sections: readonly Placed[],
  start: number,
  bytesOf: ReadonlyMap<InputSection, Uint8Array>,
  veneers: VeneerPlan,
): Uint8Array {
  const bytes = new Uint8Array(alignUp(bounds(sections, veneers).end, 4) - start);
  for (const { section, address } of sections) bytes.set(bytesOf.get(section)!, address - start);
  return bytes;
}

function withoutBytes(name: string, address: number, size: number): LinkedSegment {
  return { name, address, bytes: null, size, executable: false, writable: true, flashPage: null };
}

function bounds(sections: readonly Placed[], veneers: VeneerPlan): { readonly start: number; readonly end: number } {
  let start = Infinity;
  let end = 0;
  for (const { section, address } of sections) {
    start = Math.min(start, address);
    end = Math.max(end, address + veneers.sizeOf(section));
  }
  return { start, end };
}
