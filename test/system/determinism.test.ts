// Same input, same bytes: across runs, across the order in which functions are compiled, after other modules were
// compiled in the same process, and across processes with another locale and time zone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { ESP32_LARGE } from '../../compiler/abi/boards.js';
import { frontend } from '../../compiler/driver.js';
import { buildImage } from '../../linker/build.js';
import { generateModule } from '../fuzz/generate.js';

const root = join(import.meta.dirname, '../..');
const FILES = [
  '@chainsafe/as-sha256/build/optimized.wasm',
  'xxhash-wasm/workerd/xxhash.wasm',
  '@foxglove/wasm-lz4/dist/wasm-lz4.wasm',
];
const read = (file: string): Uint8Array => new Uint8Array(readFileSync(join(root, 'node_modules', file)));
const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe.each(['0', '2'] as const)('determinism at -O%s', (level) => {
  it.each(FILES)('%s: same object in every run', (file) => {
    const bytes = read(file);
    const first = hash(compileModule(frontend(bytes, { name: 'm' }), { level }).object);
    compileModule(frontend(generateModule(7).bytes, { name: 'other' }), { level });
    expect(hash(compileModule(frontend(bytes, { name: 'm' }), { level }).object)).toBe(first);
  });

  it.each(FILES)('%s: a function does not depend on when it is compiled', (file) => {
    const bytes = read(file);
    const code = (reversed: boolean): Map<string, string> => {
      const ir = frontend(bytes, { name: 'm' });
      if (reversed) ir.bodies.reverse();
      return new Map(compileModule(ir, { level }).functions.map((f) => [f.symbol, hash(f.bytes)]));
    };
    const forward = code(false);
    const backward = code(true);
    expect(backward.size).toBe(forward.size);
    for (const [symbol, digest] of forward) expect([symbol, backward.get(symbol)]).toEqual([symbol, digest]);
  });
});

it('another process with another locale and time zone builds the same image', () => {
  const file = join(root, 'node_modules', 'xxhash-wasm/workerd/xxhash.wasm');
  const options = { board: ESP32_LARGE, compile: { level: '2', cfi: 'forward' } } as const;
  const here = hash(buildImage([{ bytes: new Uint8Array(readFileSync(file)), file }], options).image);
  const script = `
    import { readFileSync } from 'node:fs';
    import { createHash } from 'node:crypto';
    const { buildImage } = await import(${JSON.stringify(join(root, 'linker/build.ts'))});
    const { ESP32_LARGE } = await import(${JSON.stringify(join(root, 'compiler/abi/boards.ts'))});
    const file = ${JSON.stringify(file)};
    const { image } = buildImage([{ bytes: new Uint8Array(readFileSync(file)), file }],
      { board: ESP32_LARGE, compile: { level: '2', cfi: 'forward' } });
    console.log(createHash('sha256').update(image).digest('hex'));`;
  const tsx = join(root, 'node_modules/.bin/tsx');
  const env = { ...process.env, LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', TZ: 'Pacific/Chatham' };
  const other = spawnSync(tsx, ['--input-type=module', '-e', script], { env, encoding: 'utf8', cwd: '/' });
  expect(other.stderr.replace(/npm warn.*\n/g, '')).toBe('');
  expect(other.stdout.trim()).toBe(here);
});
