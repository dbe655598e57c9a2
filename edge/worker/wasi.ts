// WASI preview 1 as the device has it (firmware/core/wasi.c): console on file descriptors 0 to 2, clocks, random numbers,
// arguments, exit. Takes a module's memory, gives its imports with the same error numbers. There is no input here.
import { WASI_SIGNATURES } from '../../compiler/abi/wasi.js';
import { GrantRight } from '../../compiler/abi/os-layout.js';
import { Exited } from './faults.js';

export interface WasiContext {
  /** Bytes of the module, own or of a window, to read or write in place; null if they are not all there. */
  span(address: number, bytes: number, rights: number): Uint8Array | null;
  print(bytes: Uint8Array): void;
  /** Milliseconds since the start of the host. */
  now(): number;
  /** Sleeps, and ends the invocation when its time is over. */
  sleep(milliseconds: number): void;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

const Errno = { Success: 0, BadF: 8, Fault: 21, Inval: 28, NoSys: 52, Spipe: 70 } as const;
const [STDIN, STDOUT, STDERR, DESCRIPTORS] = [0, 1, 2, 3] as const;
const CHARACTER_DEVICE = 2;
const RIGHT_POLL = 1 << 27;
const RIGHT_READ = 1 << 1;
const RIGHT_WRITE = 1 << 6;
const CLOCKS = 4;
const REALTIME = 0;
const RESOLUTION_NS = 1000n;
const [EVENT_CLOCK, EVENT_READ, EVENT_WRITE] = [0, 1, 2] as const;
const [SUBSCRIPTION_BYTES, EVENT_BYTES] = [48, 32] as const;
const CLOCK_ABSOLUTE = 1;
const MAX_VECTORS = 1 << 20;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
type Import = (...args: never[]) => unknown;

export function wasiImports(context: WasiContext): Record<string, Import> {
  const { span } = context;
  const read = (at: number, bytes: number): Uint8Array | null => span(at, bytes >>> 0, GrantRight.Read);
  const write = (at: number, bytes: number): Uint8Array | null => span(at, bytes >>> 0, GrantRight.Write);
  const nanoseconds = (clock: number): bigint =>
    BigInt(Math.round((clock === REALTIME ? Date.now() : context.now()) * 1000)) * 1000n;
  const strings = [context.args, context.env].map((list) => list.map((text) => Buffer.from(`${text}\0`)));
  const [args, env] = strings as [Buffer[], Buffer[]];
  const size = (list: readonly Buffer[]): number => list.reduce((sum, { length }) => sum + length, 0);

  /** Buffers that a list of (address, bytes) names; null if one is out of bounds. */
  const vectors = (at: number, count: number, rights: number): Uint8Array[] | null => {
    const table = count >>> 0 > MAX_VECTORS ? null : read(at, 8 * count);
    if (table === null) return null;
    const view = viewOf(table.slice());
    const list: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const bytes = span(view.getUint32(8 * i, true) | 0, view.getUint32(8 * i + 4, true), rights);
      if (bytes === null) return null;
      list.push(bytes);
    }
    return list;
  };
  const sizes = (list: readonly Buffer[], count: number, bytes: number): number => {
    const [countTo, bytesTo] = [write(count, 4), write(bytes, 4)];
    if (countTo === null || bytesTo === null) return Errno.Fault;
    viewOf(countTo).setUint32(0, list.length, true);
    viewOf(bytesTo).setUint32(0, size(list), true);
    return Errno.Success;
  };
  const copies = (list: readonly Buffer[], pointers: number, text: number): number => {
    const [pointersTo, textTo] = [write(pointers, 4 * list.length), write(text, size(list))];
    if (pointersTo === null || textTo === null) return Errno.Fault;
    let at = 0;
    for (const [i, bytes] of list.entries()) {
      viewOf(pointersTo).setUint32(4 * i, text + at, true);
      textTo.set(bytes, at);
      at += bytes.length;
    }
    return Errno.Success;
  };
  const stat = (fd: number, at: number, bytes: number, fill: (stat: DataView) => void): number => {
    if (fd >>> 0 >= DESCRIPTORS) return Errno.BadF;
    const to = write(at, bytes);
    if (to === null) return Errno.Fault;
    to.fill(0);
    fill(viewOf(to));
    return Errno.Success;
  };
  const put64 = (at: number, value: bigint): number => {
    const to = write(at, 8);
    if (to === null) return Errno.Fault;
    viewOf(to).setBigUint64(0, value, true);
    return Errno.Success;
  };

  const known = {
    fd_write: (fd: number, list: number, count: number, written: number) => {
      if (fd !== STDOUT && fd !== STDERR) return Errno.BadF;
      const result = write(written, 4);
      const parts = vectors(list, count, GrantRight.Read);
      if (result === null || parts === null) return Errno.Fault;
      for (const part of parts) context.print(part.slice());
      viewOf(result).setUint32(
        0,
        parts.reduce((sum, { length }) => sum + length, 0),
        true,
      );
      return Errno.Success;
    },
    fd_read: (fd: number, list: number, count: number, got: number) => {
      if (fd !== STDIN) return Errno.BadF;
      const result = write(got, 4);
      if (result === null || vectors(list, count, GrantRight.Write) === null) return Errno.Fault;
      viewOf(result).setUint32(0, 0, true);
      return Errno.Success;
    },
    fd_close: (fd: number) => (fd >>> 0 < DESCRIPTORS ? Errno.Success : Errno.BadF),
    fd_seek: (fd: number) => (fd >>> 0 < DESCRIPTORS ? Errno.Spipe : Errno.BadF),
    fd_tell: (fd: number) => (fd >>> 0 < DESCRIPTORS ? Errno.Spipe : Errno.BadF),
    fd_fdstat_get: (fd: number, at: number) =>
      stat(fd, at, 24, (view) => {
        view.setUint8(0, CHARACTER_DEVICE);
        view.setUint32(8, RIGHT_POLL | (fd === STDIN ? RIGHT_READ : RIGHT_WRITE), true);
      }),
    fd_filestat_get: (fd: number, at: number) => stat(fd, at, 64, (view) => view.setUint8(16, CHARACTER_DEVICE)),
    fd_prestat_get: () => Errno.BadF,
    fd_prestat_dir_name: () => Errno.BadF,
    clock_res_get: (clock: number, at: number) => (clock >>> 0 < CLOCKS ? put64(at, RESOLUTION_NS) : Errno.Inval),
    clock_time_get: (clock: number, _precision: bigint, at: number) =>
      clock >>> 0 < CLOCKS ? put64(at, nanoseconds(clock)) : Errno.Inval,
    random_get: (at: number, bytes: number) => {
      const to = write(at, bytes);
      if (to === null) return Errno.Fault;
      // The engine fills at most this much at once, and no memory that is shared.
      for (let from = 0; from < to.length; from += 65536) {
        const part = new Uint8Array(Math.min(65536, to.length - from));
        to.set(crypto.getRandomValues(part), from);
      }
      return Errno.Success;
    },
    proc_exit: (code: number) => {
      throw new Exited(`exit code ${code >>> 0}`);
    },
    sched_yield: () => Errno.Success,
    args_sizes_get: (count: number, bytes: number) => sizes(args, count, bytes),
    args_get: (pointers: number, text: number) => copies(args, pointers, text),
    environ_sizes_get: (count: number, bytes: number) => sizes(env, count, bytes),
    environ_get: (pointers: number, text: number) => copies(env, pointers, text),
    poll_oneoff: (from: number, to: number, count: number, result: number) => {
      if (count === 0) return Errno.Inval;
      const fine = count >>> 0 <= MAX_VECTORS;
      const subscriptions = fine ? read(from, SUBSCRIPTION_BYTES * count)?.slice() : null;
      const resultTo = write(result, 4);
      if (!subscriptions || resultTo === null || write(to, EVENT_BYTES * count) === null) return Errno.Fault;
      const begin = context.now();
      for (;;) {
        const { events, waitMs } = poll(viewOf(subscriptions), count, begin, context.now());
        if (events.length === 0) {
          context.sleep(waitMs);
          continue;
        }
        // Fetched again: sleeping lets windows go.
        const [out, number] = [write(to, EVENT_BYTES * count), write(result, 4)];
        if (out === null || number === null) return Errno.Fault;
        events.forEach((event, i) => out.set(event, EVENT_BYTES * i));
        viewOf(number).setUint32(0, events.length, true);
        return Errno.Success;
      }
    },
  };
  const missing = [...WASI_SIGNATURES.keys()].map((name): [string, Import] => [name, () => Errno.NoSys]);
  return { ...Object.fromEntries(missing), ...(known as Record<string, Import>) };
}

/** Events that are there, or how long until the first one can be. */
function poll(list: DataView, count: number, begin: number, now: number): { events: Uint8Array[]; waitMs: number } {
  const events: Uint8Array[] = [];
  let waitMs = Infinity;
  for (let i = 0; i < count; i++) {
    const at = SUBSCRIPTION_BYTES * i;
    const type = list.getUint8(at + 8);
    const id = list.getUint32(at + 16, true);
    let error: number = Errno.Success;
    let bytes = 0;
    if (type === EVENT_CLOCK && id < CLOCKS) {
      const timeout = Number(list.getBigUint64(at + 24, true)) / 1e6;
      const base = (list.getUint8(at + 40) & CLOCK_ABSOLUTE) === 0 ? begin : id === REALTIME ? now - Date.now() : 0;
      if (base + timeout > now) {
        waitMs = Math.min(waitMs, base + timeout - now);
        continue;
      }
    } else if (type === EVENT_CLOCK) error = Errno.Inval;
    else if (type === EVENT_READ) error = id === STDIN ? Errno.Success : Errno.BadF;
    else if (type === EVENT_WRITE) {
      bytes = 1;
      if (id !== STDOUT && id !== STDERR) error = Errno.BadF;
    } else error = Errno.Inval;
    const event = new Uint8Array(EVENT_BYTES);
    const view = viewOf(event);
    view.setBigUint64(0, list.getBigUint64(at, true), true);
    view.setUint8(8, error);
    view.setUint8(10, type);
    view.setUint32(16, bytes, true);
    events.push(event);
  }
  return { events, waitMs };
}
