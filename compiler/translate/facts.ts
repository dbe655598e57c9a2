// Facts about a whole module that only its bodies tell, collected while they are translated. Plain data.
import type { WasmModule } from '../wasm/types.js';

export interface ModuleFacts {
  /** Display name of each function. */
  readonly funcNames: readonly string[];
  /** Functions whose descriptor's address escapes. */
  readonly addressTaken: Uint8Array;
  readonly memoryGrown: Uint8Array;
  readonly tableGrown: Uint8Array;
  readonly tableMutated: Uint8Array;
  /** Segments that a `memory.init` or `table.init` in a body reads. */
  readonly dataUsed: Uint8Array;
  readonly elemUsed: Uint8Array;
}

/** Names: name section, else first export, else `func<index>`; imports `module.name`. */
function nameFunctions(m: WasmModule): string[] {
  const exported = new Map<number, string>();
  for (const { kind, index, name } of m.exports) {
    if (kind === 'func' && !exported.has(index)) exported.set(index, name);
  }
  return m.funcs.map((func, index) => {
    const named = m.funcNames.get(index);
    if (named !== undefined && named !== '') return named;
    if (func.import !== null) return `${func.import.module}.${func.import.name}`;
    return exported.get(index) ?? `func${index}`;
  });
}

export function newFacts(m: WasmModule): ModuleFacts {
  return {
    funcNames: nameFunctions(m),
    addressTaken: new Uint8Array(m.funcs.length),
    memoryGrown: new Uint8Array(m.memories.length),
    tableGrown: new Uint8Array(m.tables.length),
    tableMutated: new Uint8Array(m.tables.length),
    dataUsed: new Uint8Array(m.data.length),
    elemUsed: new Uint8Array(m.elems.length),
  };
}
