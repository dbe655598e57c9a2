// State of a module: as engines keep it (edge/host/types.ts) to and from a device's snapshot stream, by the addresses of
// the linked package. Takes bytes that a device sent and believes none of them; gives state or why there is none. Knows no
// transport.
//
// The stream (format 2): header of six words: magic, identity, bytes of data, of zeroed data, of memory, of events; then
// those. Events: timers (number, remaining ms, period ms) and subscriptions (id, buffer, capacity, URI), each counted.
import { WASM_MEMORY, WASM_TABLE } from '../../compiler/abi/layout.js';
import { MAX_OBSERVED_URI, MODULE_TIMERS } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { ModuleState, SubscriptionState, TimerState } from '../host/types.js';
import { NULL_REFERENCE } from '../worker/snapshot.js';
import type { MemoryLayout, StateLayout } from './state-layout.js';

export const STREAM_HEADER_BYTES = 24;
const MAGIC = 0x32535354; // "TSS2"

/** What only the device knows of its stream; the rest follows from the layout. */
export interface StreamHeader {
  readonly identity: number;
  readonly dataBytes: number;
  readonly bssBytes: number;
  readonly memoryBytes: number;
  readonly eventsBytes: number;
}

/** Bytes of the whole stream. */
export function streamBytes({ dataBytes, bssBytes, memoryBytes, eventsBytes }: StreamHeader): number {
  return STREAM_HEADER_BYTES + dataBytes + bssBytes + memoryBytes + eventsBytes;
}

/** @throws DiagnosticError W903 if the device's stream is none, or not of this package */
export function readHeader(stream: Uint8Array, layout: StateLayout): StreamHeader {
  if (stream.length < STREAM_HEADER_BYTES) throw fault(layout, 'the device sent less than a header');
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const [magic, identity, dataBytes, bssBytes, memoryBytes, eventsBytes] = [0, 4, 8, 12, 16, 20].map((at) =>
    view.getUint32(at, true),
  ) as [number, number, number, number, number, number];
  if (magic !== MAGIC) throw fault(layout, 'the device sent another kind of snapshot');
  const capacity = layout.memory?.capacityBytes ?? 0;
  if (dataBytes !== dataOf(layout).length || bssBytes !== layout.bssBytes || memoryBytes > capacity)
    throw fault(layout, 'the snapshot does not belong to this package');
  return { identity, dataBytes, bssBytes, memoryBytes, eventsBytes };
}

const dataOf = ({ data }: StateLayout): Buffer => Buffer.from(data, 'base64');

function fault({ module }: StateLayout, what: string): DiagnosticError {
  return new DiagnosticError('W903', `state of ${module}: ${what}`);
}

/** Initialised and zeroed RAM of the module by address. */
class Ram {
  private readonly data: DataView;
  private readonly bss: DataView;

  constructor(
    private readonly layout: StateLayout,
    data: Uint8Array,
    bss: Uint8Array,
  ) {
    this.data = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.bss = new DataView(bss.buffer, bss.byteOffset, bss.byteLength);
  }

  word(address: number): number {
    const { view, at } = this.find(address);
    return view.getUint32(at, true);
  }
  set(address: number, value: number): void {
    const { view, at } = this.find(address);
    view.setUint32(at, value, true);
  }

  private find(address: number): { readonly view: DataView; readonly at: number } {
    const { dataStart, bssStart } = this.layout;
    if (address >= dataStart && address + 4 <= dataStart + this.data.byteLength)
      return { view: this.data, at: address - dataStart };
    if (address >= bssStart && address + 4 <= bssStart + this.bss.byteLength)
      return { view: this.bss, at: address - bssStart };
    throw fault(this.layout, `no data at 0x${address.toString(16)}`);
  }
}

/** @throws DiagnosticError W903 if it is no state of this package, or holds what cannot travel */
export function fromDevice(stream: Uint8Array, layout: StateLayout): ModuleState {
  const header = readHeader(stream, layout);
  if (stream.length !== streamBytes(header)) throw fault(layout, 'the snapshot is not as long as its header says');
  let at = STREAM_HEADER_BYTES;
  const part = (bytes: number): Uint8Array => stream.subarray(at, (at += bytes));
  const ram = new Ram(layout, part(header.dataBytes), part(header.bssBytes));
  const memory = part(header.memoryBytes);
  const indexOf = new Map(layout.functions.map(([index, address]) => [address, index]));
  const reference = (value: number, ofFunctions: boolean): number => {
    if (value === 0) return NULL_REFERENCE;
    const index = ofFunctions ? indexOf.get(value) : undefined;
    if (index === undefined) throw fault(layout, 'a table refers to what is not of the module');
    return index;
  };
  const scalars = {
    memories: layout.memory === null ? [] : [wholeMemory(memory, layout.memory)],
    globals: layout.globals.map((global) => {
      if (global === null || global.constant !== null) return null;
      const low = BigInt(ram.word(global.address));
      return global.wide ? (BigInt(ram.word(global.address + 4)) << 32n) | low : low;
    }),
    tables: layout.tables.map(({ address, entries, capacity, ofFunctions }) => {
      const size = ram.word(address + WASM_TABLE.offset.size);
      if (size > capacity) throw fault(layout, 'a table is longer than its place');
      return Array.from({ length: size }, (_, i) => reference(ram.word(entries + 4 * i), ofFunctions));
    }),
    dropped: layout.segments
      .filter(({ lengthAt }) => ram.word(lengthAt) === 0)
      .map(({ kind, segment }) => ({ kind, segment })),
  };
  return { scalars, ...readEvents(stream.subarray(at), layout) };
}

/** A memory that has less on the device than the module declares is zero from there on. */
function wholeMemory(bytes: Uint8Array, { declaredBytes }: MemoryLayout): Uint8Array {
  const whole = new Uint8Array(Math.max(bytes.length, declaredBytes));
  whole.set(bytes);
  return whole;
}

/** @throws DiagnosticError W903 if the device has no room for it, or it is no state of this module */
export function toDevice({ scalars, timers, subscriptions }: ModuleState, layout: StateLayout, identity: number) {
  const data = dataOf(layout);
  const bss = new Uint8Array(layout.bssBytes);
  const ram = new Ram(layout, data, bss);
  const counts = [scalars.memories.length, scalars.globals.length, scalars.tables.length];
  if (counts.join() !== [layout.memory === null ? 0 : 1, layout.globals.length, layout.tables.length].join())
    throw fault(layout, 'it is of another module');
  const addressOf = new Map(layout.functions);
  const reference = (index: number): number => {
    const address = index === NULL_REFERENCE ? 0 : addressOf.get(index);
    if (address === undefined) throw fault(layout, `function ${index} cannot be referred to on the device`);
    return address;
  };
  layout.globals.forEach((global, i) => {
    const bits = scalars.globals[i] ?? null;
    if (global === null) return;
    if (global.constant !== null) {
      ram.set(global.address, reference(global.constant));
      return;
    }
    if (bits === null) throw fault(layout, `global ${i} is missing`);
    ram.set(global.address, Number(BigInt.asUintN(32, bits)));
    if (global.wide) ram.set(global.address + 4, Number(BigInt.asUintN(32, bits >> 32n)));
  });
  layout.tables.forEach(({ address, entries, capacity, ofFunctions }, i) => {
    const table = scalars.tables[i]!;
    if (table.length > capacity)
      throw fault(layout, `table ${i} has ${table.length} entries, on the device there is room for ${capacity}`);
    if (!ofFunctions && table.some((entry) => entry !== NULL_REFERENCE))
      throw fault(layout, `table ${i} refers to objects of the host`);
    ram.set(address + WASM_TABLE.offset.size, table.length);
    table.forEach((entry, k) => ram.set(entries + 4 * k, reference(entry)));
  });
  for (const lengthAt of layout.spent) ram.set(lengthAt, 0);
  for (const { kind, segment, lengthAt } of layout.segments)
    if (scalars.dropped.some((entry) => entry.kind === kind && entry.segment === segment)) ram.set(lengthAt, 0);
  const memory = layout.memory === null ? new Uint8Array(0) : memoryFor(scalars.memories[0]!, layout, layout.memory);
  if (layout.memory !== null) {
    const { address, pageShift } = layout.memory;
    ram.set(address + WASM_MEMORY.offset.bytes, memory.length);
    ram.set(address + WASM_MEMORY.offset.pages, memory.length >>> pageShift);
  }
  const events = writeEvents(timers, subscriptions, layout);
  const header = Buffer.alloc(STREAM_HEADER_BYTES);
  [MAGIC, identity, data.length, bss.length, memory.length, events.length].forEach((value, i) =>
    header.writeUInt32LE(value, 4 * i),
  );
  return Buffer.concat([header, data, bss, memory, events]);
}

/** The part of a memory that the device has. What it leaves out is zero. */
function memoryFor(memory: Uint8Array, layout: StateLayout, place: MemoryLayout): Uint8Array {
  const { declaredBytes, minBytes, capacityBytes, pageShift, growable } = place;
  const page = 2 ** pageShift;
  let size = minBytes;
  // As much as the module has seen elsewhere, if it can ask: a memory never shrinks.
  if (growable) size = Math.max(minBytes, Math.min(memory.length, Math.floor(capacityBytes / page) * page));
  let used = memory.length;
  while (used > 0 && memory[used - 1] === 0) used--;
  if (used > size || (memory.length > declaredBytes && memory.length > size)) {
    const needed = memory.length > declaredBytes ? memory.length : used;
    throw fault(layout, `it needs ${needed} bytes of memory, on the device it has ${size}`);
  }
  const part = new Uint8Array(size);
  part.set(memory.subarray(0, Math.min(size, memory.length)));
  return part;
}

function readEvents(bytes: Uint8Array, layout: StateLayout) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (length: number): number => {
    if (at + length > bytes.length) throw fault(layout, 'timers and subscriptions are cut off');
    at += length;
    return at - length;
  };
  const word = (): number => view.getUint32(take(4), true);
  const timers: TimerState[] = [];
  for (let left = word(); left > 0; left--) timers.push({ id: word(), remainingMs: word(), periodMs: word() });
  const subscriptions: SubscriptionState[] = [];
  for (let left = word(); left > 0; left--) {
    const [id, address, capacity, length] = [word(), word(), word(), word()];
    const start = take(Math.ceil(length / 4) * 4);
    const uri = Buffer.from(bytes.subarray(start, start + length)).toString('utf8');
    // The kernel leaves out the first slash.
    subscriptions.push({ id, address, capacity, uri: `/${uri}` });
  }
  if (at !== bytes.length) throw fault(layout, 'something follows the subscriptions');
  return { timers, subscriptions };
}

function writeEvents(
  timers: readonly TimerState[],
  subscriptions: readonly SubscriptionState[],
  layout: StateLayout,
): Buffer {
  const words: number[] = [timers.length];
  for (const { id, remainingMs, periodMs } of timers) {
    if (id >= MODULE_TIMERS) throw fault(layout, `timer ${id}: a device has timers 0 to ${MODULE_TIMERS - 1}`);
    words.push(id, Math.max(0, Math.ceil(remainingMs)), Math.ceil(periodMs));
  }
  words.push(subscriptions.length);
  const parts = [wordBytes(words)];
  for (const { id, uri, address, capacity } of subscriptions) {
    const text = Buffer.from(uri.replace(/^\//, ''), 'utf8');
    if (text.length > MAX_OBSERVED_URI) throw fault(layout, `it observes ${uri}, too long a path for a device`);
    const padded = Buffer.alloc(Math.ceil(text.length / 4) * 4);
    text.copy(padded);
    parts.push(wordBytes([id, address, capacity, text.length]), padded);
  }
  return Buffer.concat(parts);
}

function wordBytes(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i));
  return bytes;
}
