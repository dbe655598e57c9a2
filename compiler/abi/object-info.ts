// The `.wasm.info` section of an object: what tools and the linker must know of a compiled module beyond ELF. One JSON
// text, written by backend-xtensa/elf, read by linker/ and cli/. Knows neither producer nor consumer.

/** A function of the module (imports excluded; `$init` included). */
export interface ObjectFunctionInfo {
  /** ELF symbol (local), e.g. `app!add`. */
  readonly symbol: string;
  /** Wasm function index; the synthesised init function has the index after the last one. */
  readonly index: number;
  /** Name for people. */
  readonly name: string;
  /** Bytes of the native frame, or 0 for none. */
  readonly frameBytes: number;
  /** Symbols this function calls directly (functions, imports and `rt_*`), each once. */
  readonly callees: readonly string[];
  /** True if it calls through a table or a reference: the stack depth below is not bounded. */
  readonly indirectCalls: boolean;
  /** Byte offset of the body in the .wasm file. */
  readonly wasmOffset: number;
  /** [start, end) byte offsets from the start of the function's section that hold data: literals, jump tables. */
  readonly data: readonly (readonly [number, number])[];
  /** Line table: code offset from the start of the section, wasm byte offset, alternating. Optional (`--debug`). */
  readonly lines?: readonly number[];
}

export interface ObjectMemoryInfo {
  readonly index: number;
  /** Bytes reserved by the `.wasm_memory.<index>` section. */
  readonly bytes: number;
  /** Declared sizes in bytes; `maxBytes` null when there is no limit but the address space. */
  readonly declaredBytes: number;
  readonly maxBytes: number | null;
  readonly pageShift: number;
  /** May grow at run time: the linker gives it `capacity` from what is left. */
  readonly growable: boolean;
}

export interface ObjectExportInfo {
  readonly name: string;
  readonly kind: 'func' | 'memory' | 'table' | 'global';
  /** Linker symbol of the entity, `<module>.<name>`. */
  readonly symbol: string;
  readonly index: number;
  /** For functions: canonical signature text `params:results`, one of i I f F r e per value (abi/signature-id). */
  readonly signature?: string;
  /** For functions: local symbol of the body; an exported import has none. */
  readonly target?: string;
  /** For everything else: its type as compiler/abi/extern-type.ts writes it. */
  readonly type?: string;
}

export interface ObjectInfo {
  readonly version: 1;
  readonly module: string;
  readonly functions: readonly ObjectFunctionInfo[];
  /** Functions of which only copies in other functions are left. */
  readonly inlined?: readonly { readonly index: number; readonly name: string; readonly wasmOffset: number }[];
  readonly memories: readonly ObjectMemoryInfo[];
  readonly exports: readonly ObjectExportInfo[];
  /** Undefined symbol -> what is imported, for messages and checks of import against export. */
  readonly imports: readonly {
    readonly symbol: string;
    readonly module: string;
    readonly name: string;
    readonly kind: 'func' | 'memory' | 'table' | 'global';
    readonly signature?: string;
    /** As in ObjectExportInfo: what the importer needs. */
    readonly type?: string;
  }[];
}
