// What has happened lately, numbered, for those who connect again and for whoever asks what a module has done. Takes
// events, keeps the last ones; knows no connection.
import type { FaultEvent, FleetEvent, StatsEvent } from '../fleet/events.js';
import type { ModuleStats } from '../fleet/events.js';

export interface NumberedEvent {
  readonly id: number;
  readonly event: FleetEvent;
}

const RING_EVENTS = 1_000;
const FAULTS_OF_A_MODULE = 20;
/** Statistics older than this say nothing about now. */
const STATS_LIFETIME_MS = 10_000;

export class EventLog {
  private readonly ring: NumberedEvent[] = [];
  private readonly faults = new Map<string, FaultEvent[]>();
  private readonly stats = new Map<string, StatsEvent>();
  private readonly listeners = new Set<(entry: NumberedEvent) => void>();
  /** Grows over restarts too, so that a client's last number never hides what is new. */
  private id = Date.now() * 1_000;

  get lastId(): number {
    return this.id;
  }

  append(event: FleetEvent): void {
    const entry = { id: ++this.id, event };
    // Statistics come every second from every place; only the last ones matter.
    if (event.type === 'stats') this.stats.set(event.place, event);
    else this.ring.push(entry);
    if (this.ring.length > RING_EVENTS) this.ring.shift();
    if (event.type === 'fault') this.keepFault(event);
    if (event.type === 'place' && event.record === null) this.stats.delete(event.name);
    for (const listener of [...this.listeners]) listener(entry);
  }

  /** What came after `id`, oldest first, as far as it is kept. */
  since(id: number): NumberedEvent[] {
    return this.ring.filter((entry) => entry.id > id);
  }

  watch(listener: (entry: NumberedEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** What the place has told last about a module, null if nothing lately. */
  statsOf(place: string, thing: string, module: string): ModuleStats | null {
    const last = this.stats.get(place);
    if (last === undefined || Date.now() - last.time > STATS_LIFETIME_MS) return null;
    return last.modules.find((entry) => entry.thing === thing && entry.module === module) ?? null;
  }

  /** Last faults of a module, newest first. */
  faultsOf(thing: string, module: string): readonly FaultEvent[] {
    return this.faults.get(`${thing}/${module}`) ?? [];
  }

  private keepFault(event: FaultEvent): void {
    const key = `${event.thing}/${event.module}`;
    this.faults.set(key, [event, ...(this.faults.get(key) ?? [])].slice(0, FAULTS_OF_A_MODULE));
  }
}
