import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { requireCryptography } from './runtime-objects.js';

it('a runtime without Monocypher is refused for slots, with what to do', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runtime-'));
  try {
    const index = (cryptography: boolean): void =>
      writeFileSync(
        join(folder, 'index.json'),
        JSON.stringify({ sources: '', compiler: '', objects: [], cryptography }),
      );
    index(false);
    expect(() => requireCryptography(folder)).toThrow(DiagnosticError);
    expect(() => requireCryptography(folder)).toThrow(/install cargo.*npm run build/);
    index(true);
    requireCryptography(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
