// Who checks the stack, and for how much: read from the literals and trap sites of compiled modules.
import { expect, test } from 'vitest';
import { TrapCode } from '../compiler/abi/traps.js';
import { frontend } from '../compiler/driver.js';
import { wat } from '../test/support/wat.js';
import { compileModule } from './compile-module.js';
import type { CompiledFunction } from './compiled.js';
import { checkAllocation } from './regalloc/checker.js';

/** A function that keeps `count` values over its calls, so that its frame has at least as many words. */
const keeps = (name: string, count: number, calls: string): string => `(func ${name} (param i32) (result i32)
  ${Array.from({ length: count }, (_, i) => `(i32.load (i32.add (local.get 0) (i32.const ${4 * i})))`).join(' ')}
  ${calls} (call $host) ${'(i32.xor) '.repeat(count)})`;

async function compile(functions: string): Promise<Map<string, CompiledFunction>> {
  const source = `(module (import "env" "host" (func $host (result i32))) (memory 1) (table 1 funcref) ${functions})`;
  const ir = frontend(await wat(source, { names: true }), { name: 'm' });
  const { functions: list } = compileModule(ir, { without: new Set(['inline']), inspectAllocation: checkAllocation });
  return new Map(list.map((func) => [func.name, func]));
}

const checks = ({ sites }: CompiledFunction): boolean => sites.some(({ code }) => code === TrapCode.StackOverflow);

/** Bytes above the stack limit that the function's check asks for, beside its own frame. */
function raised({ relocations }: CompiledFunction): number {
  const limits = relocations.filter(({ symbol }) => symbol === 'm$stack_limit');
  expect(limits).toHaveLength(1);
  return limits[0]!.addend;
}

test('the only check is at the entry and covers the deepest way down', async () => {
  const all = await compile(`
    ${keeps('$deep', 20, '')} ${keeps('$shallow', 4, '')}
    ${keeps('$middle', 8, '(drop (call $deep (i32.const 0)))')}
    ${keeps('$top (export "top")', 4, '(drop (call $shallow (i32.const 0))) (drop (call $middle (i32.const 0)))')}`);
  for (const name of ['deep', 'shallow', 'middle']) expect(checks(all.get(name)!)).toBe(false);
  expect(checks(all.get('top')!)).toBe(true);
  expect(raised(all.get('top')!)).toBe(all.get('middle')!.frame.bytes + all.get('deep')!.frame.bytes);
});

test('cycles, references and targets of tail calls check themselves', async () => {
  const all = await compile(`
    ${keeps('$even', 4, '(drop (call $odd (i32.const 0)))')} ${keeps('$odd', 4, '(drop (call $even (i32.const 0)))')}
    ${keeps('$self', 4, '(drop (call $self (i32.const 0)))')}
    ${keeps('$referenced', 4, '')} (elem (i32.const 0) $referenced)
    ${keeps('$target', 4, '')} (func $jumps (param i32) (result i32) (return_call $target (local.get 0)))
    ${keeps(
      '$top (export "top")',
      4,
      ['even', 'self', 'referenced', 'jumps'].map((name) => `(drop (call $${name} (i32.const 0)))`).join(' '),
    )}`);
  for (const name of ['even', 'odd', 'self', 'referenced', 'target', 'top']) {
    expect(checks(all.get(name)!), name).toBe(true);
    expect(raised(all.get(name)!)).toBe(0);
  }
  expect(checks(all.get('jumps')!)).toBe(false);
});

test('the init function checks, as the runtime calls it', async () => {
  const all = await compile(
    `${keeps('$start', 4, '')} (func $begin (drop (call $start (i32.const 0)))) (start $begin)`,
  );
  expect(checks(all.get('start')!)).toBe(false);
  expect(checks(all.get('$init')!)).toBe(true);
  expect(raised(all.get('$init')!)).toBeGreaterThan(0);
});

test('a deep callee checks itself, lest callers trap that never reach it', async () => {
  const all = await compile(`
    ${keeps('$huge', 400, '')}
    ${keeps('$top (export "top")', 4, '(drop (call $huge (i32.const 0)))')}`);
  expect(all.get('huge')!.frame.bytes).toBeGreaterThan(1500);
  expect(checks(all.get('huge')!)).toBe(true);
  expect(raised(all.get('top')!)).toBe(0);
});

test('values stay in registers that a callee leaves alone', async () => {
  const sum = `(func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 5)))`;
  const user = `(func (export "user") (param i32 i32 i32) (result i32)
    (i32.add (i32.mul (local.get 1) (local.get 2)) (call $leaf (local.get 0))))`;
  const known = await compile(`${sum} ${user}`);
  const leaf = known.get('leaf')!;
  expect(leaf.asCallee.clobbers.length).toBeLessThan(5);
  expect(leaf.asCallee.clobbers).toContain(2);
  // Only the return address needs a place.
  expect(known.get('user')!.frame.bytes).toBe(16);
});
