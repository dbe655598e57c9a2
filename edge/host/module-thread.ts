// The host's side of one module's thread: starts it, sends invocations, ends what passes its deadline. Takes wasm bytes
// and callbacks; knows no route, no contract and no restart policy.
import { Worker } from 'node:worker_threads';
import type {
  Answer,
  CalledBinding,
  Fault,
  HostQuestion,
  Invocation,
  ServedBinding,
  ToHost,
  ToModule,
  WorkerData,
} from '../worker/protocol.js';
import { CONTROL_BYTES, ControlWord, ring } from '../worker/shared.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';
import { ThreadLock } from './thread-lock.js';

/** How an invocation ended. */
export type Ending =
  | { readonly type: 'answered'; readonly answer: Answer }
  | { readonly type: 'faulted'; readonly fault: Fault }
  | { readonly type: 'expired'; readonly fault: Fault; readonly threadEnded: boolean }
  /** The thread ended for another reason: a sibling's deadline, a stop. */
  | { readonly type: 'gone' };

export interface ThreadEvents {
  /** Gives the answer to a question; the module waits meanwhile. */
  question(question: HostQuestion): unknown;
  log(text: string): void;
  console(bytes: Uint8Array): void;
  /** The thread has ended by itself: an error of ours, or out of memory. */
  crashed(message: string): void;
  /** A request of another thread ended so. */
  faulted(fault: Fault): void;
  /** A module that was waited for is free. */
  freed(module: string): void;
  /** It does nothing any more. */
  exited(): void;
  /** The thread of module `index` must not wait for this one. */
  released(index: number): void;
}

interface Open {
  readonly invocation: Invocation;
  readonly settle: (ending: Ending) => void;
  readonly since: number;
  /** Milliseconds that it may run by itself: while it waits for the host or a callee, its time stands still. */
  readonly budget: number;
  /** Milliseconds that its thread had waited for others before. */
  readonly waited: number;
  /** When it was told to end. */
  toldAt: number | null;
}

/** Sources run through a loader in development; the package has compiled files. */
const IS_SOURCE = import.meta.url.endsWith('.ts');
/** By address: the working folder is no place to resolve packages from. */
const TSX = IS_SOURCE ? import.meta.resolve('tsx/esm/api') : '';
const ENTRY = new URL(`../worker/thread.${IS_SOURCE ? 'ts' : 'js'}`, import.meta.url);
const LOADER = `import(${JSON.stringify(TSX)}).then(({ register }) => (register(), import(${JSON.stringify(ENTRY.href)})))`;
/** Of the engine's own heap; the module's memory is not in it, its size is limited by itself. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 2 };
/** Who is late ends by itself when its processor time is over; what neither runs nor waits is ended with its thread. */
const GRACE_MS = 10_000;
/** Callers' targets that a thread knows. */
const MAX_BINDINGS = 1000;

export class ModuleThread {
  private readonly worker: Worker;
  private readonly control = new Int32Array(new SharedArrayBuffer(CONTROL_BYTES));
  readonly lock = new ThreadLock(this.control, (caller) => this.events.released(caller));
  private readonly slack: number;
  private readonly origin: number;
  private nextBinding = 1;
  private readonly open = new Map<number, Open>();
  private readonly replies = new Map<number, (message: ToHost | null) => void>();
  private nextReply = 1;
  private ended = false;
  private watchdog: NodeJS.Timeout | null = null;
  private watchesAt = 0;
  private memory0 = 0;
  private isReady: () => void = () => undefined;
  /** Fulfilled when the module is compiled, or the thread has ended. */
  readonly ready = new Promise<void>((resolve) => (this.isReady = resolve));

  constructor(
    module: Omit<WorkerData, 'control'>,
    private readonly events: ThreadEvents,
  ) {
    this.slack = module.slackMs;
    this.origin = module.origin;
    this.control[ControlWord.Invocation] = 1;
    const workerData: WorkerData = { ...module, control: this.control.buffer as SharedArrayBuffer };
    this.worker = new Worker(IS_SOURCE ? LOADER : ENTRY, {
      workerData,
      name: module.name,
      eval: IS_SOURCE,
      resourceLimits: RESOURCE_LIMITS,
    });
    this.worker.on('message', (message: ToHost) => this.receive(message));
    this.worker.on('error', (error) => {
      if (!this.ended) events.crashed(error.message);
      this.finish();
    });
    this.worker.on('exit', () => {
      this.finish();
      events.exited();
    });
  }

  /** Bytes of memory 0 after the last invocation; 0 before the first. */
  get memoryBytes(): number {
    return this.memory0;
  }

  /** Milliseconds since the origin. */
  now(): number {
    return performance.timeOrigin + performance.now() - this.origin;
  }

  /** Runs one invocation. If it does not end when its deadline has passed the thread does, and every other one is `gone`. */
  invoke(invocation: Invocation): Promise<Ending> {
    if (this.ended) return Promise.resolve({ type: 'gone' });
    return new Promise((settle) => {
      const since = this.now();
      const budget = Math.max(this.slack, invocation.deadline - since);
      this.open.set(invocation.id, { invocation, settle, since, budget, waited: this.waitedMs(since), toldAt: null });
      this.watch(budget);
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

  /** Has an open invocation end as killed when it next asks for anything. */
  doom(invocation: number): void {
    if (!this.ended) this.send({ type: 'doom', invocation });
  }

  /** Number for an invocation: they grow, whoever gives them. */
  nextInvocation(): number {
    return Atomics.add(this.control, ControlWord.Invocation, 1);
  }

  /** What it waits for may have happened. */
  wake(): void {
    ring(this.control);
  }

  /** Lets the thread of another module call here; null if there are too many already. */
  bind(
    caller: ModuleThread,
    served: Omit<ServedBinding, 'callerControl'>,
    called: Pick<CalledBinding, 'module' | 'request' | 'leastCapacity'>,
  ): CalledBinding | null {
    if (this.ended || this.nextBinding >= MAX_BINDINGS) return null;
    const id = this.nextBinding++;
    const callerControl = caller.control.buffer as SharedArrayBuffer;
    this.send({ type: 'binding', id, binding: { ...served, callerControl } });
    const control = this.control.buffer as SharedArrayBuffer;
    return { ...called, id, control, deadlineUs: served.deadlineUs };
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
    Atomics.add(this.control, ControlWord.Posted, 1);
    ring(this.control);
  }

  private receive(message: ToHost): void {
    if (this.ended) return;
    switch (message.type) {
      case 'ready':
        this.isReady();
        break;
      case 'ended': {
        const { invocation, answer, fault, memoryBytes } = message;
        this.memory0 = memoryBytes;
        if (answer !== null) this.settle(invocation, { type: 'answered', answer });
        else if (fault!.reason === 'deadline expired')
          this.settle(invocation, { type: 'expired', fault: fault!, threadEnded: false });
        else this.settle(invocation, { type: 'faulted', fault: fault! });
        break;
      }
      case 'question':
        void this.answer(message.id, message.question);
        break;
      case 'faulted':
        this.events.faulted(message.fault);
        break;
      case 'freed':
        this.events.freed(message.module);
        break;
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

  private async answer(id: number, question: HostQuestion): Promise<void> {
    const value = await this.events.question(question);
    if (!this.ended) this.send({ type: 'answer', id, value });
  }

  /** One timer for all invocations, which need not be set for each: it looks who has used up its time. */
  private watch(delay: number): void {
    const at = this.now() + delay;
    if (this.watchdog !== null) {
      if (at >= this.watchesAt) return;
      clearTimeout(this.watchdog);
    }
    this.watchesAt = at;
    this.watchdog = setTimeout(() => {
      this.watchdog = null;
      this.expire();
    }, delay);
  }

  private expire(): void {
    // The others wait for it.
    const entry = [...this.open.values()].pop();
    if (entry === undefined) return;
    const now = this.now();
    const { invocation, since, budget, waited, toldAt } = entry;
    const used = now - since - (this.waitedMs(now) - waited);
    if (toldAt !== null && now - toldAt >= GRACE_MS) return this.kill(invocation.id);
    if (toldAt === null && used >= budget) {
      entry.toldAt = now;
      Atomics.store(this.control, ControlWord.Expired, invocation.id);
    }
    this.watch(Math.max(1, entry.toldAt !== null ? GRACE_MS : budget - used));
  }

  /** Milliseconds that the thread has waited for others until `now`. */
  private waitedMs(now: number): number {
    const since = Atomics.load(this.control, ControlWord.WaitingSince);
    return Atomics.load(this.control, ControlWord.WaitedMs) + (since === 0 ? 0 : Math.max(0, now - since));
  }

  private kill(id: number): void {
    const fault: Fault = { reason: 'deadline expired', message: 'deadline expired', backtrace: [] };
    this.settle(id, { type: 'expired', fault, threadEnded: true });
    void this.stop();
  }

  private settle(id: number, ending: Ending): void {
    const entry = this.open.get(id);
    if (entry === undefined) return;
    this.open.delete(id);
    entry.settle(ending);
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.lock.close();
    if (this.watchdog !== null) clearTimeout(this.watchdog);
    this.isReady();
    for (const id of [...this.open.keys()]) this.settle(id, { type: 'gone' });
    for (const resolve of this.replies.values()) resolve(null);
    this.replies.clear();
  }
}
