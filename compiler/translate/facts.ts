// Facts about a whole module that only its bodies tell, collected while they are translated. Plain data.
import { funcNames, type WasmModule } from '../wasm/types.js';

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

export function newFacts(m: WasmModule): ModuleFacts {
  return {
    funcNames: funcNames(m),
    addressTaken: new Uint8Array(m.funcs.length),
    memoryGrown: new Uint8Array(m.memories.length),
    tableGrown: new Uint8Array(m.tables.length),
    tableMutated: new Uint8Array(m.tables.length),
    dataUsed: new Uint8Array(m.data.length),
    elemUsed: new Uint8Array(m.elems.length),
  };
}
