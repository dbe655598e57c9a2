// An edge among others over NATS: the shared registry, places and services of the other edges, events, packages. Takes
// options and what this edge has; gives what router and server need. Knows no gateway.
import { randomUUID } from 'node:crypto';
import type { NodeConnectionOptions } from '@nats-io/transport-node';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { FleetEvents } from '../fleet/events.js';
import type { PackageStore } from '../fleet/packages.js';
import type { ModulePlace, PlaceLink } from '../fleet/types.js';
import { NatsRegistry } from '../registry/nats.js';
import { PlainEnvelopes, type Envelopes } from '../security/envelope.js';
import { Blobs } from './blobs.js';
import { EdgeClient } from './client.js';
import { Connection } from './connection.js';
import { NatsEvents } from './events.js';
import { RemoteObservations } from './observe-client.js';
import { ObserverTable } from './observe-service.js';
import { RemoteLink, serveCall } from './remote-calls.js';
import { RemotePlace, serveStep } from './remote-place.js';
import { EdgeService, type Handler } from './service.js';
import { Subjects } from './subjects.js';

export interface NatsFleetOptions {
  /** Name of this edge, without `edge:`; no other edge of the fleet has it. */
  readonly edge: string;
  /** `nats://HOST:PORT` or `tls://HOST:PORT`. */
  readonly servers: string | readonly string[];
  /** Fleets that share a NATS account have different ones; default `thingspire`. */
  readonly prefix?: string;
  /** Further options of the NATS client: TLS, credentials. */
  readonly connection?: NodeConnectionOptions;
  /** How messages between edges are sealed; default without keys. */
  readonly envelopes?: Envelopes;
  /** Copies of what is stored, in a NATS cluster; default 1. */
  readonly replicas?: number;
  /** Milliseconds without a heartbeat after which an edge is gone; default 6,000. */
  readonly ttlMs?: number;
  /** How long observers at other edges are kept without being renewed, in milliseconds; default 30,000. */
  readonly leaseMs?: number;
  /** For the log: what somebody should look at. */
  readonly onProblem?: (text: string) => void;
}

/** What other edges may reach here: only what is this edge's own. */
export interface LocalPlaces {
  link(place: string): PlaceLink | null;
  place(name: string): ModulePlace | null;
}

/** How long the first look at the registry may take. */
const READY_MS = 30_000;
const MAX_REFUSED_TOLD = 10;
/** Large states and payloads wait this long in the object store at most. */
const MESSAGE_KEEP_MS = 15 * 60_000;

export class NatsFleet {
  private readonly links = new Map<string, RemoteLink>();
  private service: EdgeService | null = null;
  private observers: ObserverTable | null = null;

  private constructor(
    private readonly options: NatsFleetOptions,
    private readonly session: string,
    private readonly connection: Connection,
    private readonly envelopes: Envelopes,
    private readonly subjects: Subjects,
    private readonly blobs: Blobs,
    private readonly client: EdgeClient,
    private readonly observations: RemoteObservations,
    readonly registry: NatsRegistry,
    readonly events: FleetEvents & { close(): void },
    readonly packages: PackageStore,
  ) {}

  /** @throws DiagnosticError W902 if NATS does not answer, has no JetStream, or refuses */
  static async connect(options: NatsFleetOptions): Promise<NatsFleet> {
    const { edge, servers, prefix = 'thingspire', replicas = 1, envelopes = new PlainEnvelopes(edge) } = options;
    const session = randomUUID();
    const all = typeof servers === 'string' ? servers : [...servers];
    const connection = await Connection.open(`edge ${edge}`, { ...options.connection, servers: all });
    const subjects = new Subjects(prefix, { edge, session });
    const blobs = new Blobs(connection, `${prefix}-messages`, replicas, MESSAGE_KEEP_MS);
    const refused = new Set<string>();
    const registry: NatsRegistry = new NatsRegistry({
      connection,
      edge,
      session,
      prefix,
      replicas,
      ...(options.ttlMs === undefined ? {} : { ttlMs: options.ttlMs }),
      envelopes,
      onRefused: (key, reason) => {
        // Told once for each: it is read again and again.
        if (refused.has(key) || refused.size >= MAX_REFUSED_TOLD) return;
        refused.add(key);
        options.onProblem?.(`the record ${key} is not of this fleet and does not count: ${reason}`);
      },
      onTwin: () => options.onProblem?.(`another edge is named "${edge}" too: one of them must be renamed`),
      onEdge: (name, run) => client.edgeChanged(name, run),
    });
    const sessionOf = (name: string): string | null => registry.sessionOf(name);
    const client = new EdgeClient({ connection, subjects, envelopes, blobs, sessionOf });
    const observations = new RemoteObservations(client, connection, subjects, { edge, session }, envelopes);
    const events = new NatsEvents(connection, subjects, envelopes, edge);
    const packages = new Blobs(connection, `${prefix}-packages`, replicas, null);
    const fleet = new NatsFleet(
      options,
      session,
      connection,
      envelopes,
      subjects,
      blobs,
      client,
      observations,
      registry,
      events,
      packages,
    );
    if (await registry.ready(READY_MS)) return fleet;
    await fleet.close();
    throw new DiagnosticError(
      'W902',
      `NATS at ${String(servers)} has no JetStream (nats-server -js), or does not answer`,
    );
  }

  get connected(): boolean {
    return this.connection.connected;
  }

  /** Answers other edges from now on; until then they find nobody here. */
  serve(local: LocalPlaces): void {
    const { connection, envelopes, subjects, blobs, session, packages, options } = this;
    const link = (place: string): PlaceLink | null => local.link(place);
    const observers = new ObserverTable(connection, subjects, envelopes, link, options.leaseMs);
    const handlers = {
      call: (args, asked) => serveCall(link, args, asked),
      place: (args) => serveStep((name) => local.place(name), packages, args),
      observe: async (args, asked) => observers.add(args, asked),
      renew: async (args, asked) => observers.renew(args, asked),
      unobserve: async (args, asked) => observers.remove(args, asked),
    } satisfies Record<string, Handler>;
    this.observers = observers;
    this.service = new EdgeService({
      connection,
      subjects,
      envelopes,
      blobs,
      edge: options.edge,
      session,
      handlers: handlers as Record<keyof typeof handlers, Handler>,
    });
  }

  /** Observers that other edges have here. */
  get observerCount(): number {
    return this.observers?.size ?? 0;
  }

  /** For the router: a place behind another edge; null if nobody who is alive has it. */
  readonly linkTo = (place: string): PlaceLink | null => {
    const holder = this.registry.holder(place);
    if (holder === null || holder.edge === this.options.edge) {
      this.links.delete(place);
      return null;
    }
    const known = this.links.get(place);
    if (known?.edge === holder.edge && known.session === holder.session) return known;
    const link = new RemoteLink(place, holder.edge, holder.session, this.client, this.observations);
    this.links.set(place, link);
    return link;
  };

  /** For moves: a place of another edge; null if nobody who is alive has it. */
  readonly placeOf = (name: string): ModulePlace | null => {
    const holder = this.registry.holder(name);
    if (holder === null || holder.edge === this.options.edge) return null;
    const { client, packages } = this;
    const find = (place: string) => this.registry.holder(place);
    return new RemotePlace(name, name.startsWith('edge:') ? 'edge' : 'device', { client, holder: find, packages });
  };

  /** Takes leave: the others see at once that this edge is gone. */
  async close(): Promise<void> {
    this.service?.close();
    this.observers?.close();
    this.observations.close();
    this.events.close();
    await this.registry.close();
    this.client.close();
    await this.connection.close();
  }
}
