// Takes a linked image, gives an ELF32 Xtensa executable with program headers, sections and symbols for debuggers and
// other people's tools. Refuses to know the flash image.
import {
  EHDR_BYTES,
  EM_XTENSA,
  ET,
  PF,
  PHDR_BYTES,
  PT_LOAD,
  SHDR_BYTES,
  SHF,
  SHN,
  SHT,
  STB,
  STT,
  SYM_BYTES,
} from './elf-constants.js';
import type { LinkedImage, LinkedSegment, LinkedSymbol } from './linked.js';
import type { SymbolType } from './object.js';

const TYPE_CODE: Readonly<Record<SymbolType, number>> = {
  none: STT.NOTYPE,
  object: STT.OBJECT,
  function: STT.FUNC,
  section: STT.SECTION,
  file: STT.FILE,
};
const BINDING_CODE = { local: STB.LOCAL, global: STB.GLOBAL, weak: STB.WEAK } as const;

/** A string table under construction. */
class Strings {
  private readonly parts: Buffer[] = [Buffer.from([0])];
  private readonly offsets = new Map<string, number>([['', 0]]);
  private length = 1;

  add(text: string): number {
    const known = this.offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.length;
    const bytes = Buffer.from(`${text}\0`, 'utf8');
    this.parts.push(bytes);
    this.length += bytes.length;
    this.offsets.set(text, offset);
    return offset;
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly bytes: Uint8Array | null;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entsize: number;
}

/**
 * The executable's bytes. Sections are the image's segments, named `.iram`, `.dram`, `.irom`, `.drom`, `.bss...`.
 * @param notes contents of further sections by name, which no loader loads
 */
export function writeElf(image: LinkedImage, notes: ReadonlyMap<string, Uint8Array> = new Map()): Uint8Array {
  const segments = image.segments;
  const sections: Section[] = [null, ...segments].map((segment) =>
    segment === null ? NULL_SECTION : sectionOf(segment),
  );
  const strings = new Strings();
  const symbols = image.symbolList.filter((symbol) => symbol.name !== '');
  const ordered = [
    ...symbols.filter((symbol) => symbol.binding === 'local'),
    ...symbols.filter((symbol) => symbol.binding !== 'local'),
  ];
  const firstGlobal = 1 + symbols.filter((symbol) => symbol.binding === 'local').length;
  const symtab = symbolTable(ordered, segments, strings);
  for (const [name, bytes] of notes) sections.push(table(name, SHT.PROGBITS, bytes));
  const names = new Strings();
  for (const section of sections) names.add(section.name);
  for (const name of ['.symtab', '.strtab', '.shstrtab']) names.add(name);
  const strtabIndex = sections.length + 1;
  sections.push(
    table('.symtab', SHT.SYMTAB, symtab, { link: strtabIndex, info: firstGlobal, align: 4, entsize: SYM_BYTES }),
    table('.strtab', SHT.STRTAB, strings.bytes()),
    table('.shstrtab', SHT.STRTAB, names.bytes()),
  );
  return assemble(image.entry, segments, sections, names);
}

const NULL_SECTION: Section = {
  name: '',
  type: 0,
  flags: 0,
  address: 0,
  bytes: null,
  size: 0,
  link: 0,
  info: 0,
  align: 0,
  entsize: 0,
};

function table(
  name: string,
  type: number,
  bytes: Uint8Array,
  extra: Partial<Pick<Section, 'link' | 'info' | 'align' | 'entsize'>> = {},
): Section {
  return { ...NULL_SECTION, name, type, bytes, size: bytes.length, align: 1, ...extra };
}

function sectionOf(segment: LinkedSegment): Section {
  const flags = SHF.ALLOC | (segment.executable ? SHF.EXECINSTR : 0) | (segment.writable ? SHF.WRITE : 0);
  const name = segment.name.startsWith('.')
    ? segment.name
    : `.${segment.name.toLowerCase().replace(/[^a-z0-9]+/g, '_')}`;
  const type = segment.bytes === null ? SHT.NOBITS : SHT.PROGBITS;
  return {
    ...NULL_SECTION,
    name,
    type,
    flags,
    address: segment.address,
    bytes: segment.bytes,
    size: segment.size,
    align: 4,
  };
}

function symbolTable(
  symbols: readonly LinkedSymbol[],
  segments: readonly LinkedSegment[],
  strings: Strings,
): Uint8Array {
  const bytes = new Uint8Array((symbols.length + 1) * SYM_BYTES);
  const view = new DataView(bytes.buffer);
  symbols.forEach((symbol, i) => {
    const at = (i + 1) * SYM_BYTES;
    view.setUint32(at, strings.add(symbol.name), true);
    view.setUint32(at + 4, symbol.address, true);
    view.setUint32(at + 8, symbol.size, true);
    view.setUint8(at + 12, (BINDING_CODE[symbol.binding] << 4) | TYPE_CODE[symbol.type]);
    view.setUint16(at + 14, symbol.relative ? sectionIndex(symbol.address, segments) : SHN.ABS, true);
  });
  return bytes;
}

/** Index of the section an address lies in; a symbol at an end belongs to what ends there. */
function sectionIndex(address: number, segments: readonly LinkedSegment[]): number {
  for (let i = 0; i < segments.length; i++) {
    const { address: base, size } = segments[i]!;
    if (address >= base && address < base + size) return i + 1;
  }
  for (let i = 0; i < segments.length; i++) if (address === segments[i]!.address + segments[i]!.size) return i + 1;
  return SHN.ABS;
}

function assemble(
  entry: number,
  segments: readonly LinkedSegment[],
  sections: readonly Section[],
  names: Strings,
): Uint8Array {
  let at = EHDR_BYTES + segments.length * PHDR_BYTES;
  const offsets = sections.map(({ bytes, align }) => {
    if (bytes === null) return at;
    at = Math.ceil(at / Math.max(1, align)) * Math.max(1, align);
    const offset = at;
    at += bytes.length;
    return offset;
  });
  const sectionHeaders = Math.ceil(at / 4) * 4;
  const out = new Uint8Array(sectionHeaders + sections.length * SHDR_BYTES);
  const view = new DataView(out.buffer);
  out.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const header: [number, 2 | 4, number][] = [
    [16, 2, ET.EXEC],
    [18, 2, EM_XTENSA],
    [20, 4, 1],
    [24, 4, entry],
    [28, 4, EHDR_BYTES],
    [32, 4, sectionHeaders],
    [40, 2, EHDR_BYTES],
    [42, 2, PHDR_BYTES],
    [44, 2, segments.length],
    [46, 2, SHDR_BYTES],
    [48, 2, sections.length],
    [50, 2, sections.length - 1],
  ];
  for (const [offset, width, value] of header)
    if (width === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
  segments.forEach(({ address, bytes, size, executable, writable }, i) => {
    const base = EHDR_BYTES + i * PHDR_BYTES;
    const flags = PF.R | (executable ? PF.X : 0) | (writable ? PF.W : 0);
    [PT_LOAD, offsets[i + 1]!, address, address, bytes === null ? 0 : size, size, flags, 4].forEach((word, k) =>
      view.setUint32(base + 4 * k, word, true),
    );
  });
  sections.forEach((section, i) => {
    if (section.bytes !== null) out.set(section.bytes, offsets[i]!);
    const { type, flags, address, size, link, info, align, entsize } = section;
    const base = sectionHeaders + i * SHDR_BYTES;
    const offset = type === 0 ? 0 : offsets[i]!;
    [names.add(section.name), type, flags, address, offset, size, link, info, align, entsize].forEach((word, k) =>
      view.setUint32(base + 4 * k, word, true),
    );
  });
  return out;
}
