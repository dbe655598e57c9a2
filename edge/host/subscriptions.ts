// Who observes what. A change marks subscriptions; several changes before the delivery are one (RFC 7641). Takes
// notifications by path; says when to deliver. Knows no request.
import { segmentsOf } from '../imc/routes.js';
import type { SubscriptionState } from './types.js';

interface Subscription extends SubscriptionState {
  readonly path: string;
  pending: boolean;
}

export class Subscriptions {
  private readonly byModule = new Map<string, Map<number, Subscription>>();
  private readonly outside = new Set<{ readonly path: string; readonly changed: () => void }>();

  /** @param deliver called once for each subscription that has something new */
  constructor(private readonly deliver: (module: string, id: number) => void) {}

  /** Number of the new subscription. */
  add(module: string, { uri, address, capacity }: Omit<SubscriptionState, 'id'>): number {
    const list = this.byModule.get(module) ?? new Map<number, Subscription>();
    this.byModule.set(module, list);
    let id = 0;
    while (list.has(id)) id++;
    list.set(id, { id, uri, address, capacity, path: segmentsOf(uri).join('/'), pending: false });
    return id;
  }

  addOutside(uri: string, changed: () => void): () => void {
    const entry = { path: segmentsOf(uri).join('/'), changed };
    this.outside.add(entry);
    return () => this.outside.delete(entry);
  }

  remove(module: string, id: number): boolean {
    return this.byModule.get(module)?.delete(id) ?? false;
  }

  find(module: string, id: number): SubscriptionState | null {
    const subscription = this.byModule.get(module)?.get(id);
    if (subscription !== undefined) subscription.pending = false;
    return subscription ?? null;
  }

  of(module: string): SubscriptionState[] {
    return [...(this.byModule.get(module)?.values() ?? [])].map(({ id, uri, address, capacity }) => {
      return { id, uri, address, capacity };
    });
  }

  restore(module: string, states: readonly SubscriptionState[]): void {
    const list = new Map<number, Subscription>();
    for (const state of states) list.set(state.id, { ...state, path: segmentsOf(state.uri).join('/'), pending: false });
    this.byModule.set(module, list);
  }

  drop(module: string): void {
    this.byModule.delete(module);
  }

  /** A service has changed. Gives the number of observers. */
  notify(path: string): number {
    let count = 0;
    for (const [module, list] of this.byModule) {
      for (const subscription of list.values()) {
        if (subscription.path !== path) continue;
        count++;
        if (subscription.pending) continue;
        subscription.pending = true;
        setImmediate(() => this.deliver(module, subscription.id));
      }
    }
    for (const entry of this.outside) {
      if (entry.path !== path) continue;
      count++;
      setImmediate(entry.changed);
    }
    return count;
  }
}
