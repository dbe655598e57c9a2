// Takes a set of moves that are to happen at once, gives the same as a sequence: no value is overwritten before it is
// read, cycles go through a free register or a temporary slot, no move is from slot to slot. Knows no vreg.
import { InternalError } from '../../compiler/diagnostics.js';
import type { Location, Move, PReg, RegisterClass } from './api.js';
import { isSlot, slotLocation } from './api.js';

/** What a sequence may use beside the locations it is about. */
export interface MoveContext {
  readonly classes: readonly RegisterClass[];
  readonly pregCount: number;
  /** True if the register holds nothing that is needed here, and may be written without a new save in the prologue. */
  isFree(preg: PReg): boolean;
  /** A slot for a value of the class that nothing else uses: number 0 for cycles, 1 for saving a scratch register. */
  tempSlot(classIndex: number, which: 0 | 1): number;
}

export class ParallelMoves {
  private count = 0;
  private readonly from: number[] = [];
  private readonly to: number[] = [];
  private readonly remat: number[] = [];
  private readonly cls: number[] = [];
  /** Per location (registers, then slots): pending moves that read it, and the pending move that writes it plus 1. */
  private readers = new Int32Array(64);
  private writer = new Int32Array(64);
  private out: Move[] = [];

  constructor(private readonly context: MoveContext) {}

  get isEmpty(): boolean {
    return this.count === 0;
  }

  add(from: Location, to: Location, rematToken: number, classIndex: number): void {
    if (rematToken < 0 && from === to) return;
    const at = this.count++;
    this.from[at] = from;
    this.to[at] = to;
    this.remat[at] = rematToken;
    this.cls[at] = classIndex;
  }

  private index(location: Location): number {
    const index = isSlot(location) ? this.context.pregCount - location - 1 : location;
    if (index >= this.readers.length) {
      const size = Math.max(index + 1, this.readers.length * 2);
      const readers = new Int32Array(size);
      readers.set(this.readers);
      this.readers = readers;
      const writer = new Int32Array(size);
      writer.set(this.writer);
      this.writer = writer;
    }
    return index;
  }

  /** Appends the sequence to `out` and forgets the moves. Errors: InternalError if two values go to one place. */
  sequence(out: Move[]): void {
    this.out = out;
    const { from, to, remat, cls } = this;
    const n = this.count;
    let left = n;
    if (n === 1) {
      this.emit(from[0]!, to[0]!, remat[0]!, cls[0]!);
      this.count = 0;
      return;
    }
    for (let m = 0; m < n; m++) {
      const target = this.index(to[m]!);
      if (this.writer[target] !== 0) {
        // A value may be wanted in one place for two reasons, but no place by two values.
        if (from[this.writer[target]! - 1] !== from[m]) throw new InternalError(`two moves to location ${to[m]!}`);
        left--;
        continue;
      }
      this.writer[target] = m + 1;
      if (remat[m]! < 0) {
        const source = this.index(from[m]!);
        this.readers[source]!++;
      }
    }
    const ready: number[] = [];
    for (let m = n - 1; m >= 0; m--) {
      const target = this.index(to[m]!);
      if (this.readers[target] === 0 && this.writer[target] === m + 1) ready.push(m);
    }
    const drain = (): void => {
      for (let m = ready.pop(); m !== undefined; m = ready.pop()) {
        this.emit(from[m]!, to[m]!, remat[m]!, cls[m]!);
        left--;
        this.writer[this.index(to[m]!)] = 0;
        if (remat[m]! >= 0) continue;
        const source = this.index(from[m]!);
        if (--this.readers[source]! === 0 && this.writer[source] !== 0) ready.push(this.writer[source]! - 1);
      }
    };
    drain();
    // What is left is cycles: every target is read by exactly one other move.
    for (let m = 0; m < n && left > 0; m++) {
      const target = this.index(to[m]!);
      if (this.writer[target] !== m + 1) continue;
      // Save the old content of the target; whoever wants it finds it in `temp`.
      const temp = this.scratch(cls[m]!) ?? slotLocation(this.context.tempSlot(cls[m]!, 0));
      this.emit(to[m]!, temp, -1, cls[m]!);
      for (let k = 0; k < n; k++) {
        if (from[k] === to[m] && remat[k]! < 0 && this.writer[this.index(to[k]!)] === k + 1) from[k] = temp;
      }
      this.readers[target] = 0;
      const saved = this.index(temp);
      this.readers[saved] = 1;
      ready.push(m);
      drain();
      this.readers[saved] = 0;
    }
    for (let m = 0; m < n; m++) {
      this.readers[this.index(to[m]!)] = 0;
      this.writer[this.index(to[m]!)] = 0;
      if (remat[m]! < 0) this.readers[this.index(from[m]!)] = 0;
    }
    this.count = 0;
  }

  /** A register of the class that may be destroyed here, if there is one. */
  private scratch(classIndex: number): PReg | undefined {
    for (const preg of this.context.classes[classIndex]!.order) {
      if (this.context.isFree(preg) && !this.isInvolved(preg)) return preg;
    }
    return undefined;
  }

  private isInvolved(preg: PReg): boolean {
    for (let k = 0; k < this.count; k++) if (this.from[k] === preg || this.to[k] === preg) return true;
    return false;
  }

  private push(from: Location, to: Location, rematToken: number, classIndex: number): void {
    this.out.push({ from, to, rematToken, classIndex });
  }

  private emit(from: Location, to: Location, rematToken: number, classIndex: number): void {
    if (!isSlot(to) || (rematToken < 0 && !isSlot(from))) {
      this.push(rematToken >= 0 ? to : from, to, rematToken, classIndex);
      return;
    }
    // Memory to memory: through a free register, or through one whose content is put aside meanwhile.
    let via = this.scratch(classIndex);
    let aside = 0;
    if (via === undefined) {
      via = this.context.classes[classIndex]!.order[0]!;
      aside = slotLocation(this.context.tempSlot(classIndex, 1));
      this.push(via, aside, -1, classIndex);
    }
    this.push(rematToken >= 0 ? via : from, via, rematToken, classIndex);
    this.push(via, to, -1, classIndex);
    if (aside < 0) this.push(aside, via, -1, classIndex);
  }
}
