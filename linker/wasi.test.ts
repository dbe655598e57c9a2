// Every function of WASI preview 1 is there, with the number of argument words that its C definition takes.
import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WASI_MODULE, WASI_SIGNATURES } from '../compiler/abi/wasi.js';
import { loadRuntimeObjects, packageRoot } from './runtime-objects.js';

describe('WASI preview 1', () => {
  const defined = new Set(
    loadRuntimeObjects().flatMap(({ symbols }) =>
      symbols.filter(({ place }) => place === 'section').map(({ name }) => name),
    ),
  );

  it.each([...WASI_SIGNATURES.keys()])('the runtime has %s', (name) => {
    expect(defined.has(`${WASI_MODULE}.${name}`)).toBe(true);
  });

  it('has the words that the C functions take', () => {
    const source = readFileSync(join(packageRoot(), 'firmware/core/wasi.c'), 'utf8');
    const found = [...source.matchAll(/wasi_(\w+)\(([^()]*)\) WASI\(\w+\);/g)];
    expect(found.length).toBeGreaterThan(10);
    for (const [, name, parameters] of found) {
      const { length } = parameters!.trim() === 'void' ? [] : parameters!.split(',');
      const words = [...WASI_SIGNATURES.get(name!)!.split(':')[0]!].reduce(
        (sum, type) => sum + (type === 'I' ? 2 : 1),
        0,
      );
      expect(words, name).toBe(length);
    }
  });
});
