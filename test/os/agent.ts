// A module that does what it is told: one request, one operation. For tests of grants and of the scheduler, in any number
// under different names. Knows the module interface; no expectation.
import { handler, IMPORTS, type ModuleText, word } from './os-device.js';

/** Operations of PUT /NAME: words op, a, b, c, d, e; the response is one word. */
export const Op = {
  Load: 0,
  Store: 1,
  Grant: 2,
  Revoke: 3,
  GrantCaller: 4,
  /** Sends what follows to agent `a`; gives its answer's word, or the result word of the refusal. */
  Forward: 5,
  /** Loads from `a`, then forwards to agent `b`, then loads from `a` again. */
  LoadAround: 6,
  Grow: 7,
  /** Loads from the first byte of the payload's own window as it was at the last request. */
  LoadStale: 8,
  /** Sends the rest of the payload, as the window it came in, to agent `a`. */
  PassOn: 9,
  /** Writes `b` words of value `c` from `a` on. */
  Fill: 10,
  Load32: 11,
  Timer: 12,
  Observe: 13,
  Notify: 14,
  /** Counts of on_timer, on_notify and the last result word of on_notify, by `a`. */
  Count: 15,
  /** Runs for `a` rounds of a loop. */
  Spin: 16,
  Trap: 17,
  Unobserve: 18,
  /** WASI's random_get of `b` bytes to `a`; gives the errno. */
  Random: 19,
} as const;

export const payload = (...words: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((value, i) => bytes.writeUInt32LE(value >>> 0, 4 * i));
  return bytes;
};

/** A forwarded request goes to the next path, which has less time. */
const DEADLINES = ['40ms', '20ms', '10ms', '5ms'] as const;
const INNER = DEADLINES.length - 1;

/** Where agents keep bytes for each other: 256 bytes, value i at i. */
export const DATA = 1024;
const SCRATCH = 2048;
const ANSWER = 3072;
const URI = 3200;
const NAMES = 3232;
const STALE = 3300;
const COUNTS = 3400;

export interface AgentOptions extends Omit<Partial<ModuleText>, 'name' | 'wat'> {
  /** Has Op.Grow, and therefore a memory of a whole page. */
  readonly grows?: boolean;
  /** Forwards by thingspire.call instead of thingspire.request. */
  readonly byNumber?: boolean;
  /** More of the module's text. */
  readonly more?: string;
  readonly onTimer?: string;
}

/** An agent; `others` are the agents it may talk to, by number. */
export function agent(
  name: string,
  others: readonly string[],
  { more = '', grows = false, byNumber = false, onTimer = '', ...entry }: AgentOptions = {},
): ModuleText {
  const arg = (i: number): string => `(i32.load offset=${4 * i} (local.get $p))`;
  const forward = (number: string, from: string, length: string, at: string): string =>
    `(local.set $x (call $forward ${number} ${from} ${length} ${at} (local.get $level)))`;
  const bodies: [number, string][] = [
    [Op.Load, `(local.set $x (i32.load8_u ${arg(1)}))`],
    [Op.Store, `(i32.store8 ${arg(1)} ${arg(2)})`],
    [Op.Grant, `(local.set $x (call $grant ${arg(1)} ${arg(2)} ${arg(3)} ${arg(4)} ${arg(5)}))`],
    [Op.Revoke, `(local.set $x (call $revoke ${arg(1)}))`],
    [Op.GrantCaller, `(local.set $x (call $grant_caller ${arg(1)} ${arg(2)} ${arg(3)} ${arg(4)}))`],
    [
      Op.Forward,
      `(memory.copy (i32.const ${SCRATCH}) (i32.add (local.get $p) (i32.const 8)) (i32.sub (local.get $n) (i32.const 8)))
       ${forward(arg(1), `(i32.const ${SCRATCH})`, '(i32.sub (local.get $n) (i32.const 8))', `(i32.const ${ANSWER})`)}`,
    ],
    [
      Op.LoadAround,
      `(local.set $y (i32.load8_u ${arg(1)}))
       (memory.copy (i32.const ${SCRATCH}) (i32.add (local.get $p) (i32.const 12)) (i32.sub (local.get $n) (i32.const 12)))
       ${forward(arg(2), `(i32.const ${SCRATCH})`, '(i32.sub (local.get $n) (i32.const 12))', `(i32.const ${ANSWER})`)}
       (local.set $x (i32.add (local.get $y) (i32.load8_u ${arg(1)})))`,
    ],
    ...(grows ? [[Op.Grow, `(local.set $x (memory.grow ${arg(1)}))`] as [number, string]] : []),
    [Op.LoadStale, `(local.set $x (i32.load8_u (i32.load (i32.const ${STALE}))))`],
    [
      Op.PassOn,
      forward(
        arg(1),
        '(i32.add (local.get $p) (i32.const 8))',
        '(i32.sub (local.get $n) (i32.const 8))',
        `(i32.const ${ANSWER})`,
      ),
    ],
    [
      Op.Fill,
      `(local.set $x ${arg(1)}) (local.set $y ${arg(2)})
       (loop $l (i32.store (local.get $x) ${arg(3)}) (local.set $x (i32.add (local.get $x) (i32.const 4)))
         (br_if $l (local.tee $y (i32.sub (local.get $y) (i32.const 1)))))`,
    ],
    [Op.Load32, `(local.set $x (i32.load ${arg(1)}))`],
    [Op.Timer, `(local.set $x (call $timer ${arg(1)} ${arg(2)} ${arg(3)}))`],
    [
      Op.Observe,
      `(call $uri ${arg(1)}) (local.set $x (call $observe (i32.const ${URI}) (i32.const ${name.length}) (i32.const ${ANSWER}) (i32.const 4)))`,
    ],
    [
      Op.Notify,
      `(call $uri (i32.const -1)) (local.set $x (call $notify (i32.const ${URI}) (i32.const ${name.length})))`,
    ],
    [Op.Count, `(local.set $x (i32.load offset=${COUNTS} (i32.shl ${arg(1)} (i32.const 2))))`],
    [Op.Spin, `(local.set $y ${arg(1)}) (loop $l (br_if $l (local.tee $y (i32.sub (local.get $y) (i32.const 1)))))`],
    [Op.Trap, 'unreachable'],
    [Op.Unobserve, `(local.set $x (call $unobserve ${arg(1)}))`],
    [Op.Random, `(local.set $x (call $random_get ${arg(1)} ${arg(2)}))`],
  ];
  const bytes = { type: 'bytes' as const, max: 128 };
  const word32 = { type: 'bytes' as const, max: 4 };
  return {
    memory: { max: grows ? 65536 : 8192 },
    restart: { policy: 'on-fault', backoff: '1ms' },
    ...entry,
    name,
    provides: [
      ...DEADLINES.map((deadline, i) => {
        const contract = { request: bytes, response: word32, deadline };
        return { method: 'PUT' as const, path: i === 0 ? `/${name}` : `/${name}/${i}`, handler: `put${i}`, contract };
      }),
      {
        method: 'GET',
        path: `/${name}`,
        handler: 'get',
        observable: true,
        contract: { response: word32, deadline: '1ms' },
      },
      ...(entry.provides ?? []),
    ],
    requires: [
      ...others.map((other) => ({ path: `/${other}`, methods: ['GET' as const] })),
      ...others.flatMap((other) =>
        byNumber
          ? Array.from({ length: INNER }, (_, i) => ({
              name: `${other}_${i + 1}`,
              path: `/${other}/${i + 1}`,
              methods: ['PUT' as const],
            }))
          : [{ name: `all_${other}`, path: `/${other}/*`, methods: ['PUT' as const] }],
      ),
      ...(entry.requires ?? []),
    ],
    wat: `${IMPORTS} (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
      (memory (export "memory") 1 8)
      (global $value (mut i32) (i32.const 0))
      (data (i32.const ${DATA}) "${Array.from({ length: 256 }, (_, i) => `\\${i.toString(16).padStart(2, '0')}`).join('')}")
      (data (i32.const ${NAMES}) "${others.map((other) => other.padEnd(name.length)).join('')}${name}")
      (func $uri (param $i i32)
        (if (i32.lt_s (local.get $i) (i32.const 0)) (then (local.set $i (i32.const ${others.length}))))
        (memory.copy (i32.const ${URI}) (i32.add (i32.const ${NAMES}) (i32.mul (local.get $i) (i32.const ${name.length}))) (i32.const ${name.length})))
      (func $forward (param $i i32) (param $from i32) (param $n i32) (param $to i32) (param $level i32) (result i32) (local $result i32)
        (call $uri (local.get $i))
        (i32.store16 (i32.const ${URI + name.length}) (i32.add (i32.const 0x312f) (i32.shl (local.get $level) (i32.const 8))))
        (local.set $result ${
          byNumber
            ? `(call $call (i32.add (i32.const ${others.length}) (i32.add (i32.mul (local.get $i) (i32.const ${INNER})) (local.get $level))) (local.get $from) (local.get $n) (local.get $to) (i32.const 4))`
            : `(call $request (i32.const 3) (i32.const ${URI}) (i32.const ${name.length + 2}) (local.get $from) (local.get $n) (local.get $to) (i32.const 4))`
        })
        (if (result i32) (i32.eq (local.get $result) (i32.const ${word(2.05, 4)})) (then (i32.load (local.get $to))) (else (local.get $result))))
      (func $run (param $p i32) (param $n i32) (param $r i32) (param $level i32) (result i32) (local $op i32) (local $x i32) (local $y i32)
        (local.set $op (i32.load (local.get $p)))
        ${bodies.map(([op, body]) => `(if (i32.eq (local.get $op) (i32.const ${op})) (then ${body}))`).join('\n')}
        (i32.store (i32.const ${STALE}) (local.get $p))
        (i32.store (local.get $r) (local.get $x)) (i32.const ${word(2.05, 4)}))
      ${DEADLINES.map((_, i) => handler(`put${i}`, `(call $run (local.get $p) (local.get $n) (local.get $r) (i32.const ${i}))`)).join('')}
      ${handler('get', `(i32.store (local.get $r) (global.get $value)) (i32.const ${word(2.05, 4)})`)}
      (func (export "on_timer") (param $id i32) (local $y i32)
        (i32.store (i32.const ${COUNTS}) (i32.add (i32.load (i32.const ${COUNTS})) (i32.const 1)))
        (global.set $value (i32.add (global.get $value) (i32.const 1)))
        (call $uri (i32.const -1)) (drop (call $notify (i32.const ${URI}) (i32.const ${name.length})))
        ${onTimer})
      (func (export "on_notify") (param $s i32) (param $result i32)
        (i32.store (i32.const ${COUNTS + 4}) (i32.add (i32.load (i32.const ${COUNTS + 4})) (i32.const 1)))
        (i32.store (i32.const ${COUNTS + 8}) (local.get $result))
        (i32.store (i32.const ${COUNTS + 12}) (i32.load (i32.const ${ANSWER}))))
      ${more}`,
  };
}
