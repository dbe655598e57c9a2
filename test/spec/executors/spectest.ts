// The `spectest` host module of the suite from WebAssembly text: every executor loads it like any module.
import { convert } from '../convert.js';

const SPECTEST_WAT = `(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2)
  (func (export "print"))
  (func (export "print_i32") (param i32))
  (func (export "print_i64") (param i64))
  (func (export "print_f32") (param f32))
  (func (export "print_f64") (param f64))
  (func (export "print_i32_f32") (param i32 f32))
  (func (export "print_f64_f64") (param f64 f64)))`;

/** The module "spectest" that the suite's scripts import from, in binary form. */
export function spectestModule(): Uint8Array {
  const definition = {
    kind: 'text',
    text: SPECTEST_WAT,
    bytes: new Uint8Array(),
    id: undefined,
    definition: false,
  } as const;
  const converted = convert(definition);
  if (!converted.ok) throw new Error(converted.reason);
  return converted.bytes;
}
