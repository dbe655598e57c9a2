// Takes a linked ELF executable, gives the compiled modules in it with the names and places of their functions: what a
// report's numbers mean. Reads the tables that the device has (compiler/abi/layout.ts); refuses to know reports.
import { WASM_FUNC_INFO, WASM_INLINED, WASM_MODULE } from '../compiler/abi/layout.js';
import type { Executable } from './read-executable.js';

export interface ElfModule {
  readonly name: string;
  /** Names of functions by index, of inlined ones too as far as they are known. */
  readonly functions: ReadonlyMap<number, string>;
}

const MODULE_SUFFIX = '$module';
const NO_FUNCTION = 0xffffffff;
/** More is damage: a function takes bytes. */
const MAX_ENTRIES = 1 << 20;

/** Functions whose names cannot be found are left out, modules whose tables cannot be read too. */
export function modulesOf(elf: Executable): ElfModule[] {
  const word = reader(elf);
  const text = (address: number): string | null => {
    if (address === 0) return null;
    const bytes: number[] = [];
    for (let at = address; ; at++) {
      const value = word(at & ~3);
      if (value === null) return null;
      const byte = (value >>> (8 * (at & 3))) & 0xff;
      if (byte === 0) return Buffer.from(bytes).toString('utf8');
      bytes.push(byte);
    }
  };
  // The compiled function's own symbol is `module!name`, with `#index` if the name is not unique.
  const localNames = new Map<number, string>();
  for (const { name, address, isFunction } of elf.symbols) {
    const mark = name.indexOf('!');
    if (isFunction && mark > 0) localNames.set(address, name.slice(mark + 1).replace(/#\d+$/, ''));
  }
  const modules: ElfModule[] = [];
  for (const { name, address, size } of elf.symbols) {
    if (!name.endsWith(MODULE_SUFFIX) || size !== WASM_MODULE.size) continue;
    const field = (key: keyof typeof WASM_MODULE.offset): number => word(address + WASM_MODULE.offset[key]) ?? 0;
    const functions = new Map<number, string>();
    const count = Math.min(field('func_count'), MAX_ENTRIES);
    for (let i = 0; i < count; i++) {
      const at = field('funcs') + i * WASM_FUNC_INFO.size;
      const index = word(at + WASM_FUNC_INFO.offset.func_index);
      const known = localNames.get(word(at + WASM_FUNC_INFO.offset.start) ?? 0);
      if (index !== null && index !== NO_FUNCTION && known !== undefined) functions.set(index, known);
    }
    const inlined = Math.min(field('inlined_count'), MAX_ENTRIES);
    for (let i = 0; i < inlined; i++) {
      const at = field('inlined') + i * WASM_INLINED.size;
      const index = word(at + WASM_INLINED.offset.func_index);
      const known = text(word(at + WASM_INLINED.offset.name) ?? 0);
      if (index !== null && known !== null && !functions.has(index)) functions.set(index, known);
    }
    modules.push({ name: name.slice(0, -MODULE_SUFFIX.length), functions });
  }
  return modules;
}

/** The function a native address lies in, with the distance from its start: `rt_boot+0x12`; null outside of all. */
export function nativeName(elf: Executable, address: number): string | null {
  let low = 0;
  let high = elf.symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (elf.symbols[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  for (let i = low - 1; i >= 0; i--) {
    const { name, address: start, size, isFunction } = elf.symbols[i]!;
    // Functions of assembly files may have no size.
    if (!isFunction || (size > 0 && address >= start + size)) continue;
    if (!elf.segments.some((s) => s.executable && address >= s.address && address < s.address + s.size)) return null;
    return `${name}+0x${(address - start).toString(16)}`;
  }
  return null;
}

function reader(elf: Executable): (address: number) => number | null {
  const segments = elf.segments.flatMap(({ address, bytes }) => (bytes === null ? [] : [{ address, bytes }]));
  return (address) => {
    for (const { address: base, bytes } of segments) {
      const at = address - base;
      if (at < 0 || at + 4 > bytes.length) continue;
      return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
    }
    return null;
  };
}
