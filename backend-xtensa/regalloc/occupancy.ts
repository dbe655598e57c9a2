// Which physical register is taken at which position, and by which segment. Knows no bundle and no policy.
//
// Per register: a bitmap over positions for skipping free stretches 32 at a time, and an array that names the owner of
// each taken position, whose segment end lets a scan jump over it. Memory is registers * positions * 4 bytes, kept and
// reused from function to function; all operations are linear in range length / 32 plus what they meet.
import { ConstraintKind } from './api.js';
import { constraintOf, OP_DEF, OP_LATE, type Problem } from './problem.js';
import type { SegmentPool } from './ranges.js';
import { u8 } from './scratch.js';

/** Owner of a position that an instruction destroys. */
const CLOBBERED = -1;
/** Owner of a position at which an instruction's fixed operand needs the register: -(vreg + 2). */
const reservedFor = (vreg: number): number => -(vreg + 2);

/** Buffers live on from function to function: they are large, and never given out to two allocations at once. */
interface RegisterRow {
  taken: Uint32Array;
  /** Positions that belong to an instruction's constraints; a subset of `taken`. */
  fixed: Uint32Array;
  owner: Int32Array;
}
const rowCache: RegisterRow[] = [];

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** First set bit in [from, to), or `to`. */
function nextSet(bits: Uint32Array, from: number, to: number): number {
  if (from >= to) return to;
  let w = from >>> 5;
  let word = bits[w]! & (-1 << (from & 31));
  const last = (to - 1) >>> 5;
  while (word === 0) {
    if (++w > last) return to;
    word = bits[w]!;
  }
  const at = (w << 5) + lowestBit(word);
  return at < to ? at : to;
}

function setBits(bits: Uint32Array, from: number, to: number): void {
  const first = from >>> 5;
  const last = (to - 1) >>> 5;
  const head = -1 << (from & 31);
  const tail = -1 >>> (31 - ((to - 1) & 31));
  if (first === last) {
    bits[first]! |= head & tail;
    return;
  }
  bits[first]! |= head;
  for (let w = first + 1; w < last; w++) bits[w] = -1;
  bits[last]! |= tail;
}

/** Clears [from, to) except for what `keep` has set. */
function clearBits(bits: Uint32Array, keep: Uint32Array, from: number, to: number): void {
  const first = from >>> 5;
  const last = (to - 1) >>> 5;
  const head = -1 << (from & 31);
  const tail = -1 >>> (31 - ((to - 1) & 31));
  if (first === last) {
    bits[first] = (bits[first]! & ~(head & tail)) | keep[first]!;
    return;
  }
  bits[first] = (bits[first]! & ~head) | keep[first]!;
  for (let w = first + 1; w < last; w++) bits[w] = keep[w]!;
  bits[last] = (bits[last]! & ~tail) | keep[last]!;
}

export class Occupancy {
  private readonly rows: (RegisterRow | undefined)[];
  private used = 0;
  private readonly positions: number;
  /** 1 where some instruction's constraints take some register. */
  private readonly constrained: Uint8Array;
  /** Set by `conflict`: position of the conflict it found. */
  conflictAt = 0;

  constructor(
    p: Problem,
    private readonly segments: SegmentPool,
  ) {
    this.positions = 2 * p.slotCount;
    this.rows = new Array<RegisterRow | undefined>(p.pregCount).fill(undefined);
    this.constrained = u8(this.positions);
    this.reserve(p);
  }

  private row(preg: number): RegisterRow {
    return this.rows[preg] ?? this.makeRow(preg);
  }

  private makeRow(preg: number): RegisterRow {
    const words = (this.positions >>> 5) + 1;
    const index = this.used++;
    let row = rowCache[index];
    if (row === undefined || row.owner.length < this.positions) {
      const size = row === undefined ? Math.max(4096, this.positions) : Math.max(this.positions, row.owner.length * 2);
      row = {
        taken: new Uint32Array((size >>> 5) + 1),
        fixed: new Uint32Array((size >>> 5) + 1),
        owner: new Int32Array(size),
      };
      rowCache[index] = row;
    } else {
      row.taken.fill(0, 0, words);
      row.fixed.fill(0, 0, words);
    }
    this.rows[preg] = row;
    return row;
  }

  private hold(preg: number, from: number, to: number, owner: number): void {
    const row = this.row(preg);
    for (let at = from; at < to; at++) {
      const word = at >>> 5;
      const bit = 1 << (at & 31);
      row.taken[word]! |= bit;
      row.fixed[word]! |= bit;
      row.owner[at] = owner;
      this.constrained[at] = 1;
    }
  }

  /** How many of `registers` an instruction's constraints take at `position`. */
  reservedAt(registers: readonly number[], position: number): number {
    if (this.constrained[position] === 0) return 0;
    let count = 0;
    for (let k = 0; k < registers.length; k++) {
      const row = this.rows[registers[k]!];
      if (row !== undefined && (row.fixed[position >>> 5]! & (1 << (position & 31))) !== 0) count++;
    }
    return count;
  }

  /** Enters what the instructions themselves demand: fixed operands and clobbers. */
  private reserve(p: Problem): void {
    const { opStart, opVReg, opFlags, opFixed, slotBlock, input } = p;
    // Registers that no value of the function can get need no bookkeeping.
    const present = u8(input.classes.length);
    for (let v = 0; v < p.vregCount; v++) present[p.vregClass[v]!] = 1;
    const relevant = u8(p.pregCount);
    input.classes.forEach((cls, index) => {
      if (present[index] === 1) for (const preg of cls.order) relevant[preg] = 1;
    });
    let known: readonly number[] | undefined;
    let holding: readonly number[] = [];
    let block = 0;
    for (let i = 0; i < p.instCount; i++) {
      while (i >= p.blockFirst[block + 1]!) block++;
      const early = 2 * (i + slotBlock[i + block + 1]! + 1);
      const clobbers = input.clobbers(i);
      if (clobbers !== known) {
        known = clobbers;
        holding = clobbers.filter((preg) => relevant[preg] === 1);
      }
      for (let k = 0; k < holding.length; k++) this.hold(holding[k]!, early + 1, early + 2, CLOBBERED);
      for (let k = opStart[i]!; k < opStart[i + 1]!; k++) {
        const flags = opFlags[k]!;
        if (constraintOf(flags) !== ConstraintKind.Fixed) continue;
        const late = (flags & OP_LATE) !== 0;
        if ((flags & OP_DEF) !== 0)
          this.hold(opFixed[k]!, late ? early + 1 : early, early + 2, reservedFor(opVReg[k]!));
        else this.hold(opFixed[k]!, early, late ? early + 2 : early + 1, reservedFor(opVReg[k]!));
      }
    }
  }

  /**
   * First position in [from, to) at which `preg` is taken against a segment of `vreg`, as that segment's id, or -1 if
   * an instruction's constraint takes it, or -2 if the register is free throughout. Sets `conflictAt`.
   */
  conflict(preg: number, vreg: number, from: number, to: number): number {
    const row = this.rows[preg];
    if (row === undefined) return -2;
    const own = reservedFor(vreg);
    let at = nextSet(row.taken, from, to);
    while (at < to) {
      const owner = row.owner[at]!;
      if (owner !== own) {
        this.conflictAt = at;
        return owner >= 0 ? owner : -1;
      }
      at = nextSet(row.taken, at + 1, to);
    }
    return -2;
  }

  /** First position in [from, to) that an instruction's constraints take, or `to`. */
  nextFixed(preg: number, from: number, to: number): number {
    return nextSet(this.row(preg).fixed, from, to);
  }

  /** True if nobody has `preg` at `position`. */
  isFree(preg: number, position: number): boolean {
    const row = this.rows[preg];
    return row === undefined || (row.taken[position >>> 5]! & (1 << (position & 31))) === 0;
  }

  take(preg: number, segment: number): void {
    const row = this.row(preg);
    const from = this.segments.from[segment]!;
    const to = this.segments.to[segment]!;
    setBits(row.taken, from, to);
    // Positions that an operand of the same vreg has reserved stay the operand's.
    let at = from;
    while (at < to) {
      const stop = nextSet(row.fixed, at, to);
      if (stop > at) row.owner.fill(segment, at, stop);
      at = stop + 1;
    }
  }

  release(preg: number, segment: number): void {
    const row = this.row(preg);
    clearBits(row.taken, row.fixed, this.segments.from[segment]!, this.segments.to[segment]!);
  }
}
