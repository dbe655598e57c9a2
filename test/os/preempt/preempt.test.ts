// The short form of the exhaustive preemption test: a part of all instructions, another part each day. `npx tsx
// test/os/preempt/main.ts` is the whole.
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareRuntime } from '../os-device.js';
import { sweep } from './run.js';
import { SCENARIOS } from './scenarios.js';

const STRIDE = 397;
const MILLISECONDS_PER_DAY = 86_400_000;
const OFFSET = Number(process.env['PREEMPT_OFFSET'] ?? (Math.floor(Date.now() / MILLISECONDS_PER_DAY) * 89) % STRIDE);

describe(`interrupted at every ${STRIDE}th instruction from ${OFFSET} on`, () => {
  beforeAll(async () => {
    await prepareRuntime();
  }, 120_000);
  for (const scenario of SCENARIOS)
    for (const injection of ['deadline', 'event'] as const)
      it(`${scenario.name}: ${injection}`, async () => {
        const { failures, runs, hits } = await sweep(scenario, { injection, stride: STRIDE, offset: OFFSET });
        expect(failures).toEqual([]);
        expect(runs).toBeGreaterThan(10);
        expect(hits).toBeGreaterThan(injection === 'event' ? runs - 3 : runs / 4);
      }, 120_000);
});
