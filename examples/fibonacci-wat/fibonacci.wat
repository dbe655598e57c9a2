;; Plain WebAssembly text: recursion, a loop, and a trap to look at.
(module
  (func $fib (export "fib") (param $n i32) (result i64)
    (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
      (then (i64.extend_i32_u (local.get $n)))
      (else
        (i64.add
          (call $fib (i32.sub (local.get $n) (i32.const 1)))
          (call $fib (i32.sub (local.get $n) (i32.const 2)))))))

  (func $gcd (export "gcd") (param $a i32) (param $b i32) (result i32)
    (loop $again
      (if (local.get $b)
        (then
          (local.get $b)
          (i32.rem_u (local.get $a) (local.get $b))
          (local.set $b)
          (local.set $a)
          (br $again))))
    (local.get $a))

  (func $divide (export "divide") (param $a i32) (param $b i32) (result i32)
    (i32.div_s (local.get $a) (local.get $b))))
