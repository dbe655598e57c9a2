// Zero-overhead loops on the simulated chip against Node's engine: shapes that qualify, shapes that must not, early
// exits, continues that end at LEND, values that rotate, counts of zero.
import { beforeAll, describe, expect, test } from 'vitest';
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { checkAllocation } from '../../backend-xtensa/regalloc/checker.js';
import { formatFunction } from '../../backend-xtensa/print-function.js';
import { frontend } from '../../compiler/driver.js';
import { SlotDevice, type SlotModule } from '../runner/slot-device.js';
import { wat } from '../support/wat.js';

/** name, whether LOOP is expected, locals and body of a function (i32 $n, i32 $m) -> i32 with results in $s. */
const SHAPES: readonly (readonly [name: string, loop: boolean | null, body: string])[] = [
  [
    'down',
    true,
    `(loop $l
      (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 3)) (local.get $m)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'down_counter_used',
    true,
    `(loop $l
      (local.set $s (i32.xor (i32.mul (local.get $s) (i32.const 5)) (local.get $n)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'up_to_value',
    true,
    `(loop $l
      (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 7)) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.ne (local.get $i) (local.get $n))))`,
  ],
  [
    'step_4_masked',
    true,
    `(local.set $n (i32.add (i32.and (local.get $n) (i32.const -4)) (i32.const 4)))
     (loop $l
      (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 7)) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $l (i32.ne (local.get $i) (local.get $n))))`,
  ],
  [
    'step_not_dividing',
    false,
    `(local.set $n (i32.add (i32.and (local.get $n) (i32.const -4)) (i32.const 4)))
     (loop $l
      (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 7)) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $l (i32.lt_u (local.get $i) (local.get $n))))`,
  ],
  [
    'constant_bounds',
    true,
    `(loop $l
      (local.set $s (i32.add (i32.rotl (local.get $s) (i32.const 3)) (i32.xor (local.get $i) (local.get $m))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $l (i32.ne (local.get $i) (i32.const 184))))`,
  ],
  [
    'early_exit',
    false,
    `(block $out (loop $l
      (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 3)) (i32.const 1)))
      (br_if $out (i32.eq (local.get $s) (local.get $m)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
     (local.set $s (i32.add (local.get $s) (local.get $n)))`,
  ],
  [
    'continue_to_the_end',
    true,
    `(loop $l
      (block $next
        (br_if $next (i32.and (i32.shr_u (local.get $m) (local.get $n)) (i32.const 1)))
        (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 3)) (local.get $m))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'conditional_at_the_end',
    true,
    `(loop $l
      (local.set $i (i32.add (local.get $s) (i32.const 5)))
      (local.set $s (select (i32.shr_u (local.get $i) (i32.const 1)) (local.get $i) (i32.lt_u (local.get $m) (local.get $i))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'comparison_at_the_end',
    true,
    `(loop $l
      (local.set $s (i32.add (local.get $s) (i32.lt_u (i32.mul (local.get $s) (local.get $s)) (local.get $m))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'rotating_values',
    null,
    `(local.set $i (i32.const 1))
     (loop $l
      (local.set $m (i32.add (local.get $s) (local.get $i)))
      (local.set $s (local.get $i))
      (local.set $i (local.get $m))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
     (local.set $s (i32.add (i32.mul (local.get $s) (i32.const 31)) (local.get $i)))`,
  ],
  [
    'nested',
    true,
    `(loop $outer
      (local.set $i (i32.const 5))
      (loop $inner
        (local.set $s (i32.add (i32.rotl (local.get $s) (i32.const 5)) (i32.xor (local.get $i) (local.get $n))))
        (br_if $inner (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (br_if $outer (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'calls_inside',
    false,
    `(loop $l
      (local.set $s (i32.add (call $other (local.get $s)) (local.get $n)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'count_zero_left_early',
    false,
    `(block $out (loop $l
      (local.set $s (i32.add (local.get $s) (i32.const 1)))
      (br_if $out (i32.gt_u (local.get $s) (i32.const 50)))
      (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1))))))
     (local.set $s (i32.add (local.get $s) (local.get $i)))`,
  ],
  [
    'trap_inside',
    true,
    `(loop $l
      (local.set $s (i32.add (local.get $s) (i32.div_u (i32.const 1000) (i32.sub (local.get $n) (i32.const 3)))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
  [
    'many_checks',
    true,
    `(loop $l
      ${'(local.set $s (i32.add (local.get $s) (i32.load8_u (i32.xor (local.get $s) (local.get $m)))))'.repeat(6)}
      (local.set $s (i32.and (local.get $s) (i32.const 0xff)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))`,
  ],
];

const SOURCE = `(module (memory 1) (data (i32.const 0) "zero-overhead loops")
  (func $other (param $x i32) (result i32) (if (local.get $x) (then (return (call $other (i32.shr_u (local.get $x) (i32.const 1)))))) (i32.const 3))
  ${SHAPES.map(([name, , body]) => `(func (export "${name}") (param $n i32) (param $m i32) (result i32) (local $i i32) (local $s i32) ${body} (local.get $s))`).join('\n')})`;

const ARGUMENTS = [
  [1, 0],
  [2, 13],
  [7, 0x5a5a5a5a],
  [12, 40],
  [100, 3],
] as const;

describe.each(['1', '2', 's'] as const)('level %s', (level) => {
  let device: SlotDevice;
  let module: SlotModule;
  let reference: Record<string, (n: number, m: number) => number>;
  let listings: Map<string, string>;

  beforeAll(async () => {
    const bytes = await wat(SOURCE);
    // Inlining and unrolling are other passes' business: the shapes must stay as they are written.
    const compile = { level, verify: true, inspectAllocation: checkAllocation };
    device = new SlotDevice({ compile, maxInstructions: 1_000_000 });
    module = device.load(bytes, 'loops');
    expect(device.instantiate(module).ending.kind).toBe('returned');
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as BufferSource));
    reference = exports as unknown as typeof reference;
    const ir = frontend(bytes, { name: 'loops' });
    const names = new Map(ir.exports.map(({ name, index }) => [index, name]));
    listings = new Map(compileModule(ir, compile).functions.map((f) => [names.get(f.index) ?? '', formatFunction(f)]));
  });

  test.each(SHAPES)('%s', (name, loop) => {
    // Null: depends on how well the allocator does with values that change places.
    if (loop !== null) expect(/\bloop a/.test(listings.get(name)!)).toBe(loop);
    for (const [n, m] of ARGUMENTS) {
      let wanted: number | string;
      try {
        wanted = reference[name]!(n, m) | 0;
      } catch {
        wanted = 'trapped';
      }
      const { ending, results } = device.call(module, name, [n, m], 1);
      expect(ending.kind === 'returned' ? results[0]! | 0 : ending.kind, `${name}(${n}, ${m})`).toBe(wanted);
    }
  });
});
