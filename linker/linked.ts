// A linked image: segments with final bytes, symbols, sections for the map, regions for the bill. Plain data; knows no
// file format.
import type { BoardDescription } from '../compiler/abi/boards.js';
import type { AddressRange } from '../compiler/abi/boards.js';
import type { ObjectInfo } from '../compiler/abi/object-info.js';
import type { SectionKind, SymbolType } from './object.js';

/** Contiguous bytes at an address. */
export interface LinkedSegment {
  readonly name: string;
  readonly address: number;
  /** Null: zero-initialised or left as it is (linear memories). */
  readonly bytes: Uint8Array | null;
  /** Bytes it occupies. */
  readonly size: number;
  readonly executable: boolean;
  readonly writable: boolean;
  /** Flash-mapped: number of its first 64 KiB flash page; null: loaded into RAM. */
  readonly flashPage: number | null;
  /** The kernel copies the bytes here from read-only memory, which holds them a second time: no loader has to. */
  readonly copied?: boolean;
}

/** What a module of the device OS has for itself. */
export interface ModuleRam {
  readonly module: string;
  /** Data, tables and memories. */
  readonly ram: AddressRange;
  readonly stack: AddressRange;
}

/** A section where it ended up. */
export interface LinkedSection {
  readonly name: string;
  readonly object: string;
  readonly origin: 'runtime' | 'module';
  readonly kind: SectionKind;
  readonly region: string;
  readonly address: number;
  readonly size: number;
}

export interface LinkedSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly type: SymbolType;
  readonly binding: 'local' | 'global' | 'weak';
  /** False for plain numbers (capacities, page counts). */
  readonly relative: boolean;
}

export interface LinkedMemory {
  readonly module: string;
  readonly index: number;
  readonly address: number;
  readonly bytes: number;
  readonly capacity: number;
  readonly declaredBytes: number;
  readonly growable: boolean;
}

export interface RegionUse {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly used: number;
}

export interface LinkedModule {
  /** Object's name for people. */
  readonly file: string;
  readonly info: ObjectInfo;
}

export interface LinkedImage {
  readonly board: BoardDescription;
  readonly entry: number;
  /** In address order. */
  readonly segments: readonly LinkedSegment[];
  readonly sections: readonly LinkedSection[];
  /** Global symbols (linker-defined ones included) by name. */
  readonly symbols: ReadonlyMap<string, LinkedSymbol>;
  /** Every named symbol, locals too, by address; for tools. */
  readonly symbolList: readonly LinkedSymbol[];
  readonly memories: readonly LinkedMemory[];
  readonly modules: readonly LinkedModule[];
  readonly regions: readonly RegionUse[];
  readonly stack: AddressRange | null;
  /** Modules with RAM of their own (images of the device OS). */
  readonly moduleRam: readonly ModuleRam[];
  /** Calls that needed a veneer. */
  readonly veneers: number;
}
