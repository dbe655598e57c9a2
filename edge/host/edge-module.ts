// One module of an edge host over its life: started, invoked one call at a time, restarted after faults by its policy,
// paused for a move. Takes a manifest entry and wasm; knows no route and no other module.
import { InternalError } from '../../compiler/diagnostics.js';
import { payloadBounds } from '../../manifest/model.js';
import { numberRequirements, type NumberedRequirement } from '../../manifest/requirements.js';
import type { CalledBinding, Fault } from '../worker/protocol.js';
import type { ScalarSnapshot } from '../worker/snapshot.js';
import type { Holder } from './chains.js';
import { DirectCounts } from './direct-counts.js';
import type { Job, JobResult, ModuleEvents, ModuleOptions } from './job.js';
import { LatencyWindow } from './latency.js';
import { ModuleThread, type Ending } from './module-thread.js';
import { RestartPlan } from './restart-plan.js';
import type { FaultReport, ModuleModel, ModuleStatus, RunState, ServiceModel } from './types.js';

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
  /** Counts faults: what an earlier instance still ends as is no news. */
  private generation = 0;
  private calls = 0;
  private faults = 0;
  private memoryBytes: number;
  private lastFault: FaultReport | null = null;
  private readonly restarts: RestartPlan;
  private readonly latency = new LatencyWindow();
  private restartTimer: NodeJS.Timeout | null = null;
  private readonly direct = new DirectCounts();

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
    const { faults, lastFault, memoryBytes, runState: state } = this;
    this.direct.read(this.latency);
    const calls = this.calls + this.direct.calls;
    const { count: restarts } = this.restarts;
    const latency = this.latency.read(performance.now());
    const memoryMaxBytes = this.options.limits[0]?.maxBytes ?? 0;
    return { name, version, state, calls, faults, restarts, lastFault, latency, memoryBytes, memoryMaxBytes };
  }

  get index(): number {
    return this.options.index;
  }

  /** The chain that has this module now, or null. */
  get chain(): number | null {
    return this.runningChain ?? this.thread?.lock.chain ?? null;
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
      const ending = await chains.within(chain, this, () =>
        thread.invoke({
          id: thread.nextInvocation(),
          chain,
          depth: 0,
          entry: null,
          request: null,
          args: [],
          delivery: null,
          // Instantiation, _initialize and on_start, each.
          deadline: thread.now() + (3 * startDeadlineUs) / US_PER_MS,
          deadlineUs: startDeadlineUs,
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
    thread.lock.open();
    this.enter('running');
    this.next();
    return true;
  }

  /** Runs a job when nothing else runs; at once if its chain is the one that runs here already (a call back). */
  run(job: Job): Promise<JobResult> {
    if (!(this.available || this.arriving) || this.queue.length >= MAX_WAITING)
      return Promise.resolve({ type: 'unavailable' });
    const { chain } = job;
    return this.options.chains.within(
      chain,
      this,
      () =>
        new Promise((settle) => {
          if (this.chain === chain) void this.dispatch({ job, settle });
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
    this.dropThread();
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
    await new Promise<void>((resolve) => {
      this.idleWaiters.push(resolve);
      this.next();
    });
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
      {
        name: model.name,
        wasm: this.wasm,
        limits: options.limits,
        args: model.args,
        env: model.env,
        origin: options.origin,
        slackMs: options.slackMs,
        index: options.index,
        stats: this.direct.shared,
        epoch: options.epoch,
      },
      {
        question: (question) => events.question(question),
        log: (text) => events.log(text),
        console: (bytes) => events.console(bytes),
        crashed: (message) => {
          if (this.thread !== thread) return;
          this.report({ reason: 'killed', message, backtrace: [] });
          this.dropThread();
          this.restartLater();
        },
        faulted: (fault) => {
          if (this.thread !== thread) return;
          const threadEnded = false;
          if (fault.reason === 'deadline expired') this.failed({ type: 'expired', fault, threadEnded });
          else this.failed({ type: 'faulted', fault });
        },
        freed: (name) => events.freed(name),
        exited: () => events.exited(),
        released: (index) => events.released(index),
      },
    );
    this.thread = thread;
    events.threadChanged();
    return thread;
  }

  private enter(state: RunState): void {
    if (this.runState === state) return;
    this.runState = state;
    this.events.state(state);
  }

  /** The host waited for a thread that called here; it has gone. */
  freed(): void {
    this.next();
  }

  /** What its thread waits for may have happened. */
  wake(): void {
    this.thread?.wake();
  }

  /** Another module's thread is gone, which may have called here. */
  callerGone(index: number): void {
    this.thread?.lock.callerGone(index);
    this.next();
  }

  /** Lets another module call a service here without the host. */
  bind(caller: EdgeModule, service: ServiceModel, uri: string, parameters: readonly string[]): CalledBinding | null {
    if (this.thread === null || caller.thread === null) return null;
    const { request, response, deadlineUs } = service.contract;
    const { path, handler: entry } = service;
    return this.thread.bind(
      caller.thread,
      { entry, uri, parameters, caller: caller.model.name, path, response, deadlineUs },
      { module: this.model.name, request, leastCapacity: response === null ? 0 : payloadBounds(response).min },
    );
  }

  private next(): void {
    if (this.running > 0 || (this.queue.length === 0 && this.idleWaiters.length === 0 && !this.paused))
      return this.running > 0 ? undefined : this.thread?.lock.release();
    if (this.runState !== 'running') return;
    // Another thread has it: `freed` comes back here.
    if (this.thread?.lock.hold() === false) return;
    if (this.paused) return this.idleWaiters.splice(0).forEach((resolve) => resolve());
    for (let waiting = this.queue.shift(); waiting !== undefined; waiting = this.queue.shift()) {
      if (waiting.job.begins?.() !== false) return void this.dispatch(waiting);
      waiting.settle({ type: 'unavailable' });
    }
    this.thread?.lock.release();
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
    const id = thread.nextInvocation();
    const ending = await thread.invoke({ id, chain, depth, entry, request, args, delivery, deadline, deadlineUs });
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
    if (ending.type === 'gone') this.dropThread();
    else {
      this.report(ending.fault);
      // It did not end when asked to: its thread has been ended.
      if (ending.type === 'expired' && ending.threadEnded) this.dropThread();
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

  private dropThread(): void {
    this.thread = null;
    this.events.threadChanged();
  }

  private retire(state: RunState): void {
    this.thread?.lock.close();
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
