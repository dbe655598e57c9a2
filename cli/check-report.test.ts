// What --explain-checks says of a module whose checks meet every fate, and that what it calls kept is what the code has.
import { expect, test } from 'vitest';
import { compileModule } from '../backend-xtensa/compile-module.js';
import { frontend } from '../compiler/driver.js';
import type { ExplainedCheck } from '../compiler/ir/check-log.js';
import { Op } from '../compiler/ir/ops.js';
import { wat } from '../test/support/wat.js';
import { type CheckedFunction, type CheckReport, formatChecks, reportChecks } from './check-report.js';

const SOURCE = `(module (memory 1 1)
  (type $t (func (param i32) (result i32)))
  (table 3 3 funcref) (elem (i32.const 0) $inc $inc)
  (func $inc (type $t) (i32.add (local.get 0) (i32.const 1)))
  (func $load (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "range") (param i32) (result i32) (i32.load8_u (i32.and (local.get 0) (i32.const 0xfff))))
  (func (export "constant") (result i32) (i32.load (i32.const 16)))
  (func (export "same") (param i32) (result i32)
    (i32.store (local.get 0) (i32.const 1)) (i32.load (local.get 0)))
  (func (export "grouped") (param i32) (result i32)
    (i32.add (i32.load (local.get 0)) (i32.load (i32.add (local.get 0) (i32.const 8)))))
  (func (export "covered") (param i32) (param i32) (result i32)
    (i32.store offset=8 (local.get 0) (i32.const 1))
    (if (result i32) (local.get 1) (then (i32.load (i32.add (local.get 0) (i32.const 4)))) (else (i32.const 0))))
  (func (export "hoisted") (param i32) (param i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (i32.load (local.get 0))))
      (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (local.get $s))
  (func (export "direct") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 1)))
  (func (export "indirect") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (local.get 0)))
  (func (export "dead") (result i32) (if (i32.const 0) (then (i32.store (global.get $g) (i32.const 1)))) (i32.const 0))
  (func (export "inlined") (param i32) (result i32) (call $load (local.get 0)))
  (func (export "filled") (memory.fill (i32.const 0) (i32.const 0) (i32.const 4)))
  (global $g (mut i32) (i32.const 0)) (func (export "set") (param i32) (global.set $g (local.get 0))))`;

/** Kept checks of each function, counted in the IR that goes to selection. */
async function explain(
  source: string,
  level: '0' | '1' | '2' | 's',
): Promise<{ report: CheckReport; inCode: Map<number, number> }> {
  const ir = frontend(await wat(source), { name: 'm' });
  const collected: CheckedFunction[] = [];
  const inCode = new Map<number, number>();
  const compiled = compileModule(ir, {
    level,
    onChecks: (func, checks) => {
      collected.push({ index: func.index, checks });
      const isCheck = (op: number): boolean => (op >= Op.TrapIfLtU && op <= Op.TrapIfEqz) || op === Op.RefSignature;
      const found = func.blocks.flatMap(({ insts }) => insts.filter(({ op }) => isCheck(op)));
      inCode.set(func.index, found.length);
    },
  });
  return { report: reportChecks(ir, compiled, collected), inCode };
}

const fates = (report: CheckReport, name: string): string[] =>
  report.functions
    .find((func) => func.name === name)!
    .checks.map(({ outcome, reason, into, hoisted }: ExplainedCheck) =>
      [outcome, reason, ...(into === null ? [] : ['into']), ...(hoisted === null ? [] : ['before loop'])].join(', '),
    );

test('every fate has its reason', async () => {
  const { report } = await explain(SOURCE, '2');
  expect(fates(report, 'range')).toEqual(['dropped, range']);
  expect(fates(report, 'constant')).toEqual(['dropped, constant address']);
  expect(fates(report, 'same')).toEqual(['kept, constant limit', 'merged, same check before, into']);
  expect(fates(report, 'grouped')).toEqual(['kept, constant limit', 'merged, grouped, into']);
  expect(fates(report, 'covered')).toEqual(['kept, constant limit', 'merged, covered, into']);
  expect(fates(report, 'hoisted')).toEqual(['kept, constant limit, before loop']);
  expect(fates(report, 'direct')).toEqual(Array(3).fill('dropped, constant table entry'));
  expect(fates(report, 'indirect')).toEqual(['kept, constant limit', 'kept, hardware', 'kept, signature']);
  expect(fates(report, 'dead')).toEqual(['dropped, unreachable']);
  expect(fates(report, 'filled')).toEqual(['kept, runtime function']);
  expect(fates(report, 'inlined')).toEqual(['kept, constant limit']);
  const [check] = report.functions.find(({ name }) => name === 'inlined')!.checks;
  expect(check!.inlined.map(({ func }) => func)).toEqual([1]);
  expect(report.gone.map(({ index }) => index)).toEqual([1]);
});

test.each(['0', '1', '2', 's'] as const)('level %s: what is called kept is what the code has', async (level) => {
  const { report, inCode } = await explain(SOURCE, level);
  for (const { index, checks } of report.functions) {
    expect([index, checks.filter(({ outcome }) => outcome === 'kept').length]).toEqual([index, inCode.get(index)]);
  }
  const { totals } = report;
  expect(totals.kept + totals.merged + totals.dropped).toBe(totals.checks);
});

test('the text names place, kind, fate and totals', async () => {
  const { report } = await explain(SOURCE, '2');
  const text = formatChecks(report);
  expect(text).toMatch(/^func \d+ same @0x[0-9a-f]+: frame of 0 bytes, no check needed$/m);
  expect(text).toMatch(/^ {2}0x[0-9a-f]+ +memory 4 +merged into 0x[0-9a-f]+: the same was checked before$/m);
  expect(text).toMatch(/^ {2}0x[0-9a-f]+ +memory 4 +kept before the loop at 0x[0-9a-f]+: compared with a constant$/m);
  expect(text).toMatch(/kept: compared with a constant \(func 1 inlined at 0x[0-9a-f]+\)$/m);
  expect(text).toMatch(/^func 1 \S+: inlined or never called$/m);
  expect(text).toContain(`${report.totals.checks} checks: ${report.totals.kept} kept`);
});
