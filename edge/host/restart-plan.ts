// When a module starts again after a fault: its policy, the back-off, the number of restarts in an hour. The kernel's rule
// (firmware/core/chain.c). Takes times; knows no thread.
import type { ModuleModel } from './types.js';

/** The back-off doubles this often, and begins anew after a minute without a fault. */
const LARGEST_BACKOFF = 6;
const QUIET_MS = 60_000;
const HOUR_MS = 3_600_000;

export class RestartPlan {
  private backoff = 0;
  private lastFault = -Infinity;
  private hourBegan = -Infinity;
  private restarts = 0;
  private total = 0;

  constructor(private readonly policy: ModuleModel['restart']) {}

  /** Restarts since the module came here. */
  get count(): number {
    return this.total;
  }

  /** Milliseconds until it starts again; null: not. */
  afterFault(now: number): number | null {
    const { policy, max, backoffMs } = this.policy;
    if (now - this.lastFault >= QUIET_MS) this.backoff = 0;
    this.lastFault = now;
    if (now - this.hourBegan >= HOUR_MS) {
      this.hourBegan = now;
      this.restarts = 0;
    }
    if (policy === 'never' || (max !== 0 && this.restarts >= max)) return null;
    this.restarts++;
    this.total++;
    const delay = Math.max(1, backoffMs * 2 ** this.backoff);
    this.backoff = Math.min(LARGEST_BACKOFF, this.backoff + 1);
    return delay;
  }

  forget(): void {
    this.backoff = 0;
    this.restarts = 0;
  }
}
