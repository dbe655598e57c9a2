// Reads 32-bit little-endian ELF files as far as the bench needs them: sections, load segments, symbols. Knows no
// relocation and no linker.

export interface ElfSection {
  readonly name: string;
  /** Occupies memory at run time. */
  readonly allocated: boolean;
  readonly executable: boolean;
  readonly writable: boolean;
  readonly size: number;
}

export interface ElfSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Size in memory; what `bytes` does not fill is zero. */
  readonly memoryBytes: number;
}

export interface ElfFile {
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
  readonly symbols: ReadonlyMap<string, number>;
}

const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_NOTE = 7;
const SHF_WRITE = 1;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;

/** @throws Error when the bytes are no such file */
export function readElf(bytes: Uint8Array): ElfFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): number => view.getUint32(at, true);
  const half = (at: number): number => view.getUint16(at, true);
  if (word(0) !== 0x464c457f || bytes[4] !== 1 || bytes[5] !== 1)
    throw new Error('not a 32-bit little-endian ELF file');
  const text = (at: number): string => {
    let end = at;
    while (bytes[end] !== 0) end++;
    return Buffer.from(bytes.subarray(at, end)).toString('latin1');
  };

  const header = (index: number): number => word(32) + index * half(46);
  const names = word(header(half(50)) + 16);
  const sections: ElfSection[] = [];
  const symbols = new Map<string, number>();
  for (let i = 0; i < half(48); i++) {
    const at = header(i);
    const type = word(at + 4);
    const flags = word(at + 8);
    sections.push({
      name: text(names + word(at)),
      allocated: (flags & SHF_ALLOC) !== 0 && type !== SHT_NOTE,
      executable: (flags & SHF_EXECINSTR) !== 0,
      writable: (flags & SHF_WRITE) !== 0,
      size: word(at + 20),
    });
    if (type !== SHT_SYMTAB) continue;
    const strings = word(header(word(at + 24)) + 16);
    for (let entry = word(at + 16); entry < word(at + 16) + word(at + 20); entry += 16) {
      symbols.set(text(strings + word(entry)), word(entry + 4));
    }
  }

  const segments: ElfSegment[] = [];
  for (let i = 0; i < half(44); i++) {
    const at = word(28) + i * half(42);
    if (word(at) !== PT_LOAD) continue;
    const start = word(at + 4);
    const contents = bytes.subarray(start, start + word(at + 16));
    segments.push({ address: word(at + 8), bytes: contents, memoryBytes: word(at + 20) });
  }
  return { sections, segments, symbols };
}

/** Code with its literals, and static RAM (constants in flash not counted), of an object file, in bytes. */
export function sizesOf(elf: ElfFile): { codeBytes: number; ramBytes: number } {
  let codeBytes = 0;
  let ramBytes = 0;
  for (const section of elf.sections) {
    if (!section.allocated) continue;
    // LLVM marks the literal sections it makes as plain data.
    if (section.executable || /^\.literal|\.literal$/.test(section.name)) codeBytes += section.size;
    else if (section.writable) ramBytes += section.size;
  }
  return { codeBytes, ramBytes };
}
