// What the scale run's processes tell each other. Plain types.

/** Edges of one process and their devices. */
export interface EdgeShare {
  readonly name: string;
  readonly devices: readonly string[];
}

export interface OpenOptions {
  readonly url: string;
  readonly prefix: string;
  readonly edges: readonly EdgeShare[];
  readonly ttlMs: number;
  /** Private root key (PEM) that enrols the edges; null: they sign nothing. */
  readonly root: string | null;
}

export interface LoadOptions {
  readonly seconds: number;
  /** Callers of each edge, one call after the other. */
  readonly callers: number;
  /** What is called, at random. */
  readonly devices: readonly string[];
}

export interface LoadResult {
  readonly calls: number;
  /** Calls by code that were not answered with 2.05. */
  readonly failed: Readonly<Record<string, number>>;
  /** In milliseconds. */
  readonly latencies: Float64Array;
}

/** A call of a probe: milliseconds since 1970, code. */
export interface Probe {
  readonly start: number;
  readonly end: number;
  readonly code: number;
}

export interface Memory {
  readonly edges: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

/** What a process of edges does when asked. */
export interface Commands {
  open(options: OpenOptions): void;
  /** Announces all devices and writes their placements. */
  populate(): void;
  /** Until each edge knows all; milliseconds since 1970. */
  converged(devices: number): number;
  /** Changes a placement; milliseconds since 1970 before that. */
  change(device: string, version: string): number;
  /** When each edge of the process has seen a version. */
  seen(version: string): readonly number[];
  load(options: LoadOptions): LoadResult;
  /** Each edge asks a service that never answers; given when all have ended. */
  hang(device: string): readonly Probe[];
  /** Each edge calls the devices in turn, until `stop`. */
  probe(devices: readonly string[]): void;
  stop(): readonly Probe[];
  /** Devices that appear under this process' edges. */
  adopt(devices: readonly string[]): void;
  /** Each edge calls one device in `stride`, each edge others; those that did not answer. */
  sweep(devices: readonly string[], stride: number): readonly string[];
  memory(): Memory;
  /** Requests that devices have run, and those that they have run more than once. */
  runs(): { readonly all: number; readonly twice: number };
  close(): void;
}

export type CommandName = keyof Commands;

export interface Ask {
  readonly id: number;
  readonly name: CommandName;
  readonly args: readonly unknown[];
}

export interface Reply {
  readonly id: number;
  readonly value: unknown;
  readonly error: string | null;
}
