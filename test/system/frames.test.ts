// Frames of every size on the simulated chip: spill slots beyond the reach of l32i, float slots, frames larger than the
// stack, stack checks.
import { beforeAll, describe, expect, test } from 'vitest';
import { TrapCode } from '../../compiler/abi/traps.js';
import { checkAllocation } from '../../backend-xtensa/regalloc/checker.js';
import { SlotDevice, type SlotModule } from '../runner/slot-device.js';
import { wat } from '../support/wat.js';

/** `count` values, all alive over a call, then combined in reverse order. */
function manyValues(name: string, count: number, type: 'i32' | 'f32'): string {
  const load = type === 'i32' ? 'i32.load' : 'f32.load';
  const locals = Array.from({ length: count }, (_, i) => `(local $v${i} ${type})`).join(' ');
  const loads = Array.from(
    { length: count },
    (_, i) => `(local.set $v${i} (${load} (i32.add (local.get $p) (i32.const ${4 * i}))))`,
  );
  const uses = Array.from({ length: count }, (_, i) => {
    const v = `(local.get $v${count - 1 - i})`;
    return type === 'i32'
      ? `(local.set $s (i32.add (i32.rotl (local.get $s) (i32.const 1)) ${v}))`
      : `(local.set $s (i32.add (i32.rotl (local.get $s) (i32.const 1)) (i32.reinterpret_f32 ${v})))`;
  });
  return `(func (export "${name}") (param $p i32) (result i32) (local $s i32) ${locals}
    ${loads.join(' ')} (call $clear) ${uses.join(' ')} (local.get $s))`;
}

const COUNTS = [20, 250, 270, 600] as const;
/** Unoptimised, the huge function is longer than its literals reach. */
const source = (level: string): string => `(module (memory (export "memory") 1)
  (func $clear (i32.store (i32.const 65532) (i32.const 1)))
  (func (export "fill") (param $n i32) (loop $l
    (i32.store (i32.shl (local.get $n) (i32.const 2)) (i32.mul (local.get $n) (i32.const 0x1234567)))
    (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  ${COUNTS.flatMap((n) => [manyValues(`i${n}`, n, 'i32'), manyValues(`f${n}`, n, 'f32')]).join('\n')}
  ${level === '0' ? '' : manyValues('huge', 9000, 'i32')}
  (func $depth (export "depth") (param $n i32) (result i32)
    (if (result i32) (local.get $n)
      (then (i32.add (call $depth (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)))
      (else (i32.const 0)))))`;

describe.each(['0', '1', '2'] as const)('level %s', (level) => {
  let device: SlotDevice;
  let module: SlotModule;
  let reference: Record<string, (n: number) => number>;

  beforeAll(async () => {
    const bytes = await wat(source(level));
    device = new SlotDevice({
      compile: { level, inspectAllocation: checkAllocation },
      maxInstructions: 5_000_000,
    });
    module = device.load(bytes, 'frames');
    expect(device.instantiate(module).ending.kind).toBe('returned');
    reference = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource))
      .exports as unknown as typeof reference;
    device.call(module, 'fill', [1000], 0);
    reference['fill']!(1000);
  });

  test.each(COUNTS.flatMap((n) => [`i${n}`, `f${n}`]))('%s', (name) => {
    const { ending, results } = device.call(module, name, [64], 1);
    expect(ending.kind).toBe('returned');
    expect(results[0]! | 0).toBe(reference[name]!(64) | 0);
  });

  test.skipIf(level === '0')('a frame larger than the stack traps before it touches anything', () => {
    const { ending } = device.call(module, 'huge', [0], 1);
    expect(ending).toMatchObject({ kind: 'trapped', code: TrapCode.StackOverflow });
  });

  test('recursion to the limit and back', () => {
    expect(device.call(module, 'depth', [500], 1).results[0]).toBe(500);
    expect(device.call(module, 'depth', [1_000_000], 1).ending).toMatchObject({ code: TrapCode.StackOverflow });
    expect(device.call(module, 'depth', [100], 1).results[0]).toBe(100);
  });
});
