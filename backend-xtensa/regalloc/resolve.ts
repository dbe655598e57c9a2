// Takes the finished assignment, gives each operand its location and the moves between locations: at cuts of live
// ranges, over edges, around fixed and two-address operands, and to and from memory. Knows no policy.
//
// Moves before an instruction come in groups, each a parallel move:
//   EdgeIn  at a block's start, from its only predecessor
//   Result  results out of fixed registers, and stores of spilled values right after their def
//   Cut     changes of place between two instructions, and inputs into fixed and two-address registers; all read the
//           locations as they are before, so that a value may leave a register just as another enters it
//   EdgeOut at a block's end, to its only successor
import { InternalError } from '../../compiler/diagnostics.js';
import { ConstraintKind, slotLocation, type Location, type Move } from './api.js';
import type { BundleSet } from './bundles.js';
import type { Coalesced } from './coalesce.js';
import type { LiveRanges } from './liveness.js';
import { LocationMap, NOT_LIVE, NOWHERE } from './locations.js';
import type { Occupancy } from './occupancy.js';
import { ParallelMoves } from './parallel-move.js';
import { blockFrom, blockTo, constraintOf, OP_DEF, OP_REUSED, type Problem } from './problem.js';
import { NIL } from './ranges.js';
import { f64, i32, roomI32, u8 } from './scratch.js';
import { SlotFrame, type SlotDemand } from './slots.js';

const enum Group {
  EdgeIn = 0,
  Result = 1,
  Cut = 2,
  EdgeOut = 3,
}
const GROUPS = 4;

export class Resolver {
  readonly frame: SlotFrame;
  readonly locations: Location[][];
  readonly movesBefore = new Map<number, Move[]>();
  readonly skipped = new Set<number>();
  spilledVRegs = 0;
  private readonly where: LocationMap;
  /** 1: the value goes to its slot right after the def; 0: where it changes from register to slot. */
  private readonly storedAtDef: Uint8Array;
  /** Cost of storing at each change of place instead. */
  private readonly changeCost: Float64Array;
  private readonly remat: Int32Array;
  /** Stores that a store at the def would save: place (instruction and group), register, value. */
  private changes = 0;
  private changeKey = i32(64);
  private changeFrom = i32(64);
  private changeVReg = i32(64);
  /** Raw moves in lists per (instruction, group). */
  private count = 0;
  private readonly head: Int32Array;
  private next = i32(64);
  private from = i32(64);
  private to = i32(64);
  private vreg = i32(64);

  constructor(
    private readonly p: Problem,
    private readonly live: LiveRanges,
    private readonly joined: Coalesced,
    private readonly set: BundleSet,
    private readonly occupancy: Occupancy,
  ) {
    this.frame = new SlotFrame(p.input.classes);
    this.where = new LocationMap(p, set);
    this.storedAtDef = u8(p.vregCount);
    this.changeCost = f64(p.vregCount);
    this.remat = i32(p.vregCount, NIL);
    this.head = i32(p.instCount * GROUPS, NIL);
    this.locations = new Array<Location[]>(p.instCount);
  }

  run(): void {
    this.findMemory();
    this.moveAtCuts();
    this.moveLiveValues();
    this.chooseStores();
    this.moveArguments();
    this.operands();
    this.finish();
  }

  /** Slots for all values that are in memory somewhere and cannot be rematerialised. */
  private findMemory(): void {
    const { p, where, set, joined } = this;
    const { segments } = set;
    const demands = new Map<number, SlotDemand>();
    for (let v = 0; v < p.vregCount; v++) {
      if (where.inMemory[v] === 0) continue;
      const token = p.defInst[v]! >= 0 ? p.input.rematToken(v) : NIL;
      this.remat[v] = token;
      if (token >= 0) continue;
      this.spilledVRegs++;
      const first = where.list[where.start[v]!]!;
      const last = where.list[where.start[v + 1]! - 1]!;
      const from = segments.from[first]!;
      const to = segments.to[last]!;
      const home = joined.home[v]!;
      const known = demands.get(home);
      if (known === undefined) demands.set(home, { home, classIndex: p.vregClass[v]!, from, to });
      else {
        known.from = Math.min(known.from, from);
        known.to = Math.max(known.to, to);
      }
    }
    const slots = this.frame.assign([...demands.values()]);
    for (let v = 0; v < p.vregCount; v++) {
      if (where.inMemory[v] === 0) continue;
      where.memory[v] = this.remat[v]! >= 0 ? NOWHERE : slotLocation(slots.get(joined.home[v]!)!);
    }
  }

  /** True if the segment lies within one block and got its value from memory there, so that the slot is up to date. */
  private isClean(v: number, k: number): boolean {
    const { where, p } = this;
    const { from, to } = this.set.segments;
    if (k === where.start[v]) return false;
    const segment = where.list[k]!;
    const before = where.list[k - 1]!;
    if (to[before] !== from[segment] || where.ofSegment(before) !== where.memory[v]) return false;
    const block = p.slotBlock[from[segment]! >> 1]!;
    return from[segment]! > blockFrom(p, block) && to[segment]! <= blockTo(p, block);
  }

  /** Decides for each value with a slot whether to store it at its def or where it leaves its register. */
  private chooseStores(): void {
    const { p, where, changeCost, storedAtDef } = this;
    for (let v = 0; v < p.vregCount; v++) {
      if (where.inMemory[v] === 0 || where.multiple[v] === 0 || this.remat[v]! >= 0) continue;
      if (p.blockWeight[p.defBlock[v]!]! > changeCost[v]!) continue;
      storedAtDef[v] = 1;
      const block = p.defBlock[v]!;
      const inst = p.defInst[v]! < 0 ? p.blockFirst[block]! : p.defInst[v]! + 1;
      if (this.defLocation(v) === where.memory[v]) continue;
      this.addMove(inst, Group.Result, this.defSource(v), where.memory[v]!, v);
    }
    for (let n = 0; n < this.changes; n++) {
      const v = this.changeVReg[n]!;
      if (storedAtDef[v] === 1) continue;
      const key = this.changeKey[n]!;
      this.addMove(Math.floor(key / GROUPS), key % GROUPS, this.changeFrom[n]!, where.memory[v]!, v);
    }
  }

  private addMove(inst: number, group: Group, from: Location, to: Location, v: number): void {
    if (from === to || to === NOWHERE) return;
    const at = this.count++;
    if (at >= this.next.length) {
      this.next = roomI32(this.next, at);
      this.from = roomI32(this.from, at);
      this.to = roomI32(this.to, at);
      this.vreg = roomI32(this.vreg, at);
    }
    const key = inst * GROUPS + group;
    this.next[at] = this.head[key]!;
    this.head[key] = at;
    this.from[at] = from;
    this.to[at] = to;
    this.vreg[at] = v;
  }

  /** Moves where a value changes its place within a block. */
  private moveAtCuts(): void {
    const { p, where } = this;
    const { from, to } = this.set.segments;
    for (let v = 0; v < p.vregCount; v++) {
      if (where.multiple[v] === 0) continue;
      const memory = where.memory[v]!;
      for (let k = where.start[v]! + 1; k < where.start[v + 1]!; k++) {
        const before = where.list[k - 1]!;
        const after = where.list[k]!;
        const position = from[after]!;
        if (to[before] !== position) continue;
        const block = p.slotBlock[position >> 1]!;
        if (position === blockFrom(p, block)) continue;
        const source = where.ofSegment(before);
        const target = where.ofSegment(after);
        if (source === target || target === NOWHERE) continue;
        const inst = (position >> 1) - block - 1;
        const isOdd = (position & 1) !== 0;
        if (target !== memory) {
          if (isOdd) throw new InternalError(`v${v} changes its place inside slot ${position >> 1}`);
          this.addMove(inst, Group.Cut, source, target, v);
        } else if (!this.isClean(v, k - 1)) {
          // Within an instruction there is no place for a store: then it must be stored at its def.
          this.addChange(inst, Group.Cut, source, v, isOdd ? Infinity : p.blockWeight[block]!);
        }
      }
    }
  }

  /** Where the def leaves the value: its location from its first position on. */
  private defLocation(v: number): Location {
    const { p, where } = this;
    const inst = p.defInst[v]!;
    if (inst < 0) return where.at(v, blockFrom(p, p.defBlock[v]!));
    return where.at(v, 2 * (inst + p.defBlock[v]! + 1) + 1);
  }

  /** Where the defining instruction itself leaves the value, before any move. */
  private defSource(v: number): Location {
    const { p } = this;
    const inst = p.defInst[v]!;
    if (inst >= 0) {
      for (let k = p.opStart[inst]!; k < p.opStart[inst + 1]!; k++) {
        const flags = p.opFlags[k]!;
        if (p.opVReg[k] === v && (flags & OP_DEF) !== 0 && constraintOf(flags) === ConstraintKind.Fixed) {
          return p.opFixed[k]!;
        }
      }
    }
    return this.defLocation(v);
  }

  /** Moves on edges for values that change their place there. */
  private moveLiveValues(): void {
    const { p, where, live } = this;
    for (let b = 0; b < p.blockCount; b++) {
      const succs = p.succs[b]!;
      if (succs.length === 0) continue;
      const end = blockTo(p, b) - 1;
      for (let e = live.liveOutHead[b]!; e !== NIL; e = live.liveOutNext[e]!) {
        const v = live.liveOutVReg[e]!;
        if (where.multiple[v] === 0) continue;
        const here = where.find(v, end);
        const source = where.ofSegment(where.list[here]!);
        for (let k = 0; k < succs.length; k++) {
          const succ = succs[k]!;
          // A value that the successor itself defines is given to a parameter there and begins anew.
          if (p.defBlock[v] === succ) continue;
          const there = where.find(v, blockFrom(p, succ));
          if (there === NIL) continue;
          const target = where.ofSegment(where.list[there]!);
          if (source === target || target === NOWHERE) continue;
          const atStart = this.movesAtStart(b, succ);
          const inst = atStart ? p.blockFirst[succ]! : p.blockFirst[b + 1]! - 1;
          const group = atStart ? Group.EdgeIn : Group.EdgeOut;
          if (target !== where.memory[v]) this.addMove(inst, group, source, target, v);
          else if (!this.isClean(v, here)) {
            this.addChange(inst, group, source, v, p.blockWeight[atStart ? succ : b]!);
          }
        }
      }
    }
  }

  /** Moves of edge arguments into block parameters. */
  private moveArguments(): void {
    const { p, where, storedAtDef } = this;
    const { input } = p;
    for (let b = 0; b < p.blockCount; b++) {
      const succs = p.succs[b]!;
      const end = blockTo(p, b) - 1;
      for (let k = 0; k < succs.length; k++) {
        const succ = succs[k]!;
        const args = input.edgeArgs(b, k);
        if (args.length === 0) continue;
        const atStart = this.movesAtStart(b, succ);
        const inst = atStart ? p.blockFirst[succ]! : p.blockFirst[b + 1]! - 1;
        const start = blockFrom(p, succ);
        const params = input.blockParams(succ);
        for (let n = 0; n < args.length; n++) {
          const target = where.at(params[n]!, start);
          if (target === NOT_LIVE) continue;
          const arg = args[n]!;
          // An argument that shares the parameter's slot and was stored there at its def needs no store here.
          if (target === where.memory[arg] && storedAtDef[arg] === 1) continue;
          this.addMove(inst, atStart ? Group.EdgeIn : Group.EdgeOut, where.at(arg, end), target, arg);
        }
      }
    }
  }

  /** True if moves over the edge belong at the successor's start, false if at the block's end. */
  private movesAtStart(block: number, succ: number): boolean {
    const { p } = this;
    if (p.preds[succ]!.length === 1) return true;
    if (p.succs[block]!.length > 1) throw new InternalError(`critical edge from block ${block} to block ${succ}`);
    return false;
  }

  /** A store that is only needed if the value is not stored at its def. */
  private addChange(inst: number, group: Group, from: Location, v: number, cost: number): void {
    this.changeCost[v]! += cost;
    const at = this.changes++;
    this.changeKey = roomI32(this.changeKey, at);
    this.changeFrom = roomI32(this.changeFrom, at);
    this.changeVReg = roomI32(this.changeVReg, at);
    this.changeKey[at] = inst * GROUPS + group;
    this.changeFrom[at] = from;
    this.changeVReg[at] = v;
  }

  private operands(): void {
    const { p, where, locations } = this;
    const { opStart, opVReg, opFlags, opFixed } = p;
    let block = 0;
    for (let i = 0; i < p.instCount; i++) {
      while (i >= p.blockFirst[block + 1]!) block++;
      const early = 2 * (i + block + 1);
      const k0 = opStart[i]!;
      const k1 = opStart[i + 1]!;
      const list: Location[] = new Array<Location>(k1 - k0);
      for (let k = k0; k < k1; k++) {
        const flags = opFlags[k]!;
        const v = opVReg[k]!;
        if ((flags & OP_DEF) !== 0) {
          if (constraintOf(flags) === ConstraintKind.Fixed) {
            list[k - k0] = opFixed[k]!;
            const place = where.at(v, early + 1);
            if (place !== NOT_LIVE) {
              this.addMove(i + 1, Group.Result, opFixed[k]!, place, v);
            }
            continue;
          }
          const place = where.at(v, early + 1);
          list[k - k0] = place;
          if (place === NOWHERE) {
            if (k1 - k0 !== 1 || p.input.clobbers(i).length > 0) {
              throw new InternalError(`instruction ${i} defines more than a rematerialisable value`);
            }
            this.skipped.add(i);
          }
        } else if (constraintOf(flags) === ConstraintKind.Fixed) {
          list[k - k0] = opFixed[k]!;
          this.addMove(i, Group.Cut, where.at(v, early - 1), opFixed[k]!, v);
        } else if ((flags & OP_REUSED) === 0) list[k - k0] = where.at(v, early);
      }
      for (let k = k0; k < k1; k++) {
        if (constraintOf(opFlags[k]!) !== ConstraintKind.Reuse) continue;
        const target = list[k - k0]!;
        const source = opFixed[k]!;
        list[source] = target;
        this.addMove(i, Group.Cut, where.at(opVReg[k0 + source]!, early - 1), target, opVReg[k0 + source]!);
      }
      locations[i] = list;
    }
  }

  /** Sequences all groups. */
  private finish(): void {
    const { p, head, occupancy } = this;
    const { classes } = p.input;
    const written = u8(p.pregCount);
    for (const cls of classes) for (const preg of cls.order) if (!cls.calleeSaved.has(preg)) written[preg] = 1;
    let before = 0;
    let after = 0;
    const moves = new ParallelMoves({
      classes,
      pregCount: p.pregCount,
      isFree: (preg) => written[preg] === 1 && occupancy.isFree(preg, before) && occupancy.isFree(preg, after),
      tempSlot: (classIndex, which) => this.frame.temp(classIndex, which),
    });
    let block = 0;
    for (let i = 0; i < p.instCount; i++) {
      while (i >= p.blockFirst[block + 1]!) block++;
      const key = i * GROUPS;
      let list: Move[] | undefined;
      for (let group = 0; group < GROUPS; group++) {
        if (head[key + group] === NIL) continue;
        for (let m = head[key + group]!; m !== NIL; m = this.next[m]!) {
          const v = this.vreg[m]!;
          const isNowhere = this.from[m] === NOWHERE;
          moves.add(this.from[m]!, this.to[m]!, isNowhere ? this.remat[v]! : NIL, p.vregClass[v]!);
        }
        if (moves.isEmpty) continue;
        const early = 2 * (i + block + 1);
        if (group === Group.EdgeIn) {
          before = after = blockFrom(p, block);
          const preds = p.preds[block]!;
          if (preds.length === 1) before = blockTo(p, preds[0]!) - 1;
        } else if (group === Group.EdgeOut) {
          before = early;
          after = early + 1;
          if (p.opStart[i] !== p.opStart[i + 1]) {
            throw new InternalError(`block ${block}: moves before a terminator with operands`);
          }
        } else {
          before = early - 1;
          after = early;
        }
        if (list === undefined) {
          list = [];
          this.movesBefore.set(i, list);
        }
        moves.sequence(list);
      }
    }
  }
}
