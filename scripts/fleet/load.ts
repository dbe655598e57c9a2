// Clients that call one service without a pause for breath, and the proof that no call was lost or run twice: each answer
// carries a number that the module counts up. Takes URLs of edges; knows no place.

/** What the service answers, as far as it matters here. */
interface Reading {
  readonly instance: number;
  readonly count: number;
}

export interface LoadReport {
  readonly calls: number;
  /** Answers that were none: status and how often. */
  readonly failures: ReadonlyMap<string, number>;
  /** Numbers that nobody got, and that two got. */
  readonly lost: number;
  readonly doubled: number;
  /** How often the module began anew, without its state. */
  readonly restarts: number;
  readonly longestMs: number;
}

export class Load {
  /** By instance of the module, which is another one after a restart. */
  private readonly counts = new Map<number, number[]>();
  private readonly failures = new Map<string, number>();
  private longestMs = 0;
  private stopping = false;
  private answered = 0;
  private readonly workers: Promise<void>[];

  /** @param pauseMs between an answer and the next call of the same client */
  constructor(
    urls: readonly string[],
    private readonly pauseMs: number,
  ) {
    this.workers = urls.map((url) => this.work(url));
  }

  get calls(): number {
    return this.answered;
  }

  /** Lets the calls under way end. */
  async stop(): Promise<LoadReport> {
    this.stopping = true;
    await Promise.all(this.workers);
    const { calls, failures, longestMs } = this;
    let lost = 0;
    let doubled = 0;
    for (const counts of this.counts.values()) {
      const seen = new Set(counts);
      const first = counts.reduce((a, b) => Math.min(a, b));
      const last = counts.reduce((a, b) => Math.max(a, b));
      lost += last - first + 1 - seen.size;
      doubled += counts.length - seen.size;
    }
    return { calls, failures, lost, doubled, restarts: Math.max(0, this.counts.size - 1), longestMs };
  }

  private async work(url: string): Promise<void> {
    while (!this.stopping) {
      const began = performance.now();
      try {
        const response = await fetch(url, { method: 'POST' });
        const body = (await response.json()) as Reading & { readonly code?: string; readonly message?: string };
        if (response.ok) this.take(body);
        else this.fail(`${body.code ?? response.status} ${body.message ?? ''}`);
      } catch (error) {
        this.fail((error as Error).message);
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
  }

  private take({ instance, count }: Reading): void {
    this.answered++;
    const counts = this.counts.get(instance);
    if (counts === undefined) this.counts.set(instance, [count]);
    else counts.push(count);
  }

  private fail(what: string): void {
    this.failures.set(what, (this.failures.get(what) ?? 0) + 1);
  }
}
