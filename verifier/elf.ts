// Takes the bytes of a linked ELF executable, gives its memory contents and every symbol, absolute ones included. A reader of
// its own, so that the verifier trusts nothing that built the file. Refuses to know what the symbols mean.
import { DiagnosticError } from '../compiler/diagnostics.js';

const EM_XTENSA = 94;
const ET_EXEC = 2;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const STT_FUNC = 2;
const STT_SECTION = 3;
const STT_FILE = 4;

export interface ElfSegment {
  readonly address: number;
  readonly size: number;
  /** Contents; shorter than `size` where the rest is zero or left as it is. */
  readonly bytes: Uint8Array;
  readonly executable: boolean;
  readonly writable: boolean;
}

export interface ElfSymbol {
  readonly name: string;
  /** Address, or a plain number if `absolute`. */
  readonly value: number;
  readonly size: number;
  readonly isFunction: boolean;
  readonly isGlobal: boolean;
  readonly absolute: boolean;
}

export interface Elf {
  readonly segments: readonly ElfSegment[];
  readonly symbols: readonly ElfSymbol[];
}

/** @throws DiagnosticError W701 */
export function readElf(bytes: Uint8Array, file: string): Elf {
  const fail = (message: string): never => {
    throw new DiagnosticError('W701', message, { file });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 52 || view.getUint32(0, false) !== 0x7f454c46) fail('not an ELF file');
  if (bytes[4] !== 1 || bytes[5] !== 1) fail('not a 32-bit little-endian ELF file');
  if (view.getUint16(18, true) !== EM_XTENSA || view.getUint16(16, true) !== ET_EXEC) fail('not an Xtensa executable');
  const within = (offset: number, size: number): void => {
    if (offset + size > bytes.length) fail('a table or segment reaches beyond the end of the file');
  };
  const segments: ElfSegment[] = [];
  const programs = view.getUint32(28, true);
  const programCount = view.getUint16(44, true);
  within(programs, programCount * 32);
  for (let i = 0; i < programCount; i++) {
    const at = programs + 32 * i;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = view.getUint32(at + 4, true);
    const fileSize = view.getUint32(at + 16, true);
    const size = view.getUint32(at + 20, true);
    const flags = view.getUint32(at + 24, true);
    within(offset, fileSize);
    if (fileSize > size) fail('a segment has more bytes than its size');
    segments.push({
      address: view.getUint32(at + 8, true),
      size,
      bytes: bytes.subarray(offset, offset + fileSize),
      executable: (flags & 1) !== 0,
      writable: (flags & 2) !== 0,
    });
  }
  const symbols: ElfSymbol[] = [];
  const sections = view.getUint32(32, true);
  const sectionCount = view.getUint16(48, true);
  within(sections, sectionCount * 40);
  for (let i = 0; i < sectionCount; i++) {
    const at = sections + 40 * i;
    if (view.getUint32(at + 4, true) !== SHT_SYMTAB) continue;
    const link = view.getUint32(at + 24, true);
    if (link >= sectionCount) fail('the symbol table has no string table');
    const strings = view.getUint32(sections + 40 * link + 16, true);
    const stringBytes = view.getUint32(sections + 40 * link + 20, true);
    const offset = view.getUint32(at + 16, true);
    const size = view.getUint32(at + 20, true);
    within(strings, stringBytes);
    within(offset, size);
    const names = Buffer.from(bytes.buffer, bytes.byteOffset + strings, stringBytes);
    for (let s = offset; s + 16 <= offset + size; s += 16) {
      const section = view.getUint16(s + 14, true);
      const type = view.getUint8(s + 12) & 15;
      if (section === SHN_UNDEF || type === STT_SECTION || type === STT_FILE) continue;
      const start = view.getUint32(s, true);
      const end = start < names.length ? names.indexOf(0, start) : -1;
      if (end <= start) continue;
      symbols.push({
        name: names.toString('utf8', start, end),
        value: view.getUint32(s + 4, true),
        size: view.getUint32(s + 8, true),
        isFunction: type === STT_FUNC,
        isGlobal: view.getUint8(s + 12) >> 4 !== 0,
        absolute: section === SHN_ABS,
      });
    }
  }
  return { segments, symbols };
}
