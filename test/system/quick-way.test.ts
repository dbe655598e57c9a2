// Functions that make their frame only behind a quick way out: results, and backtraces from traps before, behind and
// below the frame.
import { beforeAll, describe, expect, test } from 'vitest';
import { TrapCode } from '../../compiler/abi/traps.js';
import { frontend } from '../../compiler/driver.js';
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { checkAllocation } from '../../backend-xtensa/regalloc/checker.js';
import { SlotDevice, type SlotModule } from '../runner/slot-device.js';
import { wat } from '../support/wat.js';

/** `$work` divides on its quick way, calls `$leaf` behind it, and reads memory before, between and after. */
const SOURCE = `(module (memory 1) (table 1 funcref) (elem (i32.const 0) $leaf)
  (func $leaf (export "leaf") (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 77)) (then (unreachable)))
    (i32.load (local.get 0)))
  (func $work (export "work") (param $n i32) (param $p i32) (param $q i32) (result i32) (local $x i32) (local $y i32)
    (if (i32.lt_s (local.get $n) (i32.const 10))
      (then (return (i32.div_u (i32.const 1000) (local.get $n)))))
    (local.set $x (i32.load (local.get $p)))
    (local.set $y (call $leaf (local.get $q)))
    (i32.add (i32.mul (local.get $x) (local.get $y))
      (i32.add (call $leaf (local.get $n)) (i32.load (i32.add (local.get $p) (i32.shl (local.get $y) (local.get $n)))))))
  (func $through (export "through") (param i32 i32 i32) (result i32)
    (i32.xor (call $work (local.get 0) (local.get 1) (local.get 2)) (local.get 1)))
  (func $depth (export "depth") (param i32) (result i32)
    (if (result i32) (local.get 0)
      (then (i32.add (call $depth (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
      (else (i32.div_u (i32.const 7) (i32.load (i32.const 0)))))))`;

const FUNCTIONS = ['leaf', 'work', 'through', 'depth'];

describe.each(['none', 'forward'] as const)('--cfi %s', (cfi) => {
  let device: SlotDevice;
  let module: SlotModule;

  beforeAll(async () => {
    const without = new Set(['inline']);
    device = new SlotDevice({
      compile: { cfi, without, inspectAllocation: checkAllocation },
      maxInstructions: 5_000_000,
    });
    module = device.load(await wat(SOURCE, { names: true }), 'quick');
    expect(device.instantiate(module).ending.kind).toBe('returned');
  });

  const call = (name: string, ...args: number[]) => device.call(module, name, args, 1);
  const names = (name: string, ...args: number[]): unknown => {
    const { ending } = call(name, ...args);
    if (ending.kind !== 'trapped') throw new Error(`${name} ended with ${ending.kind}`);
    return [ending.code, ...ending.backtrace.map(({ funcIndex }) => FUNCTIONS[funcIndex])];
  };

  test('results', () => {
    expect(call('work', 5, 0, 0).results[0]).toBe(200);
    expect(call('work', 16, 0, 64).results[0]).toBe(0);
    expect(call('through', 5, 3, 0).results[0]).toBe(200 ^ 3);
  });

  test('traps before the frame', () => {
    expect(names('work', 0, 0, 0)).toEqual([TrapCode.IntegerDivideByZero, 'work']);
    expect(names('through', 0, 0, 0)).toEqual([TrapCode.IntegerDivideByZero, 'work', 'through']);
  });

  test('traps behind the frame', () => {
    expect(names('through', 10, -1, 0)).toEqual([TrapCode.MemoryOutOfBounds, 'work', 'through']);
  });

  test('traps below the frame', () => {
    expect(names('through', 10, 0, 77)).toEqual([TrapCode.Unreachable, 'leaf', 'work', 'through']);
    expect(names('through', 10, 0, -4)).toEqual([TrapCode.MemoryOutOfBounds, 'leaf', 'work', 'through']);
  });

  test('traps at the bottom of a recursion and at the end of the stack', () => {
    expect(names('depth', 3)).toEqual([TrapCode.IntegerDivideByZero, 'depth', 'depth', 'depth', 'depth']);
    const overflow = names('depth', 1_000_000) as unknown[];
    expect(overflow[0]).toBe(TrapCode.StackOverflow);
    expect(new Set(overflow.slice(1))).toEqual(new Set(['depth']));
    expect(overflow.length).toBeGreaterThan(30);
  });
});

test('these functions do have a quick way', async () => {
  const ir = frontend(await wat(SOURCE, { names: true }), { name: 'm' });
  const { functions } = compileModule(ir, { without: new Set(['inline']) });
  const starts = new Map(functions.map(({ name, frame }) => [name, frame.start]));
  expect(starts.get('work')).toBeGreaterThan(0);
  expect(starts.get('depth')).toBeGreaterThan(0);
  expect(starts.get('through')).toBe(0);
  expect(starts.get('leaf')).toBe(-1);
});
