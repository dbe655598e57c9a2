// Where a linked package keeps the state of its module in the slot's RAM: globals, tables, segments, memory. Takes the
// package, gives plain data that can be kept as JSON. Knows no device and no state.
import { WASM_MEMORY, WASM_SEGMENT, WASM_TABLE } from '../../compiler/abi/layout.js';
import {
  dataSymbol,
  descriptorRef,
  elemSymbol,
  functionSymbols,
  globalSymbol,
  memorySymbol,
  moduleRamSymbol,
  tableSymbol,
} from '../../compiler/abi/symbols.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { parseModule } from '../../compiler/driver.js';
import { isRefType, ValType } from '../../compiler/wasm/types.js';
import type { LinkedPackage } from '../../manifest/package.js';

export interface StateLayout {
  readonly module: string;
  /** Initialised RAM as a start of the module finds it, Base64. */
  readonly data: string;
  readonly dataStart: number;
  readonly bssStart: number;
  readonly bssBytes: number;
  readonly memory: MemoryLayout | null;
  /** By index; null: never differs from `data`. */
  readonly globals: readonly (GlobalLayout | null)[];
  readonly tables: readonly TableLayout[];
  /** Passive segments with contents. */
  readonly segments: readonly SegmentLayout[];
  /** Where the lengths of active segments are: 0 once the module has been started. */
  readonly spent: readonly number[];
  /** Address that a reference to a function is, by function index, for all that can be referred to. */
  readonly functions: readonly (readonly [index: number, address: number])[];
}

export interface MemoryLayout {
  /** Of struct wasm_memory. */
  readonly address: number;
  /** What the Wasm module declares, and what it has here at least and at most. */
  readonly declaredBytes: number;
  readonly minBytes: number;
  readonly capacityBytes: number;
  readonly pageShift: number;
  readonly growable: boolean;
}

export interface GlobalLayout {
  readonly address: number;
  readonly wide: boolean;
  /** Constant reference to this function, which the module's start puts there; null: mutable, a number. */
  readonly constant: number | null;
}

export interface TableLayout {
  /** Of struct wasm_table, and of the first entry. */
  readonly address: number;
  readonly entries: number;
  readonly capacity: number;
  /** False: references of the host. */
  readonly ofFunctions: boolean;
}

export interface SegmentLayout {
  readonly kind: 'data' | 'elem';
  readonly segment: number;
  /** Of its length, which is 0 when it was dropped. */
  readonly lengthAt: number;
}

const REF_FUNC = 0xd2;

/**
 * @param wasm the module that the package was made of
 * @throws DiagnosticError W903 for a module whose state cannot move to a device
 */
export function stateLayout({ linked, ir, memories: decisions }: LinkedPackage, wasm: Uint8Array): StateLayout {
  const refuse = (what: string): never => {
    throw new DiagnosticError('W903', `${ir.name} cannot move: ${what}`);
  };
  const symbols = new Map(linked.symbolList.map(({ name, address }) => [name, address]));
  for (const [name, { address }] of linked.symbols) symbols.set(name, address);
  const at = (symbol: string): number => symbols.get(symbol) ?? refuse(`it shares ${symbol} with another module`);
  const ram = (what: Parameters<typeof moduleRamSymbol>[1]): number => at(moduleRamSymbol(ir.name, what));
  const { module } = parseModule(wasm);
  if (ir.memories.length > 1) refuse('it has more than one memory');

  const dataStart = ram('data_start');
  const data = bytesAt(linked.segments, dataStart, ram('data_bytes'));
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const word = (address: number): number => view.getUint32(address - dataStart, true);

  const functions = new Map<number, number>();
  const names = functionSymbols(ir);
  for (const index of module.funcs.keys()) {
    const { symbol, addend } = descriptorRef(ir, names, index);
    const address = symbols.get(symbol);
    if (address !== undefined) functions.set(index, address + addend);
  }

  const decision = decisions.find(({ index }) => index === 0);
  const memory = ir.memories.map((decl): MemoryLayout => {
    const address = at(memorySymbol(ir.name, decl));
    return {
      address,
      declaredBytes: decision!.declaredBytes,
      minBytes: decision!.bytes,
      capacityBytes: word(address + WASM_MEMORY.offset.capacity_bytes),
      pageShift: word(address + WASM_MEMORY.offset.page_shift),
      growable: decision!.growable,
    };
  })[0];

  const globals = ir.globals.map((decl, index): GlobalLayout | null => {
    const { type, mutable, init } = module.globals[index]!;
    const address = at(globalSymbol(ir.name, decl));
    if (mutable && isRefType(type)) return refuse(`global ${index} is a reference that can change`);
    if (mutable) return { address, wide: type === ValType.I64 || type === ValType.F64, constant: null };
    const only = init?.insts[0];
    return only?.opcode === REF_FUNC ? { address, wide: false, constant: only.imm } : null;
  });

  const tables = ir.tables.map((decl): TableLayout => {
    const address = at(tableSymbol(ir.name, decl));
    return {
      address,
      entries: word(address + WASM_TABLE.offset.elems),
      capacity: word(address + WASM_TABLE.offset.capacity),
      ofFunctions: decl.refType === 'funcref',
    };
  });

  const all = (['data', 'elem'] as const).flatMap((kind) =>
    (kind === 'data' ? ir.data : ir.elems).map(({ index, mode }) => {
      const lengthAt = at((kind === 'data' ? dataSymbol : elemSymbol)(ir.name, index)) + WASM_SEGMENT.offset.length;
      return { kind, segment: index, lengthAt, mode };
    }),
  );
  const segments = all
    .filter(({ mode, lengthAt }) => mode === 'passive' && word(lengthAt) > 0)
    .map(({ kind, segment, lengthAt }) => ({ kind, segment, lengthAt }));
  return {
    module: ir.name,
    data: Buffer.from(data).toString('base64'),
    dataStart,
    bssStart: ram('bss_start'),
    bssBytes: ram('bss_bytes'),
    memory: memory ?? null,
    globals,
    tables,
    segments,
    spent: all.filter(({ mode }) => mode === 'active').map(({ lengthAt }) => lengthAt),
    functions: [...functions],
  };
}

function bytesAt(segments: LinkedPackage['linked']['segments'], address: number, size: number): Uint8Array {
  const out = new Uint8Array(size);
  for (const { address: base, bytes, copied } of segments)
    if (copied === true && bytes !== null && base >= address && base < address + size)
      out.set(bytes.subarray(0, address + size - base), base - address);
  return out;
}
