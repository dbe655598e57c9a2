// The allocator's working data: live range segments and use records in pools of linked lists, and bundles, the sets of
// segments that are to share one location. Knows no liveness analysis and no allocation policy.
import { f64, i32, roomF64, roomI32 } from './scratch.js';

export const NIL = -1;

/** Segments [from, to) of virtual registers' live ranges, in singly linked lists sorted by position. */
export class SegmentPool {
  count = 0;
  from: Int32Array<ArrayBuffer>;
  to: Int32Array<ArrayBuffer>;
  vreg: Int32Array<ArrayBuffer>;
  next: Int32Array<ArrayBuffer>;
  /** Id of the bundle that holds it. */
  bundle: Int32Array<ArrayBuffer>;
  constructor(capacity: number) {
    this.from = i32(capacity);
    this.to = i32(capacity);
    this.vreg = i32(capacity);
    this.next = i32(capacity);
    this.bundle = i32(capacity);
  }

  add(vreg: number, from: number, to: number, next: number): number {
    const id = this.count++;
    if (id >= this.from.length) {
      this.from = roomI32(this.from, id);
      this.to = roomI32(this.to, id);
      this.vreg = roomI32(this.vreg, id);
      this.next = roomI32(this.next, id);
      this.bundle = roomI32(this.bundle, id);
    }
    this.from[id] = from;
    this.to[id] = to;
    this.vreg[id] = vreg;
    this.next[id] = next;
    this.bundle[id] = NIL;
    return id;
  }
}

/**
 * Where a value is needed or made. A *hard* use demands a register during [from, to); a soft one (to === from) works
 * with any location: edge arguments, block parameters, and values that are moved into or out of a fixed register
 * `preg` or a reused operand next to the instruction.
 */
export class UsePool {
  count = 0;
  from: Int32Array<ArrayBuffer>;
  to: Int32Array<ArrayBuffer>;
  vreg: Int32Array<ArrayBuffer>;
  next: Int32Array<ArrayBuffer>;
  /** Register that makes the move needless, or NIL. */
  preg: Int32Array<ArrayBuffer>;
  weight: Float64Array<ArrayBuffer>;
  constructor(capacity: number) {
    this.from = i32(capacity);
    this.to = i32(capacity);
    this.vreg = i32(capacity);
    this.next = i32(capacity);
    this.preg = i32(capacity);
    this.weight = f64(capacity);
  }

  add(vreg: number, from: number, to: number, preg: number, weight: number, next: number): number {
    const id = this.count++;
    if (id >= this.from.length) {
      this.from = roomI32(this.from, id);
      this.to = roomI32(this.to, id);
      this.vreg = roomI32(this.vreg, id);
      this.next = roomI32(this.next, id);
      this.preg = roomI32(this.preg, id);
      this.weight = roomF64(this.weight, id);
    }
    this.from[id] = from;
    this.to[id] = to;
    this.vreg[id] = vreg;
    this.next[id] = next;
    this.preg[id] = preg;
    this.weight[id] = weight;
    return id;
  }
}

export const enum BundleState {
  /** Waiting in the queue, or not yet in it. */
  Pending = 0,
  InRegister = 1,
  /** Each value in its own vreg's memory home: stack slot, or rematerialised. */
  InMemory = 2,
}

/** A set of non-overlapping segments of one register class that gets one location. */
export class Bundle {
  state: BundleState = BundleState.Pending;
  /** Register, when `state` is InRegister. */
  preg = NIL;
  firstSegment = NIL;
  firstUse = NIL;
  /** Covered positions. */
  length = 0;
  /** Sum of the use weights: what it costs to keep all of it in memory. */
  cost = 0;
  /** Cost per position; the measure by which bundles throw each other out. */
  density = 0;
  /** Priority in the queue. */
  priority = 0;
  /** It is the least piece around one hard use and cannot be split or spilled. */
  minimal = false;
  /** No use asks for a register, and memory is as good: there are none, or the values can be recomputed in place. */
  needless = false;
  /** Register of the bundle it was split from or wants to be joined with, or NIL. */
  hint = NIL;
  /** Cut so often that it is to be spilled next. */
  splits = 0;
  /** Mark of the last probe that met it. */
  stamp = 0;
  constructor(
    readonly id: number,
    readonly classIndex: number,
  ) {}
}
