// Values of all local variables at one program point, cheap to copy: fixed-size chunks shared until written. Takes and
// gives whatever values ssa.ts stores; knows nothing of them but identity.
import type { Inst } from '../ir/function.js';

const CHUNK_BITS = 5;
const CHUNK_SIZE = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SIZE - 1;

/** A run of values. It may be written in place only by the environment of the epoch it was made in. */
class Chunk {
  constructor(
    readonly slots: Inst[],
    readonly epoch: number,
  ) {}
}

/** An environment; copies share chunks, so a copy costs a pointer per 32 locals. */
export type Env = Chunk[];

/** Makes, reads, writes and merges environments of one function with `size` locals. */
export class EnvStore {
  private epoch = 0;
  /** Slots and chunk pointers touched so far: the cost of construction, for a limit. */
  work = 0;

  constructor(readonly size: number) {}

  /** Value `of(i)` for each local. */
  create(of: (local: number) => Inst): Env {
    const env: Env = [];
    for (let start = 0; start < this.size; start += CHUNK_SIZE) {
      const slots: Inst[] = [];
      for (let i = start; i < Math.min(start + CHUNK_SIZE, this.size); i++) slots.push(of(i));
      env.push(new Chunk(slots, this.epoch));
    }
    return env;
  }

  get(env: Env, local: number): Inst {
    return env[local >> CHUNK_BITS]!.slots[local & CHUNK_MASK]!;
  }

  set(env: Env, local: number, value: Inst): void {
    const at = local >> CHUNK_BITS;
    let chunk = env[at]!;
    if (chunk.epoch !== this.epoch) {
      chunk = new Chunk(chunk.slots.slice(), this.epoch);
      env[at] = chunk;
      this.work += CHUNK_SIZE;
    }
    chunk.slots[local & CHUNK_MASK] = value;
  }

  /** Replaces a value by another that means the same; seen by all copies that share the chunk. */
  refine(env: Env, local: number, value: Inst): void {
    env[local >> CHUNK_BITS]!.slots[local & CHUNK_MASK] = value;
  }

  /** A copy. From now on neither it nor the original changes when the other is written. */
  copy(env: Env): Env {
    this.epoch++;
    this.work += env.length;
    return env.slice();
  }

  /** Copy of `envs[0]` in which `disagree` is the value of every local about which the others do not agree with it. */
  merge(envs: readonly Env[], known: (value: Inst, local: number) => Inst, disagree: Inst): Env {
    const merged = this.copy(envs[0]!);
    for (let e = 1; e < envs.length; e++) {
      const other = envs[e]!;
      if (other === envs[e - 1]) continue;
      this.work += other.length;
      for (let at = 0; at < merged.length; at++) {
        if (merged[at] === other[at]) continue;
        this.work += CHUNK_SIZE;
        const a = merged[at]!.slots;
        const b = other[at]!.slots;
        for (let i = 0; i < a.length; i++) {
          const value = a[i]!;
          if (value === disagree || value === b[i]) continue;
          const local = (at << CHUNK_BITS) + i;
          if (known(value, local) !== known(b[i]!, local)) this.set(merged, local, disagree);
        }
      }
    }
    return merged;
  }
}
