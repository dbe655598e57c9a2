// What happens in a fleet, as the page, the command line and logs see it; and the way it travels between edges. Plain types,
// no implementation. All of it can be written as JSON.
import type { RunState } from '../host/types.js';
import type { Placement, PlaceRecord } from './types.js';
import type { MigrationStep } from './migrate.js';

/** `time`: milliseconds since 1970. `place`: where it happened, `edge:NAME` or `device:NAME`. */
interface Happening {
  readonly time: number;
  readonly place: string;
}

export interface LogEvent extends Happening {
  readonly type: 'log';
  /** Null: a device's console, of which the edge does not know who wrote. */
  readonly thing: string | null;
  readonly module: string | null;
  readonly text: string;
}

export interface FaultEvent extends Happening {
  readonly type: 'fault';
  readonly thing: string;
  readonly module: string;
  readonly reason: string;
  readonly message: string;
  readonly backtrace: readonly FaultFrame[];
}

export interface FaultFrame {
  /** Function index in the Wasm module. */
  readonly func: number;
  readonly name: string;
  /** In the .wasm file; 0 if it is not known. */
  readonly offset: number;
  /** `file.c:12:3`, if the module has a source map or line table. */
  readonly source: string | null;
}

/** Once a second for each place: what each of its modules has done since its start there. */
export interface StatsEvent extends Happening {
  readonly type: 'stats';
  readonly modules: readonly ModuleStats[];
}

export interface ModuleStats {
  readonly thing: string;
  readonly module: string;
  readonly state: RunState;
  readonly calls: number;
  readonly faults: number;
  readonly restarts: number;
  /** Of the last second's calls in microseconds, as the place measures it; null: none, or not measured. */
  readonly latency: { readonly median: number; readonly worst: number } | null;
  /** Linear memory now and at most. */
  readonly memoryBytes: number;
  readonly memoryMaxBytes: number | null;
  /** Deepest use and size; null where the engine does not tell. */
  readonly stackBytes: number | null;
  readonly stackMaxBytes: number | null;
}

/** Steps of a move; all events of one carry its `id`. */
export interface MoveEvent extends Happening {
  readonly type: 'move';
  readonly id: string;
  readonly thing: string;
  readonly module: string;
  readonly from: string;
  readonly to: string;
  readonly step: MigrationStep | 'failed';
  /** 0 to 1. */
  readonly progress: number;
  /** With `failed`: why; the module runs at `from`. */
  readonly reason?: string;
  /** With `done`. */
  readonly pauseMs?: number;
  /** Pages of memory that are not zero, globals, tables, timers, subscriptions. */
  readonly stateBytes?: number;
}

export interface PlacementEvent {
  readonly type: 'placement';
  readonly time: number;
  /** `thing.module`. */
  readonly key: string;
  readonly placement: Placement | null;
}

export interface PlaceEvent {
  readonly type: 'place';
  readonly time: number;
  readonly name: string;
  readonly record: PlaceRecord | null;
}

export type FleetEvent = LogEvent | FaultEvent | StatsEvent | MoveEvent | PlacementEvent | PlaceEvent;

/** What happened at one edge reaches those who watch at any. Delivered at most once, in order for one sender. */
export interface FleetEvents {
  publish(event: FleetEvent): void;
  watch(listener: (event: FleetEvent) => void): () => void;
}
