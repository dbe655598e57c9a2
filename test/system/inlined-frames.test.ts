// Backtraces through inlined functions on the simulated chip: the same frames, places and names as without optimisation.
import { beforeAll, describe, expect, test } from 'vitest';
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { frontend } from '../../compiler/driver.js';
import { SlotDevice, type SlotModule } from '../runner/slot-device.js';
import { wat } from '../support/wat.js';

/** Each export traps in a helper, two of them through a chain; the loops make their callees worth copying. */
const SOURCE = `(module (memory 1 1) (table 2 2 funcref) (elem (i32.const 0) $main) (type $none (func))
  (func $load (param i32) (result i32) (i32.add (i32.load (local.get 0)) (i32.const 1)))
  (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $stop (param i32) (if (i32.eqz (local.get 0)) (then (unreachable))))
  (func $truncate (param i32) (result i32) (i32.trunc_f32_s (f32.reinterpret_i32 (local.get 0))))
  (func $through (param i32) (call_indirect (type $none) (local.get 0)))
  (func $twice (param i32) (result i32) (i32.add (call $load (local.get 0)) (call $load (i32.shl (local.get 0) (i32.const 12)))))
  (func $deeper (param i32) (result i32) (i32.xor (call $twice (local.get 0)) (call $divide (i32.const 7) (local.get 0))))
  (func $main)
  (func (export "load") (param i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (call $load (local.get 0))))
      (br_if $l (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 4))) (i32.const 100000))))
    (local.get $s))
  (func (export "divide") (param i32) (result i32) (call $divide (i32.const 1) (local.get 0)))
  (func (export "stop") (param i32) (result i32) (call $stop (local.get 0)) (i32.const 5))
  (func (export "truncate") (param i32) (result i32) (call $truncate (local.get 0)))
  (func (export "through") (param i32) (result i32) (call $through (local.get 0)) (i32.const 6))
  (func (export "chain") (param i32) (result i32) (call $deeper (local.get 0)))
  (func (export "between") (param i32) (result i32)
    (call $stop (i32.const 1)) (call $twice (call $divide (i32.const 64) (local.get 0)))))`;

/** Arguments with which each export traps. */
const CALLS = [
  ['load', 8],
  ['divide', 0],
  ['stop', 0],
  ['truncate', 0x7f800000],
  ['through', 1],
  ['through', 9],
  ['chain', 0],
  ['chain', 16],
  ['chain', 65533],
  ['between', 0],
  ['between', 1],
] as const;

const run = async (level: '0' | '2' | 's'): Promise<{ device: SlotDevice; module: SlotModule }> => {
  const device = new SlotDevice({ compile: { level, deviceNames: true }, maxInstructions: 2_000_000 });
  const module = device.load(await wat(SOURCE, { names: true }), 'frames');
  expect(device.instantiate(module).ending.kind).toBe('returned');
  return { device, module };
};

/** What a report shows of the trap, or of the value. */
function outcome({ device, module }: Awaited<ReturnType<typeof run>>, name: string, argument: number): object {
  const { ending, results } = device.call(module, name, [argument], 1);
  if (ending.kind !== 'trapped') return { kind: ending.kind, results };
  const frames = ending.backtrace.map(({ funcIndex, funcName, wasmOffset }) => ({ funcIndex, funcName, wasmOffset }));
  return { code: ending.code, frames };
}

describe.each(['2', 's'] as const)('level %s', (level) => {
  let plain: Awaited<ReturnType<typeof run>>;
  let inlined: Awaited<ReturnType<typeof run>>;
  beforeAll(async () => {
    plain = await run('0');
    inlined = await run(level);
  });

  test.each(CALLS)('%s(%i)', (name, argument) => {
    const expected = outcome(plain, name, argument);
    expect(expected).toHaveProperty('code');
    expect(outcome(inlined, name, argument)).toEqual(expected);
  });
});

test('the functions are inlined indeed', async () => {
  const { stats } = compileModule(frontend(await wat(SOURCE)), { level: '2' });
  expect(stats.passes['inline.calls']).toBeGreaterThanOrEqual(9);
});
