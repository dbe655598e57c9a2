// One module of an edge host over its life: started, invoked one call at a time, restarted after faults by its policy,
// paused for a move. Takes a manifest entry and wasm; knows no route and no other module.
import { InternalError } from '../../compiler/diagnostics.js';
import { numberRequirements, type NumberedRequirement } from '../../manifest/requirements.js';
import type { Answer, Fault, HandlerRequest, HostQuestion } from '../worker/protocol.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';
import { ModuleThread, type Ending } from './module-thread.js';
import type { FaultReport, ModuleModel, ModuleStatus, RunState } from './types.js';

/** What an invocation is for; `depth` counts the calls of its chain. */
export interface Job {
  readonly chain: number;
  readonly depth: number;
  readonly entry: string;
  readonly request: HandlerRequest | null;
  readonly args: readonly number[];
  readonly budgetMs: number;
}

/** `unavailable`: not running; `moved`: it has left this host while the job waited. */
export type JobResult = Ending | { readonly type: 'unavailable' } | { readonly type: 'moved' };

export interface ModuleEvents {
  question(question: HostQuestion): unknown;
  log(text: string): void;
  console(bytes: Uint8Array): void;
  fault(report: FaultReport): void;
  state(state: RunState): void;
  /** The instance is new: what belonged to the old one is void. */
  restarted(): void;
}

export interface ModuleOptions {
  readonly origin: number;
  /** Milliseconds that every deadline is extended to at least. */
  readonly slackMs: number;
}

interface Waiting {
  readonly job: Job;
  readonly settle: (result: JobResult) => void;
}

const START_CHAIN = 0;
/** The back-off doubles up to this factor, and begins anew after a minute without a fault. */
const MAX_BACKOFF_FACTOR = 64;
const QUIET_MS = 60_000;
const HOUR_MS = 3_600_000;

export class EdgeModule {
  /** By the number that `call` gives. */
  readonly requirements: readonly NumberedRequirement[];
  private thread: ModuleThread | null = null;
  private runState: RunState = 'stopped';
  private readonly queue: Waiting[] = [];
  private running = 0;
  private runningChain: number | null = null;
  private paused = false;
  private idleWaiters: (() => void)[] = [];
  private nextInvocation = 1;
  private calls = 0;
  private faults = 0;
  private restartTimes: number[] = [];
  private backoffFactor = 1;
  private lastFault: FaultReport | null = null;
  private restartTimer: NodeJS.Timeout | null = null;

  constructor(
    readonly model: ModuleModel,
    private readonly wasm: Uint8Array,
    private readonly events: ModuleEvents,
    private readonly options: ModuleOptions,
  ) {
    this.requirements = numberRequirements(model.requires);
  }

  get status(): ModuleStatus {
    const { name, version } = this.model;
    const { calls, faults, lastFault } = this;
    return { name, version, state: this.runState, calls, faults, restarts: this.restartTimes.length, lastFault };
  }

  /** The chain that has this module now, or null. */
  get chain(): number | null {
    return this.runningChain;
  }

  get available(): boolean {
    return this.runState === 'running';
  }

  /** Starts it, from a state if one is given. False if that failed; then its policy has decided what comes next. */
  async start(state?: ScalarSnapshot): Promise<boolean> {
    this.enter('starting');
    const thread = this.thread ?? this.spawn();
    await thread.ready;
    if (state !== undefined) {
      const fine = await thread.restore(state);
      if (!fine) {
        this.enter('failed');
        return false;
      }
    } else {
      const budgetMs = (3 * this.model.startDeadlineUs) / 1000;
      const ending = await thread.invoke({
        id: this.nextInvocation++,
        chain: START_CHAIN,
        depth: 0,
        entry: null,
        request: null,
        args: [],
        deadline: thread.now() + budgetMs,
      });
      if (ending.type !== 'answered') {
        this.failed(ending);
        return false;
      }
    }
    if (this.thread !== thread) return false;
    this.enter('running');
    this.next();
    return true;
  }

  /** Runs a job when nothing else runs; at once if its chain is the one that runs here already (a call back). */
  run(job: Job): Promise<JobResult> {
    if (this.runState !== 'running' && !this.paused) return Promise.resolve({ type: 'unavailable' });
    return new Promise((settle) => {
      if (this.runningChain === job.chain) void this.dispatch({ job, settle });
      else {
        this.queue.push({ job, settle });
        this.next();
      }
    });
  }

  /** Ends it; `moved`: the jobs that wait are told to look elsewhere. */
  async stop(moved = false): Promise<void> {
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    this.restartTimer = null;
    this.paused = false;
    this.enter('stopped');
    this.dropQueue(moved ? 'moved' : 'unavailable');
    const { thread } = this;
    this.thread = null;
    await thread?.stop();
  }

  /** Lets what runs end and nothing else begin. False if it is not running. */
  async pause(): Promise<boolean> {
    if (this.runState !== 'running') return false;
    this.paused = true;
    if (this.running > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    return this.runState === 'running';
  }

  resume(): void {
    this.paused = false;
    this.next();
  }

  /** State of a paused module, or null if it cannot travel. */
  async snapshot(): Promise<ScalarSnapshot | null> {
    if (!this.paused) throw new InternalError('a snapshot of a module that may run');
    return (await this.thread?.snapshot()) ?? null;
  }

  /** Reads or writes the module's memory for somebody it has granted it to. */
  async memory(
    address: number,
    bytes: number,
    write: readonly { readonly offset: number; readonly data: Uint8Array }[] | null,
  ): Promise<Uint8Array | null> {
    return (await this.thread?.memory(address, bytes, write)) ?? null;
  }

  /** The handler broke its contract: counts as a fault of the module. */
  breach(message: string): void {
    this.report('contract broken', message, []);
    this.restartLater();
  }

  private spawn(): ModuleThread {
    const { events, options } = this;
    const thread: ModuleThread = new ModuleThread(
      this.model.name,
      this.wasm,
      options.origin,
      {
        question: (question) => events.question(question),
        log: (text) => events.log(text),
        console: (bytes) => events.console(bytes),
        crashed: (message) => {
          if (this.thread !== thread) return;
          this.report('killed', message, []);
          this.thread = null;
          this.restartLater();
        },
      },
      options.slackMs,
    );
    this.thread = thread;
    return thread;
  }

  private enter(state: RunState): void {
    if (this.runState === state) return;
    this.runState = state;
    this.events.state(state);
  }

  private next(): void {
    if (this.running > 0 || this.paused || this.runState !== 'running') return;
    const waiting = this.queue.shift();
    if (waiting !== undefined) void this.dispatch(waiting);
    else this.idleWaiters.splice(0).forEach((resolve) => resolve());
  }

  private async dispatch({ job, settle }: Waiting): Promise<void> {
    const thread = this.thread;
    if (thread === null) return settle({ type: 'unavailable' });
    this.running++;
    this.runningChain = job.chain;
    this.calls++;
    const ending = await thread.invoke({
      id: this.nextInvocation++,
      chain: job.chain,
      depth: job.depth,
      entry: job.entry,
      request: job.request,
      args: job.args,
      deadline: thread.now() + job.budgetMs,
    });
    this.running--;
    if (this.running === 0) this.runningChain = null;
    if (this.thread === thread && ending.type !== 'answered') this.failed(ending);
    settle(ending);
    if (this.running === 0) this.idleWaiters.splice(0).forEach((resolve) => resolve());
    this.next();
  }

  /** An invocation (or the start) has ended badly: the state is suspect. */
  private failed(ending: Exclude<Ending, { type: 'answered' }>): void {
    if (ending.type === 'expired') {
      this.report('deadline expired', 'deadline expired', []);
      this.thread = null;
    } else if (ending.type === 'gone') this.thread = null;
    else if (ending.fault.reason !== 'killed')
      this.report(ending.fault.reason, ending.fault.message, ending.fault.backtrace);
    this.restartLater();
  }

  private report(reason: FaultReport['reason'], message: string, backtrace: Fault['backtrace']): void {
    this.faults++;
    const time = performance.timeOrigin + performance.now() - this.options.origin;
    if (this.lastFault !== null && time - this.lastFault.time > QUIET_MS) this.backoffFactor = 1;
    this.lastFault = { module: this.model.name, time, reason, message, backtrace };
    this.events.fault(this.lastFault);
  }

  private restartLater(): void {
    if (this.runState === 'backing off' || this.runState === 'stopped' || this.runState === 'failed') return;
    const { policy, max, backoffMs } = this.model.restart;
    const now = performance.now();
    this.restartTimes = this.restartTimes.filter((time) => now - time < HOUR_MS);
    this.events.restarted();
    this.dropQueue('unavailable');
    if (policy === 'never' || (max !== 0 && this.restartTimes.length >= max)) {
      this.enter('failed');
      return;
    }
    this.restartTimes.push(now);
    this.enter('backing off');
    this.restartTimer = setTimeout(() => {
      this.restartTimer = null;
      void this.start();
    }, backoffMs * this.backoffFactor);
    this.backoffFactor = Math.min(MAX_BACKOFF_FACTOR, this.backoffFactor * 2);
  }

  private dropQueue(type: 'unavailable' | 'moved'): void {
    for (const { settle } of this.queue.splice(0)) settle({ type });
  }
}

export type { Answer };
