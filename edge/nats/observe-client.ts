// Observing services behind other edges: asks for it there, renews it, and tells of each change; what may have been missed
// counts as a change. Takes the client; knows no router.
import type { Subscription } from '@nats-io/transport-node';
import { decode } from 'cborg';
import type { Envelopes } from '../security/envelope.js';
import type { EdgeClient } from './client.js';
import type { Connection } from './connection.js';
import type { Subjects } from './subjects.js';

/** A service at a place of a run of an edge. */
export interface Observed {
  readonly edge: string;
  readonly session: string;
  readonly place: string;
  readonly thing: string;
  readonly uri: string;
}

interface Entry extends Observed {
  readonly token: number;
  readonly changed: () => void;
  /** Changes that were told; null: the other side does not know of the observer (yet). */
  count: number | null;
  retryMs: number;
  timer: NodeJS.Timeout | null;
}

/** The other side forgets an observer that is not renewed for three times as long. */
export const RENEW_MS = 10_000;
const ASK_MS = 5_000;
/** After a renewal that has failed: the other edge may be on its way back to NATS. */
const RENEW_AGAIN_MS = 500;
const RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;

export class RemoteObservations {
  private readonly entries = new Map<number, Entry>();
  private readonly changes: Subscription;
  private readonly timer: NodeJS.Timeout;
  private readonly unwatch: () => void;
  private again: NodeJS.Timeout | null = null;
  private next = 1;

  constructor(
    private readonly client: EdgeClient,
    connection: Connection,
    subjects: Subjects,
    private readonly self: { readonly edge: string; readonly session: string },
    private readonly envelopes: Envelopes,
  ) {
    this.changes = connection.client.subscribe(subjects.changed(self.edge, self.session), {
      callback: (error, { data }) => {
        if (error === null) this.receive(data);
      },
    });
    this.timer = setInterval(() => this.renew(), RENEW_MS);
    this.unwatch = connection.watch((connected) => connected && this.renew());
  }

  observe(observed: Observed, changed: () => void): () => void {
    const token = this.next++;
    const entry: Entry = { ...observed, token, changed, count: null, retryMs: RETRY_MS, timer: null };
    this.entries.set(token, entry);
    void this.begin(entry, true);
    return () => this.end(entry);
  }

  close(): void {
    for (const { timer } of this.entries.values()) if (timer !== null) clearTimeout(timer);
    this.entries.clear();
    this.unwatch();
    clearInterval(this.timer);
    if (this.again !== null) clearTimeout(this.again);
    this.changes.unsubscribe();
  }

  private async begin(entry: Entry, first: boolean): Promise<void> {
    const { edge, session, token, place, thing, uri } = entry;
    entry.timer = null;
    try {
      const args = [this.self.session, token, place, thing, uri];
      const taken = await this.client.ask(edge, session, 'observe', args, { withinMs: ASK_MS });
      if (taken === true) {
        if (!this.entries.has(token)) return void this.forget(entry);
        entry.count ??= 0;
        entry.retryMs = RETRY_MS;
        if (!first) entry.changed();
        return;
      }
    } catch {
      // Tried again like a service that is not there yet; the router ends it when it is elsewhere.
    }
    if (!this.entries.has(token)) return;
    entry.timer = setTimeout(() => void this.begin(entry, false), entry.retryMs);
    entry.retryMs = Math.min(2 * entry.retryMs, LONGEST_RETRY_MS);
  }

  private end(entry: Entry): void {
    if (!this.entries.delete(entry.token)) return;
    if (entry.timer !== null) clearTimeout(entry.timer);
    if (entry.count !== null) void this.forget(entry);
  }

  /** The lease ends it if this does not arrive. */
  private async forget({ edge, session, token }: Entry): Promise<void> {
    const args = [this.self.session, token];
    await this.client.ask(edge, session, 'unobserve', args, { withinMs: ASK_MS }).catch(() => undefined);
  }

  private receive(data: Uint8Array): void {
    try {
      const { from, body } = this.envelopes.open(data, { kind: 'event' });
      const [token] = decode(body) as [number];
      const entry = this.entries.get(token);
      if (entry?.edge !== from) return;
      // The answer to `observe` may come after the first change.
      entry.count = (entry.count ?? 0) + 1;
      entry.changed();
    } catch {
      // Not from an edge of this fleet.
    }
  }

  private renew(): void {
    const byRun = new Map<string, Entry[]>();
    for (const entry of this.entries.values()) {
      if (entry.count === null) continue;
      const run = `${entry.edge} ${entry.session}`;
      byRun.set(run, [...(byRun.get(run) ?? []), entry]);
    }
    for (const entries of byRun.values()) this.renewAt(entries).catch(() => this.renewAgain());
  }

  private renewAgain(): void {
    if (this.entries.size === 0) return;
    this.again ??= setTimeout(() => {
      this.again = null;
      this.renew();
    }, RENEW_AGAIN_MS);
  }

  /** The other side says how many changes it has told of: a difference is what got lost on the way. */
  private async renewAt(entries: readonly Entry[]): Promise<void> {
    const { edge, session } = entries[0]!;
    const before = new Map(entries.map((entry) => [entry, entry.count]));
    const tokens = entries.map(({ token }) => token);
    const args = [this.self.session, tokens];
    const counts = (await this.client.ask(edge, session, 'renew', args, { withinMs: ASK_MS })) as (number | null)[];
    for (const [i, entry] of entries.entries()) {
      const count = counts[i] ?? null;
      if (!this.entries.has(entry.token)) continue;
      if (count === null) {
        entry.count = null;
        if (entry.timer === null) void this.begin(entry, false);
      } else if (count > (entry.count ?? 0) && entry.count === before.get(entry)) {
        entry.count = count;
        entry.changed();
      }
    }
  }
}
