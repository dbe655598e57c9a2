// Runs the golden files of IR: ir/ (text form, verifier, execution) and passes/ (output of passes). BLESS=1 rewrites outputs.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { blessed, runMismatches, VARIANTS, verifierMismatches } from './filetest.js';

const root = fileURLToPath(new URL('.', import.meta.url));

for (const folder of ['ir', 'passes']) {
  describe(folder, () => {
    for (const name of readdirSync(`${root}/${folder}`).filter((file) => file.endsWith('.ir'))) {
      const path = `${root}/${folder}/${name}`;
      const text = readFileSync(path, 'utf8');
      if (/; (error|fault): /.test(text)) {
        test(`${name}: faults on the marked lines`, () => expect(verifierMismatches(text)).toEqual([]));
        continue;
      }
      if (text.includes('; passes:')) {
        test(`${name}: output`, () => {
          const now = blessed(text);
          if (process.env['BLESS'] === '1') writeFileSync(path, now);
          else expect(now).toBe(text);
        });
      }
      if (/^; (run|trap): /m.test(text)) {
        test.each(VARIANTS)(`${name}: runs, level %s`, (variant) => expect(runMismatches(text, variant)).toEqual([]));
      }
    }
  });
}
