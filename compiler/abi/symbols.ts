// Linker symbol names of everything a module owns or imports, in one place. Takes declarations, gives strings; knows no
// ELF and no addresses.
import type { ImportRef, IrModule } from '../ir/module.js';

/** A place relative to a symbol. */
export interface SymbolRef {
  readonly symbol: string;
  readonly addend: number;
}

/** A module name with everything outside `[A-Za-z0-9_.-]` replaced; never empty. */
export function safeModuleName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_.-]/g, '_');
  return safe === '' ? '_' : safe;
}

/** ELF names end at a NUL, Wasm names may contain one: it and the escape character itself are written as %00, %25. */
const escapeName = (name: string): string =>
  /[\0%]/.test(name) ? name.replace(/[\0%]/g, (c) => (c === '%' ? '%25' : '%00')) : name;

/** `env.foo`: an import is the other module's export of that name. */
export const importSymbol = (ref: ImportRef): string => exportSymbol(ref.module, ref.name);
export const exportSymbol = (module: string, name: string): string => `${escapeName(module)}.${escapeName(name)}`;

interface Declared {
  readonly index: number;
  readonly import: ImportRef | null;
}
const owned = (module: string, kind: string, decl: Declared): string =>
  decl.import !== null ? importSymbol(decl.import) : `${module}$${kind}${decl.index}`;

/** struct wasm_memory. */
export const memorySymbol = (module: string, decl: Declared): string => owned(module, 'memory', decl);
/** First byte of a memory the module itself defines. */
export const memoryDataSymbol = (module: string, index: number): string => `${module}$memory${index}.data`;
/** Absolute: bytes the linker reserved for the memory. */
export const memoryCapacitySymbol = (module: string, index: number): string => `${module}$memory${index}.capacity`;
/** struct wasm_table. */
export const tableSymbol = (module: string, decl: Declared): string => owned(module, 'table', decl);
/** First entry of a table the module itself defines. */
export const tableElemsSymbol = (module: string, index: number): string => `${module}$table${index}.elems`;
/** Storage of a global: 4 bytes, or 8 for i64 and f64. */
export const globalSymbol = (module: string, decl: Declared): string => owned(module, 'global', decl);
/** struct wasm_segment of a data segment; its bytes are at `dataBytesSymbol`. */
export const dataSymbol = (module: string, index: number): string => `${module}$data${index}`;
export const dataBytesSymbol = (module: string, index: number): string => `${module}$data${index}.bytes`;
/** struct wasm_segment of an element segment; its entries are at `elemEntriesSymbol`. */
export const elemSymbol = (module: string, index: number): string => `${module}$elem${index}`;
export const elemEntriesSymbol = (module: string, index: number): string => `${module}$elem${index}.entries`;
export const initSymbol = (module: string): string => `${module}$init`;
export const stackLimitSymbol = (module: string): string => `${module}$stack_limit`;
/** A module's own RAM, in images of the device OS: the linker defines these (struct ts_module_info). */
export const MODULE_RAM_SYMBOLS = [
  'stack_bottom',
  'stack_top',
  'data_start',
  'data_load',
  'data_bytes',
  'bss_start',
  'bss_bytes',
] as const;
export type ModuleRamSymbol = (typeof MODULE_RAM_SYMBOLS)[number];
export const moduleRamSymbol = (module: string, what: ModuleRamSymbol): string => `${module}$${what}`;
export const moduleSymbol = (module: string): string => `${module}$module`;
/** Words of arguments and results beyond the registers' (compiler/abi/libcalls.ts, design of the calling convention). */
export const ARGUMENT_BUFFER_SYMBOL = '__wasm_argbuf';

/** Code symbol of every function in index order; names that occur twice get `#index`. */
export function functionSymbols(module: IrModule): string[] {
  const count = new Map<string, number>();
  for (const decl of module.funcs) count.set(decl.name, (count.get(decl.name) ?? 0) + 1);
  const symbols: string[] = [];
  for (const decl of module.funcs) {
    if (decl.import !== null) symbols.push(importSymbol(decl.import));
    else if (decl.index === module.initIndex) symbols.push(initSymbol(module.name));
    else if (count.get(decl.name) === 1 && !decl.name.includes('#')) symbols.push(`${module.name}!${decl.name}`);
    else symbols.push(`${module.name}!${decl.name}#${decl.index}`);
  }
  if (module.initIndex >= symbols.length) symbols[module.initIndex] = initSymbol(module.name);
  return symbols;
}

/** Code symbol of the thunk through which the module's own tables and references reach imported function `index`. */
export const importThunkSymbol = (module: string, index: number): string => `${module}!thunk#${index}`;

/**
 * Where the descriptor of function `index` is: the signature word directly before its code. An imported function's
 * descriptor is that of the module's thunk for it.
 */
export function descriptorRef(module: IrModule, symbols: readonly string[], index: number): SymbolRef {
  const imported = (module.funcs[index]?.import ?? null) !== null;
  return { symbol: imported ? importThunkSymbol(module.name, index) : symbols[index]!, addend: -4 };
}
