// Median and worst of what took place in the last whole second. Takes durations; keeps a bounded sample. Knows no clock.

/** Durations that are kept of a second; of more, each is as likely to be among them as any other. */
const SAMPLE = 256;
const SECOND_MS = 1000;

export interface Latency {
  readonly median: number;
  readonly worst: number;
}

export class LatencyWindow {
  private readonly sample = new Float64Array(SAMPLE);
  private count = 0;
  private worst = 0;
  private begin = 0;
  private last: Latency | null = null;

  /** @param now milliseconds on the clock that `read` gets, too */
  add(microseconds: number, now: number): void {
    this.turn(now);
    const at = this.count++ < SAMPLE ? this.count - 1 : Math.floor(Math.random() * this.count);
    if (at < SAMPLE) this.sample[at] = microseconds;
    if (microseconds > this.worst) this.worst = microseconds;
  }

  /** Null: nothing took place. */
  read(now: number): Latency | null {
    this.turn(now);
    return this.last;
  }

  private turn(now: number): void {
    const passed = now - this.begin;
    if (passed < SECOND_MS) return;
    this.last = passed < 2 * SECOND_MS ? this.summary() : null;
    this.begin = passed < 2 * SECOND_MS ? this.begin + SECOND_MS : now;
    this.count = 0;
    this.worst = 0;
  }

  private summary(): Latency | null {
    if (this.count === 0) return null;
    const sorted = this.sample.slice(0, Math.min(this.count, SAMPLE)).sort();
    return { median: sorted[sorted.length >> 1]!, worst: this.worst };
  }
}
