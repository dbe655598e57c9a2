// Sessions of browsers: a random number in a cookie that stands for a token until either ends. Takes token ids; keeps hashes
// in memory only. Knows no HTTP.
import { createHash, randomBytes } from 'node:crypto';

const SESSION_BYTES = 32;
/** A session ends this long after it began: a working day. */
export const SESSION_MS = 12 * 3_600_000;
const MAX_SESSIONS = 1_000;

interface Session {
  readonly tokenId: string;
  readonly until: number;
}

export class Sessions {
  /** By hash of the number, oldest first: what is in memory opens nothing. */
  private readonly sessions = new Map<string, Session>();

  constructor(private readonly clock: () => number = Date.now) {}

  /** Number for the cookie. With too many sessions the oldest one ends. */
  begin(tokenId: string): string {
    const number = randomBytes(SESSION_BYTES).toString('base64url');
    for (const [key, { until }] of this.sessions) {
      if (until > this.clock() && this.sessions.size < MAX_SESSIONS) break;
      this.sessions.delete(key);
    }
    this.sessions.set(keyOf(number), { tokenId, until: this.clock() + SESSION_MS });
    return number;
  }

  /** Id of the token that a session stands for; null: there is none (any more). */
  find(number: string): string | null {
    const session = this.sessions.get(keyOf(number));
    return session !== undefined && session.until > this.clock() ? session.tokenId : null;
  }

  end(number: string): void {
    this.sessions.delete(keyOf(number));
  }
}

const keyOf = (number: string): string => createHash('sha256').update(number).digest('base64url');
