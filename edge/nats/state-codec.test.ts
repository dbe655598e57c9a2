// States as bytes: they come back as they were, and what is none is refused.
import { randomBytes } from 'node:crypto';
import { encode } from 'cborg';
import { expect, it } from 'vitest';
import type { ModuleState } from '../host/types.js';
import { decodeState, encodeState } from './state-codec.js';

it('a state travels as it is, without its zeros', () => {
  const memory = new Uint8Array(1 << 20);
  memory.set(randomBytes(5000), 12_000);
  memory.set([1], memory.length - 1);
  const state: ModuleState = {
    scalars: {
      memories: [memory, new Uint8Array(0), new Uint8Array(100).fill(7)],
      globals: [null, 0xffff_ffff_ffff_ffffn, 5n, 1n << 53n],
      tables: [[-1, 0, 70_000], []],
      dropped: [{ kind: 'data', segment: 3 }],
    },
    timers: [{ id: 1, remainingMs: 12.5, periodMs: 1000 }],
    subscriptions: [{ id: 0, uri: '//porch/lamp', address: 4096, capacity: 64 }],
  };
  const bytes = encodeState(state);
  expect(bytes.length).toBeLessThan(20_000);
  const back = decodeState(bytes);
  expect(back.scalars.memories.map((entry) => Buffer.compare(entry, state.scalars.memories[0]!) === 0)[0]).toBe(true);
  expect(back.scalars.memories.map(({ length }) => length)).toEqual([1 << 20, 0, 100]);
  expect({ ...back, scalars: { ...back.scalars, memories: [] } }).toEqual({
    ...state,
    scalars: { ...state.scalars, memories: [] },
  });
  expect(() => decodeState(bytes.subarray(0, 50))).toThrow();
  expect(() => decodeState(Buffer.from([0x81, 0x02]))).toThrow('version');
  const written = (length: number, at: number): Uint8Array =>
    encode([1, [[length, [[at, new Uint8Array(8)]]]], [], [], [], [], []]);
  expect(decodeState(written(64, 56)).scalars.memories[0]).toHaveLength(64);
  for (const [length, at] of [
    [64, 57],
    [-1, 0],
    [2 ** 40, 0],
    [0.5, 0],
  ] as const)
    expect(() => decodeState(written(length, at))).toThrow();
});
