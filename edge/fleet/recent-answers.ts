// Answers by request id for a while, so that a repeated request is answered and not run again. Knows no network.
import type { PlaceAnswer } from './types.js';
import { NOT_HERE } from './types.js';

/** How long a repetition can come: the longest time a router tries. */
const LIFETIME_MS = 60_000;
const MAX_ENTRIES = 100_000;

interface Entry<T> {
  readonly answer: Promise<T>;
  readonly since: number;
}

export class RecentAnswers<T = PlaceAnswer> {
  private readonly entries = new Map<string, Entry<T>>();

  /** @param nothing answers that say that nothing has run */
  constructor(private readonly nothing: (answer: T) => boolean = (answer) => answer === NOT_HERE) {}

  /** The answer to request `id`: of the first time, if it has come before. What did not run is not remembered. */
  once(id: string, run: () => Promise<T>): Promise<T> {
    const known = this.entries.get(id);
    if (known !== undefined) return known.answer;
    this.expire();
    const answer = run();
    this.entries.set(id, { answer, since: performance.now() });
    const forget = (): void => {
      this.entries.delete(id);
    };
    void answer.then((value) => {
      if (this.nothing(value)) forget();
    }, forget);
    return answer;
  }

  /** Insertion order is order of time: the old ones are in front. */
  private expire(): void {
    const now = performance.now();
    for (const [id, { since }] of this.entries) {
      if (now - since < LIFETIME_MS && this.entries.size < MAX_ENTRIES) return;
      this.entries.delete(id);
    }
  }
}
