// Programs for control-flow faults: many kinds of calls, direct, indirect, recursive, tail. Pure data.
import { Type } from '../../compiler/ir/types.js';

export interface FaultCall {
  readonly name: string;
  readonly args: readonly number[];
}

export const FAULT_PROGRAM = {
  text: `(module
    (type $op (func (param i32) (result i32)))
    (memory 1 1) (table $t 4 4 funcref) (elem (i32.const 0) $good $second $third $other)
    (global $ref (mut funcref) (ref.func $good))
    (func (export "divide") (param i64 i64) (result i64) (i64.div_u (local.get 0) (local.get 1)))
    (func $good (export "good") (type $op) (i32.add (call $leaf (local.get 0)) (i32.const 1)))
    (func $second (type $op) (i32.mul (call $leaf (local.get 0)) (i32.const 3)))
    (func $third (type $op) (i32.sub (local.get 0) (i32.const 7)))
    (func $other (export "other") (param i32 i32) (result i32) (i32.xor (local.get 0) (local.get 1)))
    (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
    (func $deep (export "deep") (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (call $deep (i32.sub (local.get 0) (i32.const 1))) (call $good (local.get 0))))
        (else (i32.const 1))))
    (func $even (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.xor (call $odd (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 1))))
    (func $odd (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.xor (call $even (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))) (else (i32.const 0))))
    (func $sum (export "sum") (param i32) (result i32) (local i32)
      (loop $l (local.set 1 (i32.add (local.get 1) (call $other (call $good (local.get 0)) (call $second (local.get 1)))))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (i32.store (i32.const 8) (local.get 1)) (local.get 1))
    (func (export "all") (param i32) (result i32)
      (i32.add (call $deep (local.get 0)) (i32.add (call $even (local.get 0))
        (i32.add (call $sum (local.get 0)) (call $indirect (local.get 0))))))
    (func $indirect (export "indirect") (param i32) (result i32)
      (i32.add (call_indirect $t (type $op) (local.get 0) (i32.const 0)) (call_indirect $t (type $op) (local.get 0) (i32.const 1))))
    (func (export "tail") (param i32) (result i32) (return_call_indirect $t (type $op) (local.get 0) (i32.and (local.get 0) (i32.const 0))))
    (func (export "through") (param i32) (result i32)
      (table.set $t (i32.const 0) (global.get $ref))
      (call_indirect $t (type $op) (local.get 0) (i32.const 0))))`,
  /** Direct calls under fault injection. */
  calls: [
    { name: 'all', args: [3] },
    { name: 'indirect', args: [5] },
    { name: 'through', args: [5] },
  ] as readonly FaultCall[],
  /** Calls through the entry of the table, or through the global that is put there. */
  indirect: [
    { name: 'indirect', args: [5], through: 'table' },
    { name: 'tail', args: [5], through: 'table' },
    { name: 'through', args: [5], through: 'global' },
  ] as readonly (FaultCall & { readonly through: 'table' | 'global' })[],
  /** Entry of the table that is overwritten, and the export it holds. */
  entry: 0,
  good: 'app.good',
  signature: { params: [Type.I32], results: [Type.I32] },
};

/** What control-flow integrity costs: call-bound programs, the worst case, and one that hardly calls. */
export const COST_PROGRAMS: readonly { readonly name: string; readonly text: string; readonly call: FaultCall }[] = [
  { name: 'recursion', text: FAULT_PROGRAM.text, call: { name: 'deep', args: [40] } },
  { name: 'calls in loop', text: FAULT_PROGRAM.text, call: { name: 'sum', args: [200] } },
  {
    name: 'indirect loop',
    text: `(module (type $op (func (param i32) (result i32))) (table 8 8 funcref) (elem (i32.const 0) $a $b $c $a $b $c $a $b)
      (func $a (type $op) (i32.add (local.get 0) (i32.const 1))) (func $b (type $op) (i32.mul (local.get 0) (i32.const 3)))
      (func $c (type $op) (i32.xor (local.get 0) (i32.const 5)))
      (func (export "run") (param i32) (result i32) (local i32)
        (loop $l (local.set 1 (call_indirect (type $op) (local.get 1) (i32.and (local.get 0) (i32.const 7))))
          (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1)))`,
    call: { name: 'run', args: [500] },
  },
  {
    name: 'memory loop',
    text: `(module (memory 1 1) (func $step (param i32) (result i32) (local i32)
        (loop $l (i32.store (local.get 0) (i32.add (i32.load (local.get 0)) (local.get 1)))
          (local.set 0 (i32.add (local.get 0) (i32.const 4)))
          (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 200))))
        (local.get 1))
      (func (export "run") (param i32) (result i32)
        (loop $l (drop (call $step (i32.const 64))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0)))`,
    call: { name: 'run', args: [10] },
  },
];
