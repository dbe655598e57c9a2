// Hash table of value numbering: from what a value is computed of to the instructions that compute it. Keys are ten
// numbers; no strings and no objects per lookup. Knows no op.
import type { Inst } from '../ir/function.js';

const KEY = 10;

/** Fill `key`, then call `find`; entries are numbered from 0. */
export class ValueTable {
  /**
   * The key to look up: op and type, two immediates, interned aux, numbers of up to four operands (0 if absent), two state
   * versions.
   */
  readonly key = new Float64Array(KEY);
  private keys: Float64Array;
  private slots: Int32Array;
  private next: Int32Array;
  private count = 0;
  /** Instructions of each entry, oldest first. */
  readonly candidates: Inst[][] = [];

  /** `expected` values, more or fewer. */
  constructor(expected: number) {
    const capacity = 2 ** (32 - Math.clz32(Math.max(expected, 16) - 1));
    this.keys = new Float64Array(KEY * capacity);
    this.slots = new Int32Array(capacity * 2).fill(-1);
    this.next = new Int32Array(capacity);
  }

  private hash(keys: Float64Array, at: number): number {
    let h = 0;
    for (let i = 0; i < KEY; i++) h = (Math.imul(h, 0x01000193) ^ (keys[at + i]! | 0)) | 0;
    h ^= h >>> 15;
    return h & (this.slots.length - 1);
  }

  /** Entry of `key`, or -1. */
  find(): number {
    const { key, keys } = this;
    for (let entry = this.slots[this.hash(key, 0)]!; entry !== -1; entry = this.next[entry]!) {
      const at = entry * KEY;
      let i = 0;
      while (i < KEY && keys[at + i] === key[i]) i++;
      if (i === KEY) return entry;
    }
    return -1;
  }

  /** Makes an entry for `key`, which has none. */
  insert(inst: Inst): void {
    if (this.count === this.next.length) this.grow();
    const entry = this.count++;
    this.keys.set(this.key, entry * KEY);
    this.candidates.push([inst]);
    this.link(entry);
  }

  private link(entry: number): void {
    const slot = this.hash(this.keys, entry * KEY);
    this.next[entry] = this.slots[slot]!;
    this.slots[slot] = entry;
  }

  private grow(): void {
    const keys = new Float64Array(this.keys.length * 2);
    keys.set(this.keys);
    this.keys = keys;
    this.next = new Int32Array(this.next.length * 2);
    this.slots = new Int32Array(this.slots.length * 2).fill(-1);
    for (let entry = 0; entry < this.count; entry++) this.link(entry);
  }
}
