// One module in a slot of a device, as the edge knows it: whether it runs, requests under way, requests that wait while it
// moves. Knows no message and no slot's contents.
import type { ModuleModel } from '../../manifest/model.js';
import type { Successor } from './slots.js';

/**
 * `running`: serves. `frozen`: stopped with its state, callers wait. `prepared`: comes, has not run yet. `cached`: has gone;
 * only its code stays in the slot, for the next time.
 */
export type Phase = 'running' | 'frozen' | 'prepared' | 'cached';

export interface Package {
  readonly model: ModuleModel;
  readonly wasm: Uint8Array;
}

export class Resident {
  /** Its last snapshot stream: what has not changed since need not travel. */
  known: Buffer | null = null;
  /** Of its code and its place, as the device says; null: not asked yet. */
  identity: number | null = null;
  /** `known` is the state it was frozen with. */
  frozenState = false;
  /** When `phase` became what it is, in performance.now(). */
  since = performance.now();
  /** It was told to start, or to go on, and has not said that it does not. */
  started = false;
  /** A new version that waits in the slot's other bank. */
  successor: (Successor & { readonly content: Package }) | null = null;
  private inflight = 0;
  private readonly idle = new Set<() => void>();
  private readonly parked = new Set<(here: boolean) => void>();

  constructor(
    readonly module: string,
    readonly slot: string,
    public epoch: number,
    public phase: Phase,
    /** Null: installed by somebody else, and never seen by this edge. */
    public content: Package | null,
  ) {}

  freeze(): void {
    this.phase = 'frozen';
    this.since = performance.now();
  }

  /** Waits while it is frozen. False: it has gone, or `ms` have passed. */
  async arrived(ms: number): Promise<boolean> {
    if (this.phase !== 'frozen') return this.phase === 'running';
    return new Promise((resolve) => {
      const settle = (here: boolean): void => {
        clearTimeout(timer);
        this.parked.delete(settle);
        resolve(here);
      };
      const timer = setTimeout(() => settle(false), ms);
      this.parked.add(settle);
    });
  }

  /** Runs a request; freezing waits for its end. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    this.inflight++;
    try {
      return await run();
    } finally {
      this.inflight--;
      if (this.inflight === 0) for (const wake of this.idle) wake();
    }
  }

  /** Until no request is under way; false if that takes longer. */
  drained(ms: number): Promise<boolean> {
    if (this.inflight === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.idle.delete(settle);
        resolve(this.inflight === 0);
      };
      const timer = setTimeout(settle, ms);
      this.idle.add(settle);
    });
  }

  /** It serves again: waiting requests go on. */
  run(epoch = this.epoch): void {
    this.epoch = epoch;
    this.phase = 'running';
    this.frozenState = false;
    this.started = false;
    this.wake(true);
  }

  /** Other code is in its slot: nothing that was known of its state holds. */
  replace(content: Package): void {
    this.content = content;
    this.known = null;
    this.identity = null;
  }

  /** It has gone: waiting requests look elsewhere. */
  leave(): void {
    this.phase = 'cached';
    this.frozenState = false;
    this.wake(false);
  }

  private wake(here: boolean): void {
    for (const settle of [...this.parked]) settle(here);
  }
}
