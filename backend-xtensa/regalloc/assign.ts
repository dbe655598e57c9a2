// Takes bundles, gives each a register or memory. A priority allocator with eviction and splitting, in the line of
// Chow & Hennessy's priority-based colouring (TOPLAS 1990), LLVM's greedy allocator and regalloc2: the largest bundle
// first, so that the small ones fill the gaps between; one that finds no free register may throw out others of lower
// cost per position; one that cannot is split (split.ts).
// Knows no instruction.
import { InternalError } from '../../compiler/diagnostics.js';
import type { RegisterClass } from './api.js';
import type { BundleSet } from './bundles.js';
import type { Coalesced } from './coalesce.js';
import type { Occupancy } from './occupancy.js';
import type { Problem } from './problem.js';
import { BundleQueue } from './queue.js';
import { BundleState, NIL, type Bundle } from './ranges.js';
import { f64, u8 } from './scratch.js';
import { Splitter } from './split.js';

const BLOCKED = Infinity;
const FREE = -1;

export class Assigner {
  evictions = 0;
  private readonly queue = new BundleQueue();
  private readonly splitter: Splitter;
  private stamp = 0;
  /** Bundles met by the last probe, and where the first that cannot be thrown out begins to be in the way. */
  private readonly met: Bundle[] = [];
  private metCount = 0;
  private blockedAt = 0;
  private readonly hintScore: Float64Array;
  private readonly hinted: number[] = [];
  private hintCount = 0;
  /** Registers in the order in which `allocate` tries them. */
  private readonly candidates: number[] = [];
  /** Class member test: allocatable[class * pregCount + preg]. */
  private readonly allocatable: Uint8Array;
  private readonly calleeSaved: Uint8Array;
  private readonly touched: Uint8Array;
  /** Cost of the first use of a callee-saved register: a save and a restore. */
  private readonly saveCost: number;

  constructor(
    private readonly p: Problem,
    private readonly joined: Coalesced,
    private readonly set: BundleSet,
    private readonly occupancy: Occupancy,
  ) {
    const { classes } = p.input;
    this.hintScore = f64(p.pregCount);
    this.allocatable = u8(classes.length * p.pregCount);
    this.calleeSaved = u8(p.pregCount);
    this.touched = u8(p.pregCount);
    classes.forEach((cls, index) => {
      for (const preg of cls.order) {
        this.allocatable[index * p.pregCount + preg] = 1;
        if (cls.calleeSaved.has(preg)) this.calleeSaved[preg] = 1;
      }
    });
    this.saveCost = 2 * (p.blockCount > 0 ? p.blockWeight[0]! : 1);
    this.splitter = new Splitter(p, set, (bundle) => this.enqueue(bundle));
  }

  private enqueue(bundle: Bundle): void {
    this.set.measure(bundle);
    bundle.state = BundleState.Pending;
    bundle.priority = bundle.minimal ? 1e9 : bundle.length;
    this.queue.push(bundle);
  }

  /** Allocates every bundle of the set. */
  run(): void {
    const initial = this.set.bundles.length;
    for (let k = 0; k < initial; k++) {
      const bundle = this.set.bundles[k]!;
      if (bundle !== this.set.memory) this.enqueue(bundle);
    }
    for (let bundle = this.queue.pop(); bundle !== undefined; bundle = this.queue.pop()) this.allocate(bundle);
  }

  /**
   * What stands in the way of giving `preg` to `bundle`: FREE if nothing, the greatest density of the bundles that would
   * have to go (collected in `met`), or BLOCKED. Stops at the first obstacle of density >= `limit`.
   */
  private probe(preg: number, bundle: Bundle, limit: number): number {
    const { occupancy, set } = this;
    const { segments, bundles } = set;
    const stamp = ++this.stamp;
    this.metCount = 0;
    let worst = 0;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) {
      const vreg = segments.vreg[s]!;
      const to = segments.to[s]!;
      let from = segments.from[s]!;
      while (from < to) {
        const other = occupancy.conflict(preg, vreg, from, to);
        if (other === -2) break;
        if (other === -1) {
          this.blockedAt = occupancy.conflictAt;
          return BLOCKED;
        }
        const holder = bundles[segments.bundle[other]!]!;
        if (holder.density >= limit) {
          this.blockedAt = occupancy.conflictAt;
          return BLOCKED;
        }
        if (holder.stamp !== stamp) {
          holder.stamp = stamp;
          this.met[this.metCount++] = holder;
          if (holder.density > worst) worst = holder.density;
        }
        // The holder may itself stand over positions reserved for its own operands, which will not go with it.
        from = occupancy.nextFixed(preg, occupancy.conflictAt, Math.min(to, segments.to[other]!));
      }
    }
    return this.metCount === 0 ? FREE : worst;
  }

  private scoreHint(bundle: Bundle, preg: number, weight: number): void {
    if (preg === NIL || this.allocatable[bundle.classIndex * this.p.pregCount + preg] === 0) return;
    if (this.hintScore[preg] === 0) this.hinted[this.hintCount++] = preg;
    this.hintScore[preg]! += weight + 1e-9;
  }

  /** Collects in `hinted` the registers that would save moves, best first. */
  private collectHints(bundle: Bundle): void {
    const { set, joined } = this;
    const { uses, segments, bundles } = set;
    for (let k = 0; k < this.hintCount; k++) this.hintScore[this.hinted[k]!] = 0;
    this.hintCount = 0;
    for (let u = bundle.firstUse; u !== NIL; u = uses.next[u]!) {
      if (uses.preg[u] !== NIL) this.scoreHint(bundle, uses.preg[u]!, uses.weight[u]!);
    }
    if (bundle.hint !== NIL) this.scoreHint(bundle, bundle.hint, bundle.cost * 0.1);
    let budget = 32;
    for (let s = bundle.firstSegment; s !== NIL && budget > 0; s = segments.next[s]!) {
      for (let a = joined.affinityHead[segments.vreg[s]!]!; a !== NIL; a = joined.affinityNext[a]!) {
        if (--budget <= 0) break;
        const other = bundles[segments.bundle[joined.affinitySegment[a]!]!]!;
        if (other.state === BundleState.InRegister && other !== bundle) {
          this.scoreHint(bundle, other.preg, joined.affinityWeight[a]!);
        }
      }
    }
    const { hinted, hintScore } = this;
    for (let k = 1; k < this.hintCount; k++) {
      const preg = hinted[k]!;
      let at = k;
      for (; at > 0 && hintScore[hinted[at - 1]!]! < hintScore[preg]!; at--) hinted[at] = hinted[at - 1]!;
      hinted[at] = preg;
    }
  }

  /** True if a first use of this callee-saved register would cost more than memory for `bundle`. */
  private tooDear(preg: number, bundle: Bundle): boolean {
    return this.calleeSaved[preg] === 1 && this.touched[preg] === 0 && !bundle.minimal && bundle.cost < this.saveCost;
  }

  /**
   * Fills `candidates` with the registers of the class in the order to try them: those with reasons for them, those with
   * none, those with reasons against; a callee-saved register is first used only after those.
   */
  private orderCandidates({ order }: RegisterClass): number {
    const { candidates, hinted, hintScore, hintCount, calleeSaved, touched } = this;
    let count = 0;
    let wanted = 0;
    while (wanted < hintCount && hintScore[hinted[wanted]!]! > 0) candidates[count++] = hinted[wanted++]!;
    for (let k = 0; k < order.length; k++) {
      const preg = order[k]!;
      if (hintScore[preg] !== 0) continue;
      if (wanted < hintCount && calleeSaved[preg] === 1 && touched[preg] === 0) continue;
      candidates[count++] = preg;
    }
    if (wanted === hintCount) return count;
    for (let k = wanted; k < hintCount; k++) if (hintScore[hinted[k]!] !== 0) candidates[count++] = hinted[k]!;
    for (let k = 0; k < order.length; k++) {
      const preg = order[k]!;
      if (hintScore[preg] === 0 && calleeSaved[preg] === 1 && touched[preg] === 0) candidates[count++] = preg;
    }
    return count;
  }

  private allocate(bundle: Bundle): void {
    const cls: RegisterClass = this.p.input.classes[bundle.classIndex]!;
    if (bundle.needless) {
      this.set.toMemory(bundle);
      return;
    }
    this.collectHints(bundle);
    const limit = bundle.density;
    let far = -1;
    let farPreg = NIL;
    let victim = NIL;
    let victimDensity = BLOCKED;
    const count = this.orderCandidates(cls);
    for (let k = 0; k < count; k++) {
      const preg = this.candidates[k]!;
      const worst = this.probe(preg, bundle, limit);
      if (worst === FREE) {
        if (this.tooDear(preg, bundle)) continue;
        this.give(bundle, preg);
        return;
      }
      if (worst === BLOCKED) {
        if (this.blockedAt > far) {
          far = this.blockedAt;
          farPreg = preg;
        }
      } else if (worst < victimDensity) {
        victimDensity = worst;
        victim = preg;
      }
    }
    if (victim !== NIL && !this.tooDear(victim, bundle)) {
      this.probe(victim, bundle, limit);
      for (let k = 0; k < this.metCount; k++) this.takeBack(this.met[k]!);
      this.give(bundle, victim);
      return;
    }
    if (bundle.minimal) {
      throw new InternalError(
        `no register of class ${cls.name} for v${this.set.segments.vreg[bundle.firstSegment]!} at slot ${this.set.start(bundle) >> 1}`,
      );
    }
    if (far < 0) this.splitter.spill(bundle);
    else this.splitter.split(bundle, far, farPreg);
  }

  private give(bundle: Bundle, preg: number): void {
    const { segments } = this.set;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) this.occupancy.take(preg, s);
    bundle.state = BundleState.InRegister;
    bundle.preg = preg;
    this.touched[preg] = 1;
  }

  private takeBack(bundle: Bundle): void {
    const { segments } = this.set;
    for (let s = bundle.firstSegment; s !== NIL; s = segments.next[s]!) this.occupancy.release(bundle.preg, s);
    bundle.hint = bundle.preg;
    bundle.preg = NIL;
    this.evictions++;
    this.enqueue(bundle);
  }
}
