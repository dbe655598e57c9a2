// The things.json of a case, checked as any other.
import { loadManifest, type LoadedManifest } from '../../manifest/load.js';
import type { Case } from './case.js';

const DEFAULTS = { version: '1.0.0', stack: 3072 } as const;

export function manifestOf({ modules, types = {} }: Case): LoadedManifest {
  const file = {
    name: 'conformance',
    version: '1.0.0',
    types,
    modules: modules.map(({ source: _, ...entry }) => ({ ...DEFAULTS, wasm: `${entry.name}.wasm`, ...entry })),
  };
  const loaded = loadManifest(Buffer.from(JSON.stringify(file)), 'things.json');
  loaded.findings.raise();
  return loaded;
}
