// What an edge host runs and tells: modules with their manifest entries, the events that tools and the page show. Plain
// types; knows no thread.
import type { ModuleModel, ServiceModel } from '../../manifest/model.js';
import type { Answer, Fault } from '../worker/protocol.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';

export interface EdgeHostOptions {
  readonly name: string;
  /** The thing whose modules run here: `MODULE@THING` as a caller is its MODULE, `//THING/path` its /path. */
  readonly thing?: string;
  readonly onEvent?: (event: HostEvent) => void;
  /** Where requests go that nothing here serves; null: nobody knows the path either. */
  readonly elsewhere?: (request: ServiceRequest) => Promise<Answer | null>;
  /**
   * Calls `changed` after each change of a service that is not here, wherever it is and moves to, and may call it without
   * one. Gives a function that ends it; null if there is no such observable service. `uri`: plain or `//THING/path`.
   */
  readonly observeElsewhere?: (uri: string, changed: () => void) => (() => void) | null;
  /**
   * Deadlines are CPU time on the device and wall-clock time here, where threads wait for processors: every one is
   * extended to at least this many milliseconds. Default 100.
   */
  readonly slackMs?: number;
}

export interface EdgeModuleInput {
  readonly model: ModuleModel;
  readonly wasm: Uint8Array;
  /** State to start from; else it starts from the beginning. */
  readonly state?: ModuleState;
}

/** What moves with a module: memory and the like, timers, subscriptions. */
export interface ModuleState {
  readonly scalars: ScalarSnapshot;
  readonly timers: readonly TimerState[];
  readonly subscriptions: readonly SubscriptionState[];
}

export interface TimerState {
  /** 0 to 3. */
  readonly id: number;
  /** Until it fires next. */
  readonly remainingMs: number;
  /** 0: once. */
  readonly periodMs: number;
}

export interface SubscriptionState {
  readonly id: number;
  readonly uri: string;
  /** Buffer in the module's memory for representations. */
  readonly address: number;
  readonly capacity: number;
}

export type RunState = 'starting' | 'running' | 'backing off' | 'stopped' | 'failed';

/** Counters of one module, from its start on the edge. */
export interface ModuleStatus {
  readonly name: string;
  readonly version: string;
  readonly state: RunState;
  readonly calls: number;
  readonly faults: number;
  readonly restarts: number;
  readonly lastFault: FaultReport | null;
  /** Of the requests of the last second in microseconds, from when the module takes one to its answer; null: none. */
  readonly latency: { readonly median: number; readonly worst: number } | null;
  /** Linear memory at the end of the last invocation, and what it can grow to. */
  readonly memoryBytes: number;
  readonly memoryMaxBytes: number;
}

export interface FaultReport {
  readonly module: string;
  /** Milliseconds since the host's start. */
  readonly time: number;
  readonly reason: Fault['reason'];
  readonly message: string;
  readonly backtrace: Fault['backtrace'];
}

export type HostEvent =
  | { readonly type: 'log'; readonly module: string; readonly text: string }
  | { readonly type: 'console'; readonly module: string; readonly bytes: Uint8Array }
  | { readonly type: 'fault'; readonly fault: FaultReport }
  | { readonly type: 'state'; readonly module: string; readonly state: RunState }
  /** One finished request: where from, where to, how long it took. */
  | {
      readonly type: 'call';
      readonly from: string;
      readonly to: string;
      readonly path: string;
      readonly code: number;
      readonly milliseconds: number;
    };

/** A request to a service, from a module of this host or from outside. */
export interface ServiceRequest {
  readonly method: number;
  /** Path and query with leading slash. */
  readonly uri: string;
  readonly payload: Uint8Array;
  /** Name of the calling module, or of the client outside. */
  readonly caller: string;
  /** Bytes of room for the answer. */
  readonly capacity: number;
  /** Milliseconds that the caller waits; a place need not begin what cannot end in time. */
  readonly withinMs?: number;
}

export type { ModuleModel, ServiceModel };
