// For tests: a small description of an object in, the bytes of a relocatable ELF32 Xtensa object out. Independent of the
// backend's writer, so that the reader is tested against something else.

export interface TestSection {
  readonly name: string;
  /** Bytes, or a size for NOBITS. */
  readonly content: Uint8Array | number;
  /** SHF_* bits. */
  readonly flags: number;
  readonly align?: number;
  /** offset, type, symbol name, addend */
  readonly relocations?: readonly (readonly [number, number, string, number])[];
}

export interface TestSymbol {
  readonly name: string;
  /** Section name; `undefined` or `absolute`. */
  readonly section: string;
  readonly value?: number;
  readonly size?: number;
  readonly binding?: 'local' | 'global' | 'weak';
  readonly type?: number;
}

const BINDING = { local: 0, global: 1, weak: 2 } as const;

export function makeObject(sections: readonly TestSection[], symbols: readonly TestSymbol[]): Uint8Array {
  const names = new Map<string, number>();
  let stringBytes = '\0';
  const string = (text: string): number => {
    if (!names.has(text)) {
      names.set(text, Buffer.byteLength(stringBytes));
      stringBytes += `${text}\0`;
    }
    return names.get(text)!;
  };
  const ordered = [
    ...symbols.filter((s) => s.binding === 'local'),
    ...symbols.filter((s) => (s.binding ?? 'global') !== 'local'),
  ];
  const indexOf = new Map(ordered.map((s, i) => [s.name, i + 1]));
  const sectionIndex = new Map(sections.map((s, i) => [s.name, i + 1]));
  const symtab = Buffer.alloc(16 * (ordered.length + 1));
  ordered.forEach((s, i) => {
    const at = 16 * (i + 1);
    symtab.writeUInt32LE(string(s.name), at);
    symtab.writeUInt32LE(s.value ?? 0, at + 4);
    symtab.writeUInt32LE(s.size ?? 0, at + 8);
    symtab[at + 12] = (BINDING[s.binding ?? 'global'] << 4) | (s.type ?? 0);
    const index = s.section === 'undefined' ? 0 : s.section === 'absolute' ? 0xfff1 : sectionIndex.get(s.section)!;
    symtab.writeUInt16LE(index, at + 14);
  });
  const relas = sections.flatMap((section) => {
    const list = section.relocations ?? [];
    if (list.length === 0) return [];
    const bytes = Buffer.alloc(12 * list.length);
    list.forEach(([offset, type, symbol, addend], i) => {
      bytes.writeUInt32LE(offset, 12 * i);
      bytes.writeUInt32LE(((indexOf.get(symbol) ?? 0) << 8) | type, 12 * i + 4);
      bytes.writeInt32LE(addend, 12 * i + 8);
    });
    return [{ name: `.rela${section.name}`, bytes, target: sectionIndex.get(section.name)! }];
  });
  const symtabIndex = sections.length + relas.length + 1;
  const headers: number[][] = [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0]];
  const blobs: Uint8Array[] = [];
  let at = 52;
  const add = (
    name: string,
    type: number,
    flags: number,
    bytes: Uint8Array | number,
    [link, info, align, entsize]: [number, number, number, number],
  ): void => {
    const size = typeof bytes === 'number' ? bytes : bytes.length;
    headers.push([string(name), type, flags, 0, at, size, link, info, align, entsize]);
    if (typeof bytes === 'number') return;
    blobs.push(bytes);
    at += bytes.length;
  };
  for (const { name, content, flags, align } of sections)
    add(name, typeof content === 'number' ? 8 : 1, flags, content, [0, 0, align ?? 4, 0]);
  for (const { name, bytes, target } of relas) add(name, 4, 0x40, bytes, [symtabIndex, target, 4, 12]);
  const localCount = 1 + ordered.filter((s) => s.binding === 'local').length;
  add('.symtab', 2, 0, symtab, [symtabIndex + 1, localCount, 4, 16]);
  string('.strtab');
  add('.strtab', 3, 0, Buffer.from(stringBytes, 'utf8'), [0, 0, 1, 0]);
  const header = Buffer.alloc(52);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  header.writeUInt16LE(1, 16);
  header.writeUInt16LE(94, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(at, 32);
  header.writeUInt16LE(52, 40);
  header.writeUInt16LE(40, 46);
  header.writeUInt16LE(headers.length, 48);
  header.writeUInt16LE(headers.length - 1, 50);
  const table = Buffer.alloc(40 * headers.length);
  headers.forEach((words, i) => words.forEach((word, k) => table.writeUInt32LE(word >>> 0, 40 * i + 4 * k)));
  return new Uint8Array(Buffer.concat([header, ...blobs, table]));
}
