// Placements in a NATS bucket: written by compare-and-swap, read from the local copy. Takes a connection and tables; gives
// revisions. Knows nothing of places.
import { randomUUID } from 'node:crypto';
import type { KV } from '@nats-io/kv';
import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import type { Placement, Stored } from '../fleet/types.js';
import type { Connection } from '../nats/connection.js';
import { BucketMirror, type BucketEntry } from './bucket-mirror.js';
import { joinKey, splitKey } from './keys.js';
import type { Records } from './records.js';
import { placementKey, type RegistryTables } from './tables.js';

/** Who wrote is part of the record: a write whose answer was lost can be told from another's. */
export interface PlacementRecord {
  readonly writer: string;
  readonly placement: Placement;
}

/** How long NATS is waited for to write; then the write has not happened. */
const WRITE_MS = 15_000;
/** How long an answer is waited for once something was sent; then nobody knows whether the write has happened. */
const ANSWER_MS = 120_000;
const RETRY_MS = 200;
/** Old placements by key: only the last one counts. */
const HISTORY = 1;

const isConflict = (error: unknown): boolean =>
  error instanceof JetStreamApiError &&
  (error.code === JetStreamApiCodes.StreamWrongLastSequence ||
    error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown);

export class NatsPlacements {
  private readonly mirror: BucketMirror;
  /** Own writes that the bucket has confirmed and the watch has not yet shown. */
  private readonly confirmed = new Map<string, Stored<Placement>>();
  private readonly unwatch: () => void;

  constructor(
    connection: Connection,
    bucket: string,
    replicas: number,
    private readonly tables: RegistryTables,
    private readonly records: Records<PlacementRecord>,
  ) {
    // Revisions of a bucket that was made anew begin again: what was confirmed before says nothing then.
    this.unwatch = connection.watch(() => this.confirmed.clear());
    this.mirror = new BucketMirror(
      connection,
      bucket,
      { history: HISTORY, replicas },
      { reset: (entries) => this.reset(entries), change: (entry) => this.change(entry) },
    );
  }

  /** Until the local copy is complete; false after `ms`. */
  async ready(ms: number): Promise<boolean> {
    return (await this.mirror.ready(ms)) !== null;
  }

  async put(placement: Placement, expected: number): Promise<number | null> {
    const { thing, module } = placement;
    const record: PlacementRecord = { writer: randomUUID(), placement };
    const key = joinKey(thing, module);
    const value = this.records.write(key, record);
    const write = (bucket: KV): Promise<number> =>
      expected === 0 ? bucket.create(key, value) : bucket.update(key, value, expected);
    const own = async (bucket: KV): Promise<number | null> => {
      const entry = await bucket.get(key);
      if (entry?.operation !== 'PUT') return null;
      return this.records.read(key, entry.value)?.value.writer === record.writer ? entry.revision : null;
    };
    const revision = await this.write(write, own);
    if (revision === null) return null;
    const known = placementKey(thing, module);
    this.confirmed.set(known, { value: placement, revision });
    this.tables.setPlacement(known, placement, revision);
    return revision;
  }

  async remove(thing: string, module: string, expected: number): Promise<boolean> {
    const stored = this.tables.placement(thing, module);
    if (expected === 0 || stored === null) return expected === 0 && stored === null;
    const key = joinKey(thing, module);
    const removed = async (bucket: KV): Promise<number | null> => {
      const entry = await bucket.get(key);
      return entry === null || entry.operation !== 'PUT' ? (entry?.revision ?? expected + 1) : null;
    };
    const write = async (bucket: KV): Promise<number> => {
      await bucket.delete(key, { previousSeq: expected });
      return (await removed(bucket)) ?? expected + 1;
    };
    const revision = await this.write(write, removed);
    if (revision === null) return false;
    this.confirmed.delete(placementKey(thing, module));
    this.tables.setPlacement(placementKey(thing, module), null, revision);
    return true;
  }

  close(): void {
    this.unwatch();
    this.mirror.close();
  }

  /**
   * Writes until the bucket has said yes or no. `own` tells after a lost answer whether the write that arrived was this one:
   * the same compare-and-swap again can do no harm.
   * @throws Error if it is not known
   */
  private async write(
    write: (bucket: KV) => Promise<number>,
    own: (bucket: KV) => Promise<number | null>,
  ): Promise<number | null> {
    const start = performance.now();
    let end = start + WRITE_MS;
    let reason = 'not connected';
    for (let asked = false; performance.now() < end;) {
      const bucket = await this.mirror.ready(end - performance.now());
      if (bucket === null) break;
      try {
        return await write(bucket);
      } catch (error) {
        reason = (error as Error).message;
        try {
          if (isConflict(error)) return asked ? await own(bucket) : null;
        } catch {
          // Asked again below.
        }
        asked = true;
        end = start + ANSWER_MS;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    throw new Error(`the registry cannot be reached: ${reason}`);
  }

  private reset(entries: readonly BucketEntry[]): void {
    const all = new Map<string, Stored<Placement>>();
    let newest = 0;
    for (const { key, value, revision } of entries) {
      newest = Math.max(newest, revision);
      if (value === null) continue;
      const [thing, module] = splitKey(key);
      const placement = this.records.read(key, value)?.value.placement;
      const counts = placement ?? this.tables.placement(thing!, module!)?.value;
      if (counts !== undefined) all.set(placementKey(thing!, module!), { value: counts, revision });
    }
    for (const [key, stored] of this.confirmed) if (stored.revision > newest) all.set(key, stored);
    this.tables.resetPlacements(all);
  }

  private change({ key, value, revision }: BucketEntry): void {
    const [thing, module] = splitKey(key);
    const known = placementKey(thing!, module!);
    if ((this.confirmed.get(known)?.revision ?? Infinity) <= revision) this.confirmed.delete(known);
    if (value === null) return this.tables.setPlacement(known, null, revision);
    const placement = this.records.read(key, value)?.value.placement;
    const before = this.tables.placement(thing!, module!)?.value;
    // An epoch only grows: an older record, sent again by whoever can write, does not count.
    const fine = placement !== undefined && placement.epoch >= (before?.epoch ?? 0);
    // What was there before goes on counting, and the next write takes the place of the wrong record.
    const counts = fine ? placement : before;
    if (counts !== undefined) this.tables.setPlacement(known, counts, revision);
  }
}
