// The IR's data structure: functions of blocks of instructions in SSA form with block parameters, and the few edits
// everybody needs. An instruction is its own value. Knows no Wasm, no pass and no machine.
import type { CheckLog } from './check-log.js';
import { Op, OPS } from './ops.js';
import { Type, type Signature } from './types.js';

/** A control transfer to `block`, giving `args` to its parameters. */
export interface Edge {
  block: Block;
  args: Inst[];
}

/** Where `Inst.loc` stops being a byte offset: no .wasm file is as large (the site table has 27 bits for offsets). */
export const INLINED = 2 ** 27;

/** Place of an instruction that inlining brought into another function. */
export interface InlinedLoc {
  /** Byte offset in the .wasm file of the instruction itself. */
  readonly offset: number;
  /** Function that it was written in. */
  readonly func: number;
  /** `loc` of the call that was replaced, in the function that holds the instruction now. */
  readonly call: number;
}

/** One instruction; also the SSA value it defines. Fields a given op does not use keep their defaults. */
export class Inst {
  /** Block that holds it, or null when it is detached. */
  block: Block | null = null;
  /** Outgoing edges; terminators only. */
  edges: Edge[] = NO_EDGES;
  /** Op-specific extra: symbol name (Symbol), libcall (LibCall), result types of a Multi call. */
  aux: unknown = null;
  /**
   * Byte offset of the Wasm instruction it came from, in the .wasm file; 0 if none. From `INLINED` on it is the number of an
   * entry of `Func.inlined` instead; whoever needs the offset asks `Func.offsetOf`.
   */
  loc = 0;
  /** Set by `Func.replace`: the value that stands for this one. Resolve with `resolve`. */
  forward: Inst | null = null;
  constructor(
    readonly id: number,
    public op: number,
    public type: Type,
    public args: Inst[],
    public imm: number,
    public imm2: number,
  ) {}
}

const NO_EDGES: Edge[] = [];

/** A basic block: parameters, then instructions, the last of which is the only terminator. */
export class Block {
  params: Inst[] = [];
  insts: Inst[] = [];
  /** Predecessor blocks, one entry for each incoming edge; valid after `computePreds`. */
  preds: Block[] = [];
  /** Loop nesting depth, for allocation weights and layout; set by the loop analysis. */
  loopDepth = 0;
  /** Rough execution likelihood: true for blocks that only lead to a trap or are marked unlikely. */
  cold = false;
  constructor(readonly id: number) {}

  get terminator(): Inst {
    return this.insts[this.insts.length - 1]!;
  }
}

/** One function. Parameters of the function are the parameters of the entry block `blocks[0]`. */
export class Func {
  blocks: Block[] = [];
  /** What `Inst.loc` beyond `INLINED` stands for. */
  readonly inlined: InlinedLoc[] = [];
  /** Where passes tell what they do to checks; null unless somebody wants to know. */
  checks: CheckLog | null = null;
  private nextInst = 0;
  private nextBlock = 0;
  constructor(
    /** Index in the module's function index space (imports first). */
    readonly index: number,
    readonly name: string,
    /** In IR types; legalisation flattens it to words, while the module's declaration keeps the Wasm signature. */
    public signature: Signature,
  ) {}

  /** Number of instruction ids given out so far: size for side arrays indexed by `inst.id`. */
  get instCount(): number {
    return this.nextInst;
  }
  get blockCount(): number {
    return this.nextBlock;
  }
  get entry(): Block {
    return this.blocks[0]!;
  }

  /** Byte offset in the .wasm file that a `loc` of this function stands for. */
  offsetOf(loc: number): number {
    return loc < INLINED ? loc : this.inlined[loc - INLINED]!.offset;
  }
  /** The calls that inlining has replaced around a `loc`, innermost first; empty for the function's own instructions. */
  inlinedFrom(loc: number): InlinedLoc[] {
    const chain: InlinedLoc[] = [];
    for (let at = loc; at >= INLINED;) {
      const entry = this.inlined[at - INLINED]!;
      chain.push(entry);
      at = entry.call;
    }
    return chain;
  }

  /** A new block, not yet in `blocks`. */
  createBlock(): Block {
    return new Block(this.nextBlock++);
  }
  /** A new block at the end of `blocks`. */
  addBlock(): Block {
    const block = this.createBlock();
    this.blocks.push(block);
    return block;
  }
  /** A new detached instruction. `type` is needed for ops whose result rule is `dynamic`. */
  create(op: number, args: Inst[], imm = 0, imm2 = 0, type?: Type): Inst {
    const rule = OPS[op]!.result;
    return new Inst(this.nextInst++, op, type ?? (rule === 'dynamic' ? Type.Void : rule), args, imm, imm2);
  }
  addParam(block: Block, type: Type): Inst {
    const param = this.create(Op.Param, [], 0, 0, type);
    param.block = block;
    block.params.push(param);
    return param;
  }
  append(block: Block, inst: Inst): Inst {
    inst.block = block;
    block.insts.push(inst);
    return inst;
  }
}

/** Makes `value` stand for `inst` everywhere, once uses are resolved (`resolveUses`). */
export function replace(inst: Inst, value: Inst): void {
  inst.forward = value;
}

/** Follows `forward` links to the value that stands for `inst`, compressing the path. */
export function resolve(inst: Inst): Inst {
  if (inst.forward === null) return inst;
  let root = inst.forward;
  while (root.forward !== null) root = root.forward;
  let at = inst;
  while (at.forward !== null && at.forward !== root) {
    const next: Inst = at.forward;
    at.forward = root;
    at = next;
  }
  return root;
}

/** Rewrites all operands and edge arguments through `resolve`. */
export function resolveUses(func: Func): void {
  const { blocks } = func;
  for (let b = 0; b < blocks.length; b++) {
    const { insts } = blocks[b]!;
    for (let k = 0; k < insts.length; k++) {
      const inst = insts[k]!;
      resolveList(inst.args);
      if (inst.edges !== NO_EDGES) for (const edge of inst.edges) resolveList(edge.args);
    }
  }
}

function resolveList(values: Inst[]): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value.forward !== null) values[i] = resolve(value);
  }
}

/** Recomputes `preds` of every block from the terminators' edges. */
export function computePreds(func: Func): void {
  const { blocks } = func;
  for (let b = 0; b < blocks.length; b++) blocks[b]!.preds.length = 0;
  for (let b = 0; b < blocks.length; b++) {
    const block = blocks[b]!;
    if (block.insts.length === 0) continue;
    const { edges } = block.terminator;
    for (let i = 0; i < edges.length; i++) edges[i]!.block.preds.push(block);
  }
}
