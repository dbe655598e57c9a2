// For tests and the scale run: an edge over NATS in this process, with a router, and whatever places it is given. Knows no
// gateway.
import type { FleetEvents } from '../../edge/fleet/events.js';
import { EdgePlace, modelOfPackage, serviceEntries } from '../../edge/fleet/edge-place.js';
import { packageHash } from '../../edge/fleet/packages.js';
import type { ModulePackage, ModulePlace, PlaceAnswer, PlaceLink } from '../../edge/fleet/types.js';
import type { ServiceRequest } from '../../edge/host/types.js';
import { NatsFleet, type NatsFleetOptions } from '../../edge/nats/fleet.js';
import { PlaceDirectory } from '../../edge/router/places.js';
import { Router, type RouterOptions } from '../../edge/router/router.js';

export class NatsEdge {
  readonly router: Router;
  readonly places: PlaceDirectory;
  private readonly links = new Map<string, PlaceLink>();

  private constructor(
    readonly name: string,
    readonly fleet: NatsFleet,
    options: Omit<RouterOptions, 'registry' | 'elsewhere'>,
  ) {
    this.router = new Router({ registry: fleet.registry, elsewhere: fleet.linkTo, ...options });
    this.places = new PlaceDirectory(fleet.placeOf);
    fleet.serve({ link: (place) => this.links.get(place) ?? null, place: (place) => this.places.findHere(place) });
  }

  static async open(
    options: NatsFleetOptions,
    router: Omit<RouterOptions, 'registry' | 'elsewhere'> = {},
  ): Promise<NatsEdge> {
    return new NatsEdge(options.edge, await NatsFleet.connect(options), router);
  }

  get registry(): NatsFleet['registry'] {
    return this.fleet.registry;
  }
  get events(): FleetEvents {
    return this.fleet.events;
  }

  /** A place of this edge, from now on. */
  async add(link: PlaceLink, place?: ModulePlace): Promise<void> {
    this.links.set(link.name, link);
    if (place !== undefined) this.places.add(place);
    this.router.connect(link);
    const kind = link.name.startsWith('edge:') ? 'edge' : 'device';
    await this.registry.announce({ name: link.name, kind, edge: this.name, details: {} });
  }

  async take(link: PlaceLink): Promise<void> {
    this.links.delete(link.name);
    this.router.disconnect(link);
    await this.registry.withdraw(link.name);
  }

  /** A place that runs modules in threads. */
  async host(): Promise<EdgePlace> {
    const place = new EdgePlace({
      name: `edge:${this.name}`,
      elsewhere: (thing, request) => this.router.request(thing, request),
    });
    await this.add(place, place);
    return place;
  }

  /** Starts a module at a place of any edge and writes its placement. */
  async deploy(input: ModulePackage, at: string): Promise<void> {
    const model = modelOfPackage(input);
    const { thing, wasm } = input;
    const { name: module, version } = model;
    const place = this.places.find(at)!;
    await place.prepare(input, 1);
    await place.activate(thing, module, 1, null);
    const services = serviceEntries(model);
    await this.registry.put({ thing, module, version, hash: packageHash(wasm), place: at, epoch: 1, services }, 0);
  }

  async close(): Promise<void> {
    this.router.close();
    await this.fleet.close();
  }
}

/** A device that answers with what it is asked, and knows what it has run. */
export class Device implements PlaceLink {
  readonly runs: string[] = [];
  readonly observers = new Set<() => void>();
  answer: (request: ServiceRequest) => Promise<PlaceAnswer> = async ({ payload }) => ({ code: 0x45, payload });
  constructor(readonly name: string) {}
  async request(_thing: string, request: ServiceRequest, id: string): Promise<PlaceAnswer> {
    this.runs.push(id);
    return this.answer(request);
  }
  observe(_thing: string, uri: string, changed: () => void): (() => void) | null {
    if (!uri.startsWith('/echo')) return null;
    this.observers.add(changed);
    return () => this.observers.delete(changed);
  }
  change(): void {
    for (const changed of this.observers) changed();
  }
}
