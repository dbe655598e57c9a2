// Takes live ranges, gives the initial bundles: values joined by edges, copies and two-address operands share one
// bundle if their ranges do not overlap, hottest join first. Knows no register and no allocation order.
//
// Conservative only in interference, as in aggressive coalescing (Chaitin 1982); a bundle that then finds no register
// as a whole is split again.
import { Joiner, SMALL } from './joiner.js';
import type { LiveRanges } from './liveness.js';
import { Pieces } from './pieces.js';
import type { Problem } from './problem.js';
import { Bundle, NIL } from './ranges.js';
import { f64, i32, roomF64, roomI32 } from './scratch.js';
import type { SpillPlan } from './spill-plan.js';
import { Wishes } from './wishes.js';

export interface Coalesced {
  /** Bundles by id; entries are never removed. */
  readonly bundles: Bundle[];
  /** Representative of the values that share a stack slot, per vreg. */
  readonly home: Int32Array;
  /**
   * Joins that did not come about, as hints: list per vreg of a segment of the other value and the weight of the move.
   * With negative weight: values whose register the vreg had better not have, as the move into it would have to wait.
   */
  readonly affinityHead: Int32Array;
  readonly affinityNext: Int32Array;
  readonly affinitySegment: Int32Array;
  readonly affinityWeight: Float64Array;
  readonly joins: number;
}

/** Which values may share a stack slot: as by joining whole values, wherever they are in registers. */
function homes(p: Problem, live: LiveRanges, wishes: Wishes): Int32Array {
  const joiner = new Joiner(p, live.segments, live.firstSegment, p.vregCount);
  for (let k = 0; k < wishes.count; k++) {
    const a = wishes.first(k);
    const b = wishes.second(k);
    if (live.firstSegment[a] === NIL || live.firstSegment[b] === NIL || p.vregClass[a] !== p.vregClass[b]) continue;
    joiner.join(a, b);
  }
  return joiner.sets(p.vregCount);
}

export function coalesce(p: Problem, live: LiveRanges, plan: SpillPlan | undefined): Coalesced {
  const { segments, uses } = live;
  const wishes = new Wishes(p);
  const home = plan === undefined ? undefined : homes(p, live, wishes);
  const pieces = new Pieces(p, live, plan);
  const joiner = new Joiner(p, segments, pieces.firstSegment, pieces.count);
  const affinityHead = i32(p.vregCount, NIL);
  let affinityNext = i32(2 * wishes.count);
  let affinitySegment = i32(2 * wishes.count);
  let affinityWeight = f64(2 * wishes.count);
  let hints = 0;
  const hint = (v: number, segment: number, weight: number): void => {
    affinityNext = roomI32(affinityNext, hints);
    affinitySegment = roomI32(affinitySegment, hints);
    affinityWeight = roomF64(affinityWeight, hints);
    affinityNext[hints] = affinityHead[v]!;
    affinitySegment[hints] = segment;
    affinityWeight[hints] = weight;
    affinityHead[v] = hints++;
  };
  let joins = 0;
  for (let k = 0; k < wishes.count; k++) {
    const v = wishes.first(k);
    const w = wishes.second(k);
    const a = pieces.at(v, wishes.firstAt(k));
    const b = pieces.at(w, wishes.secondAt(k));
    if (a === NIL || b === NIL || p.vregClass[v] !== p.vregClass[w]) continue;
    if (pieces.firstSegment[a] === NIL || pieces.firstSegment[b] === NIL) continue;
    if (!wishes.isCold(k) && joiner.join(a, b)) {
      joins++;
      continue;
    }
    const weight = wishes.weight(k);
    hint(v, pieces.firstSegment[b]!, weight);
    hint(w, pieces.firstSegment[a]!, weight);
    wishes.others(k, (param, at) => {
      const piece = pieces.at(param, at);
      if (piece !== NIL && pieces.firstSegment[piece] !== NIL) hint(w, pieces.firstSegment[piece]!, -weight / 2);
    });
  }
  const bundles: Bundle[] = [];
  for (let v = 0; v < pieces.count; v++) {
    if (joiner.find(v) !== v || joiner.head[v] === NIL) continue;
    const bundle = new Bundle(bundles.length, p.vregClass[pieces.vreg[v]!]!);
    bundles.push(bundle);
    bundle.firstSegment = joiner.head[v]!;
    if (joiner.count[v]! > SMALL) {
      const list: number[] = [];
      for (let s = joiner.head[v]!; s !== NIL; s = joiner.next[s]!) list.push(s);
      const { from } = segments;
      list.sort((a, b) => from[a]! - from[b]!);
      for (let k = 0; k < list.length; k++) joiner.next[list[k]!] = list[k + 1] ?? NIL;
      bundle.firstSegment = list[0]!;
    }
    for (let s = bundle.firstSegment; s !== NIL; s = joiner.next[s]!) segments.bundle[s] = bundle.id;
    bundle.firstUse = pieces.firstUse[v]!;
    if (joiner.memberNext[v] !== NIL) {
      const list: number[] = [];
      for (let m: number = v; m !== NIL; m = joiner.memberNext[m]!) {
        for (let u = pieces.firstUse[m]!; u !== NIL; u = uses.next[u]!) list.push(u);
      }
      const { from } = uses;
      list.sort((a, b) => from[a]! - from[b]!);
      for (let k = 0; k < list.length; k++) uses.next[list[k]!] = list[k + 1] ?? NIL;
      bundle.firstUse = list[0] ?? NIL;
    }
  }
  segments.next.set(joiner.next);
  return {
    bundles,
    home: home ?? joiner.sets(p.vregCount),
    affinityHead,
    affinityNext,
    affinitySegment,
    affinityWeight,
    joins,
  };
}
