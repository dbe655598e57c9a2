// What a module's thread has counted of requests that did not pass the host. Takes the words that both share, gives
// numbers and times; knows no thread.
import { STAT_BYTES, STAT_TIMES, StatWord } from '../worker/shared.js';
import type { LatencyWindow } from './latency.js';

export class DirectCounts {
  readonly shared = new SharedArrayBuffer(STAT_BYTES);
  private readonly words = new Int32Array(this.shared);
  private seen = 0;

  /** Calls as of the last `read`. */
  get calls(): number {
    return this.seen;
  }

  /** Takes the times of the last calls since `read` was called last. */
  read(latency: LatencyWindow): void {
    const calls = Atomics.load(this.words, StatWord.Calls);
    for (let i = Math.max(this.seen, calls - STAT_TIMES); i < calls; i++)
      latency.add(this.words[StatWord.Times + (i % STAT_TIMES)]!, performance.now());
    this.seen = calls;
  }
}
