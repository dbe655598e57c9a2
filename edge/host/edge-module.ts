// One module of an edge host over its life: started, invoked one call at a time, restarted after faults by its policy,
// paused for a move. Takes a manifest entry and wasm; knows no route and no other module.
import { InternalError } from '../../compiler/diagnostics.js';
import { numberRequirements, type NumberedRequirement } from '../../manifest/requirements.js';
import type { MemoryLimits } from '../module/interface.js';
import type { Fault, HandlerRequest, HostQuestion, Invocation } from '../worker/protocol.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';
import type { Chains, Holder } from './chains.js';
import { LatencyWindow } from './latency.js';
import { ModuleThread, type Ending } from './module-thread.js';
import { RestartPlan } from './restart-plan.js';
import type { FaultReport, ModuleModel, ModuleStatus, RunState } from './types.js';

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
}

export interface ModuleOptions {
  readonly origin: number;
  /** Milliseconds that every deadline is extended to at least. */
  readonly slackMs: number;
  readonly chains: Chains;
  readonly limits: MemoryLimits;
}

interface Waiting {
  readonly job: Job;
  readonly settle: (result: JobResult) => void;
}

/** Jobs that wait for one module; more are refused. */
const MAX_WAITING = 1000;
const US_PER_MS = 1000;

export class EdgeModule implements Holder {
  /** By the number that `call` gives. */
  readonly requirements: readonly NumberedRequirement[];
  private thread: ModuleThread | null = null;
  private runState: RunState = 'stopped';
  private readonly queue: Waiting[] = [];
  private running = 0;
  private runningChain: number | null = null;
  private paused = false;
  /** It has not been up here yet. */
  private fresh = true;
  /** It comes with a state from elsewhere. */
  private moving = false;
  private idleWaiters: (() => void)[] = [];
  private nextInvocation = 1;
  /** Counts faults: what an earlier instance still ends as is no news. */
  private generation = 0;
  private calls = 0;
  private faults = 0;
  private memoryBytes: number;
  private lastFault: FaultReport | null = null;
  private readonly restarts: RestartPlan;
  private readonly latency = new LatencyWindow();
  private restartTimer: NodeJS.Timeout | null = null;

  constructor(
    readonly model: ModuleModel,
    private readonly wasm: Uint8Array,
    private readonly events: ModuleEvents,
    private readonly options: ModuleOptions,
  ) {
    this.requirements = numberRequirements(model.requires);
    this.restarts = new RestartPlan(model.restart);
    this.memoryBytes = options.limits[0]?.bytes ?? 0;
  }

  get status(): ModuleStatus {
    const { name, version } = this.model;
    const { calls, faults, lastFault, memoryBytes, runState: state } = this;
    const { count: restarts } = this.restarts;
    const latency = this.latency.read(performance.now());
    const memoryMaxBytes = this.options.limits[0]?.maxBytes ?? 0;
    return { name, version, state, calls, faults, restarts, lastFault, latency, memoryBytes, memoryMaxBytes };
  }

  /** The chain that has this module now, or null. */
  get chain(): number | null {
    return this.runningChain;
  }

  /** Can it take requests, now or (paused for a move) later? */
  get available(): boolean {
    return this.runState === 'running' || this.paused || (this.moving && this.arriving);
  }

  /** It starts here for the first time: requests of its callers elsewhere have come before it and wait. */
  get arriving(): boolean {
    return this.fresh && this.runState === 'starting';
  }

  /** Can it be given windows? */
  get isUp(): boolean {
    return this.runState === 'running' || this.runState === 'starting';
  }

  /** Starts it, from a state if one is given. False if that failed; then its policy has decided what comes next. */
  async start(state?: ScalarSnapshot): Promise<boolean> {
    this.moving = state !== undefined;
    this.enter('starting');
    const thread = this.thread ?? this.spawn();
    await thread.ready;
    if (state !== undefined) {
      if (!(await thread.restore(state))) {
        if (this.thread === thread) this.enter('failed');
        return false;
      }
    } else {
      const { chains } = this.options;
      const { startDeadlineUs } = this.model;
      const chain = chains.begin();
      const ending = await chains.within(chain, this, startDeadlineUs, () =>
        thread.invoke({
          id: this.nextInvocation++,
          chain,
          depth: 0,
          entry: null,
          request: null,
          args: [],
          delivery: null,
          // Instantiation, _initialize and on_start, each.
          deadline: thread.now() + (3 * startDeadlineUs) / US_PER_MS,
        }),
      );
      this.memoryBytes = thread.memoryBytes || this.memoryBytes;
      if (ending.type !== 'answered') {
        if (this.thread === thread) this.failed(ending);
        return false;
      }
    }
    if (this.thread !== thread) return false;
    this.fresh = false;
    this.enter('running');
    this.next();
    return true;
  }

  /** Runs a job when nothing else runs; at once if its chain is the one that runs here already (a call back). */
  run(job: Job): Promise<JobResult> {
    if (!(this.available || this.arriving) || this.queue.length >= MAX_WAITING)
      return Promise.resolve({ type: 'unavailable' });
    const { chain, deadlineUs } = job;
    return this.options.chains.within(
      chain,
      this,
      deadlineUs,
      () =>
        new Promise((settle) => {
          if (this.runningChain === chain) void this.dispatch({ job, settle });
          else {
            this.queue.push({ job, settle });
            this.next();
          }
        }),
    );
  }

  /** Ends it; `moved`: the jobs that wait are told to look elsewhere. */
  async stop(moved = false): Promise<void> {
    if (this.restartTimer !== null) clearTimeout(this.restartTimer);
    this.restartTimer = null;
    this.generation++;
    this.paused = false;
    this.enter('stopped');
    this.dropQueue(moved ? 'moved' : 'unavailable');
    const { thread } = this;
    this.thread = null;
    await thread?.stop();
  }

  /** A start that a user asks for: earlier faults do not count. */
  forgive(): void {
    this.restarts.forget();
  }

  /** Lets what runs end and nothing else begin. False if it is not running. */
  async pause(): Promise<boolean> {
    if (this.runState !== 'running') return false;
    this.paused = true;
    if (this.running > 0) await new Promise<void>((resolve) => this.idleWaiters.push(resolve));
    return this.paused;
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

  /** A window that an invocation has used is closed: it does not go on. */
  doom(invocation: number): void {
    this.thread?.doom(invocation);
  }

  /** The handler broke its contract: counts as a fault of the module. */
  breach(message: string): void {
    if (!this.available) return;
    this.report({ reason: 'contract broken', message, backtrace: [] });
    this.restartLater();
  }

  private spawn(): ModuleThread {
    const { events, options, model } = this;
    const thread: ModuleThread = new ModuleThread(
      { name: model.name, wasm: this.wasm, limits: options.limits, args: model.args, env: model.env },
      options.origin,
      {
        question: (question) => events.question(question),
        log: (text) => events.log(text),
        console: (bytes) => events.console(bytes),
        crashed: (message) => {
          if (this.thread !== thread) return;
          this.report({ reason: 'killed', message, backtrace: [] });
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
    while (this.running === 0 && !this.paused && this.runState === 'running') {
      const waiting = this.queue.shift();
      if (waiting === undefined) break;
      if (waiting.job.begins?.() === false) waiting.settle({ type: 'unavailable' });
      else void this.dispatch(waiting);
    }
    if (this.running === 0) this.idleWaiters.splice(0).forEach((resolve) => resolve());
  }

  private async dispatch({ job, settle }: Waiting): Promise<void> {
    const thread = this.thread;
    if (thread === null) return settle({ type: 'unavailable' });
    const { chain, depth, entry, request, deadlineUs } = job;
    const outer = this.runningChain;
    const { generation } = this;
    this.running++;
    this.runningChain = chain;
    if (request !== null) this.calls++;
    const begin = performance.now();
    const { args, delivery } = (await job.fetch?.()) ?? { args: job.args, delivery: null };
    const deadline = thread.now() + deadlineUs / US_PER_MS;
    const id = this.nextInvocation++;
    const ending = await thread.invoke({ id, chain, depth, entry, request, args, delivery, deadline });
    this.running--;
    this.runningChain = this.running === 0 ? null : outer;
    this.memoryBytes = thread.memoryBytes || this.memoryBytes;
    if (request !== null) {
      const end = performance.now();
      this.latency.add((end - begin) * US_PER_MS, end);
    }
    if (this.generation === generation && ending.type !== 'answered') this.failed(ending);
    settle(ending);
    this.next();
  }

  /** An invocation (or the start) has ended badly: the state is suspect. */
  private failed(ending: Exclude<Ending, { type: 'answered' }>): void {
    if (ending.type === 'gone') this.thread = null;
    else {
      this.report(ending.fault);
      // It did not end when asked to: its thread has been ended.
      if (ending.type === 'expired' && ending.threadEnded) this.thread = null;
      if (ending.fault.reason === 'exited' && this.model.restart.policy !== 'always') return this.retire('stopped');
    }
    this.restartLater();
  }

  private report({ reason, message, backtrace }: Fault): void {
    this.faults++;
    const time = performance.timeOrigin + performance.now() - this.options.origin;
    this.lastFault = { module: this.model.name, time, reason, message, backtrace };
    this.events.fault(this.lastFault);
  }

  private restartLater(): void {
    if (!this.isUp) return;
    const delay = this.restarts.afterFault(performance.now());
    if (delay === null) return this.retire('failed');
    this.retire('backing off');
    this.restartTimer = setTimeout(() => {
      this.restartTimer = null;
      void this.start();
    }, delay);
  }

  private retire(state: RunState): void {
    this.fresh = false;
    this.generation++;
    this.paused = false;
    this.enter(state);
    this.events.ended();
    this.dropQueue('unavailable');
  }

  private dropQueue(type: 'unavailable' | 'moved'): void {
    for (const { settle } of this.queue.splice(0)) settle({ type });
    this.idleWaiters.splice(0).forEach((resolve) => resolve());
  }
}
