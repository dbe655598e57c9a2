// Takes the argument and environment strings of a program, gives a synthesised object that defines the runtime's
// `struct rt_strings` for them. Refuses to know WASI.
import { RuntimeSymbol } from '../compiler/abi/linker-symbols.js';
import { R_XTENSA } from './elf-constants.js';
import type { InputObject, InputSection, InputSymbol, RelocationTable } from './object.js';

/** struct rt_strings { uint32_t count; uint32_t bytes; const char *text; }, the text right behind it. */
const STRUCT_BYTES = 12;
const TEXT_POINTER = 8;

/** Strings a program is started with; `env` entries are `NAME=value`. */
export interface ProgramStrings {
  readonly args: readonly string[];
  readonly env: readonly string[];
}

/** An object with strong definitions of `rt_wasi_arguments` and `rt_wasi_environment` for the lists that are not empty. */
export function stringsObject({ args, env }: ProgramStrings): InputObject {
  const sections: InputSection[] = [];
  const symbols: InputSymbol[] = [];
  const object: InputObject = { name: 'program strings', origin: 'runtime', sections, symbols, info: null };
  const add = (name: string, list: readonly string[]): void => {
    if (list.length === 0) return;
    const text = Buffer.from(list.map((entry) => `${entry}\0`).join(''), 'utf8');
    const bytes = new Uint8Array(STRUCT_BYTES + text.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, list.length, true);
    view.setUint32(4, text.length, true);
    bytes.set(text, STRUCT_BYTES);
    const relocations: RelocationTable = {
      count: 1,
      offset: Uint32Array.of(TEXT_POINTER),
      type: Uint8Array.of(R_XTENSA.ABS32),
      symbol: Uint32Array.of(symbols.length),
      addend: Int32Array.of(STRUCT_BYTES),
    };
    const section: InputSection = {
      object,
      index: sections.length,
      name: `.rodata.${name}`,
      kind: 'rodata',
      bytes,
      size: bytes.length,
      align: 4,
      relocations,
    };
    sections.push(section);
    symbols.push({ name, binding: 'global', type: 'object', value: 0, size: bytes.length, place: 'section', section });
  };
  add(RuntimeSymbol.Arguments, args);
  add(RuntimeSymbol.Environment, env);
  return object;
}
