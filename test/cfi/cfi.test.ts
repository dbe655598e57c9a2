// Control-flow faults in running code: every one must be caught.
import { describe, expect, it } from 'vitest';
import { costs, runFaults, totalOf } from './faults.js';

describe('--cfi full', () => {
  for (const level of ['0', '2'] as const) {
    it(`catches every wrong return address and reference (-O${level})`, () => {
      const counts = runFaults(level);
      expect(counts.missed).toEqual([]);
      expect(totalOf(counts).injected).toBeGreaterThan(200);
    });
  }

  it('costs what its checks cost and no more', () => {
    for (const { program, none, forward, full } of costs()) {
      expect([program, none <= forward && forward <= full]).toEqual([program, true]);
      expect([program, full < 2 * none]).toEqual([program, true]);
    }
  });
});
