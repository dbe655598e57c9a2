// Sections with symbols and relocations in, the bytes of a relocatable ELF32 object for Xtensa out. Knows the System V
// ABI's file layout; no module and no code. GNU ld and readelf accept the result (write-object.test.ts).
import { DiagnosticError, InternalError } from '../../compiler/diagnostics.js';
import type { Relocation } from '../compiled.js';
import type { ObjectSection, SectionSymbol, SectionUse } from './format.js';

const EM_XTENSA = 94;
/** EF_XTENSA_XT_INSN | EF_XTENSA_XT_LIT, as GNU as sets them: property tables may be absent or merged. */
const E_FLAGS = 0x300;
const R_XTENSA_32 = 1;
const R_XTENSA_SLOT0_OP = 20;

const SHT = { PROGBITS: 1, SYMTAB: 2, STRTAB: 3, RELA: 4, NOBITS: 8 } as const;
const SHF = { WRITE: 1, ALLOC: 2, EXECINSTR: 4, INFO_LINK: 0x40 } as const;
const FLAGS: Readonly<Record<SectionUse, number>> = {
  code: SHF.ALLOC | SHF.EXECINSTR,
  rodata: SHF.ALLOC,
  data: SHF.ALLOC | SHF.WRITE,
  bss: SHF.ALLOC | SHF.WRITE,
  info: 0,
};
const STT = { none: 0, object: 1, func: 2 } as const;

/** First reserved section number. */
const SHN_LORESERVE = 0xff00;
const EHDR_BYTES = 52;
const SHDR_BYTES = 40;
const SYM_BYTES = 16;
const RELA_BYTES = 12;

/** Zero-terminated strings, each once. */
class StringTable {
  private readonly parts: Uint8Array[] = [new Uint8Array(1)];
  private readonly offsets = new Map<string, number>([['', 0]]);
  private length = 1;
  private readonly encoder = new TextEncoder();

  add(text: string): number {
    let offset = this.offsets.get(text);
    if (offset === undefined) {
      offset = this.length;
      this.offsets.set(text, offset);
      const bytes = this.encoder.encode(`${text}\0`);
      this.parts.push(bytes);
      this.length += bytes.length;
    }
    return offset;
  }
  bytes(): Uint8Array {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

interface OutSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly bytes: Uint8Array | null;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly entrySize: number;
}

interface OutSymbol {
  readonly name: number;
  readonly value: number;
  readonly size: number;
  /** st_info. */
  readonly info: number;
  readonly section: number;
}

/** @throws InternalError on a symbol defined twice. Undefined symbols become global references. */
export function writeObject(sections: readonly ObjectSection[]): Uint8Array {
  const strings = new StringTable();
  const symbols = new SymbolTable(strings);
  sections.forEach((section, i) => {
    for (const symbol of section.symbols) symbols.define(symbol, i + 1);
  });
  for (const section of sections) for (const { symbol } of section.relocations) symbols.reference(symbol);
  symbols.finish();

  const symtabIndex = 1 + sections.length + sections.filter(({ relocations }) => relocations.length > 0).length;
  const out: OutSection[] = [blankSection];
  for (const section of sections) {
    out.push({
      name: section.name,
      type: section.use === 'bss' ? SHT.NOBITS : SHT.PROGBITS,
      flags: FLAGS[section.use],
      align: section.align,
      bytes: section.bytes,
      size: section.size,
      link: 0,
      info: 0,
      entrySize: 0,
    });
  }
  sections.forEach((section, i) => {
    if (section.relocations.length === 0) return;
    const bytes = relaBytes(section.relocations, symbols);
    out.push({
      name: `.rela${section.name}`,
      type: SHT.RELA,
      flags: SHF.INFO_LINK,
      align: 4,
      bytes,
      size: bytes.length,
      link: symtabIndex,
      info: i + 1,
      entrySize: RELA_BYTES,
    });
  });
  const table = symbols.bytes();
  out.push({
    name: '.symtab',
    type: SHT.SYMTAB,
    flags: 0,
    align: 4,
    bytes: table,
    size: table.length,
    link: symtabIndex + 1,
    info: symbols.firstGlobal,
    entrySize: SYM_BYTES,
  });
  out.push(stringSection('.strtab', strings.bytes()));
  if (out.length >= SHN_LORESERVE) throw new DiagnosticError('W501', 'module has too many functions for one object');
  const names = new StringTable();
  for (const { name } of out) names.add(name);
  names.add('.shstrtab');
  out.push(stringSection('.shstrtab', names.bytes()));
  return fileBytes(out, names);
}

const blankSection: OutSection = {
  name: '',
  type: 0,
  flags: 0,
  align: 0,
  bytes: null,
  size: 0,
  link: 0,
  info: 0,
  entrySize: 0,
};

function stringSection(name: string, bytes: Uint8Array): OutSection {
  return { ...blankSection, name, type: SHT.STRTAB, align: 1, bytes, size: bytes.length };
}

/** Symbols in ELF's order: the null symbol, locals, globals; undefined ones last. */
class SymbolTable {
  firstGlobal = 1;
  private readonly locals: OutSymbol[] = [];
  private readonly globals: OutSymbol[] = [];
  private readonly localIndex = new Map<string, number>();
  private readonly globalIndex = new Map<string, number>();
  private readonly undefinedNames = new Set<string>();

  constructor(private readonly strings: StringTable) {}

  define(symbol: SectionSymbol, section: number): void {
    const { name, offset, size, kind, global } = symbol;
    if (this.localIndex.has(name) || this.globalIndex.has(name))
      throw new InternalError(`symbol ${name} defined twice`);
    const list = global ? this.globals : this.locals;
    (global ? this.globalIndex : this.localIndex).set(name, list.length);
    const info = (global ? 1 << 4 : 0) | STT[kind];
    list.push({ name: this.strings.add(name), value: offset, size, info, section });
  }
  reference(name: string): void {
    if (!this.localIndex.has(name) && !this.globalIndex.has(name)) this.undefinedNames.add(name);
  }
  finish(): void {
    this.firstGlobal = 1 + this.locals.length;
    for (const name of this.undefinedNames) {
      this.globalIndex.set(name, this.globals.length);
      this.globals.push({ name: this.strings.add(name), value: 0, size: 0, info: 1 << 4, section: 0 });
    }
  }
  indexOf(name: string): number {
    const local = this.localIndex.get(name);
    return local !== undefined ? 1 + local : this.firstGlobal + this.globalIndex.get(name)!;
  }
  bytes(): Uint8Array {
    const all = [...this.locals, ...this.globals];
    const bytes = new Uint8Array(SYM_BYTES * (1 + all.length));
    const view = new DataView(bytes.buffer);
    all.forEach(({ name, value, size, info, section }, i) => {
      const at = SYM_BYTES * (i + 1);
      view.setUint32(at, name, true);
      view.setUint32(at + 4, value, true);
      view.setUint32(at + 8, size, true);
      view.setUint8(at + 12, info);
      view.setUint16(at + 14, section, true);
    });
    return bytes;
  }
}

function relaBytes(relocations: readonly Relocation[], symbols: SymbolTable): Uint8Array {
  const bytes = new Uint8Array(RELA_BYTES * relocations.length);
  const view = new DataView(bytes.buffer);
  relocations.forEach(({ offset, kind, symbol, addend }, i) => {
    const at = RELA_BYTES * i;
    const type = kind === 'abs32' ? R_XTENSA_32 : R_XTENSA_SLOT0_OP;
    view.setUint32(at, offset, true);
    view.setUint32(at + 4, (symbols.indexOf(symbol) << 8) | type, true);
    view.setInt32(at + 8, addend, true);
  });
  return bytes;
}

function fileBytes(sections: readonly OutSection[], names: StringTable): Uint8Array {
  const offsets: number[] = [];
  let at = EHDR_BYTES;
  for (const { bytes, align } of sections) {
    at = align > 1 ? Math.ceil(at / align) * align : at;
    offsets.push(at);
    at += bytes?.length ?? 0;
  }
  const headers = Math.ceil(at / 4) * 4;
  const file = new Uint8Array(headers + SHDR_BYTES * sections.length);
  const view = new DataView(file.buffer);
  // e_ident: ELF, 32 bits, little endian, version 1.
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1], 0);
  view.setUint16(16, 1, true);
  view.setUint16(18, EM_XTENSA, true);
  view.setUint32(20, 1, true);
  view.setUint32(32, headers, true);
  view.setUint32(36, E_FLAGS, true);
  view.setUint16(40, EHDR_BYTES, true);
  view.setUint16(46, SHDR_BYTES, true);
  view.setUint16(48, sections.length, true);
  view.setUint16(50, sections.length - 1, true);
  sections.forEach((section, i) => {
    if (section.bytes !== null) file.set(section.bytes, offsets[i]!);
    const header = headers + SHDR_BYTES * i;
    const words = [
      names.add(section.name),
      section.type,
      section.flags,
      0,
      i === 0 ? 0 : offsets[i]!,
      section.size,
      section.link,
      section.info,
      section.align,
      section.entrySize,
    ];
    words.forEach((word, k) => view.setUint32(header + 4 * k, word, true));
  });
  return file;
}
