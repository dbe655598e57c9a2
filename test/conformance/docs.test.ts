// The table of cases in docs/conformance.md is what there is; BLESS=1 writes it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CASES } from './cases.js';

const FILE = join(import.meta.dirname, '../../docs/conformance.md');
const LANGUAGES: readonly (readonly [RegExp, string])[] = [
  [/\.c$|-c\.wasm$/, 'C'],
  [/\.rs$|-rust\.wasm$/, 'Rust'],
  [/\.ts$|-assemblyscript\.wasm$/, 'AssemblyScript'],
  [/^text$/, 'text'],
];
const MARKS = /(<!-- cases: generated[^>]*-->\n)(.*?)(<!-- cases: end -->)/s;

it('docs/conformance.md lists the cases', () => {
  const rows = CASES.map(({ name, shows, modules }) => {
    const languages = modules.map(({ source }) => {
      const file = 'wat' in source ? 'text' : 'program' in source ? source.program : source.file;
      return LANGUAGES.find(([pattern]) => pattern.test(file))![1];
    });
    return `| ${name} | ${shows} | ${[...new Set(languages)].join(', ')} |`;
  });
  const table = ['', '| case | what it shows | in |', '|---|---|---|', ...rows, '', ''].join('\n');
  const text = readFileSync(FILE, 'utf8');
  const wanted = text.replace(MARKS, (_, begin: string, __, end: string) => `${begin}${table}${end}`);
  if (process.env['BLESS'] === '1') writeFileSync(FILE, wanted);
  expect(readFileSync(FILE, 'utf8')).toBe(wanted);
});
