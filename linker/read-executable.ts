// Takes the bytes of an ELF32 Xtensa executable, gives its loadable segments and symbols for tools. Every offset is
// checked; a fault is a W701. Refuses to know what the program is.
import { DiagnosticError } from '../compiler/diagnostics.js';
import {
  EHDR_BYTES,
  EM_XTENSA,
  ET,
  PF,
  PHDR_BYTES,
  PT_LOAD,
  SHDR_BYTES,
  SHN,
  SHT,
  STT,
  SYM_BYTES,
} from './elf-constants.js';

export interface ExecutableSegment {
  readonly address: number;
  /** Null when nothing of it is in the file. */
  readonly bytes: Uint8Array | null;
  readonly size: number;
  readonly executable: boolean;
}

export interface ExecutableSymbol {
  readonly name: string;
  readonly address: number;
  readonly size: number;
  readonly isFunction: boolean;
}

export interface Executable {
  readonly entry: number;
  readonly segments: readonly ExecutableSegment[];
  /** In address order; absolute ones and file names left out. */
  readonly symbols: readonly ExecutableSymbol[];
}

/** @throws DiagnosticError W701 */
export function readExecutable(bytes: Uint8Array, name: string): Executable {
  const fail = (message: string): never => {
    throw new DiagnosticError('W701', message, { file: name });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < EHDR_BYTES || view.getUint32(0, false) !== 0x7f454c46) fail('not an ELF file');
  if (bytes[4] !== 1 || bytes[5] !== 1) fail('not a 32-bit little-endian ELF file');
  if (view.getUint16(18, true) !== EM_XTENSA) fail(`not for Xtensa (machine ${view.getUint16(18, true)})`);
  if (view.getUint16(16, true) !== ET.EXEC) fail('not an executable');
  const inside = (offset: number, size: number, what: string): void => {
    if (offset + size > bytes.length) fail(`${what} reach beyond the end of the file`);
  };
  const programs = view.getUint32(28, true);
  const programCount = view.getUint16(44, true);
  inside(programs, programCount * PHDR_BYTES, 'program headers');
  const segments: ExecutableSegment[] = [];
  for (let i = 0; i < programCount; i++) {
    const at = programs + i * PHDR_BYTES;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = view.getUint32(at + 4, true);
    const fileSize = view.getUint32(at + 16, true);
    inside(offset, fileSize, 'segments');
    segments.push({
      address: view.getUint32(at + 8, true),
      bytes: fileSize === 0 ? null : bytes.subarray(offset, offset + fileSize),
      size: view.getUint32(at + 20, true),
      executable: (view.getUint32(at + 24, true) & PF.X) !== 0,
    });
  }
  const sections = view.getUint32(32, true);
  const sectionCount = view.getUint16(48, true);
  inside(sections, sectionCount * SHDR_BYTES, 'section headers');
  const symbols: ExecutableSymbol[] = [];
  for (let i = 0; i < sectionCount; i++) {
    const at = sections + i * SHDR_BYTES;
    if (view.getUint32(at + 4, true) !== SHT.SYMTAB) continue;
    const link = view.getUint32(at + 24, true);
    if (link >= sectionCount) fail('the symbol table has no string table');
    const strings = sections + link * SHDR_BYTES;
    const stringOffset = view.getUint32(strings + 16, true);
    const stringSize = view.getUint32(strings + 20, true);
    inside(stringOffset, stringSize, 'symbol names');
    const offset = view.getUint32(at + 16, true);
    const size = view.getUint32(at + 20, true);
    inside(offset, size, 'symbols');
    readSymbols(view, offset, size, Buffer.from(bytes.buffer, bytes.byteOffset + stringOffset, stringSize), symbols);
  }
  symbols.sort((a, b) => a.address - b.address);
  return { entry: view.getUint32(24, true), segments, symbols };
}

/**
 * Contents of a section by name, null if there is none.
 * @throws DiagnosticError W701
 */
export function readSection(bytes: Uint8Array, wanted: string, file: string): Uint8Array | null {
  // Checks that this is an ELF file of the right kind.
  readExecutable(bytes, file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headers = view.getUint32(32, true);
  const count = view.getUint16(48, true);
  const contents = (index: number): Uint8Array => {
    const at = headers + index * SHDR_BYTES;
    const offset = view.getUint32(at + 16, true);
    const size = view.getUint32(at + 20, true);
    if (offset + size > bytes.length)
      throw new DiagnosticError('W701', 'a section reaches beyond the end of the file', { file });
    return bytes.subarray(offset, offset + size);
  };
  const namesIndex = view.getUint16(50, true);
  if (namesIndex >= count) return null;
  const names = Buffer.from(contents(namesIndex));
  for (let i = 0; i < count; i++) {
    const at = headers + i * SHDR_BYTES;
    const type = view.getUint32(at + 4, true);
    const start = view.getUint32(at, true);
    const end = start < names.length ? names.indexOf(0, start) : -1;
    if (type === SHT.PROGBITS && end >= start && names.toString('utf8', start, end) === wanted) return contents(i);
  }
  return null;
}

function readSymbols(view: DataView, offset: number, size: number, names: Buffer, symbols: ExecutableSymbol[]): void {
  for (let at = offset; at + SYM_BYTES <= offset + size; at += SYM_BYTES) {
    const section = view.getUint16(at + 14, true);
    const type = view.getUint8(at + 12) & 15;
    if (section === SHN.UNDEF || section >= SHN.LORESERVE || type === STT.FILE || type === STT.SECTION) continue;
    const start = view.getUint32(at, true);
    const end = start < names.length ? names.indexOf(0, start) : -1;
    if (end <= start) continue;
    symbols.push({
      name: names.toString('utf8', start, end),
      address: view.getUint32(at + 4, true),
      size: view.getUint32(at + 8, true),
      isFunction: type === STT.FUNC,
    });
  }
}
