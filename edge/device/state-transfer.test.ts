// States as blocks: what is known does not travel, what the device says in the end is what counts, whatever changes or is
// lost on the way.
import { crc32 } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { StateLayout } from './state-layout.js';
import { fetchState, storeState } from './state-transfer.js';
import { STREAM_HEADER_BYTES } from './state-translation.js';

const DATA = Buffer.alloc(40, 3);
const BSS_BYTES = 64;
const CAPACITY = 8192;
const layout = {
  module: 'm',
  data: DATA.toString('base64'),
  bssBytes: BSS_BYTES,
  memory: { capacityBytes: CAPACITY },
} as unknown as StateLayout;

/** A stream whose memory is zero but for what `write` does. */
function streamOf(memoryBytes: number, write: (memory: Buffer) => void = () => undefined, events = 8): Buffer {
  const header = Buffer.alloc(STREAM_HEADER_BYTES);
  [0x32535354, 77, DATA.length, BSS_BYTES, memoryBytes, events].forEach((word, i) => header.writeUInt32LE(word, 4 * i));
  const memory = Buffer.alloc(memoryBytes);
  write(memory);
  return Buffer.concat([header, DATA, Buffer.alloc(BSS_BYTES, 9), memory, Buffer.alloc(events)]);
}

/** A module on a device, by its stream. */
class Held {
  reads = 0;
  written = 0;
  /** Runs before each answer. */
  meanwhile: () => void = () => undefined;
  constructor(public stream: Buffer) {}

  readonly api = {
    digest: async (_module: string, block: number): Promise<number[]> => {
      this.meanwhile();
      const count = Math.ceil(this.stream.length / block);
      return Array.from({ length: count }, (_, i) => crc32(this.stream.subarray(i * block, (i + 1) * block)));
    },
    stateBlock: async (_module: string, number: number, bytes: number): Promise<Buffer> => {
      this.meanwhile();
      this.reads++;
      return Buffer.from(this.stream.subarray(number * bytes, (number + 1) * bytes));
    },
    writeState: async (_module: string, offset: number, bytes: Uint8Array): Promise<void> => {
      this.written += bytes.length;
      if (offset === 0) {
        const head = Buffer.from(bytes);
        const sizes = [8, 12, 16, 20].reduce((sum, at) => sum + head.readUInt32LE(at), STREAM_HEADER_BYTES);
        const next = Buffer.alloc(sizes);
        this.stream.copy(next);
        this.stream = next;
      }
      this.stream.set(bytes, offset);
    },
  };
}

let held: Held;
beforeEach(() => {
  held = new Held(streamOf(4096, (memory) => memory.write('here', 3000)));
});

describe('fetching a state', () => {
  it('leaves out what is zero, and what is known', async () => {
    const first = await fetchState(held.api, layout, null, true);
    expect(first.stream.equals(held.stream)).toBe(true);
    expect(held.reads).toBeLessThan(5);
    held.reads = 0;
    expect((await fetchState(held.api, layout, first.stream, true)).stream.equals(held.stream)).toBe(true);
    expect(held.reads).toBe(0);
    held.stream.write('there', 2000);
    expect((await fetchState(held.api, layout, first.stream, true)).stream.equals(held.stream)).toBe(true);
    expect(held.reads).toBe(1);
    held.stream = streamOf(8192, (memory) => memory.fill(7, 100));
    expect((await fetchState(held.api, layout, first.stream, true)).stream.equals(held.stream)).toBe(true);
    held.stream = streamOf(1000, undefined, 44);
    expect((await fetchState(held.api, layout, first.stream, true)).stream.equals(held.stream)).toBe(true);
  });

  it('of a module that runs is about right, of one that is held exact', async () => {
    let time = 0;
    held.meanwhile = () => void (time < 6 && held.stream.writeUInt32LE(++time, 200));
    const about = await fetchState(held.api, layout, null, false);
    expect(about.stream.length).toBe(held.stream.length);
    expect((await fetchState(held.api, layout, about.stream, true)).stream.equals(held.stream)).toBe(true);
    held.meanwhile = () => void held.stream.writeUInt32LE(++time, 200);
    await expect(fetchState(held.api, layout, null, true)).rejects.toThrow(DiagnosticError);
  });
});

describe('storing a state', () => {
  it('sends what differs, whatever is believed', async () => {
    const wanted = streamOf(6000, (memory) => memory.write('now', 500));
    await storeState(held.api, layout, wanted, null);
    expect(held.stream.equals(wanted)).toBe(true);
    held.written = 0;
    const next = Buffer.from(wanted);
    next.write('soon', 1000);
    await storeState(held.api, layout, next, wanted);
    expect(held.stream.equals(next)).toBe(true);
    expect(held.written).toBe(STREAM_HEADER_BYTES + 256);
    // What the edge believes is wrong: the device was reset.
    held.stream = streamOf(4096);
    await storeState(held.api, layout, next, next);
    expect(held.stream.equals(next)).toBe(true);
  });

  it('says so when the device does not take it', async () => {
    held.meanwhile = () => void held.stream.writeUInt32LE(5, 200);
    await expect(storeState(held.api, layout, streamOf(4096), null)).rejects.toThrow(DiagnosticError);
  });
});
