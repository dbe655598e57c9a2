// Machine instructions and blocks over virtual registers: what selection makes, the allocator reads and emission
// expands. Knows the instruction table's operand order, no IR and no bytes.
import { rowOf } from '../isa/table.js';
import { ConstraintKind, OperandKind, OperandPos, type Operand, type PReg, type VReg } from '../regalloc/api.js';

/**
 * Instructions that are not one row of the table. A pseudo's expansion keeps to its declared operands: it writes only
 * its defs (and SAR where said) and reads an early use never after writing a def.
 */
export const enum Pseudo {
  /** First instruction of a function: defines the argument registers. Prologue goes here. */
  Entry = 1000,
  /** Uses the result registers; epilogue and return. */
  Return,
  /** Tail call of `symbol`; uses the argument registers; epilogue and jump. */
  TailCall,
  /** Tail call to the address in operand 0 (a fixed scratch register). */
  TailCallReg,
  /** Direct call of `symbol`. */
  Call,
  /** Register to register copy within a class: [def, use]. */
  Move,
  /** The same, but no reason to give both one register. */
  Copy,
  /** [two scratch defs]: prologue, if no block from the entry to here needs a frame; else nothing (shrink-wrap.ts). */
  MakeFrame,
  /** Unconditional jump to successor 0. */
  Jump,
  /** [target]: jump to an address loaded from the block's jump table, which has one entry for each successor. */
  BrTable,
  /** Address of the jump table of the block's BrTable into operand 0. */
  TableAddress,
  /** Unconditional trap; ends its block. */
  Trap,
  /** 32-bit constant `imm` into operand 0. */
  Const,
  /** Address `symbol` + imm into operand 0. */
  Symbol,
  /** [def, branch operands late]: 1 if branch `imm2` (with immediate `imm`) is taken, else 0. */
  SetIf,
  /** [def = reuse of old, branch operands, other, old]: if branch `imm2` is not taken, def = other. */
  MoveUnless,
  /** [def = reuse of old, branch operands, old]: if branch `imm2` is not taken, def += `amount`. */
  AddUnless,
  /** [def, b]: 0 or 1 of a boolean register. */
  ReadBool,
  /** [count]: start of the zero-overhead loop whose header is the next block. */
  Loop,
  /** End of its body: successor 0 is the header, 1 the exit. Ends its block. */
  LoopEnd,
  /**
   * [pointer, address, base, limit]: pointer = address + base if address <u limit, else what rt_window gives for `imm`
   * bytes with the rights `imm2`; a check of its own. Without the operand `amount` is the limit.
   */
  WindowAddress,
}

export const NO_CLOBBERS: readonly PReg[] = [];
const NO_OPERANDS: Operand[] = [];

/** One instruction. `operands` are its register operands: of a table row in row order, then inputs tied to a def. */
export class MachInst {
  operands: Operand[] = NO_OPERANDS;
  clobbers: readonly PReg[] = NO_CLOBBERS;
  /** Opcode of the branch inside a SetIf, MoveUnless or AddUnless; second immediate of extui. */
  imm2 = 0;
  /** What AddUnless adds: fits addi. Limit of a WindowAddress: fits bgeui. */
  amount = 0;
  symbol: string | null = null;
  /** For Loop and LoopEnd: IR block id of the loop's header. */
  loop = -1;
  /** TrapCode: the instruction is a check (branch to a trap stub) or traps by hardware; SITE_CALL for calls; or 0. */
  site = 0;
  constructor(
    /** Opcode of the table, or a Pseudo. */
    public op: number,
    public imm: number,
    /** Byte offset in the .wasm file. */
    public loc: number,
  ) {}
}

/** A value given to the parameters of a successor. */
export interface MachEdge {
  readonly target: MachBlock;
  readonly args: VReg[];
}

export class MachBlock {
  /** Position in the final layout. */
  index = -1;
  /** Id of the IR block it begins, -1 for blocks made later. */
  id = -1;
  /** Is the header of a zero-overhead loop. */
  loopHeader = false;
  insts: MachInst[] = [];
  params: VReg[] = [];
  succs: MachEdge[] = [];
  preds: MachBlock[] = [];
  /** For a block that ends in BrTable: successor number by index. */
  table: number[] | null = null;
  /** Relative execution count: 10^loop depth, lowered for cold blocks. */
  weight = 1;
}

/** A constant that any instruction can recompute: kept per vreg for the allocator. */
export interface RematValue {
  readonly symbol: string | null;
  readonly imm: number;
}

export class MachFunction {
  /** In layout order; block 0 begins with the Entry pseudo. */
  blocks: MachBlock[] = [];
  /** Class index by vreg. */
  readonly classOf: number[] = [];
  /** Token by vreg, -1 when the value cannot be recomputed. */
  readonly rematOf: number[] = [];
  readonly remats: RematValue[] = [];
  /** The block with MakeFrame, if there is one. */
  frameBlock: MachBlock | null = null;
  /** Symbols called directly. */
  readonly callees = new Set<string>();
  hasIndirectCalls = false;

  newVReg(classIndex: number): VReg {
    this.rematOf.push(-1);
    return this.classOf.push(classIndex) - 1;
  }
}

/** Virtual register numbers begin anew with each function, so that unconstrained operands can be shared for good. */
function shared(kind: OperandKind, pos: OperandPos): (vreg: VReg) => Operand {
  const made: Operand[] = [];
  return (vreg) => {
    while (made.length <= vreg) {
      made.push({ vreg: made.length, kind, pos, constraint: ConstraintKind.Reg, fixed: -1 });
    }
    return made[vreg]!;
  };
}
export const use = shared(OperandKind.Use, OperandPos.Early);
export const lateUse = shared(OperandKind.Use, OperandPos.Late);
export const def = shared(OperandKind.Def, OperandPos.Late);
export const earlyDef = shared(OperandKind.Def, OperandPos.Early);
export const fixedUse = (vreg: VReg, fixed: PReg): Operand => ({
  vreg,
  kind: OperandKind.Use,
  pos: OperandPos.Early,
  constraint: ConstraintKind.Fixed,
  fixed,
});
export const fixedDef = (vreg: VReg, fixed: PReg): Operand => ({
  vreg,
  kind: OperandKind.Def,
  pos: OperandPos.Late,
  constraint: ConstraintKind.Fixed,
  fixed,
});
/** Def in the register of input operand number `input`. */
export const reuseDef = (vreg: VReg, input: number): Operand => ({
  vreg,
  kind: OperandKind.Def,
  pos: OperandPos.Late,
  constraint: ConstraintKind.Reuse,
  fixed: input,
});

/** True for conditional branches of the table. */
export function isBranch(op: number): boolean {
  return op < Pseudo.Entry && rowOf(op).flow === 'branch';
}
