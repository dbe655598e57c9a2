// Runs modules that import "thingspire" in Node's engine: requests, grants as windows, observing and timers, in virtual
// time. Windows are copied in and out of the upper half of each module's memory, so that modules see addresses from
// 0x80000000 on as they do on the device. A second opinion for tests; knows no deadlines, contracts or rights to call.
/// <reference lib="dom" />
import { Method, RESULT_CODE_SHIFT, RESULT_LENGTH_MASK, ResponseCode } from '../../../compiler/abi/os-layout.js';

export interface HostModule {
  readonly name: string;
  readonly wasm: Uint8Array;
  readonly provides?: readonly {
    readonly method: keyof typeof Method;
    readonly path: string;
    readonly handler: string;
  }[];
  readonly requires?: readonly { readonly method: keyof typeof Method; readonly path: string }[];
}

const WINDOWS = 0x80000000;
const WINDOW_BYTES = 0x40000;
const WINDOW_COUNT = 64;
const PAGE = 0x10000;
const WRITE = 2;

interface Grant {
  readonly owner: Instance;
  readonly holder: Instance;
  readonly address: number;
  readonly bytes: number;
  readonly rights: number;
  readonly window: number;
}
interface Invocation {
  readonly module: Instance;
  readonly caller: Instance | undefined;
  readonly parameters: readonly string[];
  readonly query: URLSearchParams;
}
interface Instance {
  readonly definition: HostModule;
  readonly exports: Record<string, (...args: number[]) => number>;
  readonly memory: WebAssembly.Memory;
}
interface Subscription {
  readonly module: Instance;
  readonly uri: string;
  readonly buffer: number;
  readonly capacity: number;
}

export class NodeHost {
  /** Console lines, with the module's name in brackets before each, as the device prints them. */
  readonly lines: string[] = [];
  private readonly instances: Instance[] = [];
  private readonly grants = new Map<number, Grant>();
  private readonly subscriptions: (Subscription | undefined)[] = [];
  private readonly timers: { at: number; module: Instance; id: number; period: number }[] = [];
  private readonly changed: number[] = [];
  private readonly stack: Invocation[] = [];
  private time = 0;
  private nextWindow = 0;

  /** Instantiates a module and runs its on_start. */
  start(definition: HostModule): void {
    const module = new WebAssembly.Module(definition.wasm as BufferSource);
    const self = { definition } as { -readonly [K in keyof Instance]: Instance[K] };
    const instance = new WebAssembly.Instance(module, { thingspire: this.imports(self) });
    self.exports = instance.exports as unknown as Instance['exports'];
    self.memory = instance.exports['memory'] as WebAssembly.Memory;
    self.memory.grow((WINDOWS + WINDOW_COUNT * WINDOW_BYTES - self.memory.buffer.byteLength) / PAGE);
    this.instances.push(self);
    self.exports['_initialize']?.();
    this.run({ module: self, caller: undefined, parameters: [], query: new URLSearchParams() }, 'on_start', []);
    this.runEvents();
  }

  /** Runs timers until `milliseconds` of virtual time. */
  runUntil(milliseconds: number): void {
    for (;;) {
      this.timers.sort((a, b) => a.at - b.at);
      const next = this.timers[0];
      if (next === undefined || next.at > milliseconds) break;
      this.time = next.at;
      if (next.period === 0) this.timers.shift();
      else next.at += next.period;
      this.event(next.module, 'on_timer', [next.id]);
      this.runEvents();
    }
    this.time = milliseconds;
  }

  private event(module: Instance, name: string, args: readonly number[]): void {
    this.run({ module, caller: undefined, parameters: [], query: new URLSearchParams() }, name, args);
  }

  private runEvents(): void {
    for (let number = this.changed.shift(); number !== undefined; number = this.changed.shift()) {
      const subscription = this.subscriptions[number];
      if (subscription === undefined) continue;
      const { module, uri, buffer, capacity } = subscription;
      const result = this.dispatch(module, Method.Get, uri, 0, 0, buffer, capacity);
      this.event(module, 'on_notify', [number, result]);
    }
  }

  /** Windows show the owner's memory at every entry, and the owner sees what was written at every exit. */
  private run(invocation: Invocation, name: string, args: readonly number[]): number {
    const { module } = invocation;
    const entry = module.exports[name];
    if (entry === undefined) return 0;
    const outer = this.stack.at(-1)?.module;
    if (outer !== undefined) this.copyOut(outer);
    this.copyIn(module);
    this.stack.push(invocation);
    const result = entry(...args) ?? 0;
    this.stack.pop();
    this.copyOut(module);
    if (outer !== undefined) this.copyIn(outer);
    return result >>> 0;
  }

  private copyIn(holder: Instance): void {
    for (const grant of this.grants.values()) {
      if (grant.holder !== holder) continue;
      bytesAt(holder, grant.window, grant.bytes).set(bytesAt(grant.owner, grant.address, grant.bytes));
    }
  }

  private copyOut(holder: Instance): void {
    for (const grant of this.grants.values()) {
      if (grant.holder !== holder || (grant.rights & WRITE) === 0) continue;
      bytesAt(grant.owner, grant.address, grant.bytes).set(bytesAt(holder, grant.window, grant.bytes));
    }
  }

  private open(owner: Instance, holder: Instance, address: number, bytes: number, rights: number): number {
    if (bytes === 0) return 0;
    const window = WINDOWS + (this.nextWindow++ % WINDOW_COUNT) * WINDOW_BYTES;
    this.grants.set(window, { owner, holder, address: address >>> 0, bytes, rights, window });
    return window;
  }

  private dispatch(
    from: Instance,
    method: number,
    uri: string,
    payload: number,
    payloadBytes: number,
    response: number,
    capacity: number,
  ): number {
    const [path = '', query = ''] = uri.replace(/^\//, '').split('?');
    const found = this.find(path);
    if (found.length === 0) return ResponseCode.NotFound << RESULT_CODE_SHIFT;
    const route = found.find((candidate) => Method[candidate.service.method] === method);
    if (route === undefined) return ResponseCode.MethodNotAllowed << RESULT_CODE_SHIFT;
    const input = this.open(from, route.provider, payload, payloadBytes, 1);
    const output = this.open(from, route.provider, response, capacity, 3);
    const { provider, parameters } = route;
    const invocation = { module: provider, caller: from, parameters, query: new URLSearchParams(query) };
    const result = this.run(invocation, route.service.handler, [input, payloadBytes, output, capacity]);
    for (const window of [input, output]) this.grants.delete(window);
    if ((result & RESULT_LENGTH_MASK) > capacity) throw new Error(`${route.service.handler} answers beyond its buffer`);
    return result < 0x100 ? result << RESULT_CODE_SHIFT : result;
  }

  private find(path: string) {
    const segments = path.split('/');
    return this.instances.flatMap((provider) =>
      (provider.definition.provides ?? []).flatMap((service) => {
        const pattern = service.path.replace(/^\//, '').split('/');
        const fits = (part: string, i: number): boolean => part.startsWith('{') || part === segments[i];
        if (pattern.length !== segments.length || !pattern.every(fits)) return [];
        return [{ provider, service, parameters: segments.filter((_, i) => pattern[i]!.startsWith('{')) }];
      }),
    );
  }

  private imports(self: Instance): Record<string, (...args: never[]) => unknown> {
    const text = (address: number, bytes: number): string => Buffer.from(bytesAt(self, address, bytes)).toString();
    const put = (value: string | undefined, buffer: number, capacity: number): number => {
      if (value === undefined) return -1;
      const bytes = Buffer.from(value);
      bytesAt(self, buffer, Math.min(capacity, bytes.length)).set(bytes.subarray(0, capacity));
      return bytes.length;
    };
    const current = (): Invocation => this.stack.at(-1)!;
    return {
      call: (requirement: number, ...rest: [number, number, number, number]) => {
        const wanted = self.definition.requires?.[requirement];
        if (wanted === undefined) return ResponseCode.Forbidden << RESULT_CODE_SHIFT;
        return this.dispatch(self, Method[wanted.method], wanted.path, ...rest);
      },
      request: (method: number, uri: number, bytes: number, ...rest: [number, number, number, number]) =>
        this.dispatch(self, method, text(uri, bytes), ...rest),
      parameter: (index: number, buffer: number, capacity: number) =>
        put(current().parameters[index], buffer, capacity),
      query: (key: number, keyBytes: number, buffer: number, capacity: number) =>
        put(current().query.get(text(key, keyBytes)) ?? undefined, buffer, capacity),
      caller: (buffer: number, capacity: number) => put(current().caller?.definition.name ?? '', buffer, capacity),
      grant: (requirement: number, address: number, bytes: number, rights: number) => {
        const provider = this.find(self.definition.requires![requirement]!.path.replace(/^\//, ''))[0]?.provider;
        return provider === undefined ? 0 : this.open(self, provider, address, bytes, rights);
      },
      grant_caller: (address: number, bytes: number, rights: number) => {
        const { caller } = current();
        return caller === undefined ? 0 : this.open(self, caller, address, bytes, rights);
      },
      revoke: (window: number) => {
        const grant = this.grants.get(window >>> 0);
        if (grant?.owner !== self) return 0;
        return Number(this.grants.delete(window >>> 0));
      },
      observe: (uri: number, bytes: number, buffer: number, capacity: number) => {
        const number = this.subscriptions.push({ module: self, uri: text(uri, bytes), buffer, capacity }) - 1;
        this.changed.push(number); // the present representation comes first
        return number;
      },
      unobserve: (subscription: number) => {
        const known = this.subscriptions[subscription]?.module === self;
        if (known) this.subscriptions[subscription] = undefined;
        return Number(known);
      },
      notify: (path: number, bytes: number) => {
        const name = text(path, bytes).replace(/^\//, '');
        const hit = this.subscriptions.flatMap((s, i) => (s?.uri.replace(/^\//, '') === name ? [i] : []));
        this.changed.push(...hit.filter((i) => !this.changed.includes(i)));
        return hit.length;
      },
      timer: (id: number, first: number, period: number) => {
        const old = this.timers.findIndex((timer) => timer.module === self && timer.id === id);
        if (old >= 0) this.timers.splice(old, 1);
        if (first !== 0 || period !== 0) this.timers.push({ at: this.time + first, module: self, id, period });
        return Number(id < 4);
      },
      now: () => BigInt(Math.round(this.time * 1000)),
      random: () => 4,
      log: (address: number, bytes: number) =>
        void this.lines.push(`[${self.definition.name}] ${text(address, bytes)}`),
      time_left: () => 1_000_000,
    };
  }
}

/** The bytes at an address in a module's memory, which must have them. */
function bytesAt(instance: Instance, address: number, bytes: number): Uint8Array {
  return new Uint8Array(instance.memory.buffer, address >>> 0, bytes);
}
