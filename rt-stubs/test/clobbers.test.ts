// The runtime functions that modules call, as built, destroy no more float and boolean registers than the ABI table
// tells the compiler: all code of rt-stubs is looked at, so that no call graph is needed. Knows symbols and rows.
import { readdirSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { BR_BASE, FR_BASE } from '../../backend-xtensa/abi/abi.js';
import { CALL0 } from '../../backend-xtensa/abi/call0.js';
import { decodeAt } from '../../backend-xtensa/isa/decode.js';
import { buildRuntime } from '../../firmware/build.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';

const SOURCES = new URL('../src/', import.meta.url);

const stem = (file: string): string => file.split('.')[0]!;

const BASES: Readonly<Record<string, number>> = { fr: FR_BASE, br: BR_BASE };

/** Float and boolean registers that the code writes. */
function written(bytes: Uint8Array): Set<number> {
  const registers = new Set<number>();
  for (let at = 0; at < bytes.length;) {
    const inst = decodeAt(bytes, at, at);
    inst?.row.operands.forEach(({ kind, role }, k) => {
      const base = BASES[kind];
      if (base !== undefined && role !== 'use') registers.add(base + inst.operands[k]!);
    });
    at += inst?.row.size ?? 1;
  }
  return registers;
}

beforeAll(() => buildRuntime());

test('float and boolean registers that runtime functions write', () => {
  const found = new Map<string, Set<number>>();
  let functions = 0;
  const stubs = new Set(readdirSync(SOURCES).map(stem));
  for (const { name: object, symbols } of loadRuntimeObjects()) {
    if (!stubs.has(stem(object))) continue;
    for (const { name, type, section, value, size } of symbols) {
      const bytes = section?.bytes;
      if (type !== 'function' || bytes === undefined || bytes === null) continue;
      functions++;
      const registers = written(bytes.subarray(value, value + size));
      if (registers.size > 0) found.set(name, registers);
    }
  }
  expect(functions).toBeGreaterThan(50);
  expect([...found.keys()].sort()).toEqual([...CALL0.floatRuntimeClobbers.keys()].sort());
  for (const [symbol, registers] of found) {
    const declared = CALL0.floatRuntimeClobbers.get(symbol)!.filter((register) => register >= FR_BASE);
    expect([...registers].sort((a, b) => a - b)).toEqual(declared);
  }
});
