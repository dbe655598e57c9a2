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

  begin(): number {
    return this.next++;
  }

  /** Runs part of a chain in `holder`; the chain waits for it until it ends. */
  async within<T>(chain: number, holder: Holder, run: () => Promise<T>): Promise<T> {
    const outer = this.waitsFor.get(chain);
    this.waitsFor.set(chain, holder);
    try {
      return await run();
    } finally {
      if (outer === undefined) this.waitsFor.delete(chain);
      else this.waitsFor.set(chain, outer);
    }
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
