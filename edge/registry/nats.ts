// The registry of a fleet of edges, in NATS JetStream: one bucket of placements, one of places. Takes a connection; gives
// what the embedded registry gives. Reads come from a local copy that follows the buckets.
import type { Placement, PlaceRecord, Registry, RegistryChange, Stored } from '../fleet/types.js';
import type { Connection } from '../nats/connection.js';
import type { Envelopes } from '../security/envelope.js';
import { NatsPlacements, type PlacementRecord } from './nats-placements.js';
import { NatsPlaces, type PlaceValue } from './nats-places.js';
import { Records } from './records.js';
import { RegistryTables } from './tables.js';

export interface NatsRegistryOptions {
  readonly connection: Connection;
  /** Name of this edge, without `edge:`. */
  readonly edge: string;
  /** Of this run of it. */
  readonly session: string;
  /** First part of the buckets' names: fleets that share a NATS account have different ones. */
  readonly prefix: string;
  /** How what edges write is sealed. */
  readonly envelopes: Envelopes;
  /** Copies of each bucket in a NATS cluster; default 1. */
  readonly replicas?: number;
  /** Milliseconds without a heartbeat after which an edge is gone; default 6,000. */
  readonly ttlMs?: number;
  /** Another edge uses the same name. */
  readonly onTwin?: () => void;
  /** A record that no edge of this fleet has written; it does not count. */
  readonly onRefused?: (key: string, reason: string) => void;
  /** An edge has come, begun anew, or (null) gone. */
  readonly onEdge?: (edge: string, session: string | null) => void;
}

const DEFAULT_TTL_MS = 6_000;

export class NatsRegistry implements Registry {
  private readonly tables = new RegistryTables();
  private readonly placementBucket: NatsPlacements;
  private readonly placeBucket: NatsPlaces;

  constructor(options: NatsRegistryOptions) {
    const { connection, edge, session, prefix, replicas = 1, ttlMs = DEFAULT_TTL_MS } = options;
    const { onTwin, onEdge, onRefused, envelopes } = options;
    this.placementBucket = new NatsPlacements(
      connection,
      `${prefix}-placements`,
      replicas,
      this.tables,
      new Records<PlacementRecord>('placement', envelopes, onRefused),
    );
    const places = { edge, session, bucket: `${prefix}-places`, replicas, ttlMs };
    this.placeBucket = new NatsPlaces(
      connection,
      { ...places, ...(onTwin === undefined ? {} : { onTwin }), ...(onEdge === undefined ? {} : { onEdge }) },
      this.tables,
      new Records<PlaceValue>('place', envelopes, onRefused),
    );
  }

  /** Until the local copy is complete; false after `ms`. */
  async ready(ms: number): Promise<boolean> {
    return (await Promise.all([this.placementBucket.ready(ms), this.placeBucket.ready(ms)])).every(Boolean);
  }

  placements(): IterableIterator<Placement> {
    return this.tables.placements();
  }
  places(): IterableIterator<PlaceRecord> {
    return this.tables.places();
  }
  placement(thing: string, module: string): Stored<Placement> | null {
    return this.tables.placement(thing, module);
  }
  watch(listener: (change: RegistryChange) => void): () => void {
    return this.tables.watch(listener);
  }

  /** The edge that has a place, and the run of it; null: nobody who is alive. */
  holder(place: string): { readonly edge: string; readonly session: string } | null {
    return this.placeBucket.holder(place);
  }

  /** The present run of an edge; null: it is not there. */
  sessionOf(edge: string): string | null {
    return this.placeBucket.sessionOf(edge);
  }

  /** @throws Error without NATS for 15 s; if it goes while it is asked after 2 minutes, and nobody knows whether it was written */
  put(placement: Placement, expected: number): Promise<number | null> {
    return this.placementBucket.put(placement, expected);
  }

  /** @throws Error as `put` does */
  remove(thing: string, module: string, expected: number): Promise<boolean> {
    return this.placementBucket.remove(thing, module, expected);
  }

  announce(place: PlaceRecord): Promise<void> {
    return this.placeBucket.announce(place);
  }
  withdraw(name: string): Promise<void> {
    return this.placeBucket.withdraw(name);
  }

  async close(): Promise<void> {
    this.placementBucket.close();
    await this.placeBucket.close();
  }
}
