// The bundles of one allocation and the edits on them: measure, cut at a position, move a stretch to memory. Knows no
// register occupancy and no policy.
import { Bundle, BundleState, NIL, type SegmentPool, type UsePool } from './ranges.js';

/** Density of a bundle that cannot be split further; those that cover both halves of a slot go before all others. */
export const MINIMAL_DENSITY = 1e30;
const WIDE_MINIMAL_DENSITY = 2e30;

/** Positions added to a length before dividing, so that very short ranges are not dearer than they are worth. */
const SHORT = 20;

export class BundleSet {
  splits = 0;
  /** The bundle of everything that lives in memory. It is never in the queue. */
  readonly memory: Bundle;
  constructor(
    readonly bundles: Bundle[],
    readonly segments: SegmentPool,
    readonly uses: UsePool,
    /** Factor on the cost of a vreg's uses; below 1 for what can be rematerialised. */
    private readonly costFactor: (vreg: number) => number,
  ) {
    this.memory = new Bundle(bundles.length, 0);
    this.memory.state = BundleState.InMemory;
    bundles.push(this.memory);
    for (let s = 0; s < segments.count; s++) if (segments.bundle[s] === NIL) segments.bundle[s] = this.memory.id;
  }

  create(classIndex: number, hint: number): Bundle {
    const bundle = new Bundle(this.bundles.length, classIndex);
    bundle.hint = hint;
    this.bundles.push(bundle);
    return bundle;
  }

  /** Fills in length, cost and density. */
  measure(bundle: Bundle): void {
    const { segments, uses } = this;
    let length = 0;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) length += segments.to[s]! - segments.from[s]!;
    bundle.length = length;
    let cost = 0;
    let needless = true;
    for (let u = bundle.firstUse; u !== NIL; u = uses.next[u]!) {
      const factor = this.costFactor(uses.vreg[u]!);
      cost += uses.weight[u]! * factor;
      if (factor === 1 || uses.to[u]! > uses.from[u]!) needless = false;
    }
    bundle.needless = needless;
    bundle.cost = cost;
    if (bundle.minimal) bundle.density = length >= 2 ? WIDE_MINIMAL_DENSITY : MINIMAL_DENSITY;
    else bundle.density = cost / (length + SHORT);
  }

  start(bundle: Bundle): number {
    return this.segments.from[bundle.firstSegment]!;
  }

  /** Cuts `bundle` at `position`: it keeps what lies before, the new bundle gets the rest. Both must be non-empty. */
  cut(bundle: Bundle, position: number): Bundle {
    const { segments, uses } = this;
    const rest = this.create(bundle.classIndex, bundle.hint);
    rest.splits = bundle.splits;
    this.splits++;
    let last = NIL;
    let s = bundle.firstSegment;
    while (s !== NIL && segments.to[s]! <= position) {
      last = s;
      s = segments.next[s]!;
    }
    if (s !== NIL && segments.from[s]! < position) {
      const tail = segments.add(segments.vreg[s]!, position, segments.to[s]!, segments.next[s]!);
      segments.to[s] = position;
      segments.next[s] = tail;
      last = s;
      s = tail;
    }
    segments.next[last] = NIL;
    rest.firstSegment = s;
    for (let t = s; t !== NIL; t = segments.next[t]!) segments.bundle[t] = rest.id;
    let lastUse = NIL;
    let u = bundle.firstUse;
    while (u !== NIL && uses.from[u]! < position) {
      lastUse = u;
      u = uses.next[u]!;
    }
    if (lastUse === NIL) bundle.firstUse = NIL;
    else uses.next[lastUse] = NIL;
    rest.firstUse = u;
    return rest;
  }

  /** Puts all of a bundle's segments into memory; it must have no hard use. */
  toMemory(bundle: Bundle): void {
    const { segments } = this;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) segments.bundle[s] = this.memory.id;
    bundle.firstSegment = NIL;
    bundle.firstUse = NIL;
    bundle.state = BundleState.InMemory;
  }
}
