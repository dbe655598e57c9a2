// Where each vreg is at each position, once all bundles have a place. Knows no instruction and moves nothing.
import type { Location } from './api.js';
import type { BundleSet } from './bundles.js';
import type { Problem } from './problem.js';
import { BundleState, NIL } from './ranges.js';
import { i32, u8 } from './scratch.js';

/** Location of a value that is nowhere and recomputed when needed. */
export const NOWHERE: Location = -0x40000000;
/** Answer for positions at which the vreg is not live. */
export const NOT_LIVE: Location = -0x40000001;

/** Sorts list[a] .. list[b - 1]; segments come nearly in order, because liveness makes them from the back. */
function sortByPosition(list: Int32Array, a: number, b: number, from: Int32Array): void {
  let steps = 0;
  for (let k = a + 1; k < b; k++) {
    const s = list[k]!;
    const position = from[s]!;
    let at = k;
    for (; at > a && from[list[at - 1]!]! > position; at--) list[at] = list[at - 1]!;
    list[at] = s;
    steps += k - at;
    if (steps > 16 * (b - a)) {
      list.subarray(a, b).sort((x, y) => from[x]! - from[y]!);
      return;
    }
  }
}

export class LocationMap {
  /** Segments of vreg v, sorted: list[start[v]] .. list[start[v + 1] - 1]. */
  readonly start: Int32Array;
  readonly list: Int32Array;
  /** 1 for vregs with more than one location. */
  readonly multiple: Uint8Array;
  /** 1 for vregs that are in memory somewhere. */
  readonly inMemory: Uint8Array;
  /** Location of the vreg while in memory: its slot, or NOWHERE. To be filled in. */
  readonly memory: Int32Array;

  constructor(
    p: Problem,
    private readonly set: BundleSet,
  ) {
    const { segments, bundles } = set;
    const n = p.vregCount;
    const start = i32(n + 1);
    for (let s = 0; s < segments.count; s++) start[segments.vreg[s]! + 1]!++;
    for (let v = 0; v < n; v++) start[v + 1]! += start[v]!;
    const fill = i32(n + 1);
    fill.set(start);
    const list = i32(segments.count);
    for (let s = 0; s < segments.count; s++) {
      const v = segments.vreg[s]!;
      list[--fill[v + 1]!] = s;
    }
    this.start = start;
    this.list = list;
    this.multiple = u8(n);
    this.inMemory = u8(n);
    this.memory = i32(n, NOWHERE);
    const { from } = segments;
    for (let v = 0; v < n; v++) {
      const a = start[v]!;
      const b = start[v + 1]!;
      sortByPosition(list, a, b, from);
      let first = NIL;
      for (let k = a; k < b; k++) {
        const bundle = bundles[segments.bundle[list[k]!]!]!;
        const place = bundle.state === BundleState.InRegister ? bundle.preg : -2;
        if (place === -2) this.inMemory[v] = 1;
        if (first === NIL) first = place;
        else if (first !== place) this.multiple[v] = 1;
      }
    }
  }

  /** Location of a segment. */
  ofSegment(segment: number): Location {
    const bundle = this.set.bundles[this.set.segments.bundle[segment]!]!;
    return bundle.state === BundleState.InRegister ? bundle.preg : this.memory[this.set.segments.vreg[segment]!]!;
  }

  /** Index in `list` of the segment of `v` that covers `position`, or NIL. */
  find(v: number, position: number): number {
    const { list } = this;
    const { from, to } = this.set.segments;
    let low = this.start[v]!;
    let high = this.start[v + 1]! - 1;
    while (low <= high) {
      const mid = (low + high) >> 1;
      const s = list[mid]!;
      if (position < from[s]!) high = mid - 1;
      else if (position >= to[s]!) low = mid + 1;
      else return mid;
    }
    return NIL;
  }

  /** Location of `v` at `position`, or NOT_LIVE. */
  at(v: number, position: number): Location {
    if (this.multiple[v] === 0) {
      const a = this.start[v]!;
      return a === this.start[v + 1] ? NOT_LIVE : this.ofSegment(this.list[a]!);
    }
    const k = this.find(v, position);
    return k === NIL ? NOT_LIVE : this.ofSegment(this.list[k]!);
  }
}
