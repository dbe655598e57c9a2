// Clients that call one service without a pause for breath, and the proof that no call was lost or run twice: each answer
// carries a number that the module counts up. Takes URLs of edges; knows no place.

export interface LoadReport {
  readonly calls: number;
  /** Answers that were none: status and how often. */
  readonly failures: ReadonlyMap<string, number>;
  /** Numbers that nobody got, and that two got. */
  readonly lost: number;
  readonly doubled: number;
  readonly longestMs: number;
}

export class Load {
  private readonly counts: number[] = [];
  private readonly failures = new Map<string, number>();
  private longestMs = 0;
  private stopping = false;
  private readonly workers: Promise<void>[];

  /** @param pauseMs between an answer and the next call of the same client */
  constructor(
    urls: readonly string[],
    private readonly pauseMs: number,
  ) {
    this.workers = urls.map((url) => this.work(url));
  }

  get calls(): number {
    return this.counts.length;
  }

  /** Lets the calls under way end. */
  async stop(): Promise<LoadReport> {
    this.stopping = true;
    await Promise.all(this.workers);
    const { calls, failures, longestMs } = this;
    const seen = new Set(this.counts);
    const first = calls === 0 ? 0 : this.counts.reduce((a, b) => Math.min(a, b));
    const last = calls === 0 ? -1 : this.counts.reduce((a, b) => Math.max(a, b));
    return { calls, failures, lost: last - first + 1 - seen.size, doubled: calls - seen.size, longestMs };
  }

  private async work(url: string): Promise<void> {
    while (!this.stopping) {
      const began = performance.now();
      try {
        const response = await fetch(url, { method: 'POST' });
        const body = (await response.json()) as { count?: number; code?: string; message?: string };
        if (response.ok) this.counts.push(body.count!);
        else this.fail(`${body.code ?? response.status} ${body.message ?? ''}`);
      } catch (error) {
        this.fail((error as Error).message);
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
    }
  }

  private fail(what: string): void {
    this.failures.set(what, (this.failures.get(what) ?? 0) + 1);
  }
}
