// Brings each request to the place where its service lives now. Takes a thing, a path and the places that can be reached;
// asks the registry's local copy. Knows no transport.
import { randomUUID } from 'node:crypto';
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import type { ServiceRequest } from '../host/types.js';
import { RouteTable, segmentsOf } from '../imc/routes.js';
import { NOT_HERE, type Placement, type PlaceLink, type Registry, type ServiceEntry } from '../fleet/types.js';
import type { Answer } from '../worker/protocol.js';

export interface RouterOptions {
  readonly registry: Registry;
  /** Longest time a request may take, moves of the module included. */
  readonly timeoutMs?: number;
  /** Requests to one place at a time; more get 5.03 at once. */
  readonly maxOutstanding?: number;
}

interface Target {
  readonly placement: Placement;
  readonly service: ServiceEntry;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_OUTSTANDING = 1_000;
/** Pause before asking again where a module is, if the registry does not change before. */
const LOOK_AGAIN_MS = 50;

const bare = (code: number): Answer => ({ code, payload: new Uint8Array(0) });

/** A URI of the form `//thing/path` or `coap://thing/path`, split; null for a plain path. */
export function splitAuthority(uri: string): { readonly thing: string; readonly path: string } | null {
  const found = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?]+)(.*)$/.exec(uri);
  return found === null ? null : { thing: found[1]!, path: found[2] === '' ? '/' : found[2]! };
}

export class Router {
  private readonly links = new Map<string, PlaceLink>();
  private readonly outstanding = new Map<string, number>();
  private readonly tables = new Map<string, RouteTable<Target>>();
  private readonly waiters = new Set<() => void>();
  private readonly unwatch: () => void;

  constructor(private readonly options: RouterOptions) {
    this.unwatch = options.registry.watch((change) => {
      if (change.type === 'placement') this.tables.delete(change.key.slice(0, change.key.lastIndexOf('.')));
      for (const wake of this.waiters) wake();
    });
  }

  /** Makes a place reachable; a new link of the same name takes the place of the old one. */
  connect(link: PlaceLink): void {
    this.links.set(link.name, link);
    for (const wake of this.waiters) wake();
  }

  /** Only if `link` is still the one that is used. */
  disconnect(link: PlaceLink): void {
    if (this.links.get(link.name) === link) this.links.delete(link.name);
  }

  /** Service that a request to a thing would reach; for discovery and for checking before a long upload. */
  find(thing: string, uri: string, method: number): Target | 'method' | null {
    const found = this.tableOf(thing).find(segmentsOf(uri), method);
    return found === null || found === 'method' ? found : found.value;
  }

  /** All services of a thing, by module. */
  services(thing: string): Target[] {
    return [...this.tableOf(thing)];
  }

  things(): string[] {
    return [...new Set([...this.options.registry.placements()].map(({ thing }) => thing))].sort();
  }

  /**
   * Requests a service. A plain path means a service of `thing`. The same id goes along with every attempt: a place that
   * has run it once answers a repetition and does not run it again.
   */
  async request(thing: string, request: ServiceRequest, id: string = randomUUID()): Promise<Answer> {
    const other = splitAuthority(request.uri);
    if (other !== null) return this.request(other.thing, { ...request, uri: other.path }, id);
    const end = performance.now() + (this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    for (let moved = false; ; moved = true) {
      const target = this.find(thing, request.uri, request.method);
      // A module that moves has a placement all the time; without one there is nothing to wait for.
      if (target === null) return bare(ResponseCode.NotFound);
      if (target === 'method') return bare(ResponseCode.MethodNotAllowed);
      const left = end - performance.now();
      if (left <= 0) return bare(moved ? ResponseCode.ServiceUnavailable : ResponseCode.GatewayTimeout);
      const { place } = target.placement;
      const link = this.links.get(place);
      if (link !== undefined) {
        const result = await this.ask(link, thing, request, id, left);
        if (result !== NOT_HERE) return result;
      }
      await this.change(Math.min(LOOK_AGAIN_MS, left));
    }
  }

  close(): void {
    this.unwatch();
    this.links.clear();
    for (const wake of this.waiters) wake();
  }

  private async ask(
    link: PlaceLink,
    thing: string,
    request: ServiceRequest,
    id: string,
    leftMs: number,
  ): Promise<Answer | typeof NOT_HERE> {
    const count = this.outstanding.get(link.name) ?? 0;
    if (count >= (this.options.maxOutstanding ?? DEFAULT_MAX_OUTSTANDING)) return bare(ResponseCode.ServiceUnavailable);
    this.outstanding.set(link.name, count + 1);
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<Answer>((resolve) => {
        timer = setTimeout(() => resolve(bare(ResponseCode.GatewayTimeout)), leftMs);
      });
      return await Promise.race([link.request(thing, request, id), late]);
    } catch {
      // The link broke: whether the request has run is not known, so it is not sent elsewhere.
      return bare(ResponseCode.GatewayTimeout);
    } finally {
      clearTimeout(timer);
      this.outstanding.set(link.name, this.outstanding.get(link.name)! - 1);
    }
  }

  /** Until something in the registry or among the links changes, or `ms` have passed. */
  private change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.waiters.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.waiters.add(wake);
    });
  }

  private tableOf(thing: string): RouteTable<Target> {
    let table = this.tables.get(thing);
    if (table === undefined) {
      table = new RouteTable<Target>();
      for (const placement of this.options.registry.placements()) {
        if (placement.thing !== thing) continue;
        for (const service of placement.services) table.add(service.path, service.method, { placement, service });
      }
      this.tables.set(thing, table);
    }
    return table;
  }
}
