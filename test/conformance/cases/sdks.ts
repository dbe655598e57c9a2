// The example of the SDKs, provider and caller in two languages each.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ThingsFile } from '../../../manifest/file.js';
import type { Case } from '../case.js';

const file = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../examples/sdk/things.json'), 'utf8'),
) as ThingsFile;
const PAIRS = [
  ['c', 'rust'],
  ['rust', 'assemblyscript'],
  ['assemblyscript', 'c'],
] as const;

export const SDKS: readonly Case[] = PAIRS.map(([provider, caller]) => ({
  name: `SDKs: provider in ${provider}, caller in ${caller}`,
  shows: 'every function of the SDKs, as examples/sdk uses them',
  types: file.types ?? {},
  modules: file.modules.map(({ wasm: _, version: __, ...entry }) => {
    const language = entry.name === 'provider' ? provider : caller;
    return { stack: 4096, ...entry, source: { file: `build/examples/sdk/${entry.name}-${language}.wasm` } };
  }),
  steps: [{ lines: 'caller', count: 16 }],
}));
