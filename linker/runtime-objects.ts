// Finds and reads the prebuilt runtime (firmware and rt-stubs) that images are linked with. Knows the folder it is
// shipped in; refuses to know how it was compiled.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { InputObject } from './object.js';
import { readObject } from './read-object.js';

/** Below the package's root. */
const RUNTIME_FOLDER = join('dist', 'runtime', 'esp32');

/** The package's root: the nearest folder above this file with a package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new DiagnosticError('W606', 'the installation is damaged: no package.json found');
    folder = parent;
  }
  return folder;
}

const cache = new Map<string, readonly InputObject[]>();

/**
 * The runtime's objects, read once.
 * @throws DiagnosticError W606 when they have not been built
 */
export function loadRuntimeObjects(folder = join(packageRoot(), RUNTIME_FOLDER)): readonly InputObject[] {
  const cached = cache.get(folder);
  if (cached !== undefined) return cached;
  let index: { readonly objects: readonly string[] };
  try {
    index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { objects: string[] };
  } catch {
    throw new DiagnosticError(
      'W606',
      `the runtime is not built (no ${join(folder, 'index.json')}): run "npm run build"`,
    );
  }
  const objects = index.objects.map((name) => readObject(readFileSync(join(folder, name)), name, 'runtime'));
  cache.set(folder, objects);
  return objects;
}
