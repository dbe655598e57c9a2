// Checks a function's IR against the rules every pass may rely on. Takes a function (and its module for signatures),
// gives a list of faults; a fault is always a bug of ours. Checks no Wasm validity.
import type { LibCall } from '../abi/libcalls.js';
import { controlFlow } from '../analysis/cfg.js';
import { DominatorTree } from '../analysis/dominators.js';
import { InternalError } from '../diagnostics.js';
import { MACHINE_OPS } from '../passes/machine-ops.js';
import { type Block, computePreds, type Func, type Inst } from './function.js';
import type { IrModule } from './module.js';
import { Op, OPS } from './ops.js';
import { instPrinter, printFunc } from './print.js';
import { type Signature, Type, TYPE_NAMES } from './types.js';

export interface VerifyOptions {
  /** Gives signatures of callees and types of globals; without it these are not checked. */
  readonly module?: IrModule;
  /** Signatures and values are flat words: no i64, no f64 (after legalisation). */
  readonly words?: boolean;
  /** Only ops of the contract with the backend (implies `words`). */
  readonly machine?: boolean;
}

export interface VerifyFault {
  /** The instruction at fault, or null for a fault of the function or an empty block. */
  readonly inst: Inst | null;
  readonly message: string;
}

const MACHINE_OP_SET: ReadonlySet<number> = new Set(MACHINE_OPS);

/** Types as 32-bit words: i64 and f64 become two i32. */
export function flattenTypes(types: readonly Type[]): Type[] {
  const out: Type[] = [];
  for (const type of types) {
    if (type === Type.I64 || type === Type.F64) out.push(Type.I32, Type.I32);
    else out.push(type);
  }
  return out;
}

const names = (types: readonly Type[]): string => `(${types.map((t) => TYPE_NAMES[t]).join(', ')})`;
const sameTypes = (a: readonly Type[], b: readonly Type[]): boolean =>
  a.length === b.length && a.every((t, i) => t === b[i]);
const typesOf = (args: readonly Inst[]): Type[] => args.map((a) => a.type);

class Verifier {
  readonly faults: VerifyFault[] = [];
  private readonly words: boolean;
  private readonly place: Int32Array;
  private readonly blocks: ReadonlySet<Block>;

  constructor(
    private readonly func: Func,
    private readonly options: VerifyOptions,
  ) {
    this.words = options.words === true || options.machine === true;
    this.place = new Int32Array(func.instCount).fill(-1);
    this.blocks = new Set(func.blocks);
  }

  private fault(inst: Inst | null, message: string): void {
    this.faults.push({ inst, message });
  }

  run(): readonly VerifyFault[] {
    if (!this.structure()) return this.faults;
    for (const block of this.func.blocks) {
      for (const param of block.params) this.valueType(param);
      for (const inst of block.insts) this.inst(inst);
    }
    if (this.faults.length === 0) this.dominance();
    return this.faults;
  }

  /** Blocks, terminators, ownership; later checks need these. */
  private structure(): boolean {
    const { func } = this;
    if (func.blocks.length === 0) {
      this.fault(null, 'function has no block');
      return false;
    }
    for (const block of func.blocks) {
      const last = block.insts.length - 1;
      if (last < 0) this.fault(null, `block ${func.blocks.indexOf(block)} is empty`);
      block.params.forEach((param) => this.owned(param, block, 0));
      block.insts.forEach((inst, i) => {
        this.owned(inst, block, i + 1);
        if (inst.op === Op.Param) this.fault(inst, 'param among the instructions');
        const terminator = OPS[inst.op]!.effect === 'terminator';
        if (i === last && !terminator) this.fault(inst, 'block does not end in a terminator');
        if (i !== last && terminator) this.fault(inst, 'terminator in the middle of a block');
        for (const edge of inst.edges)
          if (!this.blocks.has(edge.block)) this.fault(inst, 'edge to a block outside the function');
      });
    }
    const signature = this.signature(func.signature);
    if (!sameTypes(typesOf(func.entry.params), signature.params)) {
      this.fault(null, `entry parameters ${names(typesOf(func.entry.params))} are not those of the signature`);
    }
    return this.faults.length === 0;
  }

  private owned(inst: Inst, block: Block, place: number): void {
    if (inst.block !== block) this.fault(inst, 'block link is wrong');
    if (inst.id >= this.place.length || this.place[inst.id] !== -1) this.fault(inst, 'instruction occurs twice');
    else this.place[inst.id] = place;
  }

  private signature(sig: Signature): Signature {
    return this.words ? { params: flattenTypes(sig.params), results: flattenTypes(sig.results) } : sig;
  }

  private valueType(inst: Inst): void {
    const { type } = inst;
    if (this.words && (type === Type.I64 || type === Type.F64))
      this.fault(inst, `type ${TYPE_NAMES[type]} after legalisation`);
    if (inst.op === Op.Param && (type === Type.Void || type === Type.Multi))
      this.fault(inst, 'parameter without a value type');
  }

  private inst(inst: Inst): void {
    const info = OPS[inst.op]!;
    this.valueType(inst);
    if (this.options.machine === true && !MACHINE_OP_SET.has(inst.op))
      this.fault(inst, `${info.name} is not a machine op`);
    if (info.result !== 'dynamic' && inst.type !== info.result)
      this.fault(inst, `result type is not ${TYPE_NAMES[info.result]}`);
    for (const arg of inst.args) this.operand(inst, arg);
    if (info.operands !== null) this.types(inst, inst.args, info.operands);
    else this.special(inst);
    this.edges(inst);
  }

  private operand(inst: Inst, arg: Inst): void {
    if (arg.forward !== null) this.fault(inst, `operand ${arg.id} was replaced`);
    else if (arg.id >= this.place.length || this.place[arg.id] === -1)
      this.fault(inst, 'operand is not in the function');
    else if (arg.type === Type.Void) this.fault(inst, 'operand has no value');
    else if (arg.type === Type.Multi && inst.op !== Op.Proj) this.fault(inst, 'operand is a multi-result call');
  }

  private types(inst: Inst, args: readonly Inst[], expected: readonly Type[]): void {
    if (args.length !== expected.length) this.fault(inst, `${args.length} operands, not ${expected.length}`);
    else if (!sameTypes(typesOf(args), expected))
      this.fault(inst, `operand types ${names(typesOf(args))}, not ${names(expected)}`);
  }

  private results(inst: Inst, expected: readonly Type[]): void {
    const type = expected.length === 0 ? Type.Void : expected.length === 1 ? expected[0]! : Type.Multi;
    if (inst.type !== type) this.fault(inst, `result type ${TYPE_NAMES[inst.type]}, not ${TYPE_NAMES[type]}`);
    else if (type === Type.Multi && inst.op !== Op.LibCall && !sameTypes((inst.aux as Type[] | null) ?? [], expected)) {
      this.fault(inst, `result types are not ${names(expected)}`);
    }
  }

  private special(inst: Inst): void {
    const { module } = this.options;
    const { args } = inst;
    switch (inst.op) {
      case Op.Proj:
        this.proj(inst);
        break;
      case Op.Select:
        this.types(inst, args, [Type.I32, inst.type, inst.type]);
        break;
      case Op.GlobalSet: {
        const global = module?.globals[inst.imm];
        if (args.length !== 1) this.fault(inst, 'one operand wanted');
        else if (global !== undefined && !(this.words && args[0]!.type === Type.I32))
          this.types(inst, args, [global.type]);
        break;
      }
      case Op.Call:
      case Op.ReturnCall: {
        const sig = module?.funcs[inst.imm]?.signature;
        if (sig !== undefined) this.call(inst, args, sig);
        break;
      }
      case Op.CallIndirect:
      case Op.CallRef:
      case Op.ReturnCallIndirect:
      case Op.ReturnCallRef: {
        const sig = module?.types[inst.imm2];
        if (args[0]?.type !== Type.I32) this.fault(inst, 'first operand is not i32');
        else if (sig !== undefined) this.call(inst, args.slice(1), sig);
        break;
      }
      case Op.LibCall: {
        const call = inst.aux as LibCall | null;
        if (call === null) this.fault(inst, 'libcall without a function');
        else this.libCall(inst, call);
        break;
      }
      case Op.Return:
        this.types(inst, args, this.signature(this.func.signature).results);
        break;
      default:
        this.fault(inst, 'op without a rule');
    }
  }

  private call(inst: Inst, args: readonly Inst[], callee: Signature): void {
    const sig = this.signature(callee);
    this.types(inst, args, sig.params);
    if (OPS[inst.op]!.effect !== 'terminator') this.results(inst, sig.results);
    else if (!sameTypes(sig.results, this.signature(this.func.signature).results))
      this.fault(inst, 'tail callee has other results');
  }

  /** Between legalisation of f64 and of i64, a libcall's f64s are i64s. */
  private libCall(inst: Inst, call: LibCall): void {
    const f64AsI64 = (t: Type): Type => (t === Type.F64 ? Type.I64 : t);
    const wide = sameTypes(typesOf(inst.args).map(f64AsI64), call.params.map(f64AsI64));
    if (this.words || !wide) this.types(inst, inst.args, this.signature(call).params);
    if (this.words) this.results(inst, this.signature(call).results);
  }

  private proj(inst: Inst): void {
    const call = inst.args[0];
    if (inst.args.length !== 1 || call === undefined || call.type !== Type.Multi)
      return this.fault(inst, 'operand is not a multi-result call');
    const before = inst.block!.insts[this.place[inst.id]! - 2];
    if (before !== call && !(before?.op === Op.Proj && before.args[0] === call))
      this.fault(inst, 'proj does not follow its call');
    if (call.op !== Op.LibCall) {
      const types = (call.aux as Type[] | null) ?? [];
      if (inst.type !== types[inst.imm]) this.fault(inst, `type is not that of result ${inst.imm}`);
    }
  }

  private edges(inst: Inst): void {
    const count = inst.edges.length;
    const wanted =
      inst.op === Op.Jump
        ? count === 1
        : inst.op === Op.BrIf
          ? count === 2
          : inst.op === Op.BrTable
            ? count >= 1
            : count === 0;
    if (!wanted) this.fault(inst, `wrong number of edges: ${count}`);
    for (const edge of inst.edges) {
      for (const arg of edge.args) this.operand(inst, arg);
      const given = typesOf(edge.args);
      const taken = typesOf(edge.block.params);
      if (!sameTypes(given, taken)) this.fault(inst, `edge arguments ${names(given)} for parameters ${names(taken)}`);
      if (edge.block === this.func.entry) this.fault(inst, 'edge to the entry block');
    }
  }

  private dominance(): void {
    computePreds(this.func);
    const cfg = controlFlow(this.func);
    const tree = new DominatorTree(cfg);
    const check = (inst: Inst, value: Inst): void => {
      const block = inst.block!;
      const ok =
        value.block === block
          ? this.place[value.id]! < this.place[inst.id]!
          : cfg.number[value.block!.id] !== -1 && tree.dominates(value.block!, block);
      if (!ok) this.fault(inst, 'operand does not dominate its use');
    };
    for (const block of cfg.order) {
      for (const inst of block.insts) {
        for (const arg of inst.args) check(inst, arg);
        for (const edge of inst.edges) for (const arg of edge.args) check(inst, arg);
      }
    }
  }
}

/** All faults of `func`; empty if there are none. */
export function verifyFunc(func: Func, options: VerifyOptions = {}): readonly VerifyFault[] {
  return new Verifier(func, options).run();
}

/** Throws an InternalError that names the stage, the first fault and the function's text. */
export function assertValid(func: Func, stage: string, options: VerifyOptions = {}): void {
  const faults = verifyFunc(func, options);
  if (faults.length === 0) return;
  const { inst, message } = faults[0]!;
  const where = inst === null ? '' : `: ${instPrinter(func)(inst)}`;
  throw new InternalError(`IR of ${func.name} is broken after ${stage}: ${message}${where}\n${printFunc(func)}`);
}
