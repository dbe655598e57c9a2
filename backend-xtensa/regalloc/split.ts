// What is done with a bundle that found no register: cut it where its best register runs out, or keep it in memory but
// for pieces around its uses. Gives new bundles to the queue. Knows no register file.
import type { BundleSet } from './bundles.js';
import type { Problem } from './problem.js';
import type { Bundle } from './ranges.js';
import { NIL } from './ranges.js';
import { i32 } from './scratch.js';

/** A line of cuts longer than this ends in memory. */
const MAX_SPLITS = 12;
/** Largest stretch in slots over which a value reloaded for one use is kept for the next one of the block. */
const CLUSTER_GAP = 24;

/** Blocks to look back over for a better place to cut. */
const MAX_STEPS = 100;

export class Splitter {
  /** callsBefore[s]: number of slots < s whose instruction clobbers registers. */
  private readonly callsBefore: Int32Array;
  constructor(
    private readonly p: Problem,
    private readonly set: BundleSet,
    private readonly enqueue: (bundle: Bundle) => void,
  ) {
    const callsBefore = i32(p.slotCount + 1);
    let block = 0;
    for (let s = 0; s < p.slotCount; s++) {
      block = p.slotBlock[s]!;
      const inst = s - block - 1;
      const isHeader = inst < p.blockFirst[block]!;
      callsBefore[s + 1] = callsBefore[s]! + (!isHeader && p.input.clobbers(inst).length > 0 ? 1 : 0);
    }
    this.callsBefore = callsBefore;
  }

  /** What a move on every edge into `block` costs. */
  private entryCost(block: number): number {
    const { p } = this;
    const preds = p.preds[block]!;
    if (preds.length === 1) return p.blockWeight[block]!;
    let cost = 0;
    for (let k = 0; k < preds.length; k++) cost += p.blockWeight[preds[k]!]!;
    return cost;
  }

  /**
   * The cheapest even position in [low, high] (both even) for a cut: code there runs least often; of equals the latest.
   * A cut at a block's header costs moves on the edges into it.
   */
  private cheapestCut(low: number, high: number): number {
    const { p } = this;
    let block = p.slotBlock[high >> 1]!;
    const lowBlock = p.slotBlock[low >> 1]!;
    let header = 2 * (p.blockFirst[block]! + block);
    let best = high;
    let cost = high === header ? this.entryCost(block) : p.blockWeight[block]!;
    for (let steps = 0; block >= lowBlock && steps < MAX_STEPS; steps++) {
      if (header >= low && header < best) {
        const entry = this.entryCost(block);
        if (entry < cost) {
          cost = entry;
          best = header;
        }
      }
      // Just before the terminator of the block above.
      if (--block < lowBlock) break;
      header = 2 * (p.blockFirst[block]! + block);
      const terminator = 2 * (p.blockFirst[block + 1]! + block);
      if (terminator >= low && p.blockWeight[block]! < cost) {
        cost = p.blockWeight[block]!;
        best = terminator;
      }
    }
    return best;
  }

  /**
   * Splits or spills `bundle`. `far` is the furthest position up to which some register was free for it from its start,
   * `preg` that register.
   */
  split(bundle: Bundle, far: number, preg: number): void {
    const { set } = this;
    const { uses } = set;
    bundle.splits++;
    const start = set.start(bundle);
    if (bundle.splits > MAX_SPLITS) {
      this.spill(bundle);
      return;
    }
    const limit = far & ~1;
    let before = NIL;
    let after = NIL;
    for (let u = bundle.firstUse; u !== NIL; u = uses.next[u]!) {
      if (uses.from[u]! >= limit || uses.to[u]! > limit) {
        after = u;
        break;
      }
      before = u;
    }
    if (after === NIL && before === NIL) {
      set.toMemory(bundle);
      return;
    }
    if (before !== NIL) {
      // Some uses come before the conflict: that part goes on with a register it can have.
      const low = Math.max(uses.to[before]!, uses.from[before]! + 1, start + 1);
      const lowEven = (low + 1) & ~1;
      if (lowEven <= limit && lowEven > start && this.hasAfter(bundle, lowEven)) {
        const position = this.cheapestCut(lowEven, limit);
        if (position > start && this.hasAfter(bundle, position)) {
          const rest = set.cut(bundle, position);
          bundle.hint = preg;
          this.enqueue(bundle);
          this.enqueue(rest);
          return;
        }
      }
      this.spill(bundle);
      return;
    }
    this.splitBeforeFirstUse(bundle, after, limit);
  }

  /** No use before the conflict: that part goes to memory, the rest tries again from its first use on or after it. */
  private splitBeforeFirstUse(bundle: Bundle, after: number, limit: number): void {
    const { set } = this;
    const { uses } = set;
    const start = set.start(bundle);
    // A soft use takes the value from memory as well as a reload would.
    while (after !== NIL && uses.to[after] === uses.from[after]) after = uses.next[after]!;
    if (after === NIL) {
      set.toMemory(bundle);
      return;
    }
    const first = uses.from[after]! & ~1;
    if (first > start && limit <= first) {
      const position = this.cheapestCut(Math.max(limit, (start + 2) & ~1), first);
      if (position > start && this.hasAfter(bundle, position)) {
        const rest = set.cut(bundle, position);
        set.toMemory(bundle);
        this.enqueue(rest);
        return;
      }
    }
    const behind = (uses.to[after]! + 1) & ~1;
    if (behind > start && this.hasAfter(bundle, behind)) {
      const rest = set.cut(bundle, behind);
      this.spill(bundle);
      if (rest.firstUse === NIL) set.toMemory(rest);
      else this.enqueue(rest);
      return;
    }
    this.spill(bundle);
  }

  private hasAfter(bundle: Bundle, position: number): boolean {
    const { segments } = this.set;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) if (segments.to[s]! > position) return true;
    return false;
  }

  /**
   * Memory for the whole bundle, but for pieces around its hard uses: at first one piece for neighbouring uses in one
   * block, and when such a piece comes back here, the least piece for each.
   */
  spill(bundle: Bundle): void {
    const cluster = bundle.splits < MAX_SPLITS * 2;
    const { set, p } = this;
    const { segments, uses } = set;
    let s = bundle.firstSegment;
    let u = bundle.firstUse;
    const pieces: Bundle[] = [];
    while (s !== NIL) {
      const nextSegment = segments.next[s]!;
      const vreg = segments.vreg[s]!;
      const end = segments.to[s]!;
      let at = segments.from[s]!;
      segments.bundle[s] = set.memory.id;
      while (u !== NIL && uses.from[u]! < end) {
        if (uses.to[u]! === uses.from[u]!) {
          const isFixedDef = cluster && uses.preg[u]! !== NIL && uses.from[u] === at;
          if (!isFixedDef) {
            u = uses.next[u]!;
            continue;
          }
        }
        // One piece from this use on: the run of uses that it is to serve.
        const from = uses.from[u]!;
        let to = uses.to[u]!;
        let hard = to > from;
        const firstUse = u;
        let lastUse = u;
        const block = p.slotBlock[from >> 1]!;
        let seen = u;
        u = uses.next[u]!;
        while (u !== NIL && uses.from[u]! < end) {
          const sameSlot = uses.from[u]! >> 1 === from >> 1 && uses.from[u]! < to;
          if (!sameSlot) {
            if (!cluster || p.slotBlock[uses.from[u]! >> 1]! !== block) break;
            const gap = (uses.from[u]! >> 1) - (uses.from[seen]! >> 1);
            if (gap > CLUSTER_GAP || this.callsBefore[uses.from[u]! >> 1]! > this.callsBefore[(from + 1) >> 1]!) break;
          }
          if (uses.to[u]! > uses.from[u]!) {
            hard = true;
            if (uses.to[u]! > to) to = uses.to[u]!;
            lastUse = u;
          }
          seen = u;
          u = uses.next[u]!;
        }
        if (!hard) continue;
        u = uses.next[lastUse]!;
        uses.next[lastUse] = NIL;
        const piece = set.create(bundle.classIndex, bundle.hint);
        piece.firstUse = firstUse;
        piece.minimal = from >> 1 === (to - 1) >> 1;
        piece.splits = MAX_SPLITS * 2;
        pieces.push(piece);
        set.splits++;
        // Cut the segment [at, end) into memory, piece, and what is left.
        if (from === segments.from[s]!) {
          segments.bundle[s] = piece.id;
          if (to < end) {
            segments.to[s] = to;
          }
        } else {
          segments.to[s] = from;
          s = segments.add(vreg, from, to, NIL);
          segments.bundle[s] = piece.id;
        }
        segments.next[s] = NIL;
        piece.firstSegment = s;
        at = to;
        if (to < end) {
          s = segments.add(vreg, to, end, NIL);
          segments.bundle[s] = set.memory.id;
        }
      }
      s = nextSegment;
    }
    for (const piece of pieces) this.enqueue(piece);
  }
}
