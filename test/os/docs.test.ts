// The application in docs/os.md is what it says: its manifest and modules build and print what the text promises.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import { loadManifest } from '../../manifest/load.js';
import { runOnDevice } from './examples/device-run.js';

const root = join(import.meta.dirname, '../..');
const blocks = (file: string, language: string): string[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(new RegExp('^```' + language + '\\n([\\s\\S]*?)^```', 'gm'))].map(
    ([, text]) => text!,
  );
const clang = ['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang-16', 'clang'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);

it('the application of docs/os.md', async () => {
  const [manifest] = blocks('docs/os.md', 'json');
  const modules = blocks('docs/os.md', 'c').map((text) => [/^\/\/ (\w+)\.c/.exec(text)![1]!, text] as const);
  expect(modules.map(([name]) => name)).toEqual(['sensor', 'display']);
  loadManifest(Buffer.from(manifest!), 'things.json');
  if (clang === undefined) return;
  await buildRuntime();
  const folder = mkdtempSync(join(tmpdir(), 'docs-os-'));
  try {
    writeFileSync(join(folder, 'things.json'), manifest!);
    const [flags] = /clang (--target=wasm32 [\s\S]*?) \\\n/.exec(blocks('docs/os.md', 'sh')[0]!)!.slice(1);
    for (const [name, text] of modules) {
      const source = join(folder, `${name}.c`);
      writeFileSync(source, text);
      const include = `-I${join(root, 'sdk/c')}`;
      execFileSync(clang, [...flags!.split(' '), include, '-o', join(folder, `${name}.wasm`), source]);
    }
    expect(runOnDevice(join(folder, 'things.json'), 2.5)).toEqual([
      '[display] 21.50 degrees',
      '[display] 21.50 degrees',
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('the manifest of the README', () => {
  const [manifest] = blocks('README.md', 'json');
  const { app, findings } = loadManifest(Buffer.from(manifest!), 'things.json');
  expect(app.modules.map(({ name }) => name)).toEqual(['sensor', 'display']);
  expect(findings.warnings).toEqual([]);
});
