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
    this.chooseStores();
    this.moveAtCuts();
    this.walkEdges(true);
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
    const { from, to } = this.set.segments;
    const considered: number[] = [];
    for (let v = 0; v < p.vregCount; v++) {
      if (where.inMemory[v] === 0 || where.multiple[v] === 0 || this.remat[v]! >= 0) continue;
      considered.push(v);
      for (let k = where.start[v]! + 1; k < where.start[v + 1]!; k++) {
        const before = where.list[k - 1]!;
        const after = where.list[k]!;
        if (to[before] !== from[after] || where.ofSegment(after) !== where.memory[v]) continue;
        if (where.ofSegment(before) === where.memory[v] || this.isClean(v, k - 1)) continue;
        const position = from[after]!;
        const block = p.slotBlock[position >> 1]!;
        if (position === blockFrom(p, block)) continue;
        changeCost[v]! += (position & 1) !== 0 ? Infinity : p.blockWeight[block]!;
      }
    }
    if (considered.length === 0) return;
    this.walkEdges(false);
    for (const v of considered) {
      const def = p.blockWeight[p.defBlock[v]!]!;
      if (def <= changeCost[v]!) storedAtDef[v] = 1;
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

  /** Moves where a value changes its place within a block, and stores right after defs. */
  private moveAtCuts(): void {
    const { p, where } = this;
    const { from, to } = this.set.segments;
    for (let v = 0; v < p.vregCount; v++) {
      if (where.multiple[v] === 0) continue;
      const memory = where.memory[v]!;
      if (this.storedAtDef[v] === 1) {
        const block = p.defBlock[v]!;
        const inst = p.defInst[v]! < 0 ? p.blockFirst[block]! : p.defInst[v]! + 1;
        if (this.defLocation(v) !== memory) this.addMove(inst, Group.Result, this.defSource(v), memory, v);
      }
      for (let k = where.start[v]! + 1; k < where.start[v + 1]!; k++) {
        const before = where.list[k - 1]!;
        const after = where.list[k]!;
        const position = from[after]!;
        if (to[before] !== position) continue;
        const block = p.slotBlock[position >> 1]!;
        if (position === blockFrom(p, block)) continue;
        const source = where.ofSegment(before);
        const target = where.ofSegment(after);
        if (target === memory && (this.storedAtDef[v] === 1 || source === memory || this.isClean(v, k - 1))) continue;
        if (target === NOWHERE) continue;
        if ((position & 1) !== 0) throw new InternalError(`v${v} changes its place inside slot ${position >> 1}`);
        this.addMove((position >> 1) - block - 1, Group.Cut, source, target, v);
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

  /** Goes over all edges and makes their moves, or if `place` is false adds up what stores on them would cost. */
  private walkEdges(place: boolean): void {
    const { p, where, live, storedAtDef } = this;
    const { input } = p;
    for (let b = 0; b < p.blockCount; b++) {
      const succs = p.succs[b]!;
      if (succs.length === 0) continue;
      const end = blockTo(p, b) - 1;
      for (let k = 0; k < succs.length; k++) {
        const succ = succs[k]!;
        const atStart = p.preds[succ]!.length === 1;
        if (!atStart && succs.length > 1) throw new InternalError(`critical edge from block ${b} to block ${succ}`);
        const start = blockFrom(p, succ);
        const weight = p.blockWeight[atStart ? succ : b]!;
        const inst = atStart ? p.blockFirst[succ]! : p.blockFirst[b + 1]! - 1;
        const group = atStart ? Group.EdgeIn : Group.EdgeOut;
        const before = this.count;
        for (let e = live.liveOutHead[b]!; e !== NIL; e = live.liveOutNext[e]!) {
          const v = live.liveOutVReg[e]!;
          // A value that the successor itself defines is given to a parameter there and begins anew.
          if (where.multiple[v] === 0 || p.defBlock[v] === succ) continue;
          const there = where.find(v, start);
          if (there === NIL) continue;
          const target = where.ofSegment(where.list[there]!);
          const here = where.find(v, end);
          const source = where.ofSegment(where.list[here]!);
          if (source === target) continue;
          if (target === where.memory[v]) {
            if (target === NOWHERE || this.isClean(v, here)) continue;
            if (!place) this.changeCost[v]! += weight;
            if (storedAtDef[v] === 1) continue;
          }
          if (place) this.addMove(inst, group, source, target, v);
        }
        if (!place) continue;
        const args = input.edgeArgs(b, k);
        if (args.length > 0) {
          const params = input.blockParams(succ);
          for (let n = 0; n < args.length; n++) {
            const target = where.at(params[n]!, start);
            if (target === NOT_LIVE) continue;
            const arg = args[n]!;
            // An argument that shares the parameter's slot and was stored there at its def needs no store here.
            if (target === where.memory[arg] && storedAtDef[arg] === 1) continue;
            this.addMove(inst, group, where.at(arg, end), target, arg);
          }
        }
        if (group === Group.EdgeOut && this.count !== before && p.opStart[inst] !== p.opStart[inst + 1]) {
          throw new InternalError(`block ${b}: moves before a terminator with operands`);
        }
      }
    }
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
