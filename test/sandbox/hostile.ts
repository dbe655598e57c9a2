// Hostile modules: each tries to leave its sandbox in one way. Pure data: a module's text, calls, and how each must end.

export interface HostileCall {
  readonly name: string;
  readonly args?: readonly (number | bigint)[];
  /** A trap's message, `returned` or `instruction limit`. */
  readonly ends: string;
}
export interface HostileModule {
  readonly what: string;
  readonly text: string;
  readonly calls: readonly HostileCall[];
  /** Its functions are so large that verifying them takes minutes: only run. */
  readonly onlyRun?: true;
  /** How instantiation must end; default: returned. */
  readonly boot?: string;
}

const OOB = 'out of bounds memory access';
const TABLE_OOB = 'out of bounds table access';
const UNDEFINED = 'undefined element';
const NULL = 'uninitialized element';
const MISMATCH = 'indirect call type mismatch';
const STACK = 'call stack exhausted';

const locals = (n: number): string => `(local ${Array.from({ length: n }, () => 'i64').join(' ')})`;
/** Keeps n values alive across a call, so that they need a frame. */
function bigFrame(n: number, call: string): string {
  const set = Array.from(
    { length: n },
    (_, i) => `(local.set ${i + 1} (i64.mul (i64.extend_i32_u (local.get 0)) (i64.const ${i + 3})))`,
  );
  const sum = Array.from({ length: n }, (_, i) => `(i64.add (local.get ${i + 1}))`);
  return `${set.join('')} ${call} (i64.const 0) ${sum.map((s) => s.replace(/^\(i64\.add (.*)\)$/, '$1 i64.add')).join(' ')} (global.set $sum)`;
}

const BULK_ENDS: readonly (readonly [number, number, number])[] = [
  [0, 0, 65537],
  [65535, 0, 2],
  [0, 65535, 2],
  [65536, 0, 1],
  [0xffffffff, 0, 1],
  [0, 0xffffffff, 1],
  [1, 1, 0xffffffff],
  [0xffffffff, 0xffffffff, 0xffffffff],
  [0x80000000, 0, 0x80000000],
  [65537, 0, 0],
  [0, 65537, 0],
];

export const HOSTILE: readonly HostileModule[] = [
  {
    what: 'indirect calls',
    text: `(module (type $a (func (param i32) (result i32))) (type $b (func (param i32)))
      (type $c (func (param i64) (result i32))) (type $d (func (param i32) (result i32 i32)))
      (table 6 6 funcref) (table $big 3 100 funcref) (elem (i32.const 1) $f $g) (elem (table $big) (i32.const 1) func $f)
      (func $f (type $a) (local.get 0)) (func $g (type $b))
      (func (export "a") (param i32) (result i32) (call_indirect 0 (type $a) (i32.const 1) (local.get 0)))
      (func (export "b") (param i32) (call_indirect 0 (type $b) (i32.const 1) (local.get 0)))
      (func (export "c") (param i32) (result i32) (call_indirect 0 (type $c) (i64.const 1) (local.get 0)))
      (func (export "d") (param i32) (result i32 i32) (call_indirect 0 (type $d) (i32.const 1) (local.get 0)))
      (func (export "t") (param i32) (result i32) (return_call_indirect 0 (type $a) (i32.const 1) (local.get 0)))
      (func (export "big") (param i32) (result i32) (call_indirect $big (type $a) (i32.const 1) (local.get 0)))
      (func (export "grow") (param i32) (result i32) (table.grow $big (ref.null func) (local.get 0)))
      (func (export "set") (param i32) (table.set $big (local.get 0) (ref.null func)))
      (func (export "get") (param i32) (drop (table.get 0 (local.get 0)))))`,
    calls: [
      ...['a', 'b', 'c', 'd', 't'].flatMap((name) =>
        [6, 7, 100, 0x3fffffff, 0x40000000, 0x40000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff].map((i) => ({
          name,
          args: [i],
          ends: UNDEFINED,
        })),
      ),
      ...['a', 'b', 'c', 'd', 't'].flatMap((name) => [0, 3, 5].map((i) => ({ name, args: [i], ends: NULL }))),
      { name: 'a', args: [1], ends: 'returned' },
      { name: 'a', args: [2], ends: MISMATCH },
      { name: 'b', args: [1], ends: MISMATCH },
      { name: 'b', args: [2], ends: 'returned' },
      ...['c', 'd'].flatMap((name) => [1, 2].map((i) => ({ name, args: [i], ends: MISMATCH }))),
      { name: 't', args: [2], ends: MISMATCH },
      { name: 'big', args: [3], ends: UNDEFINED },
      { name: 'set', args: [3], ends: TABLE_OOB },
      { name: 'grow', args: [5], ends: 'returned' },
      { name: 'big', args: [3], ends: NULL },
      { name: 'big', args: [8], ends: UNDEFINED },
      { name: 'set', args: [7], ends: 'returned' },
      { name: 'set', args: [8], ends: TABLE_OOB },
      { name: 'grow', args: [0xffffffff], ends: 'returned' },
      { name: 'grow', args: [0x40000000], ends: 'returned' },
      { name: 'big', args: [8], ends: UNDEFINED },
      { name: 'set', args: [0x40000001], ends: TABLE_OOB },
      ...[6, 0x40000001, 0xffffffff].map((i) => ({ name: 'get', args: [i], ends: TABLE_OOB })),
    ],
  },
  {
    what: 'deep and mutual recursion',
    text: `(module (memory 1) (type $v (func)) (table 1 1 funcref) (elem (i32.const 0) $through)
      (func $self (export "self") (call $self))
      (func $counting (export "counting") (param i64) (result i64)
        (i64.add (call $counting (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
      (func $ping (export "ping") (param i32) (call $pong (local.get 0)) (i32.store (i32.const 0) (local.get 0)))
      (func $pong (param i32) (call $ping (i32.add (local.get 0) (i32.const 1))) (i32.store (i32.const 4) (local.get 0)))
      (func $through (export "through") (call_indirect (type $v) (i32.const 0)))
      (func $tail (export "tail") (param i32) (if (local.get 0) (then (return_call $tail (i32.sub (local.get 0) (i32.const 1))))))
      (func $endless (export "endless") (return_call $endless)))`,
    calls: [
      { name: 'self', ends: STACK },
      { name: 'counting', args: [1n], ends: STACK },
      { name: 'ping', args: [1], ends: STACK },
      { name: 'through', ends: STACK },
      { name: 'tail', args: [100000], ends: 'returned' },
      { name: 'self', ends: STACK },
    ],
  },
  {
    what: 'huge frames',
    onlyRun: true,
    text: `(module (global $sum (mut i64) (i64.const 0)) (func $leaf (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
      (func (export "small") (param i32) ${locals(20)} ${bigFrame(20, '(drop (call $leaf (local.get 0)))')})
      (func (export "large") (param i32) ${locals(600)} ${bigFrame(600, '(drop (call $leaf (local.get 0)))')})
      (func $deep (export "deep") (param i32) ${locals(300)} ${bigFrame(300, '(call $deep (local.get 0))')})
      (func (export "enormous") (param i32) ${locals(1200)} ${bigFrame(1200, '(drop (call $leaf (local.get 0)))')}))`,
    calls: [
      { name: 'small', args: [3], ends: 'returned' },
      { name: 'large', args: [3], ends: 'returned' },
      { name: 'deep', args: [3], ends: STACK },
      { name: 'enormous', args: [3], ends: STACK },
    ],
  },
  {
    what: 'br_table extremes',
    text: `(module (func (export "wide") (param i32) (result i32)
        (block $z (block $y (block $x ${Array.from({ length: 1 }, () => '').join('')}
          (br_table ${Array.from({ length: 500 }, (_, i) => ['$x', '$y', '$z'][i % 3]).join(' ')} $z (local.get 0)))
          (return (i32.const 10))) (return (i32.const 20))) (i32.const 30))
      (func (export "one") (param i32) (result i32) (block (br_table 0 (local.get 0))) (i32.const 1)))`,
    calls: [0, 1, 2, 498, 499, 500, 501, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xffffffff].flatMap((i) => [
      { name: 'wide', args: [i], ends: 'returned' },
      { name: 'one', args: [i], ends: 'returned' },
    ]),
  },
  {
    what: 'growth with cached bounds',
    text: `(module (memory $m 1 4) (table $t 2 10 funcref) (type $v (func)) (elem declare func $f) (func $f)
      (func $grow (result i32) (memory.grow (i32.const 1)))
      (func (export "around") (param i32) (result i32)
        (i32.store (local.get 0) (i32.const 1)) (drop (call $grow))
        (i32.store offset=65536 (local.get 0) (i32.const 2)) (i32.load offset=65536 (local.get 0)))
      (func (export "loop") (param i32 i32)
        (loop $l (i32.store (local.get 0) (i32.const -1))
          (if (i32.eq (local.get 1) (i32.const 5)) (then (drop (memory.grow (i32.const 1)))))
          (local.set 0 (i32.add (local.get 0) (i32.const 16384)))
          (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))))
      (func (export "size") (result i32) (memory.size))
      (func (export "table") (param i32) (drop (table.grow $t (ref.func $f) (i32.const 3)))
        (table.set $t (local.get 0) (ref.func $f)) (call_indirect $t (type $v) (local.get 0)))
      (func (export "too_much") (param i32) (result i32) (memory.grow (local.get 0))))`,
    calls: [
      { name: 'around', args: [65533], ends: OOB },
      { name: 'around', args: [65532], ends: 'returned' },
      { name: 'loop', args: [65536, 20], ends: OOB },
      { name: 'table', args: [4], ends: 'returned' },
      { name: 'table', args: [8], ends: TABLE_OOB },
      ...[0xffffffff, 65536, 65535, 0x7fffffff, 0x10000].map((n) => ({
        name: 'too_much',
        args: [n],
        ends: 'returned',
      })),
      { name: 'size', ends: 'returned' },
      { name: 'loop', args: [196608, 20], ends: OOB },
    ],
  },
  {
    what: 'traps in nested calls',
    text: `(module (memory 1 1) (global $g (mut i32) (i32.const 0))
      (func $divide (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
      (func $middle (param i32 i32) (result i32) (i32.add (call $divide (local.get 0) (local.get 1)) (i32.load (local.get 0))))
      (func (export "outer") (param i32 i32) (result i32) (global.set $g (i32.const 7))
        (i32.add (call $middle (local.get 0) (local.get 1)) (call $middle (local.get 1) (local.get 0))))
      (func (export "unreachable") (call $u)) (func $u unreachable)
      (func (export "rem") (param i64 i64) (result i64) (i64.rem_s (local.get 0) (local.get 1)))
      (func (export "trunc") (param f32) (result i32) (i32.trunc_f32_s (local.get 0))))`,
    calls: [
      { name: 'outer', args: [8, 2], ends: 'returned' },
      { name: 'outer', args: [8, 0], ends: 'integer divide by zero' },
      { name: 'outer', args: [0x80000000, 0xffffffff], ends: 'integer overflow' },
      { name: 'outer', args: [0x7fffffff, 1], ends: OOB },
      { name: 'unreachable', ends: 'unreachable' },
      { name: 'rem', args: [1n, 0n], ends: 'integer divide by zero' },
      { name: 'rem', args: [-(2n ** 63n), -1n], ends: 'returned' },
      { name: 'trunc', args: [0x7f800000], ends: 'integer overflow' },
      { name: 'trunc', args: [0x7fc00000], ends: 'invalid conversion to integer' },
    ],
  },
  {
    what: 'a start function that traps',
    text: '(module (memory 1 1) (start $s) (func $s (i32.store (i32.const 65533) (i32.const -1))))',
    calls: [],
    boot: OOB,
  },
  {
    what: 'a start function that recurses',
    text: '(module (start $s) (func $s (call $s)))',
    calls: [],
    boot: STACK,
  },
  {
    what: 'a data segment that does not fit',
    text: '(module (memory 1 1) (data (i32.const 65530) "longer than that"))',
    calls: [],
    boot: OOB,
  },
  {
    what: 'an element segment that does not fit',
    text: '(module (table 2 2 funcref) (func $f) (elem (i32.const 1) $f $f))',
    calls: [],
    boot: TABLE_OOB,
  },
  {
    what: 'bulk operations',
    text: `(module (memory $m 1 1) (memory $n 1 1) (table $t 8 8 funcref) (table $u 8 8 funcref) (data $d "0123456789") (elem $e func $f $f $f) (func $f)
      (func (export "fill") (param i32 i32 i32) (memory.fill $m (local.get 0) (local.get 1) (local.get 2)))
      (func (export "copy") (param i32 i32 i32) (memory.copy $m $m (local.get 0) (local.get 1) (local.get 2)))
      (func (export "across") (param i32 i32 i32) (memory.copy $m $n (local.get 0) (local.get 1) (local.get 2)))
      (func (export "init") (param i32 i32 i32) (memory.init $m $d (local.get 0) (local.get 1) (local.get 2)))
      (func (export "drop") (data.drop $d) (elem.drop $e))
      (func (export "tfill") (param i32 i32) (table.fill $t (local.get 0) (ref.null func) (local.get 1)))
      (func (export "tcopy") (param i32 i32 i32) (table.copy $t $u (local.get 0) (local.get 1) (local.get 2)))
      (func (export "tinit") (param i32 i32 i32) (table.init $t $e (local.get 0) (local.get 1) (local.get 2))))`,
    calls: [
      ...BULK_ENDS.filter(([to, , n]) => to + n > 65536).map((args) => ({ name: 'fill', args, ends: OOB })),
      ...['copy', 'across'].flatMap((name) => BULK_ENDS.map((args) => ({ name, args, ends: OOB }))),
      { name: 'copy', args: [0, 1, 65535], ends: 'returned' },
      { name: 'copy', args: [65536, 65536, 0], ends: 'returned' },
      { name: 'across', args: [1, 0, 65535], ends: 'returned' },
      ...[
        [0, 0, 11],
        [0, 11, 0],
        [65530, 0, 7],
        [0, 0xffffffff, 2],
        [0xffffffff, 0, 1],
        [0, 1, 0xffffffff],
      ].map((args) => ({ name: 'init', args, ends: OOB })),
      ...[
        [8, 1],
        [0, 9],
        [0xffffffff, 1],
        [1, 0xffffffff],
        [0x40000000, 1],
      ].map((args) => ({ name: 'tfill', args, ends: TABLE_OOB })),
      ...[
        [0, 0, 9],
        [8, 0, 1],
        [0, 8, 1],
        [0xffffffff, 0, 1],
        [0, 0, 0x40000001],
      ].map((args) => ({ name: 'tcopy', args, ends: TABLE_OOB })),
      ...[
        [0, 0, 4],
        [6, 0, 3],
        [0, 3, 1],
        [0, 0xffffffff, 1],
      ].map((args) => ({ name: 'tinit', args, ends: TABLE_OOB })),
      { name: 'init', args: [0, 0, 10], ends: 'returned' },
      { name: 'drop', ends: 'returned' },
      { name: 'init', args: [0, 0, 1], ends: OOB },
      { name: 'init', args: [0, 0, 0], ends: 'returned' },
      { name: 'tinit', args: [0, 0, 1], ends: TABLE_OOB },
    ],
  },
];
