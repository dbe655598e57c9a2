// The price of a call between modules: at most 250 instructions there and back, whatever the payload's size.
import { beforeAll, describe, expect, it } from 'vitest';
import { measureCalls, type CallCost } from './measure.js';
import { prepareRuntime } from './os-device.js';

const LIMIT = 250;

describe('a call by number', () => {
  let costs: readonly CallCost[];
  beforeAll(async () => {
    await prepareRuntime();
    costs = await measureCalls();
  }, 120_000);

  it(`takes at most ${LIMIT} instructions, sizes checked on both sides`, () => {
    for (const { bytes, there, back } of costs.filter(({ record }) => record === 'none'))
      expect(there + back, `${bytes} bytes`).toBeLessThanOrEqual(LIMIT);
  });
  it('costs the same for 16 and for 4,096 bytes', () => {
    const [, ...sized] = costs.filter(({ record }) => record === 'none');
    expect(new Set(sized.map(({ there, back, cycles }) => `${there} ${back} ${cycles}`)).size).toBe(1);
  });
  it(`takes at most ${LIMIT} instructions with a record of three ranges checked`, () => {
    const { there, back } = costs.find(({ record }) => record === 'request')!;
    expect(there + back).toBeLessThanOrEqual(LIMIT);
  });
});
