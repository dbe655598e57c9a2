// One module on the edge's engine: instance, invocations, faults. Takes invocations, gives answers or faults; asks the host
// through a Link and waits for it. Knows no thread, no route and no contract.
/// <reference lib="dom" />
import { GrantRight, RESULT_CODE_SHIFT, RESULT_LENGTH_MASK, ResponseCode } from '../../compiler/abi/os-layout.js';
import { THINGSPIRE_MODULE } from '../../compiler/abi/os-imports.js';
import { WASI_MODULE } from '../../compiler/abi/wasi.js';
import { funcNames } from '../../compiler/wasm/types.js';
import { connectWindows } from '../module/window-shim.js';
import { exportOfMemory, FUEL, FUEL_ROUNDS, START } from '../module/interface.js';
import type { RewrittenModule } from '../module/rewrite.js';
import { ContractBroken, DeadlineExpired, faultOf, Killed, type FaultContext } from './faults.js';
import { thingspireImports } from './imports.js';
import { OutputThrottle } from './output-throttle.js';
import type { Answer, Fault, HostAnswers, HostQuestion, Invocation, ModuleRequest } from './protocol.js';
import { restoreSnapshot, takeSnapshot, type ScalarSnapshot } from './snapshot.js';
import { wasiImports } from './wasi.js';
import { Windows } from './windows.js';

/** The way to the host. `ask` returns when the answer is there; it may run other invocations of the chain meanwhile. */
export interface Link {
  ask<K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>): HostAnswers[K];
  log(text: string): void;
  console(bytes: Uint8Array): void;
  /** Is the time of an invocation over? Serves what cannot wait meanwhile. */
  isExpired(invocation: Invocation): boolean;
  /** A request to another module, by the host or from thread to thread. */
  request(request: ModuleRequest): Answer;
  /** Sleeps, or less if a message comes. */
  nap(milliseconds: number): void;
}

export interface RuntimeOptions {
  /** Milliseconds since the epoch of the host's start. */
  readonly origin: number;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

export interface Outcome {
  readonly answer: Answer | null;
  readonly fault: Fault | null;
}

const EMPTY = new Uint8Array(0);
const CALL_INDIRECT = 0x11;
const RETURN_CALL_INDIRECT = 0x13;
/** Between two looks at the clock. */
const LONGEST_SLEEP_MS = 50;

export class ModuleRuntime {
  private instance: WebAssembly.Instance | null = null;
  private fuel: WebAssembly.Global | null = null;
  private readonly compiled: WebAssembly.Module;
  private readonly faultContext: FaultContext;
  private readonly windows: Windows;
  private readonly output = new OutputThrottle((milliseconds) => this.sleep(milliseconds));
  /** Invocations of this module that have not ended, innermost last. */
  private readonly active: Invocation[] = [];
  /** Invocations up to this number do not go on. */
  private doomed = 0;
  /** Counts instances: a frame of an older one must not go on. */
  private generation = 0;

  constructor(
    private readonly rewritten: RewrittenModule,
    private readonly link: Link,
    private readonly options: RuntimeOptions,
  ) {
    this.compiled = new WebAssembly.Module(rewritten.bytes as BufferSource);
    const { bytes } = rewritten.module;
    this.faultContext = {
      names: funcNames(rewritten.module),
      originalOffset: (offset) => rewritten.originalOffset(offset),
      isIndirectCall: (offset) => bytes[offset] === CALL_INDIRECT || bytes[offset] === RETURN_CALL_INDIRECT,
    };
    const invocation = (): number => this.current().id;
    this.windows = new Windows(
      {
        fetch: (window) => link.ask({ kind: 'window-read', window, invocation: invocation() }),
        writeBack: (window, write) => link.ask({ kind: 'window-write', window, invocation: invocation(), write }),
      },
      () => this.memory(),
      (index) => rewritten.segments[index]!,
    );
  }

  /** Bytes of memory 0. */
  get memoryBytes(): number {
    return this.memory().length;
  }

  /** Runs one invocation to its end. */
  run(invocation: Invocation): Outcome {
    const generation = this.generation;
    const depth = this.active.push(invocation);
    try {
      const answer = invocation.entry === null ? this.start() : this.enter(invocation, invocation.entry);
      this.windows.flush();
      return { answer, fault: null };
    } catch (error) {
      const fault = faultOf(error, this.faultContext);
      if (fault === null) throw error;
      // The state is suspect: whatever frame of this instance is still open below ends as killed.
      if (invocation.entry === null || generation === this.generation) {
        this.instance = null;
        this.generation++;
      }
      return { answer: null, fault };
    } finally {
      this.active.length = depth - 1;
    }
  }

  /** Bytes of this module's memory for another module's window, or null if they are not there. */
  access(
    address: number,
    bytes: number,
    write: readonly { offset: number; data: Uint8Array }[] | null,
  ): Uint8Array | null {
    if (this.instance === null) return null;
    const region = this.windows.bytesAt(address, bytes, GrantRight.Read);
    if (region === null) return null;
    for (const { offset, data } of write ?? []) region.set(data, offset);
    return region.slice();
  }

  /** Invocations up to this one have used a window that is closed. */
  doom(invocation: number): void {
    this.doomed = Math.max(this.doomed, invocation);
  }

  snapshot(): ScalarSnapshot | null {
    return this.instance === null || this.active.length > 0 ? null : takeSnapshot(this.instance, this.rewritten);
  }

  /** Replaces the instance by one in the given state. */
  restore(state: ScalarSnapshot): boolean {
    this.generation++;
    this.instance = this.instantiate();
    const fine = restoreSnapshot(this.instance, this.rewritten, state);
    if (!fine) this.instance = null;
    return fine;
  }

  private current(): Invocation {
    return this.active[this.active.length - 1]!;
  }

  private now(): number {
    return performance.timeOrigin + performance.now() - this.options.origin;
  }

  private memory(): Uint8Array {
    const memory = this.instance?.exports[exportOfMemory(0)] as WebAssembly.Memory | undefined;
    if (memory === undefined) return EMPTY;
    const { exactBytes } = this.rewritten;
    return exactBytes === null ? new Uint8Array(memory.buffer) : new Uint8Array(memory.buffer, 0, exactBytes);
  }

  private start(): Answer {
    this.generation++;
    this.instance = null;
    const { exports } = (this.instance = this.instantiate());
    for (const name of [START, '_initialize', 'on_start']) {
      const { [name]: run } = exports;
      if (typeof run === 'function') (run as () => void)();
    }
    return { code: ResponseCode.Changed, payload: EMPTY };
  }

  private enter({ request, args, delivery }: Invocation, entry: string): Answer {
    if (this.instance === null) throw new Killed('not running');
    if (delivery !== null) this.memory().set(delivery.data, delivery.address);
    const { [entry]: call } = this.instance.exports;
    if (typeof call !== 'function') return { code: ResponseCode.NotImplemented, payload: EMPTY };
    const run = call as (...values: number[]) => number;
    if (request === null) {
      run(...args);
      return { code: ResponseCode.Changed, payload: EMPTY };
    }
    const response = new Uint8Array(request.capacity);
    const payloadWindow = this.windows.openCall(request.payload, GrantRight.Read);
    const responseWindow = this.windows.openCall(response, GrantRight.Read | GrantRight.Write);
    try {
      const result = run(payloadWindow, request.payload.length, responseWindow, response.length) >>> 0;
      if (result < 256) return { code: result, payload: EMPTY };
      const length = result & RESULT_LENGTH_MASK;
      if (length > response.length) throw new ContractBroken(`answers with ${length} bytes of ${response.length}`);
      return { code: result >>> RESULT_CODE_SHIFT, payload: response.slice(0, length) };
    } finally {
      this.windows.closeCall(payloadWindow);
      this.windows.closeCall(responseWindow);
    }
  }

  private instantiate(): WebAssembly.Instance {
    const { link, windows } = this;
    const span = (address: number, bytes: number, rights: number): Uint8Array | null =>
      windows.bytesAt(address, bytes, rights);
    const { args, env } = this.options;
    const wasi = {
      span,
      args,
      env,
      print: (bytes: Uint8Array) => {
        this.output.take(bytes.length);
        link.console(bytes);
      },
      now: () => this.now(),
      sleep: (milliseconds: number) => this.sleep(milliseconds),
    };
    const thingspire = {
      span,
      ownSpan: (address: number, bytes: number) =>
        address < 0 ? null : windows.bytesAt(address, bytes, GrantRight.Write),
      current: () => this.current(),
      ask: <K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>) =>
        this.outside(() => link.ask<K>(question)),
      request: (request: ModuleRequest) => this.outside(() => link.request(request)),
      log: (line: string) => {
        this.output.take(line.length);
        link.log(line);
      },
      hasTimerEvent: () => this.rewritten.module.exports.some(({ name }) => name === 'on_timer'),
      now: () => this.now(),
    };
    const instance = new WebAssembly.Instance(this.compiled, {
      [THINGSPIRE_MODULE]: thingspireImports(thingspire),
      [WASI_MODULE]: wasiImports(wasi),
    } as WebAssembly.Imports);
    this.fuel = instance.exports[FUEL] as WebAssembly.Global;
    connectWindows(instance, { ...windows.host, interrupt: () => this.interrupt() });
    return instance;
  }

  /** The fuel is used up: is the time, too? */
  private interrupt(): void {
    this.checkTime();
    this.fuel!.value = FUEL_ROUNDS;
  }

  private checkTime(): void {
    if (this.link.isExpired(this.current())) throw new DeadlineExpired();
    this.checkFate(this.generation);
  }

  private checkFate(generation: number): void {
    if (generation !== this.generation) throw new Killed('ended by a fault in a nested invocation');
    if (this.current().id <= this.doomed) throw new Killed('a window that it has used was closed');
  }

  private sleep(milliseconds: number): void {
    this.link.nap(Math.min(milliseconds, LONGEST_SLEEP_MS));
    this.checkTime();
  }

  /** An import: what was written through windows is sent back before, and a dead instance is not returned to. */
  private outside<T>(run: () => T): T {
    const { generation } = this;
    this.windows.flush();
    const result = run();
    this.checkFate(generation);
    // A loop of imports uses up its fuel far too slowly.
    if (this.link.isExpired(this.current())) throw new DeadlineExpired();
    return result;
  }
}
