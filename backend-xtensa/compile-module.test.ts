// Whole modules through the backend: GNU tools accept the object, compiling twice gives the same bytes, every allocation
// passes the checker, limits are diagnostics.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { frontend } from '../compiler/driver.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { wat } from '../test/support/wat.js';
import { compileModule, type CompileOptions } from './compile-module.js';
import { checkAllocation } from './regalloc/checker.js';

const SOURCE = `(module $m
  (import "env" "host" (func $host (param i32 i64) (result i32)))
  (import "env" "shared" (global $shared (mut i32)))
  (type $sig (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (table (export "table") 4 10 funcref)
  (global $g (export "g") (mut i64) (i64.const 0x123456789abcdef0))
  (global $f f32 (f32.const 1.5))
  (data (i32.const 8) "hello")
  (elem (i32.const 1) $double $host2)
  (func $host2 (param i32) (result i32) (call $host (local.get 0) (i64.const 7)))
  (func $double (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1)))
  (func (export "indirect") (param i32 i32) (result i32)
    (call_indirect (type $sig) (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32)
    (i32.add (i32.load8_u (local.get 0)) (global.get $shared)))
  (func (export "switch") (param i32) (result i32)
    (block $a (block $b (block $c (block $d (block $e
      (br_table $a $b $c $d $e (local.get 0)))
      (return (i32.const 5))) (return (i32.const 4))) (return (i32.const 3))) (return (i32.const 2)))
    (i32.const 1))
  (func (export "float") (param f32 f32) (result f32)
    (f32.mul (f32.add (local.get 0) (local.get 1)) (global.get $f)))
  (export "again" (func $host))
)`;

const folder = mkdtempSync(join(tmpdir(), 'object-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function object(options: CompileOptions = {}): Promise<string> {
  const ir = frontend(await wat(SOURCE), { name: 'm' });
  const { object: bytes } = compileModule(ir, { verify: true, inspectAllocation: checkAllocation, ...options });
  const path = join(folder, `m-${options.level ?? '2'}-${options.cfi ?? 'forward'}.o`);
  writeFileSync(path, bytes);
  return path;
}

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;
const LD = 'xtensa-lx106-elf-ld';
const READELF = 'xtensa-lx106-elf-readelf';

describe('object', () => {
  test.skipIf(!has(READELF))('readelf reads it without complaint', async () => {
    const { stdout, stderr } = spawnSync(READELF, ['-aW', await object()], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toContain('Tensilica Xtensa Processor');
    for (const name of ['m.double', 'm.again', 'm$init', 'm$memory0.data', 'm!double', 'env.host']) {
      expect(stdout).toContain(name);
    }
    expect(stdout).toMatch(/\.wasm_memory\.0\s+NOBITS\s+\w+ \w+ 010000/);
  });

  test.skipIf(!has(LD))('GNU ld links it alone and whole', async () => {
    for (const cfi of ['none', 'forward', 'full'] as const) {
      const path = await object({ cfi });
      execFileSync(LD, ['-r', '-o', `${path}.r`, path]);
      const undefinedSymbols = execFileSync('xtensa-lx106-elf-nm', ['-u', path], { encoding: 'utf8' });
      const symbols = [...undefinedSymbols.matchAll(/U (\S+)/g)].map((m) => m[1]!);
      expect(symbols).toContain('env.host');
      expect(symbols.includes('__wasm_shadow_disp')).toBe(cfi === 'full');
      // Functions near the code, so that calls and jumps reach them.
      const defines = symbols.map((name) => `--defsym=${name}=${name.startsWith('m$') ? '0x10000' : '0x400000'}`);
      execFileSync(LD, [
        '-Ttext=0x400100',
        '-Tdata=0x3ffb0000',
        '-e',
        'm.double',
        '-o',
        `${path}.elf`,
        ...defines,
        path,
      ]);
      expect(readFileSync(`${path}.elf`).length).toBeGreaterThan(1000);
    }
  });

  test('is the same when compiled again', async () => {
    for (const level of ['0', '1', '2', 's'] as const) {
      const [a, b] = [await object({ level }), await object({ level })];
      expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
      const [x, y] = await Promise.all([1, 2].map(async () => frontend(await wat(SOURCE), { name: 'm' })));
      expect(compileModule(x!, { level }).object).toEqual(compileModule(y!, { level }).object);
    }
  });
});

describe('limits', () => {
  test('a function beyond the reach of jumps', async () => {
    const body = '(local.set 0 (i32.mul (i32.xor (local.get 0) (local.get 1)) (local.get 1)))'.repeat(30000);
    const text = `(module (func (export "f") (param i32 i32) (result i32)
      (loop $l ${body} (br_if $l (local.get 0))) (local.get 0)))`;
    const ir = frontend(await wat(text));
    expect(() => compileModule(ir, { level: '0' })).toThrow(DiagnosticError);
  });
  test('a function beyond the reach of its literals', async () => {
    const body = '(local.set 0 (i32.mul (i32.xor (local.get 0) (i32.const 1234567)) (local.get 1)))'.repeat(50000);
    const ir = frontend(await wat(`(module (func (export "f") (param i32 i32) (result i32) ${body} (local.get 0)))`));
    expect(() => compileModule(ir, { level: '0' })).toThrow(
      expect.objectContaining({ code: 'W501', place: { section: 'code', func: { index: 0, name: 'f' } } }),
    );
  });
});
