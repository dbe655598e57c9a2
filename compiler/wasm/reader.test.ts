// Tests the scalar readers at the edges of what the binary format allows.
import { describe, expect, it } from 'vitest';
import { DiagnosticError } from '../diagnostics.js';
import { ByteReader } from './reader.js';

function reader(...bytes: number[]): ByteReader {
  return new ByteReader(Uint8Array.from(bytes));
}

function fault(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof DiagnosticError) return `${error.code} ${error.message} @${error.place.offset}`;
    throw error;
  }
  return 'accepted';
}

function signedLeb(value: bigint): number[] {
  const out: number[] = [];
  for (;;) {
    const byte = Number(value & 0x7fn);
    value >>= 7n;
    const done = (value === 0n && (byte & 0x40) === 0) || (value === -1n && (byte & 0x40) !== 0);
    out.push(done ? byte : byte | 0x80);
    if (done) return out;
  }
}

describe('u32', () => {
  it('reads every length, also padded', () => {
    expect(reader(0x00).u32()).toBe(0);
    expect(reader(0x7f).u32()).toBe(127);
    expect(reader(0xe5, 0x8e, 0x26).u32()).toBe(624485);
    expect(reader(0xff, 0xff, 0xff, 0xff, 0x0f).u32()).toBe(0xffffffff);
    expect(reader(0x83, 0x80, 0x80, 0x80, 0x00).u32()).toBe(3);
  });
  it('refuses overlong, too large and truncated forms', () => {
    expect(fault(() => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).u32())).toBe(
      'W103 integer representation too long @0',
    );
    expect(fault(() => reader(0xff, 0xff, 0xff, 0xff, 0x1f).u32())).toBe('W103 integer too large @0');
    expect(fault(() => reader(0x80).u32())).toBe('W102 unexpected end @1');
    expect(fault(() => reader().u32())).toBe('W102 unexpected end @0');
  });
});

describe('signed integers', () => {
  const samples = [0n, 1n, -1n, 63n, 64n, -64n, -65n, 8191n, -8192n, -8193n, 1n << 30n, -(1n << 30n), (1n << 31n) - 1n];
  it('s32 reads what was written', () => {
    for (const value of [...samples, -(1n << 31n)]) expect(reader(...signedLeb(value)).s32()).toBe(Number(value));
  });
  it('s33 reads what was written', () => {
    for (const value of [...samples, (1n << 32n) - 1n, -(1n << 32n)]) {
      expect(reader(...signedLeb(value)).s33()).toBe(Number(value));
    }
  });
  it('s64 reads what was written, at every bit', () => {
    for (let bit = 0n; bit < 63n; bit++) {
      for (const value of [1n << bit, -(1n << bit), (1n << bit) - 1n, -(1n << bit) - 1n]) {
        const r = reader(...signedLeb(value));
        r.s64();
        expect((BigInt(r.hi) << 32n) | BigInt(r.lo >>> 0)).toBe(value);
      }
    }
  });
  it('checks the unused bits of the last byte', () => {
    expect(reader(0xff, 0xff, 0xff, 0xff, 0x7f).s32()).toBe(-1);
    expect(fault(() => reader(0xff, 0xff, 0xff, 0xff, 0x0f).s32())).toMatch('integer too large');
    expect(fault(() => reader(0x80, 0x80, 0x80, 0x80, 0x70).s32())).toMatch('integer too large');
    expect(fault(() => reader(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).s32())).toMatch('too long');
    const nine = new Array<number>(9).fill(0x80);
    expect(fault(() => reader(...nine, 0x02).s64())).toMatch('integer too large');
    expect(fault(() => reader(...nine, 0x80, 0x00).s64())).toMatch('too long');
  });
});

describe('names and counts', () => {
  it('takes UTF-8, also a byte order mark, as it is', () => {
    expect(reader(3, 0xef, 0xbb, 0xbf).name()).toBe('\ufeff');
    expect(reader(4, 0xf0, 0x9f, 0x92, 0xa9).name()).toBe('\u{1f4a9}');
  });
  it('refuses surrogates, overlong forms and names beyond the end', () => {
    expect(fault(() => reader(3, 0xed, 0xa0, 0x80).name())).toBe('W104 malformed UTF-8 encoding @1');
    expect(fault(() => reader(2, 0xc0, 0x80).name())).toMatch('W104');
    expect(fault(() => reader(5, 0x61).name())).toBe('W102 length out of bounds @0');
  });
  it('refuses counts that the remaining bytes cannot hold', () => {
    expect(fault(() => reader(0xff, 0xff, 0xff, 0xff, 0x0f, 0).count(1))).toMatch('length out of bounds');
    expect(reader(2, 0, 0, 0, 0).count(2)).toBe(2);
  });
});
