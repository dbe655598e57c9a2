// The register allocator's whole contract: what it is given and what it gives back. Blind to the ISA: registers are
// numbers in classes, instructions are operand lists. Modelled on the usual "operands with constraints" interface.

/** A virtual register: dense number from 0. */
export type VReg = number;
/** A physical register: dense number; the classes' registers do not overlap (e.g. AR a0..a15 = 0..15, FR = 16..31, BR = 32..47). */
export type PReg = number;

export const enum OperandKind {
  Use = 0,
  Def = 1,
}

/**
 * When an operand is live within its instruction. `Early` uses are read before any `Late` def is written, so a late
 * def may share a register with an early use; an early def (written before all inputs are read, e.g. a scratch or the
 * first half of a multi-instruction pseudo) and a late use may not.
 */
export const enum OperandPos {
  Early = 0,
  Late = 1,
}

export const enum ConstraintKind {
  /** Register or stack slot: the instruction can work on either (e.g. call arguments kept in frame). Rare. */
  Any = 0,
  /** Any register of the vreg's class. */
  Reg = 1,
  /** The physical register `Operand.fixed`. */
  Fixed = 2,
  /** Def only: the same register as input operand number `Operand.fixed`. */
  Reuse = 3,
}

export interface Operand {
  readonly vreg: VReg;
  readonly kind: OperandKind;
  readonly pos: OperandPos;
  readonly constraint: ConstraintKind;
  /** PReg for Fixed, operand index for Reuse, else -1. */
  readonly fixed: number;
}

/** One register class. */
export interface RegisterClass {
  readonly name: string;
  /** Allocatable registers, in order of preference when all else is equal. */
  readonly order: readonly PReg[];
  /** Those of `order` whose first use costs a save and restore in the prologue. */
  readonly calleeSaved: ReadonlySet<PReg>;
  /** Spill slot size in words. */
  readonly slotWords: number;
}

/**
 * The function to allocate, in SSA form: each vreg has one def (an operand or a block parameter); block parameters
 * receive their values over edges. Critical edges are split already: a block with several successors has successors
 * with one predecessor each. Blocks are numbered in final layout order; instructions are numbered densely in that order,
 * block b holds instructions blockStart(b) .. blockEnd(b)-1, the last of which is its terminator.
 */
export interface RegallocInput {
  readonly classes: readonly RegisterClass[];
  readonly vregCount: number;
  /** Class index of a vreg. */
  vregClass(vreg: VReg): number;
  /**
   * If the vreg's value can be recomputed anywhere without operands (constant, symbol address), a token for it, else -1.
   * The allocator then may give `Remat` moves instead of spilling.
   */
  rematToken(vreg: VReg): number;
  readonly blockCount: number;
  blockStart(block: number): number;
  blockEnd(block: number): number;
  blockParams(block: number): readonly VReg[];
  blockSuccs(block: number): readonly number[];
  blockPreds(block: number): readonly number[];
  /** Values given to successor number `succ` (position in blockSuccs) over that edge, in order of its blockParams. */
  edgeArgs(block: number, succ: number): readonly VReg[];
  /** Execution weight: 10^loopDepth-like, 0 or near 0 for cold blocks. */
  blockWeight(block: number): number;
  readonly instCount: number;
  operands(inst: number): readonly Operand[];
  /** Physical registers that the instruction destroys (beside its defs), e.g. at calls. */
  clobbers(inst: number): readonly PReg[];
  /**
   * True if the instruction is a plain register copy from its only use to its only def (a coalescing hint). When both
   * get the same location the caller drops it.
   */
  isMove(inst: number): boolean;
}

/** Where a value lives: a physical register (>= 0) or spill slot s as -(s + 1). */
export type Location = number;
export const slotLocation = (slot: number): Location => -(slot + 1);
export const isSlot = (location: Location): boolean => location < 0;
export const slotOf = (location: Location): number => -location - 1;

/** One step of an already sequentialised parallel move. `rematToken` >= 0 means: recompute the value into `to`. */
export interface Move {
  readonly from: Location;
  readonly to: Location;
  readonly rematToken: number;
  readonly classIndex: number;
}

export interface RegallocStats {
  /** VRegs that live in a stack slot somewhere. */
  readonly spilledVRegs: number;
  /** Cuts of live ranges. */
  readonly splits: number;
  /** Register to register moves inserted. */
  readonly moves: number;
  readonly loads: number;
  readonly stores: number;
  readonly remats: number;
  /** Pairs of values that were given one register beforehand. */
  readonly coalesced: number;
  /** Bundles thrown out of a register again for a more important one. */
  readonly evictions: number;
  /** Sum over all inserted moves, loads, stores and rematerialisations of their block's weight. */
  readonly weightedCost: number;
}

export interface RegallocOutput {
  /** For instruction i, operand k: the location (a register unless the constraint was Any). */
  readonly locations: readonly (readonly Location[])[];
  /**
   * Moves to execute before instruction i (index i), in this order. Edge moves are placed here too: at the block's end
   * or start. No move goes from slot to slot: each is register to register, load, store or rematerialisation.
   */
  readonly movesBefore: ReadonlyMap<number, readonly Move[]>;
  /**
   * Instructions that must not be emitted: the only thing they do is to define a rematerialisable value that is
   * recomputed wherever it is needed. Their entries in `locations` mean nothing.
   */
  readonly skipped: ReadonlySet<number>;
  /** Spill slots, in words of the frame. A slot of a class with slotWords n occupies n consecutive slot numbers. */
  readonly slotCount: number;
  /** All physical registers written anywhere (to know which callee-saved ones to save). */
  readonly writtenRegisters: ReadonlySet<PReg>;
  readonly stats: RegallocStats;
}

export type Allocate = (input: RegallocInput) => RegallocOutput;
