// Observers at other edges of services here: each has a lease, so that a dead one goes away. Takes local links; publishes
// changes. Knows no router.
import { encode } from 'cborg';
import type { PlaceLink } from '../fleet/types.js';
import type { Envelopes } from '../security/envelope.js';
import type { Connection } from './connection.js';
import { RENEW_MS } from './observe-client.js';
import type { Asked } from './service.js';
import type { Subjects } from './subjects.js';

interface Observer {
  count: number;
  /** When the lease ends. */
  until: number;
  readonly stop: () => void;
}

const LEASE_MS = 3 * RENEW_MS;

export class ObserverTable {
  /** By edge and run, then by the number that the observer has there. */
  private readonly observers = new Map<string, Map<number, Observer>>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly connection: Connection,
    private readonly subjects: Subjects,
    private readonly envelopes: Envelopes,
    private readonly link: (place: string) => PlaceLink | null,
    private readonly leaseMs = LEASE_MS,
  ) {
    this.timer = setInterval(() => this.expire(), leaseMs / 3);
  }

  /** Of all edges. */
  get size(): number {
    return [...this.observers.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** False: the service is not here, or not observable. */
  add(
    [session, token, place, thing, uri]: readonly [string, number, string, string, string],
    { from }: Asked,
  ): boolean {
    const run = this.of(from, session);
    run.get(token)?.stop();
    const stop =
      this.link(place)?.observe?.(thing, uri, () => {
        observer.count++;
        this.tell(from, session, token);
      }) ?? null;
    if (stop === null) {
      this.drop(from, session, token);
      return false;
    }
    const observer: Observer = { count: 0, until: performance.now() + this.leaseMs, stop };
    run.set(token, observer);
    return true;
  }

  /** Changes told to each observer so far; null: it is not known. */
  renew([session, tokens]: readonly [string, readonly number[]], { from }: Asked): (number | null)[] {
    const run = this.of(from, session);
    return tokens.map((token) => {
      const observer = run.get(token);
      if (observer === undefined) return null;
      observer.until = performance.now() + this.leaseMs;
      return observer.count;
    });
  }

  remove([session, token]: readonly [string, number], { from }: Asked): void {
    this.of(from, session).get(token)?.stop();
    this.drop(from, session, token);
  }

  close(): void {
    clearInterval(this.timer);
    for (const run of this.observers.values()) for (const { stop } of run.values()) stop();
    this.observers.clear();
  }

  private of(from: string, session: string): Map<number, Observer> {
    const key = `${from} ${session}`;
    const run = this.observers.get(key) ?? new Map<number, Observer>();
    this.observers.set(key, run);
    return run;
  }

  private drop(from: string, session: string, token: number): void {
    const run = this.of(from, session);
    run.delete(token);
    if (run.size === 0) this.observers.delete(`${from} ${session}`);
  }

  private tell(to: string, session: string, token: number): void {
    // The observer learns from the next renewal that it has missed one.
    if (!this.connection.connected) return;
    const { bytes } = this.envelopes.seal({ kind: 'event', to, caller: '', body: encode([token]) });
    this.connection.client.publish(this.subjects.changed(to, session), bytes);
  }

  private expire(): void {
    const now = performance.now();
    for (const [key, run] of this.observers) {
      for (const [token, { until, stop }] of run) {
        if (now < until) continue;
        stop();
        run.delete(token);
      }
      if (run.size === 0) this.observers.delete(key);
    }
  }
}
