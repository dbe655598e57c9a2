// Brings each request to the place where its service lives now. Takes a thing, a path and the places that can be reached;
// asks the registry's local copy. Knows no transport.
import { randomUUID } from 'node:crypto';
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import type { ServiceRequest } from '../host/types.js';
import { NOT_HERE, type PlaceLink, type Registry } from '../fleet/types.js';
import type { Answer } from '../worker/protocol.js';
import { Observation } from './observation.js';
import { ServiceIndex, thingOfKey, type Target } from './services.js';
import { Unreachable } from './unreachable.js';
import { Wakeups } from './wakeups.js';

export interface RouterOptions {
  readonly registry: Registry;
  /** Places behind other edges, by name; null: not known. Asked when no link of this edge has the name. */
  readonly elsewhere?: (place: string) => PlaceLink | null;
  /** Longest time a request may take, moves of the module included. */
  readonly timeoutMs?: number;
  /** How long a place may be away before requests to it get 5.03 at once. */
  readonly absentMs?: number;
  /** Requests to one place at a time; more get 5.03 at once. */
  readonly maxOutstanding?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_ABSENT_MS = 3_000;
const DEFAULT_MAX_OUTSTANDING = 1_000;
/** Pause before asking again where a module is, if the registry does not change before. */
const LOOK_AGAIN_MS = 50;
/** The place could not be reached: nothing has run. */
const UNREACHED = Symbol('unreached');

const bare = (code: number): Answer => ({ code, payload: new Uint8Array(0) });

/** A URI of the form `//thing/path` or `coap://thing/path`, split; null for a plain path. */
export function splitAuthority(uri: string): { readonly thing: string; readonly path: string } | null {
  const found = /^(?:[a-z][a-z0-9+.-]*:)?\/\/([^/?]+)(.*)$/.exec(uri);
  return found === null ? null : { thing: found[1]!, path: found[2] === '' ? '/' : found[2]! };
}

const ofThing = (thing: string): string => `thing ${thing}`;
const ofPlace = (place: string): string => `place ${place}`;

export class Router {
  private readonly links = new Map<string, PlaceLink>();
  private readonly outstanding = new Map<string, number>();
  /** Since when a place could not be reached. */
  private readonly absent = new Map<string, number>();
  private readonly index: ServiceIndex;
  private readonly wakeups = new Wakeups();
  private readonly observations = new Set<Observation>();
  private readonly unwatch: () => void;

  constructor(private readonly options: RouterOptions) {
    this.index = new ServiceIndex(options.registry);
    this.unwatch = options.registry.watch((change) => {
      this.index.apply(change);
      if (change.type === 'place') return this.reachable(change.key, change.place !== null);
      const thing = thingOfKey(change.key);
      this.wakeups.wake(ofThing(thing));
      for (const observation of this.observations) if (observation.thing === thing) observation.check();
    });
  }

  /** Makes a place reachable; a new link of the same name takes the place of the old one. */
  connect(link: PlaceLink): void {
    this.links.set(link.name, link);
    this.reachable(link.name, true);
  }

  /** Only if `link` is still the one that is used. */
  disconnect(link: PlaceLink): void {
    if (this.links.get(link.name) !== link) return;
    this.links.delete(link.name);
    this.reachable(link.name, false);
  }

  /** Service that a request to a thing would reach; for discovery and for checking before a long upload. */
  find(thing: string, uri: string, method: number): Target | 'method' | null {
    return this.index.find(thing, uri, method);
  }

  /** All services of a thing, by module. */
  services(thing: string): Target[] {
    return this.index.services(thing);
  }

  things(): string[] {
    return this.index.things();
  }

  /**
   * Requests a service. A plain path means a service of `thing`. The same id goes along with every attempt: a place that
   * has run it once answers a repetition and does not run it again. 5.03: it has not run; 5.04: it may have.
   */
  async request(thing: string, request: ServiceRequest, id: string = randomUUID()): Promise<Answer> {
    const other = splitAuthority(request.uri);
    if (other !== null) return this.request(other.thing, { ...request, uri: other.path }, id);
    const timeout = this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const end = performance.now() + Math.min(timeout, request.withinMs ?? timeout);
    for (;;) {
      const target = this.find(thing, request.uri, request.method);
      // A module that moves has a placement all the time; without one there is nothing to wait for.
      if (target === null) return bare(ResponseCode.NotFound);
      if (target === 'method') return bare(ResponseCode.MethodNotAllowed);
      const left = end - performance.now();
      if (left <= 0) return bare(ResponseCode.ServiceUnavailable);
      const { place } = target.placement;
      const link = this.linkTo(place);
      const result = link === null ? UNREACHED : await this.ask(link, thing, { ...request, withinMs: left }, id);
      if (result === UNREACHED) {
        if (!this.worthWaiting(place)) return bare(ResponseCode.ServiceUnavailable);
      } else {
        this.absent.delete(place);
        if (result !== NOT_HERE) return result;
      }
      await this.wakeups.sleep([ofThing(thing), ofPlace(place)], Math.min(LOOK_AGAIN_MS, left));
    }
  }

  /**
   * Calls `changed` after each change of an observable service, wherever it is, and once after each move and whenever a
   * change may have been missed. Gives a function that ends it; null: there is no such service, or it is not observable.
   */
  observe(thing: string, uri: string, changed: () => void): (() => void) | null {
    const other = splitAuthority(uri);
    if (other !== null) return this.observe(other.thing, other.path, changed);
    const target = this.find(thing, uri, Method.Get);
    if (target === null || target === 'method' || !target.service.observable) return null;
    const where = () => {
      const now = this.find(thing, uri, Method.Get);
      if (now === null || now === 'method' || !now.service.observable) return null;
      const { place, epoch } = now.placement;
      return { place, epoch, link: this.linkTo(place) };
    };
    const observation = new Observation(thing, uri, where, changed);
    this.observations.add(observation);
    observation.check(true);
    return () => {
      this.observations.delete(observation);
      observation.end();
    };
  }

  close(): void {
    this.unwatch();
    for (const observation of this.observations) observation.end();
    this.observations.clear();
    this.links.clear();
    this.wakeups.wakeAll();
  }

  private linkTo(place: string): PlaceLink | null {
    return this.links.get(place) ?? this.options.elsewhere?.(place) ?? null;
  }

  /** A place has come or gone. */
  private reachable(place: string, now: boolean): void {
    if (now) this.absent.delete(place);
    else if (!this.absent.has(place)) this.absent.set(place, performance.now());
    this.wakeups.wake(ofPlace(place));
    for (const observation of this.observations) if (observation.place === place) observation.check();
  }

  /** A place that went a moment ago may be back in a moment. */
  private worthWaiting(place: string): boolean {
    const now = performance.now();
    const since = this.absent.get(place) ?? now;
    this.absent.set(place, since);
    return now - since < (this.options.absentMs ?? DEFAULT_ABSENT_MS);
  }

  private async ask(
    link: PlaceLink,
    thing: string,
    request: ServiceRequest & { readonly withinMs: number },
    id: string,
  ): Promise<Answer | typeof NOT_HERE | typeof UNREACHED> {
    const count = this.outstanding.get(link.name) ?? 0;
    if (count >= (this.options.maxOutstanding ?? DEFAULT_MAX_OUTSTANDING)) return bare(ResponseCode.ServiceUnavailable);
    this.outstanding.set(link.name, count + 1);
    let timer: NodeJS.Timeout | undefined;
    try {
      const late = new Promise<Answer>((resolve) => {
        timer = setTimeout(() => resolve(bare(ResponseCode.GatewayTimeout)), request.withinMs);
      });
      return await Promise.race([link.request(thing, request, id), late]);
    } catch (error) {
      if (error instanceof Unreachable) return UNREACHED;
      // The link broke: whether the request has run is not known, so it is not sent elsewhere.
      return bare(ResponseCode.GatewayTimeout);
    } finally {
      clearTimeout(timer);
      const left = this.outstanding.get(link.name)! - 1;
      if (left === 0) this.outstanding.delete(link.name);
      else this.outstanding.set(link.name, left);
    }
  }
}
