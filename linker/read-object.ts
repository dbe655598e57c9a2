// Takes the bytes of a relocatable ELF32 Xtensa object (gcc's or ours), gives an InputObject. Trusts nothing in the
// file: every offset, index and size is checked, and a fault is a W701. Refuses to know addresses and other objects.
import elfy from 'elfy';
import type { ElfyFile, ElfySection } from 'elfy';
import type { ObjectInfo } from '../compiler/abi/object-info.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import {
  EHDR_BYTES,
  EM_XTENSA,
  ET,
  R_XTENSA,
  RELA_BYTES,
  SHDR_BYTES,
  SHN,
  STB,
  STT,
  SYM_BYTES,
} from './elf-constants.js';
import { NO_RELOCATIONS } from './object.js';
import type { InputObject, InputSection, InputSymbol, RelocationTable, SectionKind, SymbolType } from './object.js';

const KNOWN_RELOCATIONS: ReadonlySet<number> = new Set(Object.values(R_XTENSA));
/** Larger alignments than the flash page mean nothing here. */
const MAX_ALIGN = 0x10000;

/** Mutable while the file is read. */
interface DraftSection {
  object: InputObject;
  index: number;
  name: string;
  kind: SectionKind;
  bytes: Uint8Array | null;
  size: number;
  align: number;
  relocations: RelocationTable;
}

/**
 * Reads one object file.
 * @param bytes the file
 * @param name for messages
 * @param origin `runtime` for objects of the firmware, `module` for compiled modules
 * @throws DiagnosticError W701
 */
export function readObject(bytes: Uint8Array, name: string, origin: 'runtime' | 'module'): InputObject {
  const fail = (message: string): never => {
    throw new DiagnosticError('W701', message, { file: name });
  };
  const elf = parseElf(bytes, fail);
  const object: {
    name: string;
    origin: 'runtime' | 'module';
    sections: InputSection[];
    symbols: InputSymbol[];
    info: ObjectInfo | null;
  } = {
    name,
    origin,
    sections: [],
    symbols: [],
    info: null,
  };
  const headers = elf.body.sections;
  // By ELF section index; null for sections that are not loaded.
  const byIndex: (DraftSection | null)[] = headers.map((header, index) => {
    if (header.type !== 'nobits' && header.type !== 'null' && header.off + header.size > bytes.length)
      fail(`section ${index} (${header.name}) reaches beyond the end of the file`);
    if (header.flags['tls'] === true) fail(`section ${header.name}: thread-local storage is not supported`);
    const kind = classify(header);
    if (kind === null) return null;
    const align = Math.max(1, header.addralign);
    if ((align & (align - 1)) !== 0 || align > MAX_ALIGN)
      fail(`section ${header.name} has alignment ${header.addralign}`);
    const nobits = header.type === 'nobits';
    return {
      object,
      index,
      name: header.name,
      kind,
      bytes: nobits ? null : bytes.subarray(header.off, header.off + header.size),
      size: header.size,
      align,
      relocations: NO_RELOCATIONS,
    };
  });

  const symtabIndex = headers.findIndex((header) => header.type === 'symtab');
  if (symtabIndex >= 0) {
    const symtab = headers[symtabIndex] as ElfySection;
    const strtab = headers[symtab.link];
    if (strtab === undefined || strtab.type !== 'strtab') fail('the symbol table has no string table');
    object.symbols = readSymbols(symtab, strtab as ElfySection, byIndex, fail);
  }
  for (const header of headers) {
    if (header.type === 'rel') fail(`section ${header.name}: REL relocations (only RELA is used on Xtensa)`);
    if (header.type !== 'rela') continue;
    if (header.info >= headers.length)
      fail(`section ${header.name} applies to section ${header.info}, which is not there`);
    const target = byIndex[header.info];
    // Relocations of debug information and of .xt.* properties are of no use here.
    if (target === null || target === undefined) continue;
    if (header.link !== symtabIndex) fail(`section ${header.name} does not use the symbol table`);
    if (target.bytes === null) fail(`section ${header.name} relocates ${target.name}, which has no bytes`);
    if (target.relocations.count > 0) fail(`section ${target.name} has two relocation sections`);
    target.relocations = readRelocations(header, target, object.symbols.length, fail);
  }
  const info = headers.find((header) => header.name === '.wasm.info');
  if (info !== undefined) object.info = readInfo(info, fail);
  for (const section of byIndex) if (section !== null) object.sections.push(section);
  return object;
}

type Fail = (message: string) => never;

/** elfy does the file and section headers; what it would misread is refused before it sees it. */
function parseElf(bytes: Uint8Array, fail: Fail): ElfyFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < EHDR_BYTES || view.getUint32(0, false) !== 0x7f454c46) fail('not an ELF file');
  if (bytes[4] !== 1 || bytes[5] !== 1) fail('not a 32-bit little-endian ELF file');
  if (view.getUint16(18, true) !== EM_XTENSA) fail(`not an Xtensa object (machine ${view.getUint16(18, true)})`);
  if (view.getUint16(16, true) !== ET.REL) fail('not a relocatable object');
  const sectionOffset = view.getUint32(32, true);
  const sectionCount = view.getUint16(48, true);
  const namesIndex = view.getUint16(50, true);
  if (sectionCount === 0) fail('no section headers');
  if (view.getUint16(46, true) !== SHDR_BYTES) fail('wrong section header size');
  if (sectionOffset + sectionCount * SHDR_BYTES > bytes.length)
    fail('section headers reach beyond the end of the file');
  if (namesIndex >= sectionCount) fail('no section names');
  if (view.getUint16(44, true) !== 0) fail('a relocatable object has no program headers');
  try {
    return elfy.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    return fail(`cannot be parsed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What a section is for; null: not loaded. */
function classify(header: ElfySection): SectionKind | null {
  if (header.flags['alloc'] !== true) return null;
  const nobits = header.type === 'nobits';
  const name = header.name;
  if (header.size === 0 && !nobits && header.type !== 'progbits') return null;
  if (name.startsWith('.wasm_memory.')) return 'memory';
  if (name === '.wasm_modules') return 'modules';
  if (name.startsWith('.vectors')) return 'vectors';
  if (header.flags['execinstr'] === true) return 'code';
  if (nobits) return 'bss';
  return header.flags['write'] === true ? 'data' : 'rodata';
}

const SYMBOL_TYPES: Readonly<Record<number, SymbolType>> = {
  [STT.NOTYPE]: 'none',
  [STT.OBJECT]: 'object',
  [STT.FUNC]: 'function',
  [STT.SECTION]: 'section',
  [STT.FILE]: 'file',
};

function readSymbols(
  symtab: ElfySection,
  strtab: ElfySection,
  sections: readonly (DraftSection | null)[],
  fail: Fail,
): InputSymbol[] {
  const data = symtab.data;
  if (symtab.entsize !== SYM_BYTES || data.length % SYM_BYTES !== 0) fail('wrong symbol table entry size');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const names = strtab.data;
  const symbols: InputSymbol[] = [];
  for (let at = 0; at < data.length; at += SYM_BYTES) {
    const nameOffset = view.getUint32(at, true);
    const value = view.getUint32(at + 4, true);
    const size = view.getUint32(at + 8, true);
    const info = view.getUint8(at + 12);
    const index = view.getUint16(at + 14, true);
    const end = nameOffset >= names.length ? -1 : names.indexOf(0, nameOffset);
    if (end < 0) fail(`symbol ${symbols.length} has its name beyond the string table`);
    const name = names.toString('utf8', nameOffset, end);
    const type = SYMBOL_TYPES[info & 15];
    if (type === undefined) fail(`symbol ${name}: unknown type ${info & 15}`);
    const bind = info >> 4;
    if (bind > STB.WEAK) fail(`symbol ${name}: unknown binding ${bind}`);
    if (index === SHN.COMMON) fail(`symbol ${name} is common: compile with -fno-common`);
    if (index >= SHN.LORESERVE && index !== SHN.ABS) fail(`symbol ${name}: reserved section index ${index}`);
    if (index < SHN.LORESERVE && index >= sections.length) fail(`symbol ${name}: section ${index} is not there`);
    const section = index === SHN.UNDEF || index === SHN.ABS ? null : (sections[index] ?? null);
    if (section !== null && value > section.size) fail(`symbol ${name} lies beyond its section ${section.name}`);
    symbols.push({
      name: type === 'section' && section !== null ? section.name : name,
      binding: bind === STB.LOCAL ? 'local' : bind === STB.WEAK ? 'weak' : 'global',
      type: type as SymbolType,
      value,
      size,
      // A symbol of a section that is not loaded (.comment, .xt.prop) is as good as undefined.
      place: index === SHN.ABS ? 'absolute' : section !== null ? 'section' : 'undefined',
      section,
    });
  }
  return symbols;
}

function readRelocations(header: ElfySection, target: DraftSection, symbolCount: number, fail: Fail): RelocationTable {
  const data = header.data;
  if (header.entsize !== RELA_BYTES || data.length % RELA_BYTES !== 0) fail(`section ${header.name}: wrong entry size`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const capacity = data.length / RELA_BYTES;
  const offset = new Uint32Array(capacity);
  const type = new Uint8Array(capacity);
  const symbol = new Uint32Array(capacity);
  const addend = new Int32Array(capacity);
  let count = 0;
  for (let at = 0; at < data.length; at += RELA_BYTES) {
    const place = view.getUint32(at, true);
    const info = view.getUint32(at + 4, true);
    const kind = info & 0xff;
    if (!KNOWN_RELOCATIONS.has(kind)) fail(`section ${target.name}: unknown relocation type ${kind}`);
    const patches = kind === R_XTENSA.ABS32 || kind === R_XTENSA.PCREL32 || kind === R_XTENSA.SLOT0_OP;
    if (!patches) continue;
    const width = kind === R_XTENSA.SLOT0_OP ? 2 : 4;
    if (place + width > target.size)
      fail(`section ${target.name}: relocation at 0x${place.toString(16)} lies beyond its end`);
    if (info >>> 8 >= symbolCount)
      fail(`section ${target.name}: relocation against symbol ${info >>> 8}, which is not there`);
    offset[count] = place;
    type[count] = kind;
    symbol[count] = info >>> 8;
    addend[count] = view.getInt32(at + 8, true);
    count++;
  }
  return { count, offset, type, symbol, addend };
}

function readInfo(section: ElfySection, fail: Fail): ObjectInfo {
  let info: ObjectInfo;
  try {
    info = JSON.parse(section.data.toString('utf8')) as ObjectInfo;
  } catch {
    return fail('.wasm.info is not JSON');
  }
  if (typeof info !== 'object' || info === null || info.version !== 1 || typeof info.module !== 'string')
    fail('.wasm.info has an unknown version');
  for (const list of [info.functions, info.memories, info.exports, info.imports])
    if (!Array.isArray(list)) fail('.wasm.info is incomplete');
  return info;
}
