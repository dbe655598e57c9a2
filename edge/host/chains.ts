// Chains: an event or request with the calls made from it. Takes numbers of chains and who runs for them, says what would
// wait for itself. Knows no module's contents.

/** What a chain can hold: one module, by itself. */
export interface Holder {
  /** The chain that has it now, or null. */
  readonly chain: number | null;
}

export class Chains {
  private next = 1;
  /** Which module each chain waits for. */
  private readonly waitsFor = new Map<number, Holder>();
  /** Deadline of what each open invocation of a chain runs, innermost last. */
  private readonly budgets = new Map<number, number[]>();

  begin(): number {
    return this.next++;
  }

  /** Runs part of a chain in `holder`; the chain waits for it until it ends. */
  async within<T>(chain: number, holder: Holder, deadlineUs: number, run: () => Promise<T>): Promise<T> {
    const outer = this.waitsFor.get(chain);
    const budgets = this.budgets.get(chain) ?? [];
    this.budgets.set(chain, budgets);
    budgets.push(deadlineUs);
    this.waitsFor.set(chain, holder);
    try {
      return await run();
    } finally {
      budgets.pop();
      if (budgets.length === 0) this.budgets.delete(chain);
      if (outer === undefined) this.waitsFor.delete(chain);
      else this.waitsFor.set(chain, outer);
    }
  }

  /** Microseconds that the innermost invocation of a chain may take in all. */
  budget(chain: number): number {
    const budgets = this.budgets.get(chain);
    return budgets?.[budgets.length - 1] ?? 0;
  }

  /** Does `wanted` wait, over any number of others, for something that `chain` holds? */
  wouldCircle(chain: number, wanted: Holder): boolean {
    let at: Holder | undefined = wanted;
    for (const seen = new Set<Holder>(); at !== undefined && !seen.has(at);) {
      seen.add(at);
      const holder: number | null = at.chain;
      if (holder === null) return false;
      if (holder === chain) return at !== wanted;
      at = this.waitsFor.get(holder);
    }
    return false;
  }
}
