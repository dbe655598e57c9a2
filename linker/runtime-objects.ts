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
  let files: { readonly name: string; readonly bytes: Uint8Array }[];
  try {
    const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { objects: string[] };
    files = index.objects.map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DiagnosticError('W606', `the runtime in ${folder} cannot be read (${why}): run "npm run build"`);
  }
  const objects = files.map(({ name, bytes }) => readObject(bytes, name, 'runtime'));
  cache.set(folder, objects);
  return objects;
}

/**
 * For images with slots: the runtime has what checks a package's signature.
 * @throws DiagnosticError W606 when it was built without
 */
export function requireCryptography(folder = join(packageRoot(), RUNTIME_FOLDER)): void {
  loadRuntimeObjects(folder);
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { cryptography?: boolean };
  if (index.cryptography === true) return;
  const what = 'the runtime was built without Monocypher, which images with slots need';
  throw new DiagnosticError('W606', `${what}: install cargo, which fetches its source, and run "npm run build"`);
}
