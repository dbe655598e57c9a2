// docs/api.md is what the SDKs say now, and each import of modules is there in all three languages.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { THINGSPIRE_SIGNATURES } from '../compiler/abi/os-imports.js';
import { apiDocument } from './generate-api-doc.js';

const document = apiDocument();

it('docs/api.md is up to date', () => {
  expect(readFileSync(join(import.meta.dirname, '../docs/api.md'), 'utf8')).toBe(document);
});

it.each([...THINGSPIRE_SIGNATURES.keys()])('%s is there in all languages', (name) => {
  const entry = document.split('\n### ').find((text) => text.startsWith(`ts_${name}\n`));
  expect(entry?.match(/^- (C|AssemblyScript|Rust): /gm)?.length).toBe(3);
});
