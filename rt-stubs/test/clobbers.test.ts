// The runtime functions that modules call, as built, destroy the registers that the ABI table tells the compiler, and none
// but those in the table use the FPU: all code of rt-stubs is looked at, so that no call graph is needed. Knows symbols
// and rows.
import { readdirSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { BR_BASE, FR_BASE } from '../../backend-xtensa/abi/abi.js';
import { CALL0 } from '../../backend-xtensa/abi/call0.js';
import { decodeAt } from '../../backend-xtensa/isa/decode.js';
import { buildRuntime } from '../../firmware/build.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';

const SOURCES = new URL('../src/', import.meta.url);

const stem = (file: string): string => file.split('.')[0]!;

const BASES: Readonly<Record<string, number>> = { ar: 0, fr: FR_BASE, br: BR_BASE };

/** Registers that the code writes, in ascending order, and whether it calls anything. */
function effects(bytes: Uint8Array): { written: number[]; calls: boolean } {
  const registers = new Set<number>();
  let calls = false;
  for (let at = 0; at < bytes.length;) {
    const inst = decodeAt(bytes, at, at);
    inst?.row.operands.forEach(({ kind, role }, k) => {
      const base = BASES[kind];
      if (base !== undefined && role !== 'use') registers.add(base + inst.operands[k]!);
    });
    calls ||= inst?.row.flow === 'call' || inst?.row.flow === 'callreg';
    at += inst?.row.size ?? 1;
  }
  return { written: [...registers].sort((a, b) => a - b), calls };
}

beforeAll(() => buildRuntime());

test('registers that runtime functions write', () => {
  const { knownRuntime, scratch } = CALL0;
  const usingFloats: string[] = [];
  const unseen = new Set(knownRuntime.keys());
  let functions = 0;
  const stubs = new Set(readdirSync(SOURCES).map(stem));
  for (const { name: object, symbols } of loadRuntimeObjects()) {
    if (!stubs.has(stem(object))) continue;
    for (const { name, type, section, value, size } of symbols) {
      const bytes = section?.bytes;
      if (type !== 'function' || bytes === undefined || bytes === null) continue;
      functions++;
      const { written, calls } = effects(bytes.subarray(value, value + size));
      if (written.some((register) => register >= FR_BASE)) usingFloats.push(name);
      if (!unseen.delete(name)) continue;
      expect(calls, name).toBe(false);
      // The veneer's register may change on the way in.
      const all = new Set([...written, scratch[0]]);
      expect(
        [...all].sort((a, b) => a - b),
        name,
      ).toEqual([...knownRuntime.get(name)!].sort((a, b) => a - b));
    }
  }
  expect(functions).toBeGreaterThan(50);
  expect([...unseen]).toEqual([]);
  expect(usingFloats.filter((name) => !knownRuntime.has(name))).toEqual([]);
});
