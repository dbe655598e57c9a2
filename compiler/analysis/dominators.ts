// Dominator tree. Takes a function's control flow with predecessors computed, gives immediate dominators and O(1)
// dominance queries. Source: Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
import type { Block } from '../ir/function.js';
import type { ControlFlow } from './cfg.js';

/** Dominator tree over the reachable blocks, addressed by their reverse postorder numbers. */
export class DominatorTree {
  /** Immediate dominator by reverse postorder number; the entry's is itself. */
  readonly idom: Int32Array;
  private readonly enter: Int32Array;
  private readonly leave: Int32Array;
  /** Reverse postorder numbers in dominator-tree preorder. */
  readonly preorder: Int32Array;

  constructor(readonly cfg: ControlFlow) {
    const { order, number } = cfg;
    const n = order.length;
    const idom = new Int32Array(n).fill(-1);
    idom[0] = 0;
    for (let changed = true; changed;) {
      changed = false;
      for (let i = 1; i < n; i++) {
        let best = -1;
        for (const pred of order[i]!.preds) {
          let p = number[pred.id]!;
          if (p === -1 || idom[p] === -1) continue;
          if (best === -1) best = p;
          else {
            while (p !== best) {
              if (p > best) p = idom[p]!;
              else best = idom[best]!;
            }
          }
        }
        if (idom[i] !== best) {
          idom[i] = best;
          changed = true;
        }
      }
    }
    this.idom = idom;
    // Child lists as linked arrays; children end up in ascending order.
    const firstChild = new Int32Array(n).fill(-1);
    const sibling = new Int32Array(n).fill(-1);
    for (let i = n - 1; i > 0; i--) {
      sibling[i] = firstChild[idom[i]!]!;
      firstChild[idom[i]!] = i;
    }
    this.enter = new Int32Array(n);
    this.leave = new Int32Array(n);
    this.preorder = new Int32Array(n);
    let clock = 0;
    for (let at = 0; ;) {
      this.preorder[clock] = at;
      this.enter[at] = clock++;
      if (firstChild[at] !== -1) {
        at = firstChild[at]!;
        continue;
      }
      while (at !== 0 && sibling[at] === -1) {
        this.leave[at] = clock;
        at = idom[at]!;
      }
      this.leave[at] = clock;
      if (at === 0) break;
      at = sibling[at]!;
    }
  }

  /** Does block `a` dominate block `b` (a block dominates itself)? Both must be reachable. */
  dominates(a: Block, b: Block): boolean {
    const { number } = this.cfg;
    return this.dominatesNumber(number[a.id]!, number[b.id]!);
  }

  dominatesNumber(a: number, b: number): boolean {
    return this.enter[a]! <= this.enter[b]! && this.enter[b]! < this.leave[a]!;
  }
}
