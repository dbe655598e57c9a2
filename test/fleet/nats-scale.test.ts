// The short form of the scale run: 100 devices on 3 edges in processes of their own. Its times are not judged, what is lost
// or run twice is.
import { describe, expect, it } from 'vitest';
import { formatFleet } from '../../bench/fleet.js';
import { measureFleet, quantiles } from '../../bench/fleet/scenario.js';
import { withoutNats } from './nats-server.js';

it('quantiles are of the values, whatever their order', () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => (i * 7) % 1000);
  expect(quantiles(values)).toEqual({ median: 500, p99: 990, worst: 999 });
  expect(quantiles(new Float64Array(0))).toEqual({ median: 0, p99: 0, worst: 0 });
});

describe.skipIf(withoutNats())('100 devices on 3 edges', () => {
  it('lose no call and run none twice, though an edge dies and NATS restarts', { timeout: 300_000 }, async () => {
    const sizes = { devices: 100, edges: 3, processes: 1, seconds: 1, changes: 5, ttlMs: 3_000, signed: true };
    const numbers = await measureFleet(sizes, () => undefined);
    expect(numbers.runs).toMatchObject({ twice: 0 });
    expect(numbers.silent).toBe(0);
    expect(numbers.restart.localFailed).toBe(0);
    for (const { calls, failed } of numbers.loads) {
      expect(calls).toBeGreaterThan(0);
      expect(failed).toBe(0);
    }
    const table = formatFleet(numbers).split('\n');
    expect(table[0]).toContain('100 devices on 3 edges');
    expect(table.slice(2).every((row) => /^\| .+ \| .+ \|$|^\|---\|---:\|$/.test(row))).toBe(true);
  });
});
