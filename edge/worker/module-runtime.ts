// One module on the edge's engine: instance, imports, windows, traps. Takes invocations, gives answers or faults; asks the
// host through a Link and waits for it. Knows no thread, no route and no contract.
/// <reference lib="dom" />
import { ConsoleStdout, WASI, WASIProcExit } from '@bjorn3/browser_wasi_shim';
import {
  GrantRight,
  Method,
  RESULT_CODE_SHIFT,
  RESULT_LENGTH_MASK,
  ResponseCode,
} from '../../compiler/abi/os-layout.js';
import { THINGSPIRE_MODULE } from '../../compiler/abi/os-imports.js';
import { WASI_MODULE } from '../../compiler/abi/wasi.js';
import { funcNames } from '../../compiler/wasm/types.js';
import type { RewrittenModule } from '../module/rewrite.js';
import { exportOfMemory } from '../module/rewrite.js';
import { connectWindows } from '../module/window-shim.js';
import type { Answer, Fault, HostAnswers, HostQuestion, Invocation } from './protocol.js';
import { restoreSnapshot, takeSnapshot, type ScalarSnapshot } from './snapshot.js';
import { Windows } from './windows.js';

/** The way to the host. `ask` returns when the answer is there; it may run other invocations of the chain meanwhile. */
export interface Link {
  ask<K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>): HostAnswers[K];
  log(text: string): void;
  console(bytes: Uint8Array): void;
}

/** Thrown through the module's frames when its instance is gone under it (a trap in a nested invocation). */
class Killed extends Error {}

export interface Outcome {
  readonly answer: Answer | null;
  readonly fault: Fault | null;
}

const EMPTY = new Uint8Array(0);
const METHODS: ReadonlySet<number> = new Set(Object.values(Method));
const ERRNO_NOSYS = 52;
const text = new TextDecoder();
const utf8 = new TextEncoder();

export class ModuleRuntime {
  private instance: WebAssembly.Instance | null = null;
  private readonly compiled: WebAssembly.Module;
  private readonly names: readonly string[];
  private readonly windows: Windows;
  /** Invocations of this module that have not ended, innermost last. */
  private readonly active: Invocation[] = [];
  /** Counts instances: a frame of an older one must not go on. */
  private generation = 0;

  constructor(
    private readonly rewritten: RewrittenModule,
    private readonly link: Link,
    /** performance.timeOrigin-based milliseconds of the host's start. */
    private readonly origin: number,
  ) {
    this.compiled = new WebAssembly.Module(rewritten.bytes as BufferSource);
    this.names = funcNames(rewritten.module);
    this.windows = new Windows(
      {
        fetch: (window) => link.ask({ kind: 'window-read', window }),
        writeBack: (window, write) => link.ask({ kind: 'window-write', window, write }),
      },
      () => this.memory(),
      (index) => rewritten.segments[index]!,
    );
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
      const fault = this.faultOf(error);
      // The state is suspect: whatever frame of this instance is still open below ends as killed.
      if (generation === this.generation) {
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

  private memory(): Uint8Array {
    const memory = this.instance?.exports[exportOfMemory(0)] as WebAssembly.Memory | undefined;
    return memory === undefined ? EMPTY : new Uint8Array(memory.buffer);
  }

  private start(): Answer {
    this.generation++;
    this.instance = this.instantiate();
    for (const name of ['_initialize', 'on_start']) {
      const { [name]: run } = this.instance.exports;
      if (typeof run === 'function') (run as () => void)();
    }
    return { code: ResponseCode.Changed, payload: EMPTY };
  }

  private enter({ request, args }: Invocation, entry: string): Answer {
    if (this.instance === null) throw new Killed('not running');
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
    const stdout = new ConsoleStdout((bytes) => this.link.console(bytes.slice()));
    const wasi = new WASI([], [], [new ConsoleStdout(() => undefined), stdout, stdout]);
    const known = wasi.wasiImport as Record<string, WebAssembly.ImportValue>;
    const functions = this.imports();
    const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {
      [THINGSPIRE_MODULE]: functions,
      [WASI_MODULE]: new Proxy(known, { get: (list, name: string) => list[name] ?? (() => ERRNO_NOSYS) }),
    };
    const instance = new WebAssembly.Instance(this.compiled, imports);
    (wasi as unknown as { inst: unknown }).inst = { exports: { memory: instance.exports[exportOfMemory(0)] } };
    connectWindows(instance, this.windows.host);
    return instance;
  }

  /** An import: what was written through windows is sent back before, and a dead instance is not returned to. */
  private outside<T>(run: () => T): T {
    const { generation } = this;
    this.windows.flush();
    const result = run();
    if (generation !== this.generation) throw new Killed('ended by a fault in a nested invocation');
    return result;
  }

  private bytes(address: number, length: number, rights: number): Uint8Array {
    const bytes = this.windows.bytesAt(address, length >>> 0, rights);
    if (bytes === null) throw new WebAssembly.RuntimeError('memory access out of bounds');
    return bytes;
  }
  private text(address: number, length: number): string {
    return text.decode(this.bytes(address, length, GrantRight.Read).slice());
  }
  /** Puts as much of `value` as fits into the buffer; gives the whole length. */
  private put(value: string, address: number, capacity: number): number {
    const bytes = utf8.encode(value);
    const count = Math.min(bytes.length, capacity >>> 0);
    this.bytes(address, count, GrantRight.Write).set(bytes.subarray(0, count));
    return bytes.length;
  }

  private request(
    target: { requirement: number } | { method: number; uri: string },
    payload: number,
    length: number,
    response: number,
    capacity: number,
  ): number {
    const invocation = this.active[this.active.length - 1]!;
    const request = {
      chain: invocation.chain,
      depth: invocation.depth,
      invocation: invocation.id,
      target,
      payload: this.bytes(payload, length, GrantRight.Read).slice(),
      capacity: capacity >>> 0,
    };
    // Both buffers are checked before the call, as on the device.
    this.bytes(response, capacity, GrantRight.Write);
    const answer = this.outside(() => this.link.ask({ kind: 'request', request }));
    this.bytes(response, answer.payload.length, GrantRight.Write).set(answer.payload);
    return (answer.code << RESULT_CODE_SHIFT) | answer.payload.length;
  }

  private imports(): Record<string, (...args: never[]) => unknown> {
    const current = (): Invocation => this.active[this.active.length - 1]!;
    const { link } = this;
    return {
      call: (requirement: number, payload: number, length: number, response: number, capacity: number) =>
        this.request({ requirement }, payload, length, response, capacity),
      request: (
        method: number,
        uri: number,
        uriLength: number,
        payload: number,
        length: number,
        response: number,
        capacity: number,
      ) => {
        if (!METHODS.has(method)) return ResponseCode.BadRequest << RESULT_CODE_SHIFT;
        return this.request({ method, uri: this.text(uri, uriLength) }, payload, length, response, capacity);
      },
      parameter: (index: number, buffer: number, capacity: number) => {
        const value = current().request?.parameters[index];
        return value === undefined ? -1 : this.put(value, buffer, capacity);
      },
      query: (key: number, keyLength: number, buffer: number, capacity: number) => {
        const query = current().request?.uri.split('?')[1];
        if (query === undefined) return -1;
        const wanted = this.text(key, keyLength);
        for (const part of query.split('&')) {
          const [name, ...value] = part.split('=');
          if (name === wanted) return this.put(value.join('='), buffer, capacity);
        }
        return -1;
      },
      caller: (buffer: number, capacity: number) => this.put(current().request?.caller ?? '', buffer, capacity),
      grant: (requirement: number, address: number, bytes: number, rights: number, milliseconds: number) => {
        if (this.windows.bytesAt(address, bytes >>> 0, rights) === null) return 0;
        return link.ask({
          kind: 'grant',
          requirement,
          caller: null,
          address,
          bytes: bytes >>> 0,
          rights,
          milliseconds,
        });
      },
      grant_caller: (address: number, bytes: number, rights: number, milliseconds: number) => {
        const caller = current().request?.caller;
        if (caller === undefined || this.windows.bytesAt(address, bytes >>> 0, rights) === null) return 0;
        return link.ask({
          kind: 'grant',
          requirement: null,
          caller,
          address,
          bytes: bytes >>> 0,
          rights,
          milliseconds,
        });
      },
      revoke: (window: number) => this.outside(() => link.ask({ kind: 'revoke', window })),
      observe: (uri: number, uriLength: number, buffer: number, capacity: number) => {
        this.bytes(buffer, capacity, GrantRight.Write);
        return link.ask({ kind: 'observe', uri: this.text(uri, uriLength), address: buffer, capacity: capacity >>> 0 });
      },
      unobserve: (subscription: number) => link.ask({ kind: 'unobserve', subscription }),
      notify: (path: number, length: number) => link.ask({ kind: 'notify', path: this.text(path, length) }),
      timer: (id: number, first: number, period: number) => link.ask({ kind: 'timer', id, first, period }),
      now: () => BigInt(Math.round((performance.timeOrigin + performance.now() - this.origin) * 1000)),
      random: () => crypto.getRandomValues(new Int32Array(1))[0],
      log: (address: number, length: number) => link.log(this.text(address, length)),
      time_left: () => {
        const left = current().deadline - (performance.timeOrigin + performance.now() - this.origin);
        return Math.max(0, Math.min(0x7fffffff, Math.round(left * 1000)));
      },
    } as Record<string, (...args: never[]) => unknown>;
  }

  private faultOf(error: unknown): Fault {
    const backtrace = this.backtraceOf(error);
    if (error instanceof WASIProcExit) return { reason: 'exited', message: `exit code ${error.code}`, backtrace: [] };
    if (error instanceof Killed) return { reason: 'killed', message: error.message, backtrace };
    if (error instanceof ContractBroken) return { reason: 'contract broken', message: error.message, backtrace: [] };
    if (error instanceof RangeError) return { reason: 'trapped', message: 'call stack exhausted', backtrace };
    if (error instanceof WebAssembly.RuntimeError)
      return { reason: 'trapped', message: trapMessage(error.message), backtrace };
    throw error;
  }

  /** Frames from V8's stack trace: `name (wasm://…:wasm-function[3]:0x4f)`. */
  private backtraceOf(error: unknown): Fault['backtrace'] {
    const { stack } = error as Error;
    return [...(stack ?? '').matchAll(/wasm-function\[(\d+)\]:0x([0-9a-f]+)/g)].map(([, index, offset]) => ({
      func: Number(index),
      name: this.names[Number(index)] ?? `func${index}`,
      offset: this.rewritten.originalOffset(parseInt(offset!, 16)),
    }));
  }
}

/** Breach of the interface by a handler. */
class ContractBroken extends Error {}

/** V8's messages in the words of the specification, which the device uses. */
const MESSAGES: readonly (readonly [RegExp, string])[] = [
  [/divide by zero|remainder by zero/, 'integer divide by zero'],
  [/unrepresentable/, 'integer overflow'],
  [/float/, 'invalid conversion to integer'],
  [/memory access|data segment/, 'out of bounds memory access'],
  [/signature mismatch/, 'indirect call type mismatch'],
  [/table index|table access|element segment/, 'out of bounds table access'],
  [/unreachable/, 'unreachable'],
];

function trapMessage(message: string): string {
  return MESSAGES.find(([pattern]) => pattern.test(message))?.[1] ?? message;
}
