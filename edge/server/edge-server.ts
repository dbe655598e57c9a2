// One edge, complete: the place that runs modules, what it shares with others, router, devices, and the gateways in front.
// Takes options; gives an object that the command line and tests drive. Puts parts together; knows no terminal.
import { hostname } from 'node:os';
import { join } from 'node:path';
import fastify, { type FastifyInstance } from 'fastify';
import { SlotCompiler } from '../device/slot-compiler.js';
import { EdgePlace } from '../fleet/edge-place.js';
import type { FleetEvents } from '../fleet/events.js';
import { recover } from '../fleet/migrate.js';
import type { ModulePackage, Placement, Registry } from '../fleet/types.js';
import type { ModuleState } from '../host/types.js';
import { startCoapGateway, type CoapGateway } from '../gateway/coap.js';
import { addHttpGateway } from '../gateway/http.js';
import { PlaceDirectory } from '../router/places.js';
import { Router } from '../router/router.js';
import { Security } from '../security/security.js';
import { addPage } from '../web/serve.js';
import { addApi } from './api.js';
import { Devices, type AttachedDevice } from './devices.js';
import { EventLog } from './event-log.js';
import { FaultExplainer } from './faults.js';
import { localFleet, type Fleet } from './fleet.js';
import { Models } from './models.js';
import { Modules } from './modules.js';
import { Moves } from './moves.js';
import { SavedStates } from './saved-states.js';
import { Telemetry } from './telemetry.js';

export interface EdgeServerOptions {
  /** Lower-case letters, digits, hyphens. */
  readonly name: string;
  /** Registry and packages are kept here; null: nothing survives. */
  readonly dataDirectory: string | null;
  /** Ports; null: not served. 0: any free one. */
  readonly httpPort: number | null;
  readonly coapPort: number | null;
  /** Addresses to listen on; default 127.0.0.1. */
  readonly address?: string;
  readonly coapAddress?: string;
  /** Default: what suits an edge on 127.0.0.1. */
  readonly security?: Security;
  /** What is shared with other edges; default: this edge is alone. It is closed with the edge. */
  readonly fleet?: Fleet;
  /** Our own bugs, and what could not be brought back; default: standard error. */
  readonly report?: (error: unknown) => void;
}

/** What people want to know of an edge at a glance. */
const machine = (): Record<string, string | number> => ({
  host: hostname(),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
});

const LOOPBACK = '127.0.0.1';
/** How often what dead movers have left is looked for. */
const RECOVER_PERIOD_MS = 10_000;

export class EdgeServer {
  readonly registry: Registry;
  readonly events: FleetEvents;
  readonly log = new EventLog();
  readonly router: Router;
  readonly place: EdgePlace;
  readonly places: PlaceDirectory;
  readonly modules: Modules;
  readonly moves: Moves;
  private readonly fleet: Fleet;
  private readonly models: Models;
  private readonly devices: Devices;
  private readonly telemetry: Telemetry;
  private readonly ending: (() => void)[] = [];
  private readonly states: SavedStates;
  /** What ran before runs again; until then nothing is to be saved. */
  private restored = false;
  private http: FastifyInstance | null = null;
  private coap: CoapGateway | null = null;

  constructor(private readonly options: EdgeServerOptions) {
    const { name } = options;
    const home = `edge:${name}`;
    const fleet = (this.fleet = options.fleet ?? localFleet(options.dataDirectory));
    const { registry, events, packages } = fleet;
    this.registry = registry;
    this.events = events;
    this.ending.push(
      events.watch((event) => this.log.append(event)),
      registry.watch((change) => {
        const time = Date.now();
        if (change.type === 'place') this.log.append({ type: 'place', time, name: change.key, record: change.place });
        else this.log.append({ time, ...change });
      }),
    );
    this.router = new Router({ registry, elsewhere: (place) => fleet.linkTo(place) });
    this.places = new PlaceDirectory((place) => fleet.placeOf(place));
    this.models = new Models(registry, packages);
    const status = (): Iterable<readonly [string, ReturnType<EdgePlace['statusOf']>]> =>
      this.place.things().map((thing) => [thing, this.place.statusOf(thing)] as const);
    const faults = new FaultExplainer(packages);
    const telemetry = (this.telemetry = new Telemetry({ place: home, registry, events, faults, status }));
    this.place = new EdgePlace({
      name: home,
      elsewhere: (thing, request) => this.router.request(thing, request),
      observeElsewhere: (thing, uri, changed) => this.router.observe(thing, uri, changed),
      onEvent: (thing, event) => telemetry.hostEvent(thing, event),
    });
    this.router.connect(this.place);
    this.places.add(this.place);
    this.modules = new Modules({ registry, packages, places: this.places, home });
    this.moves = new Moves({ registry, packages, events, modules: this.modules });
    const { router, places } = this;
    const folder = (of: string): string | null =>
      options.dataDirectory === null ? null : join(options.dataDirectory, of);
    this.states = new SavedStates(folder('states'));
    const compiler = new SlotCompiler(folder('compiled'));
    this.devices = new Devices({ edge: name, registry, router, places, packages, events, faults, compiler });
    fleet.serve({
      link: (place) => (place === home ? this.place : this.devices.link(place)),
      place: (place) => this.places.findHere(place),
    });
  }

  /** Opens the ports and starts what ran here before. */
  async start(): Promise<void> {
    const { name, dataDirectory, address = LOOPBACK, coapAddress = LOOPBACK, httpPort, coapPort } = this.options;
    const security = this.options.security ?? (await Security.open({ name, dataDirectory, address, coapAddress }));
    await this.models.loadAll();
    await this.restore();
    this.restored = true;
    await this.registry.announce({ name: this.place.name, kind: 'edge', edge: name, details: machine() });
    this.telemetry.start();
    const recovering = setInterval(() => void this.recover(), RECOVER_PERIOD_MS);
    this.ending.push(() => clearInterval(recovering));
    if (httpPort !== null) await this.listen(httpPort, address, security);
    if (coapPort !== null) {
      const observe = this.router.observe.bind(this.router);
      const role = security.coapRole;
      this.coap = await startCoapGateway({ router: this.router, observe, port: coapPort, address: coapAddress, role });
    }
  }

  /** Base URL of the HTTP side, once started. */
  get url(): string | null {
    return this.http?.listeningOrigin ?? null;
  }

  /**
   * Puts a module of a thing where it runs, or on this edge.
   * @throws DiagnosticErrors for a wrong module or manifest
   */
  deploy(input: ModulePackage): Promise<Placement> {
    return this.modules.deploy({ ...input, place: null });
  }

  /** Opens the line to a device and keeps it; does not wait for the device. */
  attach(device: AttachedDevice): void {
    this.devices.attach(device);
  }

  /** Ends what is under way, then the ports, then the modules; with a data directory they go on at the next start. */
  async close(): Promise<void> {
    await this.moves.settled();
    for (const end of this.ending.splice(0)) end();
    this.telemetry.stop();
    await this.http?.close();
    this.coap?.close();
    await this.devices.close();
    await this.registry.withdraw(this.place.name).catch(() => undefined);
    if (this.restored) await this.save();
    await this.place.close();
    this.models.close();
    this.router.close();
    await this.fleet.close();
  }

  private async listen(port: number, address: string, security: Security): Promise<void> {
    const server = fastify({ ...security.serverOptions(), forceCloseConnections: true });
    this.http = server;
    await security.protect(server);
    addHttpGateway(server, { router: this.router, directory: this.models, callerOf: security.callerOf });
    const { registry, log, modules, moves } = this;
    await addApi(server, { edge: this.options.name, registry, log, modules, moves, report: this.report });
    addPage(server);
    await server.listen({ port, host: address });
  }

  private readonly report = (error: unknown): void => {
    if (this.options.report !== undefined) return this.options.report(error);
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  };

  private async recover(): Promise<void> {
    try {
      for (const text of await recover(this.place, this.registry, this.places)) this.tell(text);
    } catch (error) {
      this.report(error);
    }
  }

  /** States of what runs here, for the next start. */
  private async save(): Promise<void> {
    if (this.options.dataDirectory === null) return;
    for (const placement of [...this.registry.placements()]) {
      const { thing, module, place } = placement;
      if (place !== this.place.name || placement.moving !== undefined) continue;
      try {
        this.states.save(placement, await this.place.freeze(thing, module));
      } catch {
        // Stopped, failed, or busy with what cannot travel: it begins anew.
      }
    }
  }

  private tell(text: string): void {
    const { name: place } = this.place;
    this.events.publish({ type: 'log', time: Date.now(), place, thing: null, module: null, text });
  }

  /** Starts the modules that the registry says are here; one that cannot be started does not keep the others from it. */
  private async restore(): Promise<void> {
    for (const placement of [...this.registry.placements()]) {
      const { thing, module, place, epoch, hash } = placement;
      if (place !== this.place.name) continue;
      try {
        const state = this.states.take(placement);
        const wasm = await this.fleet.packages.get(hash);
        if (wasm === null) throw new Error('its package is lost: deploy it again');
        await this.place.prepare({ thing, wasm }, epoch);
        const start = (from: ModuleState | null): Promise<void> => this.place.activate(thing, module, epoch, from);
        await start(state).catch((error: unknown) => {
          if (state === null) throw error;
          return start(null);
        });
      } catch (error) {
        this.tell(`${module} of ${thing} is not brought back: ${(error as Error).message}`);
      }
    }
  }
}
