// A place that runs modules on the edge: routes requests between them, checks contracts, runs timers and notifications.
// Takes manifest entries with their wasm; requests that no module here serves go to `elsewhere`. Knows no network.
import { METHOD_NUMBERS, CALL_DEPTH, Method, RESULT_CODE_SHIFT, ResponseCode } from '../../compiler/abi/os-layout.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { payloadBounds } from '../../manifest/model.js';
import { isExact } from '../../manifest/requirements.js';
import { checkPayload } from '../imc/payload.js';
import { TokenBucket } from '../imc/rate.js';
import { covers, RouteTable, segmentsOf } from '../imc/routes.js';
import type { Answer, HostAnswers, HostQuestion, ModuleRequest } from '../worker/protocol.js';
import { builtInServices, type BuiltIn } from './built-in.js';
import { EdgeModule, type Job } from './edge-module.js';
import { GrantTable } from './grants.js';
import { Subscriptions } from './subscriptions.js';
import { Timers } from './timers.js';
import type { EdgeModuleInput, HostEvent, ModuleState, ModuleStatus, ServiceModel, ServiceRequest } from './types.js';

/** A service of a module here. */
export interface HostedService {
  readonly module: EdgeModule;
  readonly service: ServiceModel;
  readonly rate: TokenBucket | null;
}

export interface EdgeHostOptions {
  readonly name: string;
  readonly onEvent?: (event: HostEvent) => void;
  /** Where requests go that nothing here serves; null: nobody knows the path either. */
  readonly elsewhere?: (request: ServiceRequest) => Promise<Answer | null>;
  /**
   * Deadlines are CPU time on the device and wall-clock time here, where threads wait for processors: every one is
   * extended to at least this many milliseconds.
   */
  readonly slackMs?: number;
}

const DEFAULT_SLACK_MS = 100;
const EMPTY = new Uint8Array(0);
/** Bytes of text that an error response may carry, as on the device. */
const MAX_ERROR_TEXT = 64;

const answer = (code: number): Answer => ({ code, payload: EMPTY });

/** Where a request comes from inside: its chain, how deep, and how long its own invocation may take. */
interface Origin {
  readonly chain: number;
  readonly depth: number;
  readonly deadlineUs: number;
}

export class EdgeHost {
  readonly origin = performance.timeOrigin + performance.now();
  private readonly modules = new Map<string, EdgeModule>();
  private readonly routes = new RouteTable<HostedService>();
  private readonly builtIn: RouteTable<BuiltIn>;
  private readonly grants = new GrantTable(() => this.now());
  private readonly timers = new Timers((module, id) => void this.event(module, 'on_timer', [id]));
  private readonly subscriptions = new Subscriptions((module, id) => void this.deliver(module, id));
  /** Which module each chain waits for, to see circles. */
  private readonly waitsFor = new Map<number, EdgeModule>();
  /** Deadline of the service that each open invocation of a chain runs, innermost last. */
  private readonly budgets = new Map<number, number[]>();
  private nextChain = 1;

  constructor(private readonly options: EdgeHostOptions) {
    this.builtIn = builtInServices(this);
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
    return [...this.routes];
  }

  status(): ModuleStatus[] {
    return [...this.modules.values()].map(({ status }) => status);
  }

  /** Adds a module and starts it. False if it did not start; its restart policy goes on from there. */
  async add({ model, wasm, state }: EdgeModuleInput): Promise<boolean> {
    if (this.modules.has(model.name)) throw new InternalError(`${this.name} has a module "${model.name}" already`);
    const { name } = model;
    const emit = (event: HostEvent): void => this.emit(event);
    const module: EdgeModule = new EdgeModule(
      model,
      wasm,
      {
        question: (question) => this.answerQuestion(module, question),
        log: (text) => emit({ type: 'log', module: name, text }),
        console: (bytes) => emit({ type: 'console', module: name, bytes }),
        fault: (fault) => emit({ type: 'fault', fault }),
        state: (value) => emit({ type: 'state', module: name, state: value }),
        restarted: () => this.forget(name),
      },
      { origin: this.origin, slackMs: this.options.slackMs ?? DEFAULT_SLACK_MS },
    );
    this.modules.set(name, module);
    for (const service of model.provides) {
      const { rate, burst } = service.contract;
      const bucket = rate === 0 ? null : new TokenBucket(rate, burst, () => this.now());
      this.routes.add(service.path, METHOD_NUMBERS[service.method], { module, service, rate: bucket });
    }
    const started = await module.start(state?.scalars);
    if (started && state !== undefined) {
      this.timers.restore(name, state.timers);
      this.subscriptions.restore(name, state.subscriptions);
    }
    return started;
  }

  /** Removes a module; requests that wait for it go elsewhere. */
  async remove(name: string, moved = false): Promise<boolean> {
    const module = this.modules.get(name);
    if (module === undefined) return false;
    this.modules.delete(name);
    this.routes.remove((entry) => entry.module !== module);
    this.forget(name);
    await module.stop(moved);
    return true;
  }

  /** Stops a module; it stays here, and its services answer 5.03 until `restart`. */
  async halt(name: string): Promise<void> {
    this.forget(name);
    await this.modules.get(name)?.stop();
  }

  /** Starts a module again from the beginning. */
  async restart(name: string): Promise<boolean> {
    const module = this.modules.get(name);
    if (module === undefined) return false;
    this.forget(name);
    await module.stop();
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
    await Promise.all([...this.modules.values()].map((module) => module.stop()));
    this.modules.clear();
  }

  /** A request from outside: a client behind the gateway, another host. Names of modules there are in `caller`. */
  request(request: ServiceRequest): Promise<Answer> {
    return this.route(request, null);
  }

  /** The same, but only to modules here: null if none has the path (any more); then nothing has run. */
  async requestHere(request: ServiceRequest): Promise<Answer | null> {
    const result = await this.serveHere(request, null);
    return typeof result === 'string' ? null : result;
  }

  /** Calls `changed` after every notification for the path of `uri`; gives a function that ends it, null if not observable. */
  observe(uri: string, changed: () => void): (() => void) | null {
    const found = this.routes.find(segmentsOf(uri), Method.Get);
    if (found === null || found === 'method' || !found.value.service.observable) return null;
    return this.subscriptions.addOutside(uri, changed);
  }

  /** Text that a module or client prints. */
  writeConsole(module: string, bytes: Uint8Array): void {
    this.emit({ type: 'console', module, bytes });
  }

  private emit(event: HostEvent): void {
    this.options.onEvent?.(event);
  }

  /** What belonged to an instance that is gone. */
  private forget(name: string): void {
    this.timers.drop(name);
    this.subscriptions.drop(name);
    this.grants.revokeAll(name);
  }

  private async route(request: ServiceRequest, origin: Origin | null): Promise<Answer> {
    const own = this.builtIn.find(segmentsOf(request.uri), request.method);
    if (own !== null) return own === 'method' ? answer(ResponseCode.MethodNotAllowed) : own.value(request);
    const result = await this.serveHere(request, origin);
    if (typeof result !== 'string') return result;
    const remote = await this.options.elsewhere?.(request);
    return remote ?? answer(result === 'path' ? ResponseCode.NotFound : ResponseCode.MethodNotAllowed);
  }

  /** `'path'`: no module here has the path; `'method'`: only with other methods. */
  private async serveHere(request: ServiceRequest, origin: Origin | null): Promise<Answer | 'path' | 'method'> {
    const start = this.now();
    const path = segmentsOf(request.uri);
    for (;;) {
      const found = this.routes.find(path, request.method);
      if (found === null) return 'path';
      if (found === 'method') return 'method';
      const result = await this.serve(found.value, found.parameters, request, origin);
      // It left while the request waited: look again.
      if (result === 'moved') continue;
      const { name } = found.value.module.model;
      const milliseconds = this.now() - start;
      this.emit({ type: 'call', from: request.caller, to: name, path: request.uri, code: result.code, milliseconds });
      return result;
    }
  }

  private async serve(
    { module, service, rate }: HostedService,
    parameters: readonly string[],
    request: ServiceRequest,
    origin: Origin | null,
  ): Promise<Answer | 'moved'> {
    const { contract } = service;
    if (contract.callers !== null && !contract.callers.includes(request.caller)) return answer(ResponseCode.Forbidden);
    const depth = origin === null ? 0 : origin.depth + 1;
    if (depth >= CALL_DEPTH) return answer(ResponseCode.ServiceUnavailable);
    if (origin !== null && contract.deadlineUs > origin.deadlineUs) return answer(ResponseCode.GatewayTimeout);
    if (rate !== null && !rate.take()) return answer(ResponseCode.TooManyRequests);
    const refused = checkPayload(request.payload, contract.request);
    if (refused !== null) return answer(refused);
    // A handler that writes its record into too small a buffer would trap for its caller's fault.
    if (contract.response !== null && request.capacity < payloadBounds(contract.response).min)
      return answer(ResponseCode.RequestEntityTooLarge);
    const chain = origin?.chain ?? this.nextChain++;
    if (this.wouldCircle(chain, module)) return answer(ResponseCode.ServiceUnavailable);
    const { uri, caller, payload, capacity } = request;
    const job: Job = {
      chain,
      depth,
      entry: service.handler,
      request: { uri, parameters, caller, payload, capacity },
      args: [],
      budgetMs: contract.deadlineUs / 1000,
    };
    const result = await this.inChain(chain, module, contract.deadlineUs, () => module.run(job));
    switch (result.type) {
      case 'answered':
        return this.checkAnswer(module, service, result.answer);
      case 'expired':
        return answer(ResponseCode.GatewayTimeout);
      case 'moved':
        return 'moved';
      case 'unavailable':
        return answer(ResponseCode.ServiceUnavailable);
      default:
        return answer(ResponseCode.InternalServerError);
    }
  }

  private async inChain<T>(chain: number, module: EdgeModule, deadlineUs: number, run: () => Promise<T>): Promise<T> {
    const outer = this.waitsFor.get(chain);
    const budgets = this.budgets.get(chain) ?? [];
    this.budgets.set(chain, budgets);
    budgets.push(deadlineUs);
    this.waitsFor.set(chain, module);
    try {
      return await run();
    } finally {
      budgets.pop();
      if (budgets.length === 0) this.budgets.delete(chain);
      if (outer === undefined) this.waitsFor.delete(chain);
      else this.waitsFor.set(chain, outer);
    }
  }

  /** Does `module` wait, over any number of others, for something that `chain` holds? */
  private wouldCircle(chain: number, module: EdgeModule): boolean {
    let at: EdgeModule | undefined = module;
    for (const seen = new Set<EdgeModule>(); at !== undefined && !seen.has(at);) {
      seen.add(at);
      const holder: number | null = at.chain;
      if (holder === null) return false;
      if (holder === chain) return at !== module;
      at = this.waitsFor.get(holder);
    }
    return false;
  }

  private checkAnswer(module: EdgeModule, { contract, path }: ServiceModel, result: Answer): Answer {
    const { code, payload } = result;
    const kind = code >> 5;
    let breach: string | null = null;
    if (kind !== 2 && kind !== 4 && kind !== 5) breach = `answers with code ${kind}.${code & 31}`;
    else if (kind === 2 && checkPayload(payload, contract.response) !== null) breach = 'answers against its contract';
    else if (kind !== 2 && payload.length > MAX_ERROR_TEXT) breach = `error text of ${payload.length} bytes`;
    if (breach === null) return result;
    module.breach(`/${path}: ${breach}`);
    return answer(ResponseCode.InternalServerError);
  }

  /** A timer or notification: an event of its own, one chain. */
  private async event(name: string, entry: string, args: readonly number[]): Promise<void> {
    const module = this.modules.get(name);
    if (module === undefined) return;
    const chain = this.nextChain++;
    const { eventDeadlineUs } = module.model;
    const job: Job = { chain, depth: 0, entry, request: null, args, budgetMs: eventDeadlineUs / 1000 };
    await this.inChain(chain, module, eventDeadlineUs, () => module.run(job));
  }

  /** Gets the new representation for a subscription into its buffer and tells the subscriber. */
  private async deliver(name: string, id: number): Promise<void> {
    const module = this.modules.get(name);
    const subscription = this.subscriptions.find(name, id);
    if (module === undefined || subscription === null) return;
    const { uri, address, capacity } = subscription;
    const result = await this.route({ method: Method.Get, uri, payload: EMPTY, caller: name, capacity }, null);
    if (result.payload.length > 0) await module.memory(address, capacity, [{ offset: 0, data: result.payload }]);
    await this.event(name, 'on_notify', [id, (result.code << RESULT_CODE_SHIFT) | result.payload.length]);
  }

  private answerQuestion(module: EdgeModule, question: HostQuestion): unknown {
    const { name } = module.model;
    switch (question.kind) {
      case 'request':
        return this.fromModule(module, question.request);
      case 'grant':
        return this.grant(module, question) satisfies HostAnswers['grant'];
      case 'revoke':
        return this.grants.revoke(question.window, name) ? 1 : 0;
      case 'window-read':
        return this.readWindow(name, question.window);
      case 'window-write':
        return this.writeWindow(name, question.window, question.write);
      case 'observe':
        return this.subscribe(module, question);
      case 'unobserve':
        return this.subscriptions.remove(name, question.subscription) ? 1 : 0;
      case 'notify':
        return this.notify(module, question.path);
      case 'timer':
        return this.timers.set(name, question.id, question.first, question.period) ? 1 : 0;
    }
  }

  private async fromModule(module: EdgeModule, request: ModuleRequest): Promise<Answer> {
    const { model } = module;
    const { chain, depth, payload, capacity } = request;
    let method: number;
    let uri: string;
    if ('requirement' in request.target) {
      const numbered = module.requirements[request.target.requirement];
      if (numbered === undefined) return answer(ResponseCode.Forbidden);
      const { requirement, methods } = numbered;
      if (!isExact(requirement)) return answer(ResponseCode.BadRequest);
      method = METHOD_NUMBERS[methods[0]!];
      uri = `/${requirement.path}`;
    } else {
      ({ method, uri } = request.target);
      if (!this.mayCall(module, method, uri)) return answer(ResponseCode.Forbidden);
    }
    const budgets = this.budgets.get(chain);
    const deadlineUs = budgets?.[budgets.length - 1] ?? model.startDeadlineUs;
    const result = await this.route(
      { method, uri, payload, caller: model.name, capacity },
      { chain, depth, deadlineUs },
    );
    return result.payload.length > capacity ? answer(ResponseCode.RequestEntityTooLarge) : result;
  }

  private mayCall({ model }: EdgeModule, method: number, uri: string): boolean {
    const path = segmentsOf(uri);
    return model.requires.some(
      (requirement) =>
        requirement.methods.some((name) => METHOD_NUMBERS[name] === method) &&
        covers(segmentsOf(requirement.path), path),
    );
  }

  private grant(module: EdgeModule, question: Extract<HostQuestion, { kind: 'grant' }>): number {
    let holder = question.caller;
    if (question.requirement !== null) {
      const requirement = module.model.requires[question.requirement];
      if (requirement === undefined) return 0;
      const found = this.routes.find(segmentsOf(requirement.path), METHOD_NUMBERS[requirement.methods[0]!]);
      holder = found === null || found === 'method' ? null : found.value.module.model.name;
    }
    if (holder === null || !this.modules.has(holder)) return 0;
    const { address, bytes, rights, milliseconds } = question;
    return this.grants.grant(module.model.name, holder, address, bytes, rights, milliseconds);
  }

  private async readWindow(holder: string, window: number): Promise<HostAnswers['window-read']> {
    const grant = this.grants.find(window, holder);
    const bytes = await this.modules.get(grant?.owner ?? '')?.memory(grant!.address, grant!.bytes, null);
    return grant === null || !bytes ? null : { bytes, rights: grant.rights };
  }

  private async writeWindow(
    holder: string,
    window: number,
    write: readonly { readonly offset: number; readonly data: Uint8Array }[],
  ): Promise<boolean> {
    const grant = this.grants.find(window, holder);
    if (grant === null) return false;
    const owner = this.modules.get(grant.owner);
    return owner !== undefined && (await owner.memory(grant.address, grant.bytes, write)) !== null;
  }

  private subscribe(module: EdgeModule, question: Extract<HostQuestion, { kind: 'observe' }>): number {
    const { uri, address, capacity } = question;
    if (!this.mayCall(module, Method.Get, uri)) return -1;
    const found = this.routes.find(segmentsOf(uri), Method.Get);
    if (found === null || found === 'method' || !found.value.service.observable) return -1;
    return this.subscriptions.add(module.model.name, { uri, address, capacity });
  }

  private notify({ model }: EdgeModule, path: string): number {
    const segments = segmentsOf(path);
    const found = this.routes.find(segments, Method.Get);
    if (found === null || found === 'method' || found.value.module.model !== model) return 0;
    return this.subscriptions.notify(segments.join('/'));
  }
}
