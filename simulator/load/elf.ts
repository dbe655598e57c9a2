// Linked 32-bit little-endian Xtensa ELF files for tools: load segments and symbols. Takes bytes, gives both; refuses
// relocatable files and anything malformed. The machine itself boots flash images only.

const EM_XTENSA = 94;
const ET_EXEC = 2;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;

export interface ElfSegment {
  readonly address: number;
  /** Zero-filled up to the segment's size in memory. */
  readonly data: Uint8Array;
}

export interface ElfFile {
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  readonly symbols: ReadonlyMap<string, number>;
}

/** @throws RangeError or Error on a file that is no such ELF */
export function readElf(bytes: Uint8Array): ElfFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, false) !== 0x7f454c46 || bytes[4] !== 1 || bytes[5] !== 1)
    throw new Error('not an ELF32 LE file');
  if (view.getUint16(16, true) !== ET_EXEC || view.getUint16(18, true) !== EM_XTENSA) {
    throw new Error('not a linked Xtensa ELF file');
  }
  const segments: ElfSegment[] = [];
  const programHeaders = view.getUint32(28, true);
  for (let i = 0; i < view.getUint16(44, true); i++) {
    const at = programHeaders + i * view.getUint16(42, true);
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = view.getUint32(at + 4, true);
    const fileSize = view.getUint32(at + 16, true);
    if (offset + fileSize > bytes.length) throw new RangeError('segment runs past the end of the file');
    const data = new Uint8Array(view.getUint32(at + 20, true));
    data.set(bytes.subarray(offset, offset + fileSize));
    segments.push({ address: view.getUint32(at + 8, true), data });
  }
  return { entry: view.getUint32(24, true), segments, symbols: readSymbols(bytes, view) };
}

function readSymbols(bytes: Uint8Array, view: DataView): Map<string, number> {
  const symbols = new Map<string, number>();
  const headers = view.getUint32(32, true);
  const size = view.getUint16(46, true);
  const decoder = new TextDecoder();
  for (let i = 0; i < view.getUint16(48, true); i++) {
    const at = headers + i * size;
    if (view.getUint32(at + 4, true) !== SHT_SYMTAB) continue;
    const table = view.getUint32(at + 16, true);
    const strings = view.getUint32(headers + view.getUint32(at + 24, true) * size + 16, true);
    for (let offset = 0; offset < view.getUint32(at + 20, true); offset += 16) {
      const name = strings + view.getUint32(table + offset, true);
      const end = bytes.indexOf(0, name);
      if (end > name) symbols.set(decoder.decode(bytes.subarray(name, end)), view.getUint32(table + offset + 4, true));
    }
  }
  return symbols;
}
