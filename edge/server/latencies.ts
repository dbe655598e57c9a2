// Median and worst of the calls of the last period, by module. Takes single times, gives both and begins anew.

/** Times kept for each module and period; beyond, a random choice stands for all. */
const MAX_TIMES = 2_000;

interface Times {
  readonly kept: number[];
  count: number;
  worst: number;
}

export class Latencies {
  private readonly byKey = new Map<string, Times>();

  add(key: string, microseconds: number): void {
    let times = this.byKey.get(key);
    if (times === undefined) this.byKey.set(key, (times = { kept: [], count: 0, worst: 0 }));
    times.count++;
    times.worst = Math.max(times.worst, microseconds);
    if (times.kept.length < MAX_TIMES) times.kept.push(microseconds);
    else {
      // Reservoir sampling: every call of the period has the same chance to be in it.
      const at = Math.floor(Math.random() * times.count);
      if (at < MAX_TIMES) times.kept[at] = microseconds;
    }
  }

  /** In whole microseconds; null for a module without calls. Begins anew. */
  take(): (key: string) => { median: number; worst: number } | null {
    const taken = new Map(this.byKey);
    this.byKey.clear();
    return (key) => {
      const times = taken.get(key);
      if (times === undefined) return null;
      const sorted = times.kept.sort((a, b) => a - b);
      return { median: Math.round(sorted[sorted.length >> 1]!), worst: Math.round(times.worst) };
    };
  }
}
