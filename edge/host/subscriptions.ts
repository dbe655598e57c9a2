// Who observes what (RFC 7641). A change marks subscriptions; several changes before the delivery are one. Services are
// here or elsewhere, and a subscription follows them. Takes notifications by path; says when to deliver. Knows no request.
import { MAX_SUBSCRIPTIONS } from '../../compiler/abi/os-layout.js';
import { segmentsOf } from '../imc/routes.js';
import type { SubscriptionState } from './types.js';

export interface Subscription extends SubscriptionState {
  readonly module: string;
  /** Nobody provides the service: what is delivered now is the last. */
  readonly gone: boolean;
}

export interface SubscriptionsOptions {
  /**
   * Delivers the present representation; called once at a time for each subscription. `begins` is to be asked when the
   * subscriber's turn has come: what changes later makes another delivery; false if the subscription has ended.
   */
  readonly deliver: (subscription: Subscription, begins: () => boolean) => Promise<void>;
  /** Is the observable service of a module here? */
  readonly isHere: (uri: string) => boolean;
  readonly observeElsewhere: (uri: string, changed: () => void) => (() => void) | null;
}

/** How long nobody need provide what is observed, as on the device: modules start one after the other, and move. */
const SETTLE_MS = 30_000;
const RETRY_MS = 250;

interface Entry extends SubscriptionState {
  readonly module: string;
  readonly path: string;
  gone: boolean;
  /** Ends observing elsewhere. */
  end: (() => void) | null;
  retry: NodeJS.Timeout | null;
  pending: boolean;
  delivering: boolean;
}

const pathOf = (uri: string): string => segmentsOf(uri).join('/');

export class Subscriptions {
  private readonly byModule = new Map<string, Map<number, Entry>>();
  private readonly outside = new Set<{ readonly path: string; readonly changed: () => void }>();

  constructor(private readonly options: SubscriptionsOptions) {}

  /** Number of the new subscription, whose first delivery is on its way; -1 if the module has too many. */
  add(module: string, state: Omit<SubscriptionState, 'id'>): number {
    const list = this.listOf(module);
    if (list.size >= MAX_SUBSCRIPTIONS) return -1;
    let id = 0;
    while (list.has(id)) id++;
    this.enter(module, { ...state, id });
    return id;
  }

  /** Calls `changed` after each change of what `uri` names here. */
  addOutside(uri: string, changed: () => void): () => void {
    const entry = { path: pathOf(uri), changed };
    this.outside.add(entry);
    return () => this.outside.delete(entry);
  }

  remove(module: string, id: number): boolean {
    const list = this.byModule.get(module);
    const entry = list?.get(id);
    if (entry === undefined) return false;
    list!.delete(id);
    leave(entry);
    return true;
  }

  of(module: string): SubscriptionState[] {
    return [...(this.byModule.get(module)?.values() ?? [])].map(({ id, uri, address, capacity }) => {
      return { id, uri, address, capacity };
    });
  }

  /** Subscriptions of a module that has come here: each is delivered once, for what changed on the way. */
  restore(module: string, states: readonly SubscriptionState[]): void {
    this.drop(module);
    for (const state of states) this.enter(module, state);
  }

  drop(module: string): void {
    for (const entry of this.byModule.get(module)?.values() ?? []) leave(entry);
    this.byModule.delete(module);
  }

  clear(): void {
    for (const module of [...this.byModule.keys()]) this.drop(module);
  }

  /** Modules have come or gone: looks for each service again; `changed` says of which paths observers must hear. */
  settle(changed: (path: string) => boolean): void {
    for (const entry of this.entries()) {
      const moved = this.connect(entry, performance.now() + SETTLE_MS);
      if (moved || changed(entry.path)) this.mark(entry);
    }
    for (const entry of this.outside) if (changed(entry.path)) setImmediate(entry.changed);
  }

  /** A service here has changed. Gives the number of observers. */
  notify(path: string): number {
    let count = 0;
    for (const entry of this.entries()) {
      if (entry.path !== path || entry.end !== null) continue;
      count++;
      this.mark(entry);
    }
    for (const entry of this.outside) {
      if (entry.path !== path) continue;
      count++;
      setImmediate(entry.changed);
    }
    return count;
  }

  private *entries(): IterableIterator<Entry> {
    for (const list of this.byModule.values()) yield* list.values();
  }

  private listOf(module: string): Map<number, Entry> {
    const list = this.byModule.get(module) ?? new Map<number, Entry>();
    this.byModule.set(module, list);
    return list;
  }

  private enter(module: string, state: SubscriptionState): void {
    const path = pathOf(state.uri);
    const rest = { gone: false, end: null, retry: null, pending: false, delivering: false };
    const entry: Entry = { ...state, module, path, ...rest };
    this.listOf(module).set(state.id, entry);
    this.connect(entry, performance.now() + SETTLE_MS);
    // Of what is elsewhere the first delivery waits until it is found.
    if (entry.retry === null) this.mark(entry);
  }

  /** Finds the service: here, else elsewhere, else tries again until `until`. True if that is another place than before. */
  private connect(entry: Entry, until: number): boolean {
    const { module, id, uri } = entry;
    if (this.options.isHere(uri)) {
      const moved = entry.end !== null || entry.retry !== null;
      leave(entry);
      return moved;
    }
    if (entry.end !== null) return false;
    leave(entry);
    entry.end = this.options.observeElsewhere(uri, () => this.mark(entry));
    if (entry.end !== null) return true;
    if (performance.now() >= until) {
      entry.gone = true;
      return true;
    }
    entry.retry = setTimeout(() => {
      entry.retry = null;
      if (this.byModule.get(module)?.get(id) === entry && this.connect(entry, until)) this.mark(entry);
    }, RETRY_MS);
    return false;
  }

  private mark(entry: Entry): void {
    if (entry.pending) return;
    entry.pending = true;
    if (!entry.delivering) setImmediate(() => void this.deliver(entry));
  }

  private async deliver(entry: Entry): Promise<void> {
    const isThere = (): boolean => this.byModule.get(entry.module)?.get(entry.id) === entry;
    entry.delivering = true;
    while (entry.pending && isThere()) {
      let asked = false;
      await this.options.deliver(entry, () => {
        asked = true;
        entry.pending = false;
        const begins = isThere();
        if (entry.gone) this.remove(entry.module, entry.id);
        return begins;
      });
      // A subscriber that takes nothing now does not run: what it starts with is new.
      if (!asked) entry.pending = false;
    }
    entry.delivering = false;
  }
}

function leave(entry: Entry): void {
  entry.end?.();
  entry.end = null;
  if (entry.retry !== null) clearTimeout(entry.retry);
  entry.retry = null;
}
