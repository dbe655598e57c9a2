// The typed stubs beside the example applications are what their manifests say now; BLESS=1 writes them.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadManifest } from '../../../manifest/load.js';
import { STUB_LANGUAGES } from '../../../manifest/stubs/languages.js';
import { planStubs } from '../../../manifest/stubs/plan.js';

const STUBS: readonly (readonly [string, string, string])[] = [
  ['weather-station', 'sensor', 'rust'],
  ['weather-station', 'filter', 'assemblyscript'],
  ['weather-station', 'alarm', 'c'],
  ['weather-station', 'store', 'rust'],
  ['weather-station', 'console', 'c'],
  ['motor-control', 'drive', 'c'],
  ['motor-control', 'control', 'c'],
  ['motor-control', 'supervisor', 'assemblyscript'],
];

it.each(STUBS)('%s: %s in %s', (app, module, language) => {
  const folder = join(import.meta.dirname, '../../../examples', app);
  const manifest = loadManifest(readFileSync(join(folder, 'things.json')), 'things.json');
  const { text, file } = STUB_LANGUAGES[language]!;
  const path = join(folder, file(module));
  const stubs = text(planStubs(manifest.app, module));
  if (process.env['BLESS'] === '1') writeFileSync(path, stubs);
  expect(readFileSync(path, 'utf8')).toBe(stubs);
});
