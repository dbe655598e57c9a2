// What modules import from "thingspire" (compiler/abi/os-imports.ts): checks addresses as the kernel does
// (firmware/core/module-calls.c), asks the host, gives numbers. Knows no instance and no trap's fate.
/// <reference lib="dom" />
import {
  GrantRight,
  MAX_OBSERVED_URI,
  Method,
  MODULE_TIMERS,
  RESULT_CODE_SHIFT,
  ResponseCode,
} from '../../compiler/abi/os-layout.js';
import type { Answer, HostAnswers, HostQuestion, Invocation, ModuleRequest } from './protocol.js';

export interface ImportContext {
  /** The invocation that calls. */
  current(): Invocation;
  /** Bytes of the module, own or of a window, to read or write in place; null if they are not all there. */
  span(address: number, bytes: number, rights: number): Uint8Array | null;
  /** The same of the module's own memory only. */
  ownSpan(address: number, bytes: number): Uint8Array | null;
  /** Asks the host; what was written through windows is seen by others then. */
  ask<K extends HostQuestion['kind']>(question: Extract<HostQuestion, { kind: K }>): HostAnswers[K];
  request(request: ModuleRequest): Answer;
  log(text: string): void;
  hasTimerEvent(): boolean;
  /** Milliseconds since the start of the host. */
  now(): number;
}

const METHODS: ReadonlySet<number> = new Set(Object.values(Method));
const LONGEST_URI = 255;
const LONGEST_LINE = 256;
const LARGEST_CAPACITY = 0xffff;
/** Who wakes a module for an event: the system. */
const SYSTEM = 'sys';
const ALL_RIGHTS = GrantRight.Read | GrantRight.Write;
const US_PER_MS = 1000;
const text = new TextDecoder();
const utf8 = new TextEncoder();

export function thingspireImports(context: ImportContext): Record<string, (...args: never[]) => unknown> {
  const { current, ask } = context;
  const trap = (): never => {
    throw new WebAssembly.RuntimeError('memory access out of bounds');
  };
  const span = (address: number, bytes: number, rights: number): Uint8Array =>
    context.span(address, bytes >>> 0, rights) ?? trap();
  const textAt = (address: number, bytes: number): string => text.decode(span(address, bytes, GrantRight.Read).slice());
  /** Puts as much of `value` as fits into the buffer; gives the whole length, or -1 for none. */
  const put = (value: string | undefined, to: Uint8Array): number => {
    if (value === undefined) return -1;
    const bytes = utf8.encode(value);
    to.set(bytes.subarray(0, to.length));
    return bytes.length;
  };
  const bare = (code: number): number => code << RESULT_CODE_SHIFT;

  /** Both buffers are checked before the call; an empty one may be anywhere. */
  const buffers = (payload: number, bytes: number, response: number, capacity: number): Uint8Array => {
    const data = bytes === 0 ? new Uint8Array(0) : span(payload, bytes, GrantRight.Read).slice();
    if (capacity !== 0) span(response, capacity, GrantRight.Write);
    return data;
  };
  const request = (
    target: ModuleRequest['target'],
    payload: Uint8Array,
    response: number,
    capacity: number,
  ): number => {
    const { chain, depth, id: invocation, deadlineUs } = current();
    const answer = context.request({ chain, depth, invocation, deadlineUs, target, payload, capacity: capacity >>> 0 });
    const { length } = answer.payload;
    if (length > 0) span(response, length, GrantRight.Write).set(answer.payload);
    return (answer.code << RESULT_CODE_SHIFT) | length;
  };
  const grant = (
    to: { readonly requirement: number | null; readonly caller: string | null },
    address: number,
    bytes: number,
    rights: number,
    milliseconds: number,
  ): number => {
    const wanted = rights & ALL_RIGHTS;
    const size = bytes >>> 0;
    const inBounds = size !== 0 && context.span(address, size, wanted) !== null;
    if (!inBounds && to.caller !== null) return trap();
    return (
      ask({ kind: 'grant', ...to, address, bytes: size, rights: wanted, milliseconds: milliseconds >>> 0, inBounds }) ??
      trap()
    );
  };

  return {
    call: (requirement: number, payload: number, bytes: number, response: number, capacity: number) =>
      request({ requirement: requirement >>> 0 }, buffers(payload, bytes, response, capacity), response, capacity),
    request: (
      method: number,
      uri: number,
      uriBytes: number,
      payload: number,
      bytes: number,
      response: number,
      capacity: number,
    ) => {
      const target = { method, uri: textAt(uri, uriBytes) };
      const data = buffers(payload, bytes, response, capacity);
      if (uriBytes >>> 0 > LONGEST_URI || !METHODS.has(method)) return bare(ResponseCode.BadRequest);
      return request(target, data, response, capacity);
    },
    parameter: (index: number, buffer: number, capacity: number) => {
      const to = span(buffer, capacity, GrantRight.Write);
      return put(current().request?.parameters[index >>> 0], to);
    },
    query: (key: number, keyBytes: number, buffer: number, capacity: number) => {
      const wanted = textAt(key, keyBytes);
      const to = span(buffer, capacity, GrantRight.Write);
      return put(queryValue(current().request?.uri ?? '', wanted), to);
    },
    caller: (buffer: number, capacity: number) => {
      const to = span(buffer, capacity, GrantRight.Write);
      return put(current().request?.caller ?? SYSTEM, to);
    },
    grant: (requirement: number, address: number, bytes: number, rights: number, milliseconds: number) =>
      grant({ requirement: requirement >>> 0, caller: null }, address, bytes, rights, milliseconds),
    grant_caller: (address: number, bytes: number, rights: number, milliseconds: number) =>
      grant({ requirement: null, caller: current().request?.caller ?? SYSTEM }, address, bytes, rights, milliseconds),
    revoke: (window: number) => ask({ kind: 'revoke', window }),
    observe: (uri: number, uriBytes: number, buffer: number, capacity: number) => {
      const path = textAt(uri, uriBytes);
      // The buffer outlives this invocation, as no window need do: it is in the module's own memory.
      if (context.ownSpan(buffer, capacity >>> 0) === null) return trap();
      const length = (uriBytes >>> 0) - (path.startsWith('/') ? 1 : 0);
      if (length === 0 || length > MAX_OBSERVED_URI || capacity >>> 0 > LARGEST_CAPACITY) return -1;
      return ask({ kind: 'observe', uri: path, address: buffer, capacity });
    },
    unobserve: (subscription: number) => ask({ kind: 'unobserve', subscription }),
    notify: (path: number, bytes: number) => ask({ kind: 'notify', path: textAt(path, bytes) }),
    timer: (id: number, first: number, period: number) => {
      if (id >>> 0 >= MODULE_TIMERS || !context.hasTimerEvent()) return 0;
      return ask({ kind: 'timer', id, first: first >>> 0, period: period >>> 0 });
    },
    now: () => BigInt(Math.round(context.now() * US_PER_MS)),
    random: () => crypto.getRandomValues(new Int32Array(1))[0],
    log: (address: number, bytes: number) => context.log(textAt(address, Math.min(bytes >>> 0, LONGEST_LINE))),
    time_left: () => {
      const left = (current().deadline - context.now()) * US_PER_MS;
      return Math.max(0, Math.min(0x7fffffff, Math.round(left)));
    },
  } as Record<string, (...args: never[]) => unknown>;
}

/** Value of a query parameter, '' for one without value, undefined if there is none. */
function queryValue(uri: string, key: string): string | undefined {
  const at = uri.indexOf('?');
  if (at < 0) return undefined;
  for (const part of uri.slice(at + 1).split('&')) {
    if (part === key) return '';
    if (part.startsWith(`${key}=`)) return part.slice(key.length + 1);
  }
  return undefined;
}
