// The timers of modules: four each, once or periodic. Fires a callback; knows no thread. A timer of a frozen module keeps
// its remaining time.
import type { TimerState } from './types.js';

const TIMERS_PER_MODULE = 4;

interface Timer {
  readonly id: number;
  readonly periodMs: number;
  dueAt: number;
  handle: NodeJS.Timeout | null;
}

export class Timers {
  private readonly byModule = new Map<string, Map<number, Timer>>();

  constructor(private readonly fire: (module: string, id: number) => void) {}

  /** Starts, restarts or (both times 0) stops a timer. False if there is no such timer. */
  set(module: string, id: number, firstMs: number, periodMs: number): boolean {
    if (id < 0 || id >= TIMERS_PER_MODULE || firstMs < 0 || periodMs < 0) return false;
    const timers = this.byModule.get(module) ?? new Map<number, Timer>();
    this.byModule.set(module, timers);
    const old = timers.get(id);
    if (old?.handle) clearTimeout(old.handle);
    timers.delete(id);
    if (firstMs === 0 && periodMs === 0) return true;
    const timer: Timer = { id, periodMs, dueAt: performance.now() + (firstMs || periodMs), handle: null };
    timers.set(id, timer);
    this.arm(module, timer);
    return true;
  }

  /** Stops the timers of a module and gives their state. */
  suspend(module: string): TimerState[] {
    const now = performance.now();
    return [...(this.byModule.get(module)?.values() ?? [])].map((timer) => {
      if (timer.handle) clearTimeout(timer.handle);
      timer.handle = null;
      return { id: timer.id, remainingMs: Math.max(0, timer.dueAt - now), periodMs: timer.periodMs };
    });
  }

  /** Undoes `suspend`. */
  resume(module: string): void {
    for (const timer of this.byModule.get(module)?.values() ?? []) if (timer.handle === null) this.arm(module, timer);
  }

  /** Timers of a module that has come here. */
  restore(module: string, states: readonly TimerState[]): void {
    for (const { id, remainingMs, periodMs } of states) this.set(module, id, Math.max(1, remainingMs), periodMs);
  }

  drop(module: string): void {
    for (const { handle } of this.byModule.get(module)?.values() ?? []) if (handle) clearTimeout(handle);
    this.byModule.delete(module);
  }

  clear(): void {
    for (const module of [...this.byModule.keys()]) this.drop(module);
  }

  private arm(module: string, timer: Timer): void {
    timer.handle = setTimeout(
      () => {
        timer.handle = null;
        if (timer.periodMs > 0) {
          // From the due time, not from now: a late one does not shift the rest; missed ones are left out.
          const now = performance.now();
          const periods = Math.max(1, Math.ceil((now - timer.dueAt) / timer.periodMs));
          timer.dueAt += periods * timer.periodMs;
          this.arm(module, timer);
        } else this.byModule.get(module)?.delete(timer.id);
        this.fire(module, timer.id);
      },
      Math.max(0, timer.dueAt - performance.now()),
    );
  }
}
