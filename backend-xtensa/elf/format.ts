// The sections of an object before they have file offsets: what each holds, its symbols and relocations. Plain data and
// small builders; knows no module and no byte layout of ELF (write-object.ts).
import type { Relocation } from '../compiled.js';

export type SymbolKind = 'func' | 'object' | 'none';

export interface SectionSymbol {
  readonly name: string;
  /** Offset in the section. */
  readonly offset: number;
  readonly size: number;
  readonly kind: SymbolKind;
  readonly global: boolean;
}

/** What the loader has to do with a section; decides type and flags. */
export type SectionUse = 'code' | 'rodata' | 'data' | 'bss' | 'info';

export interface ObjectSection {
  readonly name: string;
  readonly use: SectionUse;
  readonly align: number;
  /** Null for `bss`. */
  readonly bytes: Uint8Array | null;
  readonly size: number;
  readonly relocations: readonly Relocation[];
  readonly symbols: readonly SectionSymbol[];
}

/** Builds a section of words and bytes. */
export class SectionBuilder {
  private bytes = new Uint8Array(256);
  private length = 0;
  private readonly relocations: Relocation[] = [];
  private readonly symbols: SectionSymbol[] = [];

  constructor(
    private readonly name: string,
    private readonly use: 'rodata' | 'data',
    private readonly align = 4,
  ) {}

  get size(): number {
    return this.length;
  }

  /** Room for `size` zero bytes; gives their offset. */
  reserve(size: number, align = 4): number {
    const at = Math.ceil(this.length / align) * align;
    const end = at + size;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2));
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.length = end;
    return at;
  }
  setU32(at: number, value: number): void {
    new DataView(this.bytes.buffer).setUint32(at, value >>> 0, true);
  }
  setU8(at: number, value: number): void {
    this.bytes[at] = value;
  }
  setU16(at: number, value: number): void {
    new DataView(this.bytes.buffer).setUint16(at, value & 0xffff, true);
  }
  /** Word at `at` = symbol + addend. */
  setAddress(at: number, symbol: string, addend = 0): void {
    this.relocations.push({ offset: at, kind: 'abs32', symbol, addend });
  }
  append(content: Uint8Array, align = 1): number {
    const at = this.reserve(content.length, align);
    this.bytes.set(content, at);
    return at;
  }
  symbol(name: string, offset: number, size: number, global = true): void {
    this.symbols.push({ name, offset, size, kind: 'object', global });
  }
  finish(): ObjectSection {
    const { name, use, align, length: size, relocations, symbols } = this;
    return { name, use, align, bytes: this.bytes.slice(0, size), size, relocations, symbols };
  }
}

/** Zero-initialised section. */
export function bssSection(
  name: string,
  size: number,
  align: number,
  symbols: readonly SectionSymbol[],
): ObjectSection {
  return { name, use: 'bss', align, bytes: null, size, relocations: [], symbols };
}
