// Every module under test/regressions/ once showed a difference between engines or broke the compiler: takes them all,
// checks that Node, the interpreter and compiled code at every level agree now.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { callsFor, compareEngines } from './fuzz/compare.js';
import { DeviceEngine } from './fuzz/device-engine.js';
import type { GeneratedModule } from './fuzz/generate.js';
import { InterpEngine } from './fuzz/interp-engine.js';
import { NodeEngine } from './fuzz/node-engine.js';

const folder = join(import.meta.dirname, 'regressions');
const names = existsSync(folder) ? readdirSync(folder).filter((n) => n.endsWith('.wasm')) : [];

describe('regressions', () => {
  const levels = ['0', '1', '2', 's'] as const;
  const engines = [
    new NodeEngine(),
    new InterpEngine(),
    ...levels.map((level) => new DeviceEngine({ level, verify: true })),
  ];
  it.each(names)('%s', (name) => {
    const description = JSON.parse(
      readFileSync(join(folder, name.replace('.wasm', '.json')), 'utf8'),
    ) as GeneratedModule;
    const module = { ...description, bytes: new Uint8Array(readFileSync(join(folder, name))), instructions: 0 };
    expect(compareEngines(module, callsFor(module), engines)).toBeUndefined();
  });
});
