// Reference interpreter: second opinion on what IR means, before address lowering (Wasm-level IR, or after legalisation with
// `words`). Takes linked instances, gives results or a Trap. Native pointers are Wasm addresses here. Knows no machine.
import { LIBCALLS, type LibCall } from '../abi/libcalls.js';
import { signatureText } from '../abi/signature-id.js';
import { TRAP_MESSAGES, TrapCode } from '../abi/traps.js';
import { InternalError } from '../diagnostics.js';
import { EvalTrap, type Evaluator, EVALUATORS, makeI64, type Value } from './eval.js';
import type { Block, Edge, Inst } from './function.js';
import { Op, OPS } from './ops.js';
import type { FuncInstance, Instance, MemoryInstance, Store, TableInstance } from './runtime.js';
import { Type } from './types.js';

/** The program trapped. */
export class Trap extends Error {
  constructor(
    readonly code: number,
    /** Byte offset in the .wasm file of the instruction, 0 if unknown. */
    readonly wasmOffset: number,
    readonly funcIndex: number,
  ) {
    super(TRAP_MESSAGES[code] ?? `trap ${code}`);
    this.name = 'Trap';
  }
}

/** The store's fuel ran out. */
export class OutOfFuel extends Error {}

type Slot = Value | Value[] | undefined;

interface Frame {
  func: FuncInstance;
  instance: Instance;
  block: Block;
  /** Index of the next instruction in the block. */
  at: number;
  values: Slot[];
}

const isWide = (type: Type): boolean => type === Type.I64 || type === Type.F64;

/** Splits wide values into words, or joins words, by `types`. */
function toWords(values: readonly Value[], types: readonly Type[]): Value[] {
  const out: Value[] = [];
  values.forEach((value, i) => {
    if (!isWide(types[i]!)) out.push(value);
    else out.push(Number(BigInt.asIntN(32, value as bigint)), Number((value as bigint) >> 32n));
  });
  return out;
}
function fromWords(words: readonly Value[], types: readonly Type[]): Value[] {
  let at = 0;
  return types.map((type) => (isWide(type) ? makeI64(words[at++] as number, words[at++] as number) : words[at++]!));
}

/** LibCall name f64Add -> evaluator of op F64Add. */
const LIBCALL_EVALUATORS: ReadonlyMap<LibCall, Evaluator> = new Map(
  Object.entries(LIBCALLS).flatMap(([name, call]): [LibCall, Evaluator][] => {
    const op = Op[(name[0]!.toUpperCase() + name.slice(1)) as keyof typeof Op] as number | undefined;
    const evaluator = op === undefined ? undefined : EVALUATORS[op];
    return evaluator === undefined ? [] : [[call, evaluator]];
  }),
);

/** Calls `func` with values in Wasm form (not words). Throws Trap or OutOfFuel. */
export function invoke(store: Store, func: FuncInstance, args: readonly Value[]): Value[] {
  return new Interpreter(store).invoke(func, args);
}

/** Runs an instance's init function. */
export function initialise(instance: Instance): void {
  invoke(instance.store, instance.init, []);
}

class Interpreter {
  private readonly frames: Frame[] = [];

  constructor(private readonly store: Store) {}

  invoke(func: FuncInstance, args: readonly Value[]): Value[] {
    if (func.host !== null) return func.host([...args]);
    const words = func.instance!.words;
    this.push(func, words ? toWords(args, func.signature.params) : [...args]);
    try {
      const results = this.run();
      return words ? fromWords(results, func.signature.results) : results;
    } catch (error) {
      if (!(error instanceof EvalTrap)) throw error;
      const frame = this.frames[this.frames.length - 1]!;
      const body = frame.func.body!;
      const loc = frame.block.insts[frame.at - 1]?.loc ?? 0;
      throw new Trap(error.code, body.offsetOf(loc), body.inlinedFrom(loc)[0]?.func ?? frame.func.index);
    }
  }

  private push(func: FuncInstance, args: readonly Value[]): void {
    if (this.frames.length >= this.store.maxDepth) throw new EvalTrap(TrapCode.StackOverflow);
    const body = func.body!;
    const values = new Array<Slot>(body.instCount);
    const { params } = body.entry;
    for (let i = 0; i < params.length; i++) values[params[i]!.id] = args[i];
    this.frames.push({ func, instance: func.instance!, block: body.entry, at: 0, values });
  }

  private run(): Value[] {
    const { frames, store } = this;
    for (;;) {
      const frame = frames[frames.length - 1]!;
      const { insts } = frame.block;
      const inst = insts[frame.at++]!;
      if (--store.fuel < 0) throw new OutOfFuel('fuel exhausted');
      if (inst.edges.length > 0) this.branch(frame, inst);
      else if (OPS[inst.op]!.effect === 'terminator') {
        const results = this.leave(frame, inst);
        if (results === null) continue;
        if (frames.length === 0) return results;
        this.deliver(frames[frames.length - 1]!, frame.instance, frame.func, results);
      } else this.step(frame, inst);
    }
  }

  /** Gives a callee's results to the call instruction the caller stands behind. */
  private deliver(caller: Frame, callee: Instance | null, func: FuncInstance, results: Value[]): void {
    const call = caller.block.insts[caller.at - 1]!;
    const calleeWords = callee?.words === true;
    let values = results;
    if (calleeWords && !caller.instance.words) values = fromWords(results, func.signature.results);
    if (!calleeWords && caller.instance.words) values = toWords(results, func.signature.results);
    if (call.type === Type.Multi) caller.values[call.id] = values;
    else if (call.type !== Type.Void) caller.values[call.id] = values[0];
  }

  private branch(frame: Frame, inst: Inst): void {
    let pick = 0;
    if (inst.op === Op.BrIf) pick = frame.values[inst.args[0]!.id] !== 0 ? 0 : 1;
    else if (inst.op === Op.BrTable) {
      pick = Math.min((frame.values[inst.args[0]!.id] as number) >>> 0, inst.edges.length - 1);
    }
    const { block, args }: Edge = inst.edges[pick]!;
    const { values } = frame;
    const given = args.map((a) => values[a.id]);
    for (let i = 0; i < given.length; i++) values[block.params[i]!.id] = given[i];
    frame.block = block;
    frame.at = 0;
  }

  /** Return, trap and tail calls; null if a tail callee took the frame's place. */
  private leave(frame: Frame, inst: Inst): Value[] | null {
    if (inst.op === Op.Trap) throw new EvalTrap(inst.imm);
    const args = inst.args.map((a) => frame.values[a.id] as Value);
    if (inst.op === Op.Return) {
      this.frames.pop();
      return args;
    }
    let callee: FuncInstance;
    if (inst.op === Op.ReturnCall) callee = frame.instance.funcs[inst.imm]!;
    else callee = this.indirect(frame, inst, args.shift() as number);
    this.frames.pop();
    const depth = this.frames.length;
    if (callee.host !== null || callee.instance!.words !== frame.instance.words) {
      // Another form of values: as a call, whose results are the frame's.
      const plain = frame.instance.words ? fromWords(args, callee.signature.params) : args;
      const results = new Interpreter(this.store).invoke(callee, plain);
      return frame.instance.words ? toWords(results, callee.signature.results) : results;
    }
    this.push(callee, args);
    if (this.frames.length !== depth + 1) throw new InternalError('tail call left a frame');
    return null;
  }

  private call(frame: Frame, callee: FuncInstance, args: Value[]): void {
    const words = frame.instance.words;
    if (callee.host !== null) {
      const results = callee.host(words ? fromWords(args, callee.signature.params) : args);
      this.deliver(frame, null, callee, results);
    } else if (callee.instance!.words === words) this.push(callee, args);
    else if (words) this.push(callee, fromWords(args, callee.signature.params));
    else this.push(callee, toWords(args, callee.signature.params));
  }

  /** The function an indirect call reaches, checked as its op says. */
  private indirect(frame: Frame, inst: Inst, operand: number): FuncInstance {
    const { instance } = frame;
    let address = operand;
    const checked = inst.op === Op.CallIndirect || inst.op === Op.ReturnCallIndirect;
    if (checked) {
      const { entries } = instance.tables[inst.imm]!;
      if (operand >>> 0 >= entries.length) throw new EvalTrap(TrapCode.UndefinedElement);
      address = entries[operand >>> 0]!;
    }
    const func = this.descriptor(address);
    const wanted = instance.module.types[inst.imm2]!;
    const expected = this.typeText(wanted);
    if (func.text !== expected) {
      if (checked) throw new EvalTrap(TrapCode.IndirectCallTypeMismatch);
      throw new InternalError(`call_ref of a ${func.text} as ${expected}`);
    }
    return func;
  }
  private readonly texts = new Map<object, string>();
  private typeText(sig: FuncInstance['signature']): string {
    let text = this.texts.get(sig);
    if (text === undefined) this.texts.set(sig, (text = signatureText(sig)));
    return text;
  }
  private descriptor(address: number): FuncInstance {
    if (address === 0) throw new EvalTrap(TrapCode.UninitializedElement);
    return this.store.funcAt(address) ?? bug(`no function at ${address}`);
  }

  private step(frame: Frame, inst: Inst): void {
    const { values } = frame;
    const { op, args } = inst;
    const a = args.length > 0 ? values[args[0]!.id] : undefined;
    const b = args.length > 1 ? values[args[1]!.id] : undefined;
    const c = args.length > 2 ? values[args[2]!.id] : undefined;
    const evaluator = EVALUATORS[op];
    if (evaluator !== undefined) {
      const d = args.length > 3 ? values[args[3]!.id] : undefined;
      values[inst.id] = evaluator(a as Value, b as Value, c as Value, d as Value);
      return;
    }
    if (OPS[op]!.effect === 'call') return this.stepCall(frame, inst);
    if (op >= Op.MemAddr && op <= Op.DataDrop) values[inst.id] = this.stepMemory(frame, inst, a, b, c);
    else values[inst.id] = this.stepOther(frame, inst, a, b, c);
  }

  private stepCall(frame: Frame, inst: Inst): void {
    const args = inst.args.map((x) => frame.values[x.id] as Value);
    switch (inst.op) {
      case Op.Call:
        return this.call(frame, frame.instance.funcs[inst.imm]!, args);
      case Op.LibCall:
        return this.libCall(frame, inst, args);
      default: {
        const callee = this.indirect(frame, inst, args.shift() as number);
        this.call(frame, callee, args);
      }
    }
  }

  private libCall(frame: Frame, inst: Inst, operands: Value[]): void {
    const call = inst.aux as LibCall;
    const evaluator = LIBCALL_EVALUATORS.get(call) ?? bug(`libcall ${call.symbol} is not interpreted`);
    const { words } = frame.instance;
    const args = words ? fromWords(operands, call.params) : operands;
    let results: Value[];
    try {
      results = [evaluator(args[0]!, args[1]!, args[2]!, args[3]!)];
      if (call.status === 'value-status') results.push(0);
    } catch (error) {
      if (!(error instanceof EvalTrap) || call.status !== 'value-status') throw error;
      results = [isWide(call.results[0]!) ? 0n : 0, error.code === TrapCode.IntegerOverflow ? 1 : 2];
    }
    if (words) results = toWords(results, call.results);
    frame.values[inst.id] = inst.type === Type.Multi ? results : results[0];
  }

  private stepMemory(frame: Frame, inst: Inst, a: Slot, b: Slot, c: Slot): Slot {
    const { op, imm, imm2 } = inst;
    const { memories } = frame.instance;
    const x = a as number;
    switch (op) {
      case Op.MemAddr:
        // Extent 0: proved where it is used, and translation alone cannot fail.
        if (imm !== 0 && (x >>> 0) + imm > memories[imm2]!.bytes.length) throw new EvalTrap(TrapCode.MemoryOutOfBounds);
        return a;
      case Op.MemBytes:
        return Math.min(memories[imm]!.bytes.length, 0xffffffff) | 0;
      case Op.MemorySize:
        return memories[imm]!.pages;
      case Op.MemoryGrow:
        return memories[imm]!.grow(x >>> 0);
      case Op.MemoryFill: {
        const { bytes } = memories[imm]!;
        const at = range(x, c as number, bytes.length, TrapCode.MemoryOutOfBounds);
        bytes.fill(b as number, at, at + ((c as number) >>> 0));
        return undefined;
      }
      case Op.MemoryCopy:
      case Op.MemoryInit: {
        const source = op === Op.MemoryCopy ? memories[imm2]!.bytes : frame.instance.data[imm2]!;
        const to = range(x, c as number, memories[imm]!.bytes.length, TrapCode.MemoryOutOfBounds);
        const from = range(b as number, c as number, source.length, TrapCode.MemoryOutOfBounds);
        memories[imm]!.bytes.set(source.slice(from, from + ((c as number) >>> 0)), to);
        return undefined;
      }
      case Op.DataDrop:
        frame.instance.data[imm] = new Uint8Array(0);
        return undefined;
      default:
        if (op >= Op.I32Store) return this.storeTo(memories[imm2], inst, x, b as Value);
        return this.load(memories[imm2], inst, x);
    }
  }

  /** The view and offset of an access; one that the checks before it should have stopped is a bug of ours. */
  private place(memory: MemoryInstance | undefined, inst: Inst, pointer: number, bytes: number): number {
    const at = (pointer >>> 0) + inst.imm;
    if (memory === undefined) throw new InternalError('runtime state is not interpreted');
    if (at + bytes > memory.bytes.length) throw new InternalError(`unchecked access: ${OPS[inst.op]!.name} at ${at}`);
    return at;
  }

  private load(memory: MemoryInstance | undefined, inst: Inst, pointer: number): Value {
    const [bytes, get] = LOADS.get(inst.op)!;
    return get(memory!.view, this.place(memory, inst, pointer, bytes));
  }
  private storeTo(memory: MemoryInstance | undefined, inst: Inst, pointer: number, value: Value): undefined {
    const [bytes, set] = STORES.get(inst.op)!;
    set(memory!.view, this.place(memory, inst, pointer, bytes), value as never);
  }

  private stepOther(frame: Frame, inst: Inst, a: Slot, b: Slot, c: Slot): Slot {
    const { op, imm, imm2 } = inst;
    const { instance } = frame;
    const x = a as number;
    const y = b as number;
    switch (op) {
      case Op.I32Const:
      case Op.F32Const:
        return imm;
      case Op.I64Const:
      case Op.F64Const:
        return makeI64(imm, imm2);
      case Op.Proj:
        return (a as Value[])[imm];
      case Op.GlobalGet: {
        const { value } = instance.globals[imm]!;
        if (typeof value === 'number' || inst.type !== Type.I32) return value;
        return Number(BigInt.asIntN(32, value >> (imm2 === 0 ? 0n : 32n)));
      }
      case Op.GlobalSet: {
        const global = instance.globals[imm]!;
        if (typeof global.value === 'number' || inst.args[0]!.type !== Type.I32) global.value = a as Value;
        else if (imm2 === 0) global.value = makeI64(x, Number(global.value >> 32n));
        else global.value = makeI64(Number(BigInt.asIntN(32, global.value)), x);
        return undefined;
      }
      case Op.RefFunc:
        return instance.funcs[imm]!.address;
      case Op.RefSignature:
        return this.descriptor(x).id;
      case Op.TrapIfLtU:
        return x >>> 0 < y >>> 0 ? fail(imm) : undefined;
      case Op.TrapIfGeU:
        return x >>> 0 >= y >>> 0 ? fail(imm) : undefined;
      case Op.TrapIfEq:
        return x === y ? fail(imm) : undefined;
      case Op.TrapIfNe:
        return x !== y ? fail(imm) : undefined;
      case Op.TrapIfNez:
        return x !== 0 ? fail(imm) : undefined;
      case Op.TrapIfEqz:
        return x === 0 ? fail(imm) : undefined;
      case Op.ElemDrop:
        instance.elems[imm] = [];
        return undefined;
      default:
        return this.stepTable(instance.tables[imm]!, frame, inst, x, y, c as number);
    }
  }

  private stepTable(table: TableInstance, frame: Frame, inst: Inst, a: number, b: number, c: number): Slot {
    const { entries } = table;
    const code = TrapCode.TableOutOfBounds;
    switch (inst.op) {
      case Op.TableGet:
        return entries[range(a, 1, entries.length, code)];
      case Op.TableLoad:
        return entries[a >>> 0] ?? bug('unchecked table access');
      case Op.TableSet:
        entries[range(a, 1, entries.length, code)] = b;
        return undefined;
      case Op.TableSize:
        return entries.length;
      case Op.TableGrow:
        return table.grow(a, b >>> 0);
      case Op.TableFill: {
        const at = range(a, c, entries.length, code);
        entries.fill(b, at, at + (c >>> 0));
        return undefined;
      }
      case Op.TableCopy:
      case Op.TableInit: {
        const { tables, elems } = frame.instance;
        const source = inst.op === Op.TableCopy ? tables[inst.imm2]!.entries : elems[inst.imm2]!;
        const to = range(a, c, entries.length, code);
        const from = range(b, c, source.length, code);
        const values = source.slice(from, from + (c >>> 0));
        for (let i = 0; i < values.length; i++) entries[to + i] = values[i]!;
        return undefined;
      }
      default:
        return bug(`${OPS[inst.op]!.name} is not interpreted`);
    }
  }
}

function bug(message: string): never {
  throw new InternalError(message);
}
function fail(code: number): never {
  throw new EvalTrap(code);
}
/** Start of the unsigned range [start, start + n) if it lies within `size`. */
function range(start: number, n: number, size: number, code: number): number {
  return (start >>> 0) + (n >>> 0) > size ? fail(code) : start >>> 0;
}

type LoadRow = readonly [bytes: number, get: (view: DataView, at: number) => Value];
const LOADS: ReadonlyMap<number, LoadRow> = new Map<number, LoadRow>([
  [Op.I32Load, [4, (v, at) => v.getInt32(at, true)]],
  [Op.I32Load8S, [1, (v, at) => v.getInt8(at)]],
  [Op.I32Load8U, [1, (v, at) => v.getUint8(at)]],
  [Op.I32Load16S, [2, (v, at) => v.getInt16(at, true)]],
  [Op.I32Load16U, [2, (v, at) => v.getUint16(at, true)]],
  [Op.I64Load, [8, (v, at) => v.getBigInt64(at, true)]],
  [Op.I64Load8S, [1, (v, at) => BigInt(v.getInt8(at))]],
  [Op.I64Load8U, [1, (v, at) => BigInt(v.getUint8(at))]],
  [Op.I64Load16S, [2, (v, at) => BigInt(v.getInt16(at, true))]],
  [Op.I64Load16U, [2, (v, at) => BigInt(v.getUint16(at, true))]],
  [Op.I64Load32S, [4, (v, at) => BigInt(v.getInt32(at, true))]],
  [Op.I64Load32U, [4, (v, at) => BigInt(v.getUint32(at, true))]],
  [Op.F32Load, [4, (v, at) => v.getInt32(at, true)]],
  [Op.F64Load, [8, (v, at) => v.getBigInt64(at, true)]],
]);

type StoreRow = readonly [bytes: number, set: (view: DataView, at: number, value: never) => void];
const low = (value: bigint): number => Number(BigInt.asIntN(32, value));
const STORES: ReadonlyMap<number, StoreRow> = new Map<number, StoreRow>([
  [Op.I32Store, [4, (v, at, x: number) => v.setInt32(at, x, true)]],
  [Op.I32Store8, [1, (v, at, x: number) => v.setInt8(at, x)]],
  [Op.I32Store16, [2, (v, at, x: number) => v.setInt16(at, x, true)]],
  [Op.I64Store, [8, (v, at, x: bigint) => v.setBigInt64(at, x, true)]],
  [Op.I64Store8, [1, (v, at, x: bigint) => v.setInt8(at, low(x))]],
  [Op.I64Store16, [2, (v, at, x: bigint) => v.setInt16(at, low(x), true)]],
  [Op.I64Store32, [4, (v, at, x: bigint) => v.setInt32(at, low(x), true)]],
  [Op.F32Store, [4, (v, at, x: number) => v.setInt32(at, x, true)]],
  [Op.F64Store, [8, (v, at, x: bigint) => v.setBigInt64(at, x, true)]],
]);
