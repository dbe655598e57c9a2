// Programs whose code is damaged or driven to its limits: every kind of check that the compiler makes occurs in them. Pure
// data in WebAssembly text.

export const CHECKED_PROGRAM = `(module
  (type $unary (func (param i32) (result i32)))
  (type $binary (func (param i32 i32) (result i32)))
  (memory $fixed 1 1)
  (memory $growing 1 3)
  (table $t 8 8 funcref)
  (elem (i32.const 1) $double $square $add)
  (global $counter (mut i32) (i32.const 0))
  (data (i32.const 16) "some bytes")
  (data $passive "more bytes")
  (func $double (type $unary) (i32.shl (local.get 0) (i32.const 1)))
  (func $square (type $unary) (i32.mul (local.get 0) (local.get 0)))
  (func $add (type $binary) (i32.add (local.get 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "load8") (param i32) (result i32) (i32.load8_u offset=100 (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func (export "store8") (param i32 i32) (i32.store8 offset=7 (local.get 0) (local.get 1)))
  (func (export "store16") (param i32 i32) (i32.store16 offset=300 (local.get 0) (local.get 1)))
  (func (export "store64") (param i32 i64) (i64.store offset=8 (local.get 0) (local.get 1)))
  (func (export "storef") (param i32 f32) (f32.store offset=4 (local.get 0) (local.get 1)))
  (func (export "grown") (param i32 i32) (result i32)
    (i32.store $growing (local.get 0) (local.get 1))
    (drop (memory.grow $growing (i32.const 1)))
    (i32.store8 $growing offset=65536 (local.get 0) (local.get 1))
    (i32.load $growing offset=12 (local.get 0)))
  (func (export "copy") (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2))
    (memory.init $passive (local.get 0) (i32.const 1) (i32.const 4))
    (data.drop $passive))
  (func (export "call") (param i32 i32) (result i32)
    (global.set $counter (i32.add (global.get $counter) (i32.const 1)))
    (call_indirect (type $unary) (local.get 1) (local.get 0)))
  (func (export "tail") (param i32 i32 i32) (result i32)
    (return_call_indirect (type $binary) (local.get 1) (local.get 2) (local.get 0)))
  (func (export "set") (param i32 i32) (table.set (local.get 0) (table.get (local.get 1))))
  (func $switch (export "switch") (param i32 i32) (result i32)
    (block $a (block $b (block $c (block $d (block $e (block $f
      (br_table $a $b $c $d $e $f (local.get 0)))
      (return (i32.const 6)))
      (return (i32.add (local.get 1) (i32.const 5))))
      (return (i32.const 4)))
      (return (i32.const 3)))
      (return (i32.const 2)))
    (i32.const 1))
  (func $fib (export "recurse") (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "sum") (param i32) (result i32) (local i32)
    (loop $again
      (local.set 1 (i32.add (local.get 1) (i32.load (local.get 0))))
      (br_if $again (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 4))) (i32.const 4000))))
    (local.get 1))
  (func (export "fill") (local i32)
    (loop $again
      (i32.store16 offset=512 (local.get 0) (local.get 0))
      (br_if $again (i32.ne (local.tee 0 (i32.add (local.get 0) (i32.const 2))) (i32.const 2048)))))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "many") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (call $switch (local.get 6) (local.get 7)) (call $fib (local.get 0)))))`;

/** Forms of code whose proof was missing once: small programs that have them at -O2. */
export const PROVED_FORMS: readonly (readonly [what: string, text: string])[] = [
  [
    'an index shifted for the check and again for the address',
    `(module (memory 1) (func (export "f") (param i32 i32)
      (i32.store (i32.shl (local.get 0) (i32.const 2))
        (i32.add (i32.load (i32.shl (local.get 0) (i32.const 2))) (local.get 1)))))`,
  ],
  [
    'a remainder by quotient and product',
    `(module (memory 1) (func (export "f") (param $x i32) (result i32)
      (i32.load8_u offset=4096 (i32.add (local.get $x) (i32.mul (i32.div_u (local.get $x) (i32.const 88)) (i32.const -88))))))`,
  ],
  [
    'a counted loop that is entered at several places once its end is copied',
    `(module (memory 1) (func (export "f") (param $state i32) (result i32) (local $i i32)
      (local.set $i (i32.const -2048))
      (loop $next
        (if (i32.eq (local.get $state) (i32.const 5))
          (then (local.set $state (i32.load8_u offset=8 (local.get $state))))
          (else (if (i32.lt_u (local.get $state) (i32.const 3))
            (then (local.set $state (i32.load8_u offset=16 (local.get $state))))
            (else (local.set $state (i32.add (local.get $state) (i32.const 1)))))))
        (local.set $state (i32.xor (local.get $state) (i32.load8_u offset=4096 (i32.add (local.get $i) (i32.const 2048)))))
        (br_if $next (local.tee $i (i32.add (local.get $i) (i32.const 1)))))
      (local.get $state)))`,
  ],
  [
    'a pointer and its index on the stack around calls in a loop',
    `(module (memory 1) (func $other (param i32) (result i32) (if (result i32) (local.get 0)
        (then (call $other (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 7))))
      (func (export "f") (param $p i32) (param $n i32) (result i32)
      (loop $l
        (i32.store offset=8 (local.get $p) (call $other (i32.load offset=8 (local.get $p))))
        (i32.store offset=12 (local.get $p) (call $other (i32.load offset=4 (local.get $p))))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $p)))`,
  ],
];
