// Our reader of .debug_line against llvm-dwarfdump, row by row, for each version of DWARF that clang writes; and damage.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiagnosticError } from '../diagnostics.js';
import { readLineTable } from './debug-line.js';

const find = (names: readonly string[]): string | undefined =>
  names.find((name) => spawnSync(name, ['--version']).status === 0);
const clang = find(['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang-16', 'clang']);
const dwarfdump = find(['llvm-dwarfdump-22', 'llvm-dwarfdump-21', 'llvm-dwarfdump-20', 'llvm-dwarfdump']);
if (clang === undefined || dwarfdump === undefined)
  console.warn('line tables are not compared: no clang or llvm-dwarfdump');

const SOURCE = `#include "inner.h"
static int helper(int n) {
  int sum = 0;

  for (int i = 0; i < n; i++)
    sum += inner(i) / (n - i);
  return sum;
}
__attribute__((export_name("run"))) int run(int n, volatile int *p) {
  *p = helper(n);
  if (n > 3)
    __builtin_trap();
  return helper(n + 1) + *p;
}
`;

/** Address, line, column and file of every row that begins an address, as llvm-dwarfdump prints them. */
function dumped(path: string): { address: number; line: number; column: number; file: string }[] {
  const text = execFileSync(dwarfdump!, ['--debug-line', path], { encoding: 'utf8' });
  const files = new Map<number, string>();
  for (const [, index, name] of text.matchAll(/file_names\[ *(\d+)\]:\s+name: "([^"]*)"/g))
    files.set(Number(index), name!);
  const rows = new Map<number, { address: number; line: number; column: number; file: string }>();
  for (const match of text.matchAll(/^0x([0-9a-f]{16}) +(\d+) +(\d+) +(\d+) +\d+ +\d+ +\d+ +(.*)$/gm)) {
    const address = Number.parseInt(match[1]!, 16);
    if (match[5]!.includes('end_sequence')) continue;
    // Of several rows at one address the last one counts.
    const row = { address, line: Number(match[2]), column: Number(match[3]), file: files.get(Number(match[4])) ?? '?' };
    if (row.line > 0) rows.set(address, row);
    else rows.delete(address);
  }
  return [...rows.values()];
}

/** Where the code section's contents begin. */
function codeStart(wasm: Uint8Array): number {
  let at = 8;
  for (;;) {
    const id = wasm[at++];
    let size = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = wasm[at++]!;
      size += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    if (id === 10) return at;
    at += size;
  }
}

describe.skipIf(clang === undefined || dwarfdump === undefined)('line table', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'lines-'));
    writeFileSync(join(folder, 'main.c'), SOURCE);
    writeFileSync(join(folder, 'inner.h'), 'static inline int inner(int x) {\n  return x * x;\n}\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const compile = (...flags: string[]): Uint8Array => {
    const link = ['-nostdlib', '-Wl,--no-entry'];
    execFileSync(clang!, ['--target=wasm32', '--no-wasm-opt', ...flags, ...link, 'main.c', '-o', 'main.wasm'], {
      cwd: folder,
    });
    return readFileSync(join(folder, 'main.wasm'));
  };

  it.each([
    ['2', '-O0'],
    ['3', '-O2'],
    ['4', '-O1'],
    ['5', '-O2'],
    ['5', '-O0'],
  ])('of DWARF %s at %s', (version, level) => {
    const wasm = compile(`-gdwarf-${version}`, level);
    const table = readLineTable(wasm)!;
    const start = codeStart(wasm);
    const rows = dumped(join(folder, 'main.wasm'));
    expect(rows.length).toBeGreaterThan(8);
    for (const { address, line, column, file } of rows) {
      const found = table.lookup(start + address);
      expect(found, `0x${address.toString(16)}`).toMatchObject({ line, column });
      expect(found!.file.endsWith(file), `${found!.file} and ${file}`).toBe(true);
    }
    const byLine = new Set(rows.map(({ line, file }) => `${file}:${line}`));
    expect(byLine.has('main.c:6')).toBe(true);
    expect(table.lookup(0)).toBeNull();
    expect(table.lookup(wasm.length)).toBeNull();
  });
  it('is null without DWARF', () => {
    expect(readLineTable(compile('-O2'))).toBeNull();
  });
  it('refuses damage with a diagnostic, or reads past it', () => {
    const wasm = compile('-gdwarf-5', '-O1');
    const at = Buffer.from(wasm).indexOf('.debug_line');
    for (let i = at; i < wasm.length; i++) {
      const changed = Uint8Array.from(wasm);
      changed[i] = i % 3 === 0 ? 0xff : changed[i]! ^ (1 << (i % 8));
      try {
        readLineTable(changed);
      } catch (error) {
        if (!(error instanceof DiagnosticError)) throw error;
      }
    }
  });
});
