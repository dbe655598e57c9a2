// Tests of the bench itself: verdicts, tables and chart on made-up numbers, and one program through every column that this
// machine's tools allow.
import { describe, expect, it } from 'vitest';
import { buildRuntime } from '../firmware/build.js';
import { optimisations } from './ablation.js';
import type { BenchResult } from './measure-all.js';
import { geometricMean, measureAll } from './measure-all.js';
import { PROGRAMS } from './programs.js';
import { compareBaseline, makeBaseline } from './report/baseline.js';
import { chart } from './report/chart.js';
import { formatResults, updateDocument } from './report/document.js';
import { METRICS, formatSummary, formatTable } from './report/table.js';
import { sizesOf } from './rivals/elf.js';
import { nativeColumn } from './rivals/native-column.js';
import { productColumn } from './rivals/product-column.js';
import { toolVersion } from './rivals/tools.js';
import { codeSectionBytes } from './rivals/wasm.js';
import { wasm2cColumn } from './rivals/wasm2c-column.js';

function measured(instructions: number, codeBytes = 100) {
  return { checksum: 1, instructions, cycles: instructions * 2, codeBytes, ramBytes: 64, compileMs: 10 };
}

function result(programs: Record<string, { aot?: number; llvm?: number; gcc?: number }>): BenchResult {
  return {
    programs: Object.entries(programs).map(([name, { aot, llvm, gcc }]) => ({
      name,
      title: name,
      group: 'integer',
      wasmCodeBytes: 50,
      wasmHash: `hash of ${name}`,
      measurements: {
        ...(aot === undefined ? {} : { 'wasm-aot': measured(aot) }),
        ...(llvm === undefined ? {} : { llvm: measured(llvm) }),
        ...(gcc === undefined ? {} : { gcc: measured(gcc) }),
      },
    })),
    missing: {},
    failures: [],
  };
}

describe('baseline', () => {
  const before = makeBaseline(result({ a: { aot: 1000 }, b: { aot: 1000 } }));

  it('fails above two percent and not below', () => {
    expect(compareBaseline(result({ a: { aot: 1021 } }), before).regressions).toHaveLength(1);
    const fine = compareBaseline(result({ a: { aot: 1020 }, b: { aot: 900 } }), before);
    expect(fine.regressions).toEqual([]);
    expect(fine.changes).toHaveLength(2);
    expect(fine.compared).toBe(2);
  });

  it('fails when a program that was measured no longer works', () => {
    expect(compareBaseline(result({ a: {} }), before).regressions).toEqual(['a: no measurement']);
  });

  it('does not compare what was made from another module', () => {
    const other = { ...before, a: { ...before.a!, wasm: 'something else' } };
    const comparison = compareBaseline(result({ a: { aot: 9000 } }), other);
    expect(comparison).toMatchObject({ regressions: [], skipped: ['a'], compared: 0 });
  });

  it('keeps entries of programs that were not run', () => {
    expect(Object.keys(makeBaseline(result({ c: { aot: 5 } }), before))).toEqual(['a', 'b', 'c']);
  });
});

describe('reports', () => {
  const columns = [productColumn('wasm-aot', 'wasm-aot', {}), nativeColumn('llvm'), nativeColumn('gcc')];
  const some = result({ one: { aot: 200, llvm: 100, gcc: 50 }, two: { aot: 50, llvm: 100 }, three: { aot: 7 } });

  it('gives ratios, holes and geometric means', () => {
    const [, header, , one, two, three, , means] = formatTable(METRICS[0]!, some, columns).split('\n');
    expect(header).toMatch(/^program +instructions +wasm-aot +native, LLVM 22 +native, lx106 gcc$/);
    expect(one).toMatch(/^one +100 +2\.00 +1\.00 +0\.50$/);
    expect(two).toMatch(/^two +100 +0\.50 +1\.00 +-$/);
    expect(three).toMatch(/^three +- +- +- +-$/);
    expect(means).toMatch(/^geometric mean +1\.00 +1\.00 +0\.50$/);
  });

  it('names the better native', () => {
    // 200 / 50 and 50 / 100
    expect(formatSummary(some, 'wasm-aot')).toContain(`the better native of each program: ${Math.SQRT2.toFixed(2)}`);
  });

  it('draws one row per program', () => {
    const svg = chart(some, METRICS[0]!);
    for (const name of ['one', 'two', 'three', 'geometric mean']) expect(svg).toContain(`>${name}</text>`);
    expect(svg).toContain('one, wasm-aot, all checks on: 2.00');
    expect(svg).not.toContain('NaN');
  });

  it('replaces the generated parts of a document and nothing else', () => {
    const text = 'a\n<!-- results: generated -->old<!-- results: end -->\nb\n';
    const updated = updateDocument(text, { results: formatResults(some) });
    expect(updated).toMatch(/^a\n<!-- results: generated -->\n\n\| program/);
    expect(updated).toMatch(/\| one \| 100 \| 2\.00 \| 2\.00 \| 4\.00 \| 0\.50 \| - \| - \| 2\.00 \|/);
    expect(updated).toMatch(/<!-- results: end -->\nb\n$/);
    expect(updateDocument(updated, { results: formatResults(some) })).toBe(updated);
    expect(() => updateDocument(text, { other: '' })).toThrow('<!-- other: generated -->');
  });

  it('knows the passes that can be left out', () => {
    expect(optimisations().get('gvn')).toEqual(['gvn', 'gvn-lowered']);
    expect(optimisations().has('lower-memory')).toBe(false);
  });

  it('has a mean', () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4);
  });
});

describe('sizes', () => {
  it('finds the code section', () => {
    const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, 3, 1, 0x78, 0, 10, 0x84, 0, 1, 2, 0, 0x0b);
    expect(codeSectionBytes(wasm)).toBe(4);
    expect(codeSectionBytes(wasm.subarray(0, 8))).toBe(0);
  });

  it('counts literals as code and constants as neither', () => {
    const section = (name: string, size: number, executable = false, writable = false, allocated = true) => ({
      ...{ name, size, executable, writable, allocated },
    });
    const sections = [
      section('.text.run', 40, true),
      section('.literal.run', 8),
      section('.rodata.run.literal', 4),
      section('.rodata', 16),
      section('.bss', 32, false, true),
      section('.comment', 99, false, false, false),
    ];
    expect(sizesOf({ sections, segments: [], symbols: new Map() })).toEqual({ codeBytes: 52, ramBytes: 32 });
  });
});

const TOOLS = ['clang-22', 'llc-22', 'llvm-mc-22', 'xtensa-lx106-elf-gcc', 'wasm2c'] as const;
describe.skipIf(TOOLS.some((tool) => toolVersion(tool) === undefined))('with the rivals installed', () => {
  it('measures the same work in every column', async () => {
    await buildRuntime();
    const program = { ...PROGRAMS.find(({ name }) => name === 'recursion')!, n: 1 };
    const columns = [
      productColumn('wasm-aot', 'wasm-aot', {}),
      ...(['llvm', 'gcc'] as const).flatMap((compiler) => [nativeColumn(compiler), wasm2cColumn(compiler)]),
    ];
    const { programs, failures, missing } = measureAll([program], columns);
    expect({ failures, missing }).toEqual({ failures: [], missing: {} });
    const measurements = Object.values(programs[0]!.measurements);
    expect(measurements).toHaveLength(columns.length);
    expect(new Set(measurements.map(({ checksum }) => checksum)).size).toBe(1);
    for (const { instructions, codeBytes } of measurements) {
      expect(instructions).toBeGreaterThan(20_000);
      expect(codeBytes).toBeGreaterThan(400);
    }
  });

  it('gives the same counts every time', async () => {
    await buildRuntime();
    const program = { ...PROGRAMS.find(({ name }) => name === 'pid_f64')!, n: 3 };
    const [first, second] = [1, 2].map(() => productColumn('wasm-aot', '', {}).measure(program));
    expect({ ...second, compileMs: 0 }).toEqual({ ...first, compileMs: 0 });
  });
});
