// The example applications in Node's engine: their own logic is right, before any kernel runs them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../sdk/host.js';
import { loadThings } from '../sdk/things.js';
import { expectControlLoop, expectWeather } from './expectations.js';

const root = join(import.meta.dirname, '../../..');
const run = (app: string, seconds: number, without: readonly string[] = []): readonly string[] => {
  const host = new NodeHost();
  for (const module of loadThings(join(root, 'examples', app, 'things.json')))
    if (!without.includes(module.name)) host.start(module);
  host.runUntil(1000 * seconds);
  return host.lines;
};

describe('example applications in Node', () => {
  beforeAll(() => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/setup/examples.mjs', 'apps'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  });

  it('weather station', () => expectWeather(run('weather-station', 11), 11));

  it('motor control, without the rogue', () => expectControlLoop(run('motor-control', 2.2, ['rogue']), 0));
});
