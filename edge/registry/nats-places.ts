// Places in a NATS bucket: each edge announces its own and keeps them alive by a heartbeat; an edge that is silent for too
// long is gone with all its places. Takes a connection and tables; knows nothing of placements.
import type { PlaceRecord } from '../fleet/types.js';
import type { Connection } from '../nats/connection.js';
import { BucketMirror, type BucketEntry } from './bucket-mirror.js';
import { joinKey, splitKey } from './keys.js';
import type { Records } from './records.js';
import type { RegistryTables } from './tables.js';

export interface NatsPlacesOptions {
  /** Name of this edge, without `edge:`. */
  readonly edge: string;
  /** Of this run of it: what an earlier one has announced does not count. */
  readonly session: string;
  readonly bucket: string;
  readonly replicas: number;
  /** Milliseconds without a heartbeat after which an edge is gone. */
  readonly ttlMs: number;
  readonly onTwin?: () => void;
  /** An edge has come, begun anew, or (null) gone. */
  readonly onEdge?: (edge: string, session: string | null) => void;
}

/** Of one place. Records without a heartbeat of the same session do not count. */
interface Announced {
  readonly session: string;
  readonly record: PlaceRecord;
}

/** Of an edge (without a record), or of one of its places. */
export interface PlaceValue {
  readonly session: string;
  readonly record?: PlaceRecord;
}

interface Beat {
  readonly session: string;
  /** When it was heard here: clocks of edges are not compared. */
  heard: number;
  /** Runs before this one: their heartbeats, sent again by somebody, do not count. */
  readonly earlier: readonly string[];
}

const BEAT = 'beat';
const PLACE = 'place';
const BEATS_PER_TTL = 3;
const MAX_EARLIER = 100;
/** The bucket forgets what nobody renews: records of edges that never came back. */
const FORGET_MS = 10 * 60_000;
const RENEW_MS = 4 * 60_000;

export class NatsPlaces {
  private readonly mirror: BucketMirror;
  private readonly announced = new Map<string, Announced>();
  /** Names of places by edge. */
  private readonly byEdge = new Map<string, Set<string>>();
  private readonly beats = new Map<string, Beat>();
  /** Own places; `saved`: when the bucket last took them, 0: not yet. */
  private readonly own = new Map<string, { readonly record: PlaceRecord; saved: number }>();
  /** Withdrawn, and perhaps still in the bucket. */
  private readonly leaving = new Set<string>();
  private readonly timer: NodeJS.Timeout;
  private silentSince = performance.now();
  private saving = false;
  private readonly unwatch: () => void;

  constructor(
    private readonly connection: Connection,
    private readonly options: NatsPlacesOptions,
    private readonly tables: RegistryTables,
    private readonly records: Records<PlaceValue>,
  ) {
    const { bucket, replicas, ttlMs } = options;
    this.mirror = new BucketMirror(
      connection,
      bucket,
      { history: 1, replicas, ttl: FORGET_MS },
      {
        reset: (entries) => this.reset(entries),
        change: (entry) => this.change(entry),
        resumed: () => this.resumed(),
        isFleeting: (key) => splitKey(key)[0] === BEAT,
      },
    );
    // While nothing can be heard, nobody is gone; then all have a whole lifetime to be heard again.
    this.unwatch = connection.watch(() => (this.silentSince = performance.now()));
    this.timer = setInterval(() => void this.tick().catch(() => undefined), ttlMs / BEATS_PER_TTL);
  }

  /** Until the local copy is complete and this edge is known to others; false after `ms`. */
  async ready(ms: number): Promise<boolean> {
    const bucket = await this.mirror.ready(ms);
    if (bucket === null) return false;
    await this.tick();
    return true;
  }

  /** The edge that has a place, and its session; null: nobody who is alive. */
  holder(name: string): { readonly edge: string; readonly session: string } | null {
    const record = this.tables.place(name);
    if (record === null) return null;
    const { edge } = record;
    if (edge === this.options.edge) return { edge, session: this.options.session };
    const session = this.sessionOf(edge);
    return session === null ? null : { edge, session };
  }

  /** Null: the edge is not there. */
  sessionOf(edge: string): string | null {
    return this.beats.get(edge)?.session ?? null;
  }

  async announce(record: PlaceRecord): Promise<void> {
    this.own.set(record.name, { record, saved: 0 });
    this.refresh(record.name);
    await this.save(record.name).catch(() => undefined);
  }

  async withdraw(name: string): Promise<void> {
    if (!this.own.delete(name)) return;
    this.refresh(name);
    this.leaving.add(name);
    // If this fails it is done with the next heartbeat.
    await this.erase(name).catch(() => undefined);
  }

  /** Takes leave: others see at once that this edge and its places are gone. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    const bucket = await this.mirror.ready(0);
    if (bucket !== null && this.connection.connected)
      await bucket.delete(joinKey(BEAT, this.options.edge)).catch(() => undefined);
    this.unwatch();
    this.mirror.close();
  }

  private async tick(): Promise<void> {
    const { handle } = this.mirror;
    if (handle === null || !this.connection.connected) return;
    // Others must not take this edge for dead while it still reads what it has missed.
    const key = joinKey(BEAT, this.options.edge);
    const beat = this.records.write(key, { session: this.options.session });
    await handle.put(key, beat, { timeout: this.options.ttlMs });
    if ((await this.mirror.ready(0)) === null) return;
    const now = performance.now();
    for (const [edge, { heard }] of this.beats)
      if (now - Math.max(heard, this.silentSince) > this.options.ttlMs) this.gone(edge);
    // Many places take longer than the pause between heartbeats.
    if (this.saving) return;
    this.saving = true;
    try {
      for (const name of this.leaving) await this.erase(name);
      for (const [name, { saved }] of this.own) if (saved === 0 || now - saved > RENEW_MS) await this.save(name);
    } finally {
      this.saving = false;
    }
  }

  /** Another live edge that has announced the place later has it. */
  private takenBy(name: string): string | null {
    const other = this.announced.get(name);
    if (other === undefined || other.record.edge === this.options.edge) return null;
    return this.sessionOf(other.record.edge) === other.session ? other.record.edge : null;
  }

  private async save(name: string): Promise<void> {
    const own = this.own.get(name);
    const bucket = this.connection.connected ? await this.mirror.ready(0) : null;
    if (own === undefined || bucket === null || (own.saved !== 0 && this.takenBy(name) !== null)) return;
    const key = joinKey(PLACE, name);
    await bucket.put(key, this.records.write(key, { session: this.options.session, record: own.record }));
    own.saved = performance.now();
    // Withdrawn while it was being written.
    if (!this.own.has(name)) await this.erase(name);
  }

  private async erase(name: string): Promise<void> {
    const bucket = this.connection.connected ? this.mirror.handle : null;
    if (bucket === null) return;
    const key = joinKey(PLACE, name);
    // Announced again meanwhile, it stays.
    const entry = this.own.has(name) ? null : await bucket.get(key);
    if (entry?.operation === 'PUT' && this.records.read(key, entry.value)?.value.session === this.options.session)
      await bucket.delete(key, { previousSeq: entry.revision });
    this.leaving.delete(name);
  }

  private reset(entries: readonly BucketEntry[]): void {
    const names = new Set([...this.announced.keys(), ...this.own.keys()]);
    const beats = new Set<string>();
    this.announced.clear();
    this.byEdge.clear();
    for (const entry of entries) {
      const [kind, name] = splitKey(entry.key);
      if (kind === BEAT && entry.value !== null) beats.add(name!);
      this.take(entry, false);
    }
    for (const edge of [...this.beats.keys()]) if (!beats.has(edge)) this.gone(edge);
    for (const name of [...names, ...this.announced.keys()]) this.refresh(name);
    this.resumed();
    // Records that the bucket does not have, or has of an edge that is gone, are written with the next heartbeat.
    for (const [name, own] of this.own)
      if (this.announced.get(name)?.session !== this.options.session && this.takenBy(name) === null) own.saved = 0;
  }

  /** Others are silent for as long as they need to connect; what was withdrawn meanwhile is still in the bucket. */
  private resumed(): void {
    this.silentSince = performance.now();
    for (const [name, { session }] of this.announced)
      if (session === this.options.session && !this.own.has(name)) this.leaving.add(name);
  }

  private change(entry: BucketEntry): void {
    this.take(entry, true);
  }

  private take({ key, value }: BucketEntry, tell: boolean): void {
    const [kind, name] = splitKey(key) as [string, string];
    const read = value === null ? null : this.records.read(key, value);
    if (value !== null && read === null) return;
    if (kind === BEAT && (read === null || read.from === name)) this.beat(name, read?.value.session ?? null, tell);
    if (kind !== PLACE) return;
    const record = read?.value.record;
    // Nobody speaks for another edge.
    if (record !== undefined && (record.edge !== read!.from || record.name !== name)) return;
    this.forget(name);
    if (record !== undefined) {
      this.announced.set(name, { session: read!.value.session, record });
      this.byEdge.set(record.edge, (this.byEdge.get(record.edge) ?? new Set()).add(name));
    }
    if (tell) this.refresh(name);
  }

  private forget(name: string): void {
    const old = this.announced.get(name);
    if (old === undefined) return;
    this.announced.delete(name);
    const names = this.byEdge.get(old.record.edge);
    names?.delete(name);
    if (names?.size === 0) this.byEdge.delete(old.record.edge);
  }

  private beat(edge: string, session: string | null, tell: boolean): void {
    const old = this.beats.get(edge);
    const heard = performance.now();
    if (edge === this.options.edge) {
      // One's own, unless another uses the name after this one has begun.
      if (tell && session !== null && session !== this.options.session && old !== undefined) this.options.onTwin?.();
      if (session === this.options.session) this.beats.set(edge, { session, heard, earlier: [] });
      return;
    }
    if (session === null) {
      if (tell) this.gone(edge);
      return;
    }
    if (old?.session === session) {
      old.heard = heard;
      return;
    }
    const earlier = old === undefined ? [] : [...old.earlier, old.session].slice(-MAX_EARLIER);
    if (earlier.includes(session)) return;
    this.beats.set(edge, { session, heard, earlier });
    this.options.onEdge?.(edge, session);
    if (tell) this.refreshAll(edge);
  }

  private gone(edge: string): void {
    if (edge === this.options.edge || !this.beats.delete(edge)) return;
    this.options.onEdge?.(edge, null);
    this.refreshAll(edge);
  }

  private refreshAll(edge: string): void {
    for (const name of [...(this.byEdge.get(edge) ?? [])]) this.refresh(name);
  }

  /** Brings the tables to what counts now for a place. */
  private refresh(name: string): void {
    const own = this.own.get(name)?.record ?? null;
    // What the bucket says of own places is late.
    const other = this.takenBy(name) === null ? null : this.announced.get(name)!.record;
    const record = other ?? own;
    const known = this.tables.place(name);
    if (JSON.stringify(known) !== JSON.stringify(record)) this.tables.setPlace(name, record);
  }
}
