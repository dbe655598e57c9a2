// The example applications on the simulated device, with the kernel: what must hold in Node holds here, nothing that the
// rogue module does delays the control loop, and every fault is reported and answered.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../../firmware/build.js';
import { runOnDevice } from './device-run.js';
import { expectControlLoop, expectFaults, expectWeather } from './expectations.js';

const root = join(import.meta.dirname, '../../..');
const things = (app: string): string => join(root, 'examples', app, 'things.json');
/** Most microseconds by which a period of the 1 kHz loop may differ, beside everything else that goes on. */
const JITTER_US = 30;

describe('example applications on the device', () => {
  beforeAll(async () => {
    await buildRuntime();
    const { status, stderr } = spawnSync(process.execPath, ['scripts/setup/examples.mjs', 'apps'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  });

  it('weather station', () => expectWeather(runOnDevice(things('weather-station'), 11.2), 11));

  it('motor control beside a module that goes wrong', () => {
    const lines = runOnDevice(things('motor-control'), 3.2);
    expectControlLoop(lines, JITTER_US);
    expectFaults(lines);
  });
});
