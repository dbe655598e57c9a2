// What every layout does with sections: pick them by kind, give them addresses in a region, define the symbols around
// them. Refuses to know which region is for what.
import { LinkerSymbol } from '../compiler/abi/linker-symbols.js';
import type { InputObject, InputSection, SectionKind } from './object.js';
import { alignUp } from './regions.js';
import type { Region } from './regions.js';

/** Effective size of a section, veneers included. */
export type SizeOf = (section: InputSection) => number;

export interface LoadAddress {
  readonly address: number;
  readonly region: Region;
}

/** Mutable state of one layout run. */
export class Placer {
  readonly addresses = new Map<InputSection, number>();
  readonly regionOf = new Map<InputSection, Region>();
  readonly symbols = new Map<string, number>();
  /** Where the bytes of sections wait that are copied to their addresses at run time. */
  readonly loadAddresses = new Map<InputSection, LoadAddress>();
  constructor(readonly sizeOf: SizeOf) {}

  place(sections: readonly InputSection[], region: Region): void {
    for (const section of sections) {
      // Code sections must begin and end on words: IRAM is written in words.
      const align = section.kind === 'code' ? Math.max(4, section.align) : section.align;
      this.addresses.set(section, region.take(this.sizeOf(section), align));
      this.regionOf.set(section, region);
    }
  }

  total(sections: readonly InputSection[]): number {
    let bytes = 0;
    for (const section of sections) bytes = alignUp(bytes, Math.max(4, section.align)) + this.sizeOf(section);
    return bytes;
  }
}

export class Pick {
  constructor(private readonly sections: Iterable<InputSection>) {}
  of(kind: SectionKind, origin?: 'runtime' | 'module'): InputSection[] {
    const found: InputSection[] = [];
    for (const section of this.sections)
      if (section.kind === kind && (origin === undefined || section.object.origin === origin)) found.push(section);
    return found;
  }
}

/** Live sections in the order of the objects and of the file: the sorted tables of a module rely on it. */
export function inOrder(objects: readonly InputObject[], live: ReadonlySet<InputSection>): InputSection[] {
  const ordered: InputSection[] = [];
  for (const object of objects) for (const section of object.sections) if (live.has(section)) ordered.push(section);
  return ordered;
}

export function refersTo(objects: readonly InputObject[], name: string): boolean {
  return objects.some(({ symbols }) => symbols.some((symbol) => symbol.name === name));
}

export function placeBss(placer: Placer, bss: readonly InputSection[], region: Region): void {
  region.cursor = alignUp(region.cursor, 4);
  // The first section's alignment belongs before the start, so that the bounds are tight and word-aligned.
  if (bss.length > 0) region.cursor = alignUp(region.cursor, Math.max(4, bss[0]!.align));
  placer.symbols.set(LinkerSymbol.BssStart, region.cursor);
  placer.place(bss, region);
  region.cursor = alignUp(region.cursor, 4);
  placer.symbols.set(LinkerSymbol.BssEnd, region.cursor);
}

export function placeModules(placer: Placer, modules: readonly InputSection[], region: Region): void {
  region.cursor = alignUp(region.cursor, 4);
  placer.symbols.set(LinkerSymbol.ModulesStart, region.cursor);
  placer.place(modules, region);
  placer.symbols.set(LinkerSymbol.ModulesEnd, region.cursor);
}
