// Who waits for a change, by key: of a thing's placements, of a place. Takes keys; knows nothing of what they stand for.

export class Wakeups {
  private readonly sleepers = new Map<string, Set<() => void>>();

  /** Until one of the keys is woken, or `ms` have passed. */
  sleep(keys: readonly string[], ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        for (const key of keys) this.remove(key, wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      for (const key of keys) this.add(key, wake);
    });
  }

  wake(key: string): void {
    for (const wake of [...(this.sleepers.get(key) ?? [])]) wake();
  }

  wakeAll(): void {
    for (const key of [...this.sleepers.keys()]) this.wake(key);
  }

  private add(key: string, wake: () => void): void {
    const set = this.sleepers.get(key) ?? new Set();
    this.sleepers.set(key, set.add(wake));
  }

  private remove(key: string, wake: () => void): void {
    const set = this.sleepers.get(key);
    set?.delete(wake);
    if (set?.size === 0) this.sleepers.delete(key);
  }
}
