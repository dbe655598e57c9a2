// A place that runs modules of one thing on the edge: their lives, events and moves. Takes manifest entries with their
// wasm; requests that no module here serves go to `elsewhere`. Knows no network.
import { METHOD_NUMBERS, Method, RESULT_CODE_SHIFT, ResponseCode } from '../../compiler/abi/os-layout.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { matchPath, segmentsOf } from '../imc/routes.js';
import { callerAt } from '../security/callers.js';
import type { Answer, Invocation } from '../worker/protocol.js';
import { builtInServices } from './built-in.js';
import { Chains } from './chains.js';
import { bare, Dispatcher, type HostedService } from './dispatcher.js';
import { EdgeModule } from './edge-module.js';
import { GrantTable } from './grants.js';
import { planModule } from './plan.js';
import { Questions } from './questions.js';
import { Subscriptions, type Subscription } from './subscriptions.js';
import { Timers } from './timers.js';
import type {
  EdgeHostOptions,
  EdgeModuleInput,
  HostEvent,
  ModuleModel,
  ModuleState,
  ModuleStatus,
  RunState,
  ServiceRequest,
} from './types.js';

const DEFAULT_SLACK_MS = 100;
const EMPTY = new Uint8Array(0);
/** `MODULE@THING`; a client's name (`user:ada`) is none of a module. */
const NEWLINE = 0x0a;

export class EdgeHost {
  readonly origin = performance.timeOrigin + performance.now();
  private readonly modules = new Map<string, EdgeModule>();
  private readonly chains = new Chains();
  /** Changes with the modules: threads look here before they call each other. */
  private readonly epoch = new Int32Array(new SharedArrayBuffer(4));
  private nextIndex = 1;
  private readonly grants = new GrantTable(
    () => this.now(),
    ({ holder, usedBy }) => this.modules.get(holder)?.doom(usedBy),
  );
  private readonly timers = new Timers((module, id, begins) => void this.timerEvent(module, id, begins));
  private readonly subscriptions = new Subscriptions({
    deliver: (subscription, begins) => this.deliver(subscription, begins),
    isHere: (uri) => this.dispatcher.find(uri, Method.Get)?.service.observable === true,
    observeElsewhere: (uri, changed) => this.options.observeElsewhere?.(uri, changed) ?? null,
  });
  private readonly dispatcher: Dispatcher;
  private readonly questions: Questions;

  constructor(private readonly options: EdgeHostOptions) {
    const { chains, grants, timers, subscriptions } = this;
    this.dispatcher = new Dispatcher({
      chains,
      builtIn: builtInServices(this),
      elsewhere: async (request) => (await options.elsewhere?.(this.asSeenElsewhere(request))) ?? null,
      emit: (event) => this.emit(event),
      now: () => this.now(),
    });
    const { dispatcher } = this;
    const module = (name: string): EdgeModule | undefined => this.modules.get(name);
    const localUri = (uri: string): string => this.localUri(uri);
    this.questions = new Questions({ dispatcher, grants, timers, subscriptions, module, localUri });
  }

  /** Milliseconds since the start of the host. */
  now(): number {
    return performance.timeOrigin + performance.now() - this.origin;
  }

  get name(): string {
    return this.options.name;
  }

  /** Every service here, for discovery. */
  services(): readonly HostedService[] {
    return this.dispatcher.services();
  }

  status(): ModuleStatus[] {
    return [...this.modules.values()].map(({ status }) => status);
  }

  /**
   * Adds a module and starts it. False if it did not start; its restart policy goes on from there.
   * @throws DiagnosticErrors if it does not fit its manifest entry; then it is not there
   */
  async add({ model, wasm, state }: EdgeModuleInput): Promise<boolean> {
    if (this.modules.has(model.name)) throw new InternalError(`${this.name} has a module "${model.name}" already`);
    const { name } = model;
    const index = this.nextIndex++;
    const module: EdgeModule = new EdgeModule(
      model,
      wasm,
      {
        question: (question) => this.questions.answer(module, question),
        log: (text) => this.emit({ type: 'log', module: name, text }),
        console: (bytes) => this.emit({ type: 'console', module: name, bytes }),
        fault: (fault) => this.emit({ type: 'fault', fault }),
        state: (value) => this.stateChanged(model, value),
        ended: () => this.forget(name),
        freed: (other) => this.modules.get(other)?.freed(),
        threadChanged: () => this.changed(),
        released: (caller) => {
          for (const other of this.modules.values()) if (other.index === caller) other.wake();
        },
        exited: () => {
          for (const other of this.modules.values()) if (other !== module) other.callerGone(index);
        },
      },
      {
        origin: this.origin,
        slackMs: this.options.slackMs ?? DEFAULT_SLACK_MS,
        chains: this.chains,
        limits: planModule(model, wasm),
        index,
        epoch: this.epoch.buffer as SharedArrayBuffer,
      },
    );
    this.modules.set(name, module);
    this.dispatcher.add(module);
    this.changed();
    const started = await module.start(state?.scalars);
    if (started && state !== undefined) {
      this.timers.restore(name, state.timers);
      this.subscriptions.restore(name, state.subscriptions);
    }
    return started;
  }

  /** Removes a module; requests that wait for it go elsewhere (`moved`: so do those who observe it). */
  async remove(name: string, moved = false): Promise<boolean> {
    const module = this.modules.get(name);
    if (module === undefined) return false;
    this.modules.delete(name);
    this.dispatcher.remove(module);
    this.changed();
    this.forget(name);
    await module.stop(moved);
    this.subscriptions.settle(() => false);
    return true;
  }

  /** Stops a module; it stays here, and its services answer 5.03 until `restart`. */
  async halt(name: string): Promise<void> {
    this.forget(name);
    await this.modules.get(name)?.stop();
  }

  /** Starts a module (again) from the beginning. */
  async restart(name: string): Promise<boolean> {
    const module = this.modules.get(name);
    if (module === undefined) return false;
    await this.halt(name);
    module.forgive();
    return module.start();
  }

  /**
   * Stops a module between calls and gives its state; requests wait from here on, until `release` or `remove`. Null if it
   * is not running or holds what cannot travel; then it goes on.
   */
  async freeze(name: string): Promise<ModuleState | null> {
    const module = this.modules.get(name);
    if (module === undefined || !(await module.pause())) return null;
    const scalars = await module.snapshot();
    if (scalars === null) {
      module.resume();
      return null;
    }
    const timers = this.timers.suspend(name);
    return { scalars, timers, subscriptions: this.subscriptions.of(name) };
  }

  /** Undoes `freeze`. */
  release(name: string): void {
    this.timers.resume(name);
    this.modules.get(name)?.resume();
  }

  async close(): Promise<void> {
    this.timers.clear();
    this.subscriptions.clear();
    await Promise.all([...this.modules.values()].map((module) => module.stop()));
    this.modules.clear();
  }

  /** A request from outside: a client behind the gateway, another host. */
  request(request: ServiceRequest): Promise<Answer> {
    return this.dispatcher.route(this.asSeenHere(request), null);
  }

  /** The same, but only to modules here: null if none has the path (any more); then nothing has run. */
  async requestHere(request: ServiceRequest): Promise<Answer | null> {
    const result = await this.dispatcher.serveHere(this.asSeenHere(request), null);
    return typeof result === 'string' ? null : result;
  }

  /** Calls `changed` after every notification for the path of `uri`; gives a function that ends it, null if not observable. */
  observe(uri: string, changed: () => void): (() => void) | null {
    if (this.dispatcher.find(uri, Method.Get)?.service.observable !== true) return null;
    return this.subscriptions.addOutside(uri, changed);
  }

  /** A line that a module or client prints through /dev/console, as the device shows it. */
  writeConsole(module: string, bytes: Uint8Array): void {
    const end = bytes[bytes.length - 1] === NEWLINE ? '' : '\n';
    this.emit({ type: 'console', module, bytes: Buffer.concat([Buffer.from(`${module}: `), bytes, Buffer.from(end)]) });
  }

  /** What threads know of each other is void. */
  private changed(): void {
    Atomics.add(this.epoch, 0, 1);
  }

  private emit(event: HostEvent): void {
    this.options.onEvent?.(event);
  }

  /** `//THING/path` of the own thing is /path. */
  private localUri(uri: string): string {
    const own = `//${this.options.thing ?? ''}`;
    if (this.options.thing === undefined || !uri.startsWith(own)) return uri;
    const rest = uri.slice(own.length);
    return rest.startsWith('/') ? rest : uri;
  }

  /** A module of the own thing is called by its bare name here. */
  private asSeenHere(request: ServiceRequest): ServiceRequest {
    const { thing } = this.options;
    return thing === undefined ? request : { ...request, caller: callerAt(request.caller, thing) };
  }

  /** Another thing knows a module of this one by both names. */
  private asSeenElsewhere(request: ServiceRequest): ServiceRequest {
    const { thing } = this.options;
    if (thing === undefined || !request.uri.startsWith('//') || !this.modules.has(request.caller)) return request;
    return { ...request, caller: `${request.caller}@${thing}` };
  }

  /** What belonged to an instance that is gone. */
  private forget(name: string): void {
    this.timers.drop(name);
    this.subscriptions.drop(name);
    this.grants.revokeAll(name);
  }

  /** Who observes a module hears of its faults and starts. */
  private stateChanged({ name, provides }: ModuleModel, state: RunState): void {
    this.emit({ type: 'state', module: name, state });
    if (state === 'starting') return;
    const patterns = provides.flatMap(({ path, observable }) => (observable ? [segmentsOf(path)] : []));
    this.subscriptions.settle((path) => {
      const segments = path.split('/');
      return patterns.some((pattern) => matchPath(pattern, segments) !== null);
    });
  }

  private async timerEvent(name: string, id: number, begins: () => boolean): Promise<void> {
    const module = this.modules.get(name);
    if (module === undefined) return;
    const chain = this.chains.begin();
    const { eventDeadlineUs: deadlineUs } = module.model;
    await module.run({ chain, depth: 0, entry: 'on_timer', request: null, args: [id], deadlineUs, begins });
  }

  /** Has a subscriber get the new representation, and tells it, in one event. */
  private async deliver({ module: name, id, uri, address, capacity, gone }: Subscription, begins: () => boolean) {
    const module = this.modules.get(name);
    if (module === undefined) return;
    const { eventDeadlineUs: deadlineUs } = module.model;
    const chain = this.chains.begin();
    const request = { method: METHOD_NUMBERS.GET, uri, payload: EMPTY, caller: name, capacity };
    const fetch = async (): Promise<Pick<Invocation, 'args' | 'delivery'>> => {
      const found = gone
        ? bare(ResponseCode.NotFound)
        : await this.dispatcher.route(request, { chain, depth: 0, deadlineUs });
      const { code, payload } = found.payload.length > capacity ? bare(ResponseCode.RequestEntityTooLarge) : found;
      const delivery = payload.length === 0 ? null : { address, data: payload };
      return { args: [id, (code << RESULT_CODE_SHIFT) | payload.length], delivery };
    };
    await module.run({ chain, depth: 0, entry: 'on_notify', request: null, args: [], deadlineUs, begins, fetch });
  }
}
