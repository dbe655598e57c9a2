// The example applications on the simulated device, with the kernel: what must hold in Node holds here, nothing that the
// rogue module does delays the control loop, and every fault is reported and answered.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../../firmware/build.js';
import { Thermometer } from '../../../simulator/peripherals/i2c.js';
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

  it('weather station with a thermometer on the bus', () => {
    const lines = runOnDevice(things('weather-station'), 4.2, {}, (machine) =>
      machine.i2c[0].attach(72, new Thermometer(() => 20 + 2 * machine.clock.seconds())),
    );
    const shown = lines.map((line) => /^\[console\] (\d\.\d) s: (\d+\.\d\d) C/.exec(line)?.slice(1).map(Number));
    expect(shown.length).toBe(4);
    // The low pass is about 0.4 s late.
    for (const [seconds, celsius] of shown.map((pair) => pair ?? [NaN, NaN]))
      expect(Math.abs(celsius! - (20 + 2 * (seconds! - 0.4)))).toBeLessThan(0.3);
  });

  it('motor control beside a module that goes wrong', () => {
    const lines = runOnDevice(things('motor-control'), 3.2);
    expectControlLoop(lines, JITTER_US);
    expectFaults(lines);
  });
});
