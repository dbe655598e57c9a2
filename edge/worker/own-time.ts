// Processor time of the thread that asks, with the time that it has slept by its own wish. Takes nothing; where the system
// does not tell (other than Linux) there is none. Knows no deadline.
import { readFileSync } from 'node:fs';

/** First number: nanoseconds on a processor. */
const FILE = '/proc/thread-self/schedstat';
const NS_PER_MS = 1e6;

export class OwnTime {
  private slept = 0;

  /** Milliseconds; null: the system does not tell. */
  read(): number | null {
    try {
      const nanoseconds = Number(readFileSync(FILE, 'latin1').split(' ')[0]);
      return Number.isFinite(nanoseconds) ? nanoseconds / NS_PER_MS + this.slept : null;
    } catch {
      return null;
    }
  }

  /** Sleeping by a module's own wish is its time, too. */
  addSleep(milliseconds: number): void {
    this.slept += milliseconds;
  }
}
