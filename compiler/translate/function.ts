// Translates one validated function body, instruction by instruction, into an SSA function: a BodySink. Takes what
// body.ts reports; gives a Func. Checks nothing (the reader has), optimises nothing. A per-opcode family: long.
import { TrapCode } from '../abi/traps.js';
import { Func, type Edge, type Block, type Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type, type Signature } from '../ir/types.js';
import type { BodySink } from '../wasm/body-sink.js';
import { NATURAL_ALIGN, RESULT_TYPE } from '../wasm/opcodes.js';
import type { FuncType, WasmModule } from '../wasm/types.js';
import type { ModuleFacts } from './facts.js';
import { LoopScan } from './loop-scan.js';
import { IR_OP, irType } from './operators.js';
import type { Env } from './env.js';
import { SsaBuilder, type Join } from './ssa.js';

/**
 * What the operand stack costs a stack machine: one push or pop per operand and result of each reachable instruction.
 * SSA construction leaves none of them; values that cross blocks as operands show up as block parameters.
 */
export interface StackTraffic {
  stackPushes: number;
  stackPops: number;
}

/** One open block. */
interface Label {
  readonly kind: 'block' | 'loop' | 'if';
  /** Stack height without the block's parameters. */
  readonly base: number;
  readonly results: readonly number[];
  /** Operands that a branch to it carries. */
  readonly arity: number;
  /** Loop header, or the block after the end once something branches there. */
  join: Join | null;
  /** For an `if` whose else part has not begun: where it will start, and with what. */
  pendingElse: { readonly block: Block; readonly edge: Edge; readonly env: Env; readonly args: Inst[] } | null;
}

/** Addresses are below 2^32: an access that ends above it always traps. */
const ADDRESS_SPACE = 2 ** 32;

export class FunctionTranslator implements BodySink {
  loc = 0;
  traffic: StackTraffic = { stackPushes: 0, stackPops: 0 };
  private func!: Func;
  private ssa!: SsaBuilder;
  private stack: Inst[] = [];
  private labels: Label[] = [];
  private returnJoin: Join | null = null;
  private results: readonly number[] = [];
  private loops: LoopScan | null = null;
  /** i32 constants of the current block, shared within it. */
  private readonly constants = new Map<number, Inst>();
  private constantsBlock: Block | null = null;

  constructor(
    private readonly module: WasmModule,
    private readonly signatures: readonly Signature[],
    private readonly facts: ModuleFacts,
  ) {}

  /** The function just read; call after `finish`. */
  take(): Func {
    return this.func;
  }

  // -- frame of the function
  begin(index: number, type: FuncType, locals: Uint8Array): void {
    const signature = this.signatures[this.module.funcs[index]!.typeIndex]!;
    this.func = new Func(index, this.facts.funcNames[index]!, signature);
    this.ssa = new SsaBuilder(this.func, locals.map(irType));
    this.stack = [];
    this.labels = [];
    this.returnJoin = null;
    this.results = type.results;
    this.loops = null;
    this.constantsBlock = null;
    this.traffic = { stackPushes: 0, stackPops: 0 };
  }

  finish(reachable: boolean): void {
    if (this.returnJoin === null) {
      if (reachable) this.ret();
    } else {
      if (reachable) this.jump(this.returnJoin, this.popMany(this.results.length));
      const values = this.ssa.enterJoin(this.returnJoin, this.results.map(irType));
      this.emit(Op.Return, values);
    }
    this.ssa.finish();
  }

  // -- instructions into the current block
  private emit(op: number, args: Inst[], imm = 0, imm2 = 0, type?: Type): Inst {
    const inst = this.func.create(op, args, imm, imm2, type);
    inst.loc = this.loc;
    return this.func.append(this.ssa.block, inst);
  }
  private push(value: Inst): void {
    this.traffic.stackPushes++;
    this.stack.push(value);
  }
  private pop(): Inst {
    this.traffic.stackPops++;
    return this.stack.pop()!;
  }
  private popMany(count: number): Inst[] {
    this.traffic.stackPops += count;
    return count === 0 ? [] : this.stack.splice(this.stack.length - count, count);
  }
  /** Copies of the top `count` operands, left on the stack. */
  private top(count: number): Inst[] {
    return count === 0 ? [] : this.stack.slice(this.stack.length - count);
  }
  /** Moves operands into place at a block boundary; no stack machine instruction does this. */
  private setStack(base: number, values: readonly Inst[]): void {
    this.stack.length = base;
    for (const value of values) this.stack.push(value);
  }

  // -- control
  block(type: FuncType): void {
    this.open('block', type, null);
  }

  loop(type: FuncType, bodyStart: number, end: number): void {
    const header = this.ssa.newJoin();
    const args = this.top(type.params.length);
    const base = this.stack.length - args.length;
    this.jump(header, args);
    if (this.loops === null || !this.loops.covers(bodyStart)) {
      this.loops = new LoopScan(this.module.bytes, bodyStart, end);
    }
    this.setStack(base, this.ssa.enterLoop(header, type.params.map(irType), this.loops.assignedIn(bodyStart)));
    this.open('loop', type, header);
  }

  ifBegin(type: FuncType): void {
    const condition = this.pop();
    const thenBlock = this.func.createBlock();
    const elseBlock = this.func.createBlock();
    const edge: Edge = { block: elseBlock, args: [] };
    const branch = this.emit(Op.BrIf, [condition]);
    branch.edges = [{ block: thenBlock, args: [] }, edge];
    const env = this.ssa.snapshot();
    const args = this.top(type.params.length);
    this.open('if', type, null).pendingElse = { block: elseBlock, edge, env, args };
    this.ssa.startBlock(thenBlock, null);
  }

  elseBegin(reachable: boolean): void {
    const label = this.labels[this.labels.length - 1]!;
    const pending = label.pendingElse!;
    if (reachable) this.jump(this.joinOf(label), this.top(label.results.length));
    label.pendingElse = null;
    this.setStack(label.base, pending.args);
    this.ssa.startBlock(pending.block, pending.env);
  }

  end(reachable: boolean): boolean {
    const label = this.labels.pop()!;
    if (label.kind === 'loop') {
      this.ssa.sealLoop(label.join!);
      if (!reachable) this.stack.length = label.base;
      return reachable;
    }
    const pending = label.pendingElse;
    if (pending !== null) {
      if (!reachable && label.join === null) {
        this.setStack(label.base, pending.args);
        this.ssa.startBlock(pending.block, pending.env);
        return true;
      }
      // No else part: the branch goes straight to the end.
      const fallthrough = reachable ? this.ssa.snapshot() : null;
      const join = this.joinOf(label);
      pending.edge.args = pending.args;
      this.ssa.attach(join, pending.edge, pending.env);
      if (fallthrough !== null) this.jumpWith(join, this.top(label.results.length), fallthrough);
    } else if (label.join !== null && reachable) {
      this.jump(label.join, this.top(label.results.length));
    }
    if (label.join === null) {
      if (!reachable) this.stack.length = label.base;
      return reachable;
    }
    this.setStack(label.base, this.ssa.enterJoin(label.join, label.results.map(irType)));
    return true;
  }

  private open(kind: Label['kind'], type: FuncType, join: Join | null): Label {
    const base = this.stack.length - type.params.length;
    const arity = kind === 'loop' ? type.params.length : type.results.length;
    const label: Label = { kind, base, results: type.results, arity, join, pendingElse: null };
    this.labels.push(label);
    return label;
  }

  private joinOf(label: Label): Join {
    return (label.join ??= this.ssa.newJoin());
  }
  /** Where a branch of this depth goes; the outermost label is the function's return. */
  private target(depth: number): Join {
    const at = this.labels.length - 1 - depth;
    return at < 0 ? (this.returnJoin ??= this.ssa.newJoin()) : this.joinOf(this.labels[at]!);
  }
  private arity(depth: number): number {
    const at = this.labels.length - 1 - depth;
    return at < 0 ? this.results.length : this.labels[at]!.arity;
  }

  private jumpWith(join: Join, args: Inst[], env: Env): void {
    this.emit(Op.Jump, []).edges = [this.ssa.edgeTo(join, args, env)];
  }
  private jump(join: Join, args: Inst[]): void {
    this.jumpWith(join, args, this.ssa.snapshot());
  }

  br(depth: number): void {
    if (depth === this.labels.length) this.ret();
    else this.jump(this.target(depth), this.top(this.arity(depth)));
  }

  brIf(depth: number): void {
    const condition = this.pop();
    const next = this.func.createBlock();
    const branch = this.emit(Op.BrIf, [condition]);
    const edge = this.ssa.edgeTo(this.target(depth), this.top(this.arity(depth)), this.ssa.snapshot());
    branch.edges = [edge, { block: next, args: [] }];
    this.ssa.startBlock(next, null);
  }

  brTable(depths: Uint32Array, count: number): void {
    const index = this.pop();
    const arity = this.arity(depths[count - 1]!);
    const env = this.ssa.snapshot();
    const edges: Edge[] = [];
    for (let i = 0; i < count; i++) edges.push(this.ssa.edgeTo(this.target(depths[i]!), this.top(arity), env));
    if (count === 1) this.emit(Op.Jump, []).edges = edges;
    else this.emit(Op.BrTable, [index]).edges = edges;
  }

  ret(): void {
    this.emit(Op.Return, this.popMany(this.results.length));
  }

  unreachable(): void {
    this.emit(Op.Trap, [], TrapCode.Unreachable);
  }

  // -- calls
  private pushResults(call: Inst, results: readonly Type[]): void {
    if (results.length === 0) return;
    if (results.length === 1) {
      this.push(call);
      return;
    }
    call.aux = results;
    for (let i = 0; i < results.length; i++) this.push(this.emit(Op.Proj, [call], i, 0, results[i]!));
  }

  call(func: number): void {
    const sig = this.signatures[this.module.funcs[func]!.typeIndex]!;
    const args = this.popMany(sig.params.length);
    this.pushResults(this.emit(Op.Call, args, func, 0, callType(sig)), sig.results);
  }

  callIndirect(typeIndex: number, table: number): void {
    const sig = this.signatures[typeIndex]!;
    const args = this.indirectArgs(sig);
    this.pushResults(this.emit(Op.CallIndirect, args, table, typeIndex, callType(sig)), sig.results);
  }

  returnCall(func: number): void {
    const sig = this.signatures[this.module.funcs[func]!.typeIndex]!;
    this.emit(Op.ReturnCall, this.popMany(sig.params.length), func);
  }

  returnCallIndirect(typeIndex: number, table: number): void {
    this.emit(Op.ReturnCallIndirect, this.indirectArgs(this.signatures[typeIndex]!), table, typeIndex);
  }

  /** The table index comes first in the IR, last on the stack. */
  private indirectArgs(sig: Signature): Inst[] {
    const index = this.pop();
    return [index, ...this.popMany(sig.params.length)];
  }

  // -- variables
  drop(): void {
    this.pop();
  }
  select(type: number): void {
    const condition = this.pop();
    const ifZero = this.pop();
    const ifNonZero = this.pop();
    this.push(this.emit(Op.Select, [condition, ifNonZero, ifZero], 0, 0, irType(type)));
  }
  localGet(index: number): void {
    this.push(this.ssa.readLocal(index));
  }
  localSet(index: number): void {
    this.ssa.writeLocal(index, this.pop());
  }
  localTee(index: number): void {
    const value = this.pop();
    this.ssa.writeLocal(index, value);
    this.push(value);
  }
  globalGet(index: number): void {
    this.push(this.emit(Op.GlobalGet, [], index, 0, irType(this.module.globals[index]!.type)));
  }
  globalSet(index: number): void {
    this.emit(Op.GlobalSet, [this.pop()], index);
  }

  // -- constants and numeric ops
  private i32(value: number): Inst {
    if (this.constantsBlock !== this.ssa.block) {
      this.constants.clear();
      this.constantsBlock = this.ssa.block;
    }
    let inst = this.constants.get(value);
    if (inst === undefined) this.constants.set(value, (inst = this.emit(Op.I32Const, [], value)));
    return inst;
  }
  i32Const(value: number): void {
    this.push(this.i32(value));
  }
  i64Const(lo: number, hi: number): void {
    this.push(this.emit(Op.I64Const, [], lo, hi));
  }
  f32Const(bits: number): void {
    this.push(this.emit(Op.F32Const, [], bits));
  }
  f64Const(lo: number, hi: number): void {
    this.push(this.emit(Op.F64Const, [], lo, hi));
  }
  unary(opcode: number): void {
    this.push(this.emit(IR_OP[opcode]!, [this.pop()]));
  }
  binary(opcode: number): void {
    const right = this.pop();
    this.push(this.emit(IR_OP[opcode]!, [this.pop(), right]));
  }

  // -- memory
  /** Native pointer for an access of `width` bytes at `offset`, or null if the access can never be in bounds. */
  private pointer(address: Inst, offset: number, width: number, memory: number): Inst | null {
    const extent = offset + width;
    if (extent <= ADDRESS_SPACE) return this.emit(Op.MemAddr, [address], extent, memory);
    this.emit(Op.TrapIfEqz, [this.i32(0)], TrapCode.MemoryOutOfBounds);
    return null;
  }

  load(opcode: number, offset: number, memory: number): void {
    const address = this.pop();
    const pointer = this.pointer(address, offset, 1 << NATURAL_ALIGN[opcode]!, memory);
    if (pointer === null) this.push(this.zero(irType(RESULT_TYPE[opcode]!)));
    else this.push(this.emit(IR_OP[opcode]!, [pointer], offset, memory));
  }

  store(opcode: number, offset: number, memory: number): void {
    const value = this.pop();
    const address = this.pop();
    const pointer = this.pointer(address, offset, 1 << NATURAL_ALIGN[opcode]!, memory);
    if (pointer !== null) this.emit(IR_OP[opcode]!, [pointer, value], offset, memory);
  }

  private zero(type: Type): Inst {
    const op = type === Type.I64 ? Op.I64Const : type === Type.F32 ? Op.F32Const : Op.F64Const;
    return type === Type.I32 ? this.i32(0) : this.emit(op, []);
  }

  memorySize(memory: number): void {
    this.push(this.emit(Op.MemorySize, [], memory));
  }
  memoryGrow(memory: number): void {
    this.facts.memoryGrown[memory] = 1;
    this.push(this.emit(Op.MemoryGrow, [this.pop()], memory));
  }
  memoryFill(memory: number): void {
    this.emit(Op.MemoryFill, this.popMany(3), memory);
  }
  memoryCopy(destination: number, source: number): void {
    this.emit(Op.MemoryCopy, this.popMany(3), destination, source);
  }
  memoryInit(segment: number, memory: number): void {
    this.facts.dataUsed[segment] = 1;
    this.emit(Op.MemoryInit, this.popMany(3), memory, segment);
  }
  dataDrop(segment: number): void {
    this.emit(Op.DataDrop, [], segment);
  }

  // -- references and tables
  refNull(): void {
    this.push(this.i32(0));
  }
  refIsNull(): void {
    this.push(this.emit(Op.I32Eqz, [this.pop()]));
  }
  refFunc(func: number): void {
    this.facts.addressTaken[func] = 1;
    this.push(this.emit(Op.RefFunc, [], func));
  }
  tableGet(table: number): void {
    this.push(this.emit(Op.TableGet, [this.pop()], table));
  }
  tableSet(table: number): void {
    this.facts.tableMutated[table] = 1;
    this.emit(Op.TableSet, this.popMany(2), table);
  }
  tableSize(table: number): void {
    this.push(this.emit(Op.TableSize, [], table));
  }
  tableGrow(table: number): void {
    this.facts.tableMutated[table] = 1;
    this.facts.tableGrown[table] = 1;
    this.push(this.emit(Op.TableGrow, this.popMany(2), table));
  }
  tableFill(table: number): void {
    this.facts.tableMutated[table] = 1;
    this.emit(Op.TableFill, this.popMany(3), table);
  }
  tableCopy(destination: number, source: number): void {
    this.facts.tableMutated[destination] = 1;
    this.emit(Op.TableCopy, this.popMany(3), destination, source);
  }
  tableInit(segment: number, table: number): void {
    this.facts.tableMutated[table] = 1;
    this.facts.elemUsed[segment] = 1;
    this.emit(Op.TableInit, this.popMany(3), table, segment);
  }
  elemDrop(segment: number): void {
    this.emit(Op.ElemDrop, [], segment);
  }
}

function callType(sig: Signature): Type {
  return sig.results.length === 0 ? Type.Void : sig.results.length === 1 ? sig.results[0]! : Type.Multi;
}
