// The fleet: things, places, and where each module runs. Interfaces between registry, router, gateway, migration and the
// tools; types without implementation.
//
// A *thing* is an application by name: the modules of one things.json, under one set of paths. A *place* is what runs
// modules: an edge, or a device behind an edge. Modules of one thing can be at several places; a caller names the thing
// (or means its own) and the path, never the place.
import type { Answer } from '../worker/protocol.js';
import type { ModuleState, RunState, ServiceRequest } from '../host/types.js';

/** Method, path pattern without leading slash, link attributes: what routing and discovery need of a service. */
export interface ServiceEntry {
  readonly method: number;
  readonly path: string;
  readonly attributes: string;
  readonly observable: boolean;
}

/** Where a module runs: the record in the registry. The key is thing and module. */
export interface Placement {
  readonly thing: string;
  readonly module: string;
  readonly version: string;
  /** SHA-256 of the .wasm, hexadecimal: what a cache of compiled code goes by. Empty: it is built into a device's image. */
  readonly hash: string;
  /** For a module that is built in: hash of a package that has its manifest entry and no code, for the types. */
  readonly manifest?: string;
  /** `edge:NAME` or `device:NAME`. */
  readonly place: string;
  /** Grows by one with each move; a place that serves an older epoch must stop. */
  readonly epoch: number;
  readonly services: readonly ServiceEntry[];
  /** Somebody moves it: nobody else may begin to until that counts as given up. `since`: milliseconds since 1970. */
  readonly moving?: { readonly to: string; readonly since: number };
}

/** A place that is there: kept alive by its edge, gone when the edge is. */
export interface PlaceRecord {
  readonly name: string;
  readonly kind: 'edge' | 'device';
  /** The edge that it hangs on (its own name for an edge). */
  readonly edge: string;
  /** For people and the page: board, free memory, slots. */
  readonly details: Readonly<Record<string, string | number>>;
}

export interface Stored<T> {
  readonly value: T;
  /** For compare-and-swap. */
  readonly revision: number;
}

export type RegistryChange =
  | { readonly type: 'placement'; readonly key: string; readonly placement: Placement | null }
  | { readonly type: 'place'; readonly key: string; readonly place: PlaceRecord | null };

/** Who runs where, shared by all edges. Reads come from a local copy that follows the shared one. */
export interface Registry {
  placements(): IterableIterator<Placement>;
  places(): IterableIterator<PlaceRecord>;
  placement(thing: string, module: string): Stored<Placement> | null;
  /**
   * Writes a placement if its revision is still `expected` (0: there is none). Gives the new revision, or null if
   * somebody else was first.
   */
  put(placement: Placement, expected: number): Promise<number | null>;
  remove(thing: string, module: string, expected: number): Promise<boolean>;
  announce(place: PlaceRecord): Promise<void>;
  withdraw(name: string): Promise<void>;
  /** Called for every change, own ones too; gives a function that ends it. */
  watch(listener: (change: RegistryChange) => void): () => void;
  close(): Promise<void>;
}

/**
 * What a place answers when the module is not (or no more) there. Nothing has run: the router looks again and repeats.
 */
export const NOT_HERE = Symbol('not here');
export type PlaceAnswer = Answer | typeof NOT_HERE;

/** A place as the router reaches it: this edge's own host, a device link, another edge over NATS. */
export interface PlaceLink {
  readonly name: string;
  /**
   * Requests a service of a thing. `id` is unique for each request of a caller, so that a repetition is answered and not
   * run again.
   */
  request(thing: string, request: ServiceRequest, id: string): Promise<PlaceAnswer>;
  /**
   * Calls `changed` after each change of an observable service there; it may also be called without one. Gives a function
   * that ends it. Null: the service is not there, or cannot be observed.
   */
  observe?(thing: string, uri: string, changed: () => void): (() => void) | null;
}

/** Places that this edge can move modules to and from: its own, its devices, and those of other edges. */
export interface Places {
  find(name: string): ModulePlace | null;
}

/** The place was told to start a module and has not answered: nobody else may run it until the place is back. */
export class Unsettled extends Error {}

/** What the user of a module can want of it where it is. */
export type RunAction = 'start' | 'stop' | 'restart';

/** A module at a place. */
export interface Residence {
  readonly thing: string;
  readonly module: string;
  readonly epoch: number;
  readonly state: RunState;
  /** A mover has it: `prepared`, not started yet; `frozen`, stopped with its state, so that it can go on here or elsewhere. */
  readonly held?: 'prepared' | 'frozen';
  /** That mover has been silent for so long that it counts as dead. */
  readonly abandoned?: boolean;
}

/** What migration asks of a place. Every step can be repeated; each says whether it is done. */
export interface ModulePlace {
  readonly name: string;
  readonly kind: 'edge' | 'device';
  /**
   * Puts a module there without starting it; `wasm` is compiled for the place. Throws with a reason if it cannot.
   * `progress` gets 0 to 1 where that takes long.
   */
  prepare(input: ModulePackage, epoch: number, progress?: (fraction: number) => void): Promise<void>;
  /**
   * What the state of a module is about now, while it runs: places that are slow to read get the most of it before
   * `freeze`. Null: nothing is gained by it.
   */
  precopy?(thing: string, module: string): Promise<ModuleState | null>;
  /** Takes what `precopy` gave ahead of `activate`; the module must be prepared. */
  preload?(thing: string, module: string, state: ModuleState): Promise<void>;
  /**
   * Starts a prepared module, from the state if one is given.
   * @throws Unsettled if it may run now although no answer says so; any other error: it does not run
   */
  activate(thing: string, module: string, epoch: number, state: ModuleState | null): Promise<void>;
  /** Stops it between calls and gives its state; requests wait there from now on. */
  freeze(thing: string, module: string): Promise<ModuleState>;
  /** Undoes `freeze`. */
  release(thing: string, module: string): Promise<void>;
  /** Takes it away; waiting requests get NOT_HERE. Also undoes `prepare`. */
  discard(thing: string, module: string): Promise<void>;
  /** Starts, stops or restarts a module for its user. Throws with a reason if it cannot, e.g. while it is moving. */
  run(thing: string, module: string, action: RunAction): Promise<void>;
  /** For people: memory, stacks, slots; can be written as JSON. */
  details(): Promise<Readonly<Record<string, unknown>>>;
  modules(): Promise<readonly Residence[]>;
}

/** All that is needed to run a module anywhere: name, version and manifest are in the custom section "things". */
export interface ModulePackage {
  readonly thing: string;
  readonly wasm: Uint8Array;
}
