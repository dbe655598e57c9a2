// The timers of modules: four each, once or periodic. Fires a callback, once for a timer until that has begun to run;
// knows no thread. A timer of a frozen module keeps its remaining time.
import { MODULE_TIMERS } from '../../compiler/abi/os-layout.js';
import type { TimerState } from './types.js';

/** Longest time that the engine's own timers take. */
const LONGEST_MS = 0x7fffffff;

interface Timer {
  readonly id: number;
  readonly periodMs: number;
  /** Infinity: has fired and does not come again. */
  dueAt: number;
  handle: NodeJS.Timeout | null;
  /** Fired, and on_timer has not begun. */
  fired: boolean;
}

export class Timers {
  private readonly byModule = new Map<string, Map<number, Timer>>();

  /** @param fire has on_timer run; `begins` is to be asked then: false if the timer was stopped meanwhile */
  constructor(private readonly fire: (module: string, id: number, begins: () => boolean) => void) {}

  /**
   * Starts, restarts or (both times 0) stops a timer. False if there is no such timer.
   * @param firstMs unsigned, as periodMs; 0 with a period: at once
   */
  set(module: string, id: number, firstMs: number, periodMs: number): boolean {
    if (id < 0 || id >= MODULE_TIMERS) return false;
    const timers = this.byModule.get(module) ?? new Map<number, Timer>();
    this.byModule.set(module, timers);
    const old = timers.get(id);
    if (old?.handle) clearTimeout(old.handle);
    timers.delete(id);
    if (firstMs === 0 && periodMs === 0) return true;
    const timer: Timer = { id, periodMs, dueAt: performance.now() + firstMs, handle: null, fired: false };
    timers.set(id, timer);
    this.arm(module, timer);
    return true;
  }

  /** Stops the timers of a module and gives their state; one that has fired and not run yet is due at once. */
  suspend(module: string): TimerState[] {
    const now = performance.now();
    return [...(this.byModule.get(module)?.values() ?? [])].map((timer) => {
      if (timer.handle) clearTimeout(timer.handle);
      timer.handle = null;
      const remainingMs = timer.fired ? 0 : Math.max(0, timer.dueAt - now);
      return { id: timer.id, remainingMs, periodMs: timer.periodMs };
    });
  }

  /** Undoes `suspend`. */
  resume(module: string): void {
    for (const timer of this.byModule.get(module)?.values() ?? []) if (timer.handle === null) this.arm(module, timer);
  }

  /** Timers of a module that has come here. */
  restore(module: string, states: readonly TimerState[]): void {
    // A time of 0 would stop one that comes once.
    for (const { id, remainingMs, periodMs } of states) this.set(module, id, Math.max(0.001, remainingMs), periodMs);
  }

  drop(module: string): void {
    for (const { handle } of this.byModule.get(module)?.values() ?? []) if (handle) clearTimeout(handle);
    this.byModule.delete(module);
  }

  clear(): void {
    for (const module of [...this.byModule.keys()]) this.drop(module);
  }

  private arm(module: string, timer: Timer): void {
    const left = Math.max(0, timer.dueAt - performance.now());
    if (left === Infinity) return;
    timer.handle = setTimeout(() => this.due(module, timer), Math.min(left, LONGEST_MS));
  }

  private due(module: string, timer: Timer): void {
    timer.handle = null;
    const now = performance.now();
    // Woken early (the engine counts whole milliseconds), or half-way to a far time.
    if (timer.dueAt - now >= 1) return this.arm(module, timer);
    if (timer.periodMs > 0) {
      // From the due time, not from now: a late one does not shift the rest; missed ones are left out.
      timer.dueAt += Math.max(1, Math.ceil((now - timer.dueAt) / timer.periodMs)) * timer.periodMs;
    } else timer.dueAt = Infinity;
    this.arm(module, timer);
    if (timer.fired) return;
    timer.fired = true;
    this.fire(module, timer.id, () => this.begins(module, timer));
  }

  private begins(module: string, timer: Timer): boolean {
    const timers = this.byModule.get(module);
    if (timers?.get(timer.id) !== timer) return false;
    timer.fired = false;
    if (timer.dueAt === Infinity) timers.delete(timer.id);
    return true;
  }
}
