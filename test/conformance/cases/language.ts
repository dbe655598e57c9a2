// The language: numbers of all types, multi-value, memory that grows, bulk operations, tables, globals; in text, with
// results as bits.
import { handler, IMPORTS, word } from '../../os/os-device.js';
import type { Case, CaseModule, Step } from '../case.js';

const bytes = (max: number) => ({ type: 'bytes', max }) as const;
/** A module with one handler that stores results from $r on. */
const program = (
  name: string,
  more: string,
  body: string,
  results: number,
  entry: Partial<CaseModule> = {},
): CaseModule => ({
  name,
  source: {
    wat: `${IMPORTS} ${more} ${handler('run', `${body} (i32.const ${word(2.05, results) | 0})`, '(local $i i32) (local $x i64) (local $d f64) (local $f f32)')}`,
  },
  ...entry,
  provides: [
    {
      method: 'POST',
      path: `/${name}`,
      handler: 'run',
      contract: { request: bytes(16), response: bytes(160), deadline: '50ms' },
    },
  ],
});
/** Stores values one after the other, eight bytes each. */
const store = (values: readonly (readonly ['i32' | 'i64' | 'f32' | 'f64', string])[]): string =>
  values.map(([type, value], i) => `(${type}.store offset=${8 * i} (local.get $r) ${value})`).join('\n');
const I = (op: string, a: string, b?: string): readonly ['i32', string] => [
  'i32',
  `(i32.${op} (i32.const ${a}) ${b === undefined ? '' : `(i32.const ${b})`})`,
];
const L = (op: string, a: string, b: string): readonly ['i64', string] => [
  'i64',
  `(i64.${op} (i64.const ${a}) (i64.const ${b}))`,
];
const arg = (type: string, offset: number): string => `(${type}.load offset=${offset} (local.get $p))`;

const run = (name: string, payload: Uint8Array = new Uint8Array(0)): Step => ({
  ask: 'POST',
  uri: `/${name}`,
  payload,
});
const f64s = (...values: number[]): Uint8Array => new Uint8Array(new Float64Array(values).buffer);
const f32s = (...values: number[]): Uint8Array => new Uint8Array(new Float32Array(values).buffer);

const FLOATS = [
  0,
  -0,
  1,
  -1.5,
  1e-40,
  3.4028235e38,
  Infinity,
  -Infinity,
  NaN,
  0.1,
  2.5,
  -2.5,
  1e308,
  4.9e-324,
  123456789.75,
];
const pairs = <T>(list: readonly T[]): (readonly [T, T])[] => list.map((a, i) => [a, list[(i * 7 + 3) % list.length]!]);
/** Payloads of NaNs are open: each becomes the same one. */
const float = (type: 'f32' | 'f64', name: string): CaseModule => {
  const [local, size] = type === 'f32' ? ['$f', 4] : ['$d', 8];
  const [a, b] = [arg(type, 0), arg(type, size as number)];
  const results = ['add', 'sub', 'mul', 'div', 'min', 'max', 'copysign'].map((op) => `(${type}.${op} ${a} ${b})`);
  const unary = ['sqrt', 'ceil', 'floor', 'trunc', 'nearest', 'abs', 'neg'].map((op) => `(${type}.${op} ${a})`);
  const stores = [...results, ...unary].map(
    (value, i) => `(local.set ${local} ${value})
      (if (${type}.ne (local.get ${local}) (local.get ${local})) (then (local.set ${local} (${type}.const nan))))
      (${type}.store offset=${8 * i} (local.get $r) (local.get ${local}))`,
  );
  const compare = ['eq', 'ne', 'lt', 'gt', 'le', 'ge'].map((op) => `(${type}.${op} ${a} ${b})`);
  const bits = compare.reduce((sum, value) => `(i32.or (i32.shl ${sum} (i32.const 1)) ${value})`, '(i32.const 0)');
  const saturated = `(i32.store offset=120 (local.get $r) (i32.trunc_sat_${type}_s ${a})) (i64.store offset=128 (local.get $r) (i64.trunc_sat_${type}_u ${b}))`;
  return program(
    name,
    '(memory (export "memory") 1)',
    `${stores.join('\n')} (i32.store offset=112 (local.get $r) ${bits}) ${saturated}`,
    136,
  );
};

export const LANGUAGE: readonly Case[] = [
  {
    name: 'language: integers',
    shows: 'arithmetic of i32 and i64 at its edges, shifts, rotations, counts, conversions',
    modules: [
      program(
        'ints',
        '(memory (export "memory") 1)',
        store([
          I('add', '0x7fffffff', '1'),
          I('mul', '0x12345', '0x6789a'),
          I('div_s', '-7', '2'),
          I('rem_s', '-7', '2'),
          I('div_u', '-7', '2'),
          I('shr_s', '-8', '33'),
          I('shr_u', '-8', '1'),
          I('rotl', '0x80000001', '4'),
          I('clz', '0'),
          I('ctz', '0x80000000'),
          I('popcnt', '0xdeadbeef'),
          I('extend8_s', '0x80'),
          L('mul', '0x123456789abcdef', '0xfedcba987654321'),
          L('div_s', '-9223372036854775807', '10'),
          L('rem_u', '-1', '1000000007'),
          L('shl', '1', '65'),
          L('shr_s', '-1', '63'),
          L('rotr', '1', '1'),
          ['i64', '(i64.extend_i32_s (i32.const -5))'],
          ['i32', '(i32.wrap_i64 (i64.const 0x1234567890))'],
        ]),
        160,
      ),
    ],
    steps: [run('ints')],
  },
  {
    name: 'language: floats',
    shows:
      'f32 and f64 bit for bit: operations, roundings, comparisons, saturating conversions, infinities, subnormals (payloads of NaNs are open)',
    modules: [float('f32', 'singles'), float('f64', 'doubles')],
    steps: [
      ...pairs(FLOATS).map(([a, b]) => run('singles', f32s(a, b))),
      ...pairs(FLOATS).map(([a, b]) => run('doubles', f64s(a, b))),
    ],
  },
  {
    name: 'language: multi-value, tables, globals',
    shows: 'functions and blocks with several results, calls through tables that change, globals of all types',
    modules: [
      program(
        'values',
        `(memory (export "memory") 1) (type $two (func (param i32) (result i32 i64 f64))) (table $t 2 4 funcref) (elem (i32.const 0) $a $b)
         (elem declare func $a $b) (global $g (mut i64) (i64.const 7)) (global $h (mut f32) (f32.const 1.5)) (global $c i32 (i32.const 11))
         (func $a (type $two) (local.get 0) (i64.const -1) (f64.const 0.5))
         (func $b (type $two) (i32.add (local.get 0) (global.get $c)) (global.get $g) (f64.promote_f32 (global.get $h)))
         (func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
         (func $put (param i32 i64 f64 i32) (i32.store (local.get 3) (local.get 0)) (i64.store offset=8 (local.get 3) (local.get 1)) (f64.store offset=16 (local.get 3) (local.get 2)))`,
        `(call $put (call_indirect $t (type $two) (i32.const 5) (i32.const 0)) (local.get $r))
         (global.set $g (i64.add (global.get $g) (i64.const 1)))
         (table.set $t (i32.const 0) (ref.func $b))
         (call $put (call_indirect $t (type $two) (i32.const 6) (i32.const 0)) (i32.add (local.get $r) (i32.const 24)))
         (i32.store offset=48 (local.get $r) (table.grow $t (ref.func $a) (i32.const 2)))
         (i32.store offset=52 (local.get $r) (table.grow $t (ref.null func) (i32.const 1)))
         (i32.store offset=56 (local.get $r) (table.size $t))
         (call $swap (i32.const 3) (i64.const 4)) (local.set $i) (local.set $x)
         (i64.store offset=64 (local.get $r) (local.get $x)) (i32.store offset=60 (local.get $r) (local.get $i))
         (block (result i32 i32) (i32.const 1) (i32.const 2) (br 0)) (i32.sub) (local.set $i) (i32.store offset=72 (local.get $r) (local.get $i))`,
        80,
      ),
    ],
    steps: [run('values'), run('values')],
  },
  {
    name: 'language: memory',
    shows: 'growing up to the manifest’s budget, sizes, new pages are zero, overlapping copies, segments and their end',
    modules: [
      program(
        'memory',
        '(memory (export "memory") 1 9) (data $d "0123456789")',
        `(i32.store offset=0 (local.get $r) (memory.size))
         (i32.store offset=4 (local.get $r) (memory.grow (i32.const 1)))
         (i32.store offset=8 (local.get $r) (memory.grow (i32.const 1)))
         (i32.store offset=12 (local.get $r) (memory.grow (i32.const 0)))
         (i32.store offset=16 (local.get $r) (memory.size))
         (i32.store offset=20 (local.get $r) (memory.grow (i32.const 65536)))
         (i32.store offset=24 (local.get $r) (i32.load (i32.const 131068)))
         (i32.store (i32.const 131068) (i32.const 77))
         (memory.init $d (i32.const 100) (i32.const 2) (i32.const 6))
         (memory.copy (i32.const 102) (i32.const 100) (i32.const 6))
         (memory.fill (i32.const 104) (i32.const 0x41) (i32.const 2))
         (i64.store offset=32 (local.get $r) (i64.load (i32.const 100)))
         (memory.copy (i32.const 99) (i32.const 100) (i32.const 8))
         (i64.store offset=40 (local.get $r) (i64.load (i32.const 99)))
         (i64.store offset=48 (local.get $r) (i64.load32_s (i32.const 131068)))`,
        56,
        { memory: { max: 131072 } },
      ),
    ],
    steps: [run('memory')],
  },
  {
    name: 'language: a trimmed memory',
    shows: 'a memory of less than a page ends where the manifest says, for loads, stores, copies and imports',
    modules: [
      {
        name: 'small',
        memory: { max: 1000 },
        restart: { policy: 'on-fault', backoff: '1ms' },
        source: {
          wat: `${IMPORTS} (memory (export "memory") 1) ${handler(
            'run',
            `(local.set $i (i32.load (local.get $p)))
             (if (i32.eq (local.get $i) (i32.const 0)) (then (i32.store8 (i32.const 999) (i32.const 1))))
             (if (i32.eq (local.get $i) (i32.const 1)) (then (i32.store8 (i32.const 1000) (i32.const 1))))
             (if (i32.eq (local.get $i) (i32.const 2)) (then (drop (i64.load offset=990 (i32.const 2)))))
             (if (i32.eq (local.get $i) (i32.const 3)) (then (drop (i64.load offset=990 (i32.const 3)))))
             (if (i32.eq (local.get $i) (i32.const 4)) (then (memory.fill (i32.const 990) (i32.const 7) (i32.const 10))))
             (if (i32.eq (local.get $i) (i32.const 5)) (then (memory.fill (i32.const 990) (i32.const 7) (i32.const 11))))
             (if (i32.eq (local.get $i) (i32.const 6)) (then (memory.copy (i32.const 0) (i32.const 992) (i32.const 9))))
             (if (i32.eq (local.get $i) (i32.const 7)) (then (call $log (i32.const 990) (i32.const 11))))
             (if (i32.eq (local.get $i) (i32.const 8)) (then (drop (i32.load offset=2000 (i32.const 0)))))
             (if (i32.eq (local.get $i) (i32.const 9)) (then (drop (call $parameter (i32.const 0) (i32.const 996) (i32.const 8)))))
             (i32.const ${word(2.04) | 0})`,
            '(local $i i32)',
          )}`,
        },
        provides: [
          { method: 'POST', path: '/small', handler: 'run', contract: { request: bytes(4), deadline: '5ms' } },
        ],
      },
    ],
    steps: Array.from({ length: 10 }, (_, i): Step[] => [
      run('small', new Uint8Array(Int32Array.of(i).buffer)),
      { state: 'running', of: 'small' },
    ]).flat(),
  },
];
