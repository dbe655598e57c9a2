// What an edge host has one of its modules do, and hears of it. Plain types.
import type { MemoryLimits } from '../module/interface.js';
import type { HandlerRequest, HostQuestion, Invocation } from '../worker/protocol.js';
import type { Chains } from './chains.js';
import type { Ending } from './module-thread.js';
import type { FaultReport, RunState } from './types.js';

/** What an invocation is for; `depth` counts the calls of its chain. */
export interface Job {
  readonly chain: number;
  readonly depth: number;
  readonly entry: string;
  readonly request: HandlerRequest | null;
  readonly args: readonly number[];
  readonly deadlineUs: number;
  /** Asked when its turn has come; false: it is void. */
  readonly begins?: () => boolean;
  /** What it needs is fetched when its turn has come; the module is its own meanwhile. Gives arguments, and data. */
  readonly fetch?: () => Promise<Pick<Invocation, 'args' | 'delivery'>>;
}

/** `unavailable`: not running, or too many wait; `moved`: it has left this host while the job waited. */
export type JobResult = Ending | { readonly type: 'unavailable' } | { readonly type: 'moved' };

export interface ModuleEvents {
  question(question: HostQuestion): unknown;
  log(text: string): void;
  console(bytes: Uint8Array): void;
  fault(report: FaultReport): void;
  state(state: RunState): void;
  /** The instance is gone: what belonged to it is void. */
  ended(): void;
  /** A module that the host waits for is free. */
  freed(module: string): void;
  /** Its thread is another one, or none. */
  threadChanged(): void;
  /** A thread of it has ended. */
  exited(): void;
  /** The thread of module `index` must not wait for this one. */
  released(index: number): void;
}

export interface ModuleOptions {
  readonly origin: number;
  /** Milliseconds that every deadline is extended to at least. */
  readonly slackMs: number;
  readonly chains: Chains;
  readonly limits: MemoryLimits;
  /** Number of the module on its host. */
  readonly index: number;
  /** Changes with the host's modules. */
  readonly epoch: SharedArrayBuffer;
}
