// The same modules on the simulated device and on the edge host: equal transcripts. What is not compared, and why, is in
// docs/conformance.md.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareRuntime } from '../os/os-device.js';
import { CASES } from './cases.js';
import { runOnDevice } from './on-device.js';
import { runOnEdge, sorted } from './on-edge.js';
import { bytesOf } from './programs.js';

describe('device and edge', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    await prepareRuntime();
    const cwd = join(import.meta.dirname, '../..');
    spawnSync(process.execPath, ['scripts/setup/examples.mjs', 'sdk'], { cwd });
  });

  it.each(CASES.map((wanted) => [wanted.name, wanted] as const))('%s', async (_, wanted) => {
    const bytes = await bytesOf(wanted);
    if (typeof bytes === 'string') {
      console.warn(`${wanted.name}: not run, needs ${bytes}`);
      return;
    }
    const device = runOnDevice(wanted, bytes);
    expect(device.answers.length + Object.keys(device.lines).length).toBeGreaterThan(0);
    expect(sorted(await runOnEdge(wanted, bytes, device))).toEqual(sorted(device));
  });
});
