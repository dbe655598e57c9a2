// The host's side of one module's thread: starts it, sends invocations, ends it when a deadline passes. Takes wasm bytes
// and callbacks; knows no route, no contract and no restart policy.
import { Worker } from 'node:worker_threads';
import type { Answer, Fault, HostQuestion, Invocation, ToHost, ToModule, WorkerData } from '../worker/protocol.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';

/** How an invocation ended. */
export type Ending =
  | { readonly type: 'answered'; readonly answer: Answer }
  | { readonly type: 'faulted'; readonly fault: Fault }
  | { readonly type: 'expired' }
  /** The thread ended for another reason: a sibling's deadline, a stop. */
  | { readonly type: 'gone' };

export interface ThreadEvents {
  /** Gives the answer to a question; the module waits meanwhile. */
  question(question: HostQuestion): unknown;
  log(text: string): void;
  console(bytes: Uint8Array): void;
  /** The thread has ended by itself: an error of ours, or out of memory. */
  crashed(message: string): void;
}

interface Open {
  readonly invocation: Invocation;
  readonly settle: (ending: Ending) => void;
  /** Runs while the module itself does: while it waits for a call, the callee's time runs. */
  timer: NodeJS.Timeout | null;
  /** Milliseconds left, as of `since`. */
  left: number;
  since: number;
}

/** Sources run through a loader in development; the package has compiled files. */
const IS_SOURCE = import.meta.url.endsWith('.ts');
const ENTRY = new URL(`../worker/thread.${IS_SOURCE ? 'ts' : 'js'}`, import.meta.url);
const LOADER = `import('tsx/esm/api').then(({ register }) => (register(), import(${JSON.stringify(ENTRY.href)})))`;

export class ModuleThread {
  private readonly worker: Worker;
  private readonly signal = new Int32Array(new SharedArrayBuffer(4));
  private readonly open = new Map<number, Open>();
  private readonly replies = new Map<number, (message: ToHost | null) => void>();
  private nextReply = 1;
  private ended = false;
  private isReady: () => void = () => undefined;
  /** Fulfilled when the module is compiled, or the thread has ended. */
  readonly ready = new Promise<void>((resolve) => (this.isReady = resolve));

  constructor(
    name: string,
    wasm: Uint8Array,
    /** Milliseconds since the epoch that the modules' clock counts from. */
    private readonly origin: number,
    private readonly events: ThreadEvents,
    /** Milliseconds that a deadline is at least extended to: threads are scheduled by the host's system. */
    private readonly slack: number,
  ) {
    const data: WorkerData = { name, wasm, origin, signal: this.signal.buffer as SharedArrayBuffer };
    this.worker = new Worker(IS_SOURCE ? LOADER : ENTRY, { workerData: data, name, eval: IS_SOURCE });
    this.worker.on('message', (message: ToHost) => void this.receive(message));
    this.worker.on('error', (error) => {
      if (!this.ended) events.crashed(error.stack ?? error.message);
      this.finish();
    });
    this.worker.on('exit', () => this.finish());
  }

  /** Invocations that have begun and not ended. */
  get busy(): boolean {
    return this.open.size > 0;
  }

  /** The chain that runs here; its calls back come in nested. */
  get chain(): number | null {
    for (const { invocation } of this.open.values()) return invocation.chain;
    return null;
  }

  /** Milliseconds since the origin. */
  now(): number {
    return performance.timeOrigin + performance.now() - this.origin;
  }

  /** Runs one invocation. The thread ends when its deadline has passed: then every other one here ends as `gone`. */
  invoke(invocation: Invocation): Promise<Ending> {
    if (this.ended) return Promise.resolve({ type: 'gone' });
    return new Promise((settle) => {
      const left = Math.max(this.slack, invocation.deadline - this.now());
      const entry: Open = { invocation, settle, timer: null, left, since: 0 };
      this.open.set(invocation.id, entry);
      this.startClock(entry);
      this.send({ type: 'invoke', invocation });
    });
  }

  /** Another module's window on this module's memory; null if it is not there. */
  async memory(
    address: number,
    bytes: number,
    write: readonly { offset: number; data: Uint8Array }[] | null,
  ): Promise<Uint8Array | null> {
    const reply = await this.ask((id) => ({ type: 'memory', id, address, bytes, write }));
    return reply?.type === 'memory' ? reply.bytes : null;
  }

  /** State between calls; null if something runs or the state cannot travel. */
  async snapshot(): Promise<ScalarSnapshot | null> {
    const reply = await this.ask((id) => ({ type: 'snapshot', id }));
    return reply?.type === 'snapshot' ? reply.snapshot : null;
  }

  /** Starts the module in a given state instead of from the beginning. */
  async restore(snapshot: ScalarSnapshot): Promise<boolean> {
    const reply = await this.ask((id) => ({ type: 'restore', id, snapshot }));
    return reply?.type === 'restored' && reply.fine;
  }

  async stop(): Promise<void> {
    this.finish();
    await this.worker.terminate();
  }

  private ask(make: (id: number) => ToModule): Promise<ToHost | null> {
    if (this.ended) return Promise.resolve(null);
    return new Promise((resolve) => {
      const id = this.nextReply++;
      this.replies.set(id, resolve);
      this.send(make(id));
    });
  }

  private send(message: ToModule): void {
    this.worker.postMessage(message);
    Atomics.add(this.signal, 0, 1);
    Atomics.notify(this.signal, 0);
  }

  private async receive(message: ToHost): Promise<void> {
    switch (message.type) {
      case 'ready':
        this.isReady();
        break;
      case 'ended':
        this.settle(
          message.invocation,
          message.answer !== null
            ? { type: 'answered', answer: message.answer }
            : { type: 'faulted', fault: message.fault! },
        );
        break;
      case 'question': {
        const value = await this.answer(message.question);
        if (!this.ended) this.send({ type: 'answer', id: message.id, value });
        break;
      }
      case 'log':
        this.events.log(message.text);
        break;
      case 'console':
        this.events.console(message.bytes);
        break;
      default:
        this.replies.get(message.id)?.(message);
        this.replies.delete(message.id);
    }
  }

  private async answer(question: HostQuestion): Promise<unknown> {
    const caller = question.kind === 'request' ? this.open.get(question.request.invocation) : undefined;
    if (caller?.timer) {
      clearTimeout(caller.timer);
      caller.timer = null;
      caller.left -= this.now() - caller.since;
    }
    const value = await this.events.question(question);
    if (caller !== undefined && this.open.get(caller.invocation.id) === caller) this.startClock(caller);
    return value;
  }

  private startClock(entry: Open): void {
    entry.since = this.now();
    entry.timer = setTimeout(() => this.expire(entry.invocation.id), Math.max(0, entry.left));
  }

  private settle(id: number, ending: Ending): void {
    const entry = this.open.get(id);
    if (entry === undefined) return;
    this.open.delete(id);
    if (entry.timer) clearTimeout(entry.timer);
    entry.settle(ending);
  }

  private expire(id: number): void {
    this.settle(id, { type: 'expired' });
    void this.stop();
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.isReady();
    for (const id of [...this.open.keys()]) this.settle(id, { type: 'gone' });
    for (const resolve of this.replies.values()) resolve(null);
    this.replies.clear();
  }
}
