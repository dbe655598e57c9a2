// Takes a things.json that is known to be right, gives its modules as the Node host wants them.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Method } from '../../../compiler/abi/os-layout.js';
import type { ThingsFile } from '../../../manifest/file.js';
import type { HostModule } from './host.js';

const methodOf = (name: string): keyof typeof Method => (name[0]! + name.slice(1).toLowerCase()) as keyof typeof Method;

/**
 * Modules in start order.
 * @param replaced other files for some of the modules
 */
export function loadThings(path: string, replaced: Readonly<Record<string, string>> = {}): HostModule[] {
  const file = JSON.parse(readFileSync(path, 'utf8')) as ThingsFile;
  return file.modules.map(({ name, wasm, provides = [], requires = [] }) => ({
    name,
    wasm: new Uint8Array(readFileSync(replaced[name] ?? join(dirname(path), wasm))),
    provides: provides.map(({ method, path: uri, handler }) => ({ method: methodOf(method), path: uri, handler })),
    requires: requires.map(({ methods, path: uri }) => ({ method: methodOf(methods[0]!), path: uri })),
  }));
}
