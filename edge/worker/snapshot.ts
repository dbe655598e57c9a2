// The state of a module between calls, independent of the engine that ran it: memories, mutable globals, tables as
// function indices. Takes a rewritten instance, gives or restores that. Knows no file format.
/// <reference lib="dom" />
import type { SegmentKind } from '../module/interface.js';
import { exportOfDropped, exportOfFunc, exportOfGlobal, exportOfMemory, exportOfTable } from '../module/interface.js';
import type { RewrittenModule } from '../module/rewrite.js';
import { ValType, type WasmData, type WasmElem } from '../../compiler/wasm/types.js';

/** Entry of a table that refers to nothing. */
export const NULL_REFERENCE = -1;

export interface ScalarSnapshot {
  /** Contents by memory index. */
  readonly memories: readonly Uint8Array[];
  /** Bits of mutable globals by index; null for immutable ones. Floats as their bits. */
  readonly globals: readonly (bigint | null)[];
  /** Function indices by table index. */
  readonly tables: readonly (readonly number[])[];
  /** Passive segments that the module has dropped. */
  readonly dropped: readonly { readonly kind: SegmentKind; readonly segment: number }[];
}

const scratch = new DataView(new ArrayBuffer(8));

function toBits(type: number, value: number | bigint): bigint {
  if (type === ValType.F32) scratch.setFloat32(0, value as number);
  else if (type === ValType.F64) scratch.setFloat64(0, value as number);
  else return BigInt.asUintN(type === ValType.I64 ? 64 : 32, BigInt(value));
  return type === ValType.F32 ? BigInt(scratch.getUint32(0)) : scratch.getBigUint64(0);
}

function fromBits(type: number, bits: bigint): number | bigint {
  if (type === ValType.I64) return BigInt.asIntN(64, bits);
  if (type === ValType.I32) return Number(BigInt.asIntN(32, bits));
  if (type === ValType.F32) {
    scratch.setUint32(0, Number(bits));
    return scratch.getFloat32(0);
  }
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

const isNumeric = (type: number): boolean =>
  type === ValType.I32 || type === ValType.I64 || type === ValType.F32 || type === ValType.F64;

/** Takes the state; null if it holds what cannot travel (host references, functions of other modules). */
export function takeSnapshot(
  instance: WebAssembly.Instance,
  { module, referenced }: RewrittenModule,
): ScalarSnapshot | null {
  const { exports } = instance;
  const indexOf = new Map(referenced.map((index) => [exports[exportOfFunc(index)], index]));
  const globals: (bigint | null)[] = [];
  for (const [index, { type, mutable }] of module.globals.entries()) {
    if (!mutable) {
      globals.push(null);
      continue;
    }
    const { value } = exports[exportOfGlobal(index)] as WebAssembly.Global;
    if (!isNumeric(type)) return null;
    globals.push(toBits(type, value as number | bigint));
  }
  const tables: number[][] = [];
  for (const index of module.tables.keys()) {
    const table = exports[exportOfTable(index)] as WebAssembly.Table;
    const entries: number[] = [];
    for (let i = 0; i < table.length; i++) {
      const reference: unknown = table.get(i);
      const known = reference === null ? NULL_REFERENCE : indexOf.get(reference as never);
      if (known === undefined) return null;
      entries.push(known);
    }
    tables.push(entries);
  }
  const dropped = (['data', 'elem'] as const).flatMap((kind) =>
    (kind === 'data' ? module.data : module.elems).flatMap((declared, segment) => {
      const flag = exports[exportOfDropped(kind, segment)] as WebAssembly.Global | undefined;
      // Of others it makes no difference: active and declared ones are gone since the start.
      return flag?.value === 1 && isPassive(declared) ? [{ kind, segment }] : [];
    }),
  );
  const memories = module.memories.map((_, index) =>
    new Uint8Array((exports[exportOfMemory(index)] as WebAssembly.Memory).buffer).slice(),
  );
  return { memories, globals, tables, dropped };
}

/** Can be copied from after the start: not empty, and not dropped by it. */
function isPassive(segment: WasmData | WasmElem): boolean {
  const length = 'end' in segment ? segment.end - segment.start : (segment.funcs ?? segment.exprs!).length;
  return segment.mode === 'passive' && length > 0;
}

/** Brings a fresh instance into the state. False if it does not fit the module; then the instance is unusable. */
export function restoreSnapshot(
  instance: WebAssembly.Instance,
  { module }: RewrittenModule,
  state: ScalarSnapshot,
): boolean {
  const { exports } = instance;
  const counts = [state.memories.length, state.globals.length, state.tables.length];
  if (counts.join() !== [module.memories.length, module.globals.length, module.tables.length].join()) return false;
  for (const [index, contents] of state.memories.entries()) {
    const memory = exports[exportOfMemory(index)] as WebAssembly.Memory;
    const missing = contents.length - memory.buffer.byteLength;
    if (missing < 0) return false;
    const page = 2 ** module.memories[index]!.pageShift;
    try {
      if (missing > 0) memory.grow(missing / page);
    } catch {
      return false;
    }
    new Uint8Array(memory.buffer).set(contents);
  }
  for (const [index, { type, mutable }] of module.globals.entries()) {
    const bits = state.globals[index];
    if ((bits !== null && bits !== undefined) !== mutable) return false;
    if (mutable) (exports[exportOfGlobal(index)] as WebAssembly.Global).value = fromBits(type, bits!);
  }
  for (const [index, entries] of state.tables.entries()) {
    const table = exports[exportOfTable(index)] as WebAssembly.Table;
    try {
      if (entries.length > table.length) table.grow(entries.length - table.length);
      if (entries.length !== table.length) return false;
      entries.forEach((entry, i) => {
        const reference = entry === NULL_REFERENCE ? null : exports[exportOfFunc(entry)];
        if (reference === undefined) throw new RangeError(`function ${entry}`);
        table.set(i, reference);
      });
    } catch {
      return false;
    }
  }
  // A segment that was dropped stays usable here for memory.init: its flag only travels on.
  for (const { kind, segment } of state.dropped) {
    const flag = exports[exportOfDropped(kind, segment)] as WebAssembly.Global | undefined;
    if (flag !== undefined) flag.value = 1;
  }
  return true;
}
