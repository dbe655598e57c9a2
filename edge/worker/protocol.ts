// Messages between the host and the thread of one module. Plain data: knows no thread and no engine.
import type { PayloadType } from '../../manifest/model.js';
import type { MemoryLimits } from '../module/interface.js';
import type { ScalarSnapshot } from './snapshot.js';

/** What a handler, an event or a start is run for. */
export interface Invocation {
  readonly id: number;
  /** The event this belongs to: calls made from it carry the same number, so that a call back can run nested. */
  readonly chain: number;
  readonly depth: number;
  /** Export to run; null: the start sequence. */
  readonly entry: string | null;
  /** For handlers: request and room for the answer. For events: numbers only. */
  readonly request: HandlerRequest | null;
  readonly args: readonly number[];
  /** Put into the module's memory before it runs: what has come for a subscription. */
  readonly delivery: { readonly address: number; readonly data: Uint8Array } | null;
  /** Milliseconds since the host's origin at which the time is over. */
  readonly deadline: number;
  /** How long it may take in all, by its contract: what it calls must take less. */
  readonly deadlineUs: number;
}

export interface HandlerRequest {
  /** Path and query, with leading slash. */
  readonly uri: string;
  /** Values of the `{}` segments. */
  readonly parameters: readonly string[];
  readonly caller: string;
  readonly payload: Uint8Array;
  /** Bytes of room for the answer. */
  readonly capacity: number;
}

/** A request that a module makes. */
export interface ModuleRequest {
  readonly chain: number;
  readonly depth: number;
  readonly invocation: number;
  /** Of the invocation that makes it. */
  readonly deadlineUs: number;
  /** Index into the manifest's `requires`, or a method and URI. */
  readonly target: { readonly requirement: number } | { readonly method: number; readonly uri: string };
  readonly payload: Uint8Array;
  readonly capacity: number;
}

/** Code and payload; the payload is empty when the code says so. */
export interface Answer {
  readonly code: number;
  readonly payload: Uint8Array;
}

/** How an invocation ended other than by returning. */
export interface Fault {
  readonly reason: 'trapped' | 'contract broken' | 'killed' | 'exited' | 'deadline expired';
  readonly message: string;
  /** Innermost first; offsets into the original .wasm file. */
  readonly backtrace: readonly { readonly func: number; readonly name: string; readonly offset: number }[];
}

/** Host to module. */
export type ToModule =
  | { readonly type: 'invoke'; readonly invocation: Invocation }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  /** Another module's window on this module's memory: reads or writes `address`. */
  | {
      readonly type: 'memory';
      readonly id: number;
      readonly address: number;
      readonly bytes: number;
      readonly write: readonly { readonly offset: number; readonly data: Uint8Array }[] | null;
    }
  /** A window that the innermost open invocation has used is closed: it ends as killed when it next asks for anything. */
  | { readonly type: 'doom'; readonly invocation: number }
  /** Requests of another module that come from its thread. */
  | { readonly type: 'binding'; readonly id: number; readonly binding: ServedBinding }
  | { readonly type: 'snapshot'; readonly id: number }
  | { readonly type: 'restore'; readonly id: number; readonly snapshot: ScalarSnapshot };

/** What a module asks the host for and waits for. Each kind has its answer's type in `HostAnswers`. */
export type HostQuestion =
  | { readonly kind: 'request'; readonly request: ModuleRequest }
  /** How requests of a target can be made without the host. */
  | { readonly kind: 'bind'; readonly target: ModuleRequest['target'] }
  | {
      readonly kind: 'grant';
      readonly requirement: number | null;
      readonly caller: string | null;
      readonly address: number;
      readonly bytes: number;
      readonly rights: number;
      readonly milliseconds: number;
      /** Are the bytes there, with these rights? */
      readonly inBounds: boolean;
    }
  | { readonly kind: 'revoke'; readonly window: number }
  | { readonly kind: 'observe'; readonly uri: string; readonly address: number; readonly capacity: number }
  | { readonly kind: 'unobserve'; readonly subscription: number }
  | { readonly kind: 'notify'; readonly path: string }
  | { readonly kind: 'timer'; readonly id: number; readonly first: number; readonly period: number }
  | { readonly kind: 'window-read'; readonly window: number; readonly invocation: number }
  | {
      readonly kind: 'window-write';
      readonly window: number;
      readonly invocation: number;
      readonly write: readonly { readonly offset: number; readonly data: Uint8Array }[];
    };

/** What a thread must know of requests that come from another one. */
export interface ServedBinding {
  readonly entry: string;
  readonly uri: string;
  readonly parameters: readonly string[];
  readonly caller: string;
  readonly path: string;
  readonly response: PayloadType | null;
  readonly deadlineUs: number;
  /** Control area of the caller's thread. */
  readonly callerControl: SharedArrayBuffer;
}

/** What a thread must know to make them. */
export interface CalledBinding {
  readonly id: number;
  readonly module: string;
  readonly control: SharedArrayBuffer;
  readonly request: PayloadType | null;
  readonly leastCapacity: number;
  readonly deadlineUs: number;
}

export interface HostAnswers {
  readonly request: Answer;
  /** Null: only through the host. */
  readonly bind: CalledBinding | null;
  /** Address of the window, 0: none; null: the module traps. */
  readonly grant: number | null;
  readonly revoke: number;
  readonly observe: number;
  readonly unobserve: number;
  readonly notify: number;
  readonly timer: number;
  readonly 'window-read': { readonly bytes: Uint8Array; readonly rights: number } | null;
  readonly 'window-write': boolean;
}

/** Module to host. */
export type ToHost =
  /** The module is compiled; deadlines count from here. */
  | { readonly type: 'ready' }
  | { readonly type: 'question'; readonly id: number; readonly question: HostQuestion }
  | {
      readonly type: 'ended';
      readonly invocation: number;
      readonly answer: Answer | null;
      readonly fault: Fault | null;
      /** Of memory 0. */
      readonly memoryBytes: number;
    }
  /** A request from thread to thread ended so. */
  | { readonly type: 'faulted'; readonly fault: Fault }
  /** The host waits for a module that this thread no longer calls. */
  | { readonly type: 'freed'; readonly module: string }
  | { readonly type: 'log'; readonly text: string }
  | { readonly type: 'console'; readonly bytes: Uint8Array }
  | { readonly type: 'memory'; readonly id: number; readonly bytes: Uint8Array | null }
  | { readonly type: 'snapshot'; readonly id: number; readonly snapshot: ScalarSnapshot | null }
  | { readonly type: 'restored'; readonly id: number; readonly fine: boolean };

/** What a thread is started with. */
export interface WorkerData {
  readonly name: string;
  readonly wasm: Uint8Array;
  readonly limits: MemoryLimits;
  /** WASI's; without arguments the module's name is the only one. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Milliseconds since the epoch that `now` counts from. */
  readonly origin: number;
  /** Milliseconds that every deadline is extended to at least. */
  readonly slackMs: number;
  /** Number of the module on its host. */
  readonly index: number;
  /** `shared.ts`. */
  readonly control: SharedArrayBuffer;
  readonly stats: SharedArrayBuffer;
  /** One word that changes with the host's modules: bindings are void then. */
  readonly epoch: SharedArrayBuffer;
}
