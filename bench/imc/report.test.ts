// Tests of what the bench of the device OS says about made-up numbers: verdict against a baseline, tables.
import { describe, expect, it } from 'vitest';
import { formatImc, imcRegressions, makeImcBaseline } from './report.js';
import type { ImcResult } from './report.js';

function result(instructions: number, code = 1000, ram = 100): ImcResult {
  return {
    figures: [{ id: 'call-0', title: 'call, 0 bytes', instructions, cycles: 2 * instructions }],
    footprint: {
      kernel: [
        { part: 'IMC handler', code, rodata: 10, ram },
        { part: 'drivers', code: 0, rodata: 0, ram: 5 },
      ],
      libraries: [{ part: 'cryptography', code: 5000, rodata: 0, ram: 0 }],
      perModule: 184,
    },
    clockHz: 40_000_000,
  };
}

describe('bench of the device OS', () => {
  const before = makeImcBaseline(result(200));

  it('fails above two percent and not below', () => {
    expect(imcRegressions(result(204), before)).toEqual([]);
    expect(imcRegressions(result(205), before)).toEqual(['call-0: 200 -> 205 instructions']);
    expect(imcRegressions(result(100), before)).toEqual([]);
  });

  it('watches code and RAM as well', () => {
    expect(imcRegressions(result(200, 1100), before)).toEqual(['kernel code: 1010 -> 1110 bytes']);
    expect(imcRegressions(result(200, 1000, 150), before)).toEqual(['kernel RAM: 105 -> 155 bytes']);
  });

  it('misses what is no longer measured', () => {
    expect(imcRegressions({ ...result(200), figures: [] }, before)).toEqual(['call-0: no measurement']);
  });

  it('shows times, parts and sums', () => {
    const text = formatImc(result(200));
    expect(text).toContain('| call, 0 bytes | 200 | 400 | 10.0 |');
    expect(text).toContain('| **kernel** | **1,000** | **10** | **105** |');
    expect(text).toContain('| cryptography | 5,000 | 0 | 0 |');
  });
});
