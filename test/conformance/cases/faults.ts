// Faults: traps of every kind, endless loops, stacks, windows used wrongly; what callers get and what is reported.
import { handler, IMPORTS, word } from '../../os/os-device.js';
import type { Case, Step } from '../case.js';

const KINDS = 24;
/** These go wrong later, in a timer. */
const IN_EVENTS: ReadonlySet<number> = new Set([22, 23]);
const some = { type: 'bytes', max: 8 } as const;

const trap = (name: string, body: string): string => handler(name, `${body} (i32.const ${word(2.04) | 0})`);
const TRAPS: readonly (readonly [string, string])[] = [
  ['table_get', '(drop (table.get $t (i32.const 4)))'],
  ['table_set', '(table.set $t (i32.const 4) (ref.null func))'],
  ['table_fill', '(table.fill $t (i32.const 3) (ref.null func) (i32.const 2))'],
  ['table_copy', '(table.copy $t $t (i32.const 0) (i32.const 3) (i32.const 2))'],
  ['table_init', '(table.init $t $e (i32.const 0) (i32.const 1) (i32.const 1))'],
  ['memory_init', '(memory.init $d (i32.const 0) (i32.const 2) (i32.const 2))'],
  ['dropped', '(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))'],
  ['dropped_empty', '(data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 0))'],
  ['copy_far', '(memory.copy (i32.const 65530) (i32.const 0) (i32.const 7))'],
  ['copy_empty', '(memory.copy (i32.const 65536) (i32.const 65536) (i32.const 0))'],
  ['fill_beyond', '(memory.fill (i32.const 65537) (i32.const 0) (i32.const 0))'],
  ['call_beyond', '(call_indirect $t (type $v) (i32.const 4))'],
  ['i32_nan', '(drop (i32.trunc_f32_s (f32.const nan)))'],
  ['i32_big', '(drop (i32.trunc_f64_u (f64.const 4294967296)))'],
  ['i64_big', '(drop (i64.trunc_f32_s (f32.const 1e20)))'],
  ['i64_div', '(drop (i64.div_s (i64.const 0x8000000000000000) (i64.load (i32.const 64))))'],
  ['i64_zero', '(drop (i64.rem_u (i64.const 1) (i64.load (i32.const 72))))'],
  ['load_end', '(drop (i64.load (i32.const 65529)))'],
  ['load_offset', '(drop (i32.load offset=65533 (i32.const 0)))'],
  ['window_empty', '(memory.fill (i32.const 0x88000000) (i32.const 0) (i32.const 0))'],
];

export const FAULTS: readonly Case[] = [
  {
    name: 'faults: every kind, in C',
    shows:
      'traps, endless loops and recursion, windows used wrongly, faults in timers: codes for the caller, reports with places',
    modules: [
      {
        name: 'rogue',
        source: { program: 'faults.c' },
        restart: { policy: 'on-fault', backoff: '1ms' },
        provides: [
          {
            method: 'POST',
            path: '/fault/{kind}',
            handler: 'go',
            contract: { request: some, response: some, deadline: '5ms' },
          },
        ],
      },
    ],
    steps: Array.from({ length: KINDS }, (_, kind): Step[] => [
      { ask: 'POST', uri: `/fault/${kind}`, payload: '12345678', capacity: 8 },
      ...(IN_EVENTS.has(kind) ? [{ faults: 'rogue', count: kind + 1 } as const] : []),
      { state: 'running', of: 'rogue' },
    ]).flat(),
  },
  {
    name: 'faults: every kind, in text',
    shows: 'tables, segments, conversions, the last bytes of a memory',
    modules: [
      {
        name: 'traps',
        source: {
          wat: `${IMPORTS} (memory (export "memory") 1) (type $v (func)) (table $t 4 funcref) (elem $e func $f)
            (func $f) (data $d "abc") (data (i32.const 64) "\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\00\\00\\00\\00\\00\\00\\00\\00")
            ${TRAPS.map(([name, body]) => trap(name, body)).join('\n')}`,
        },
        memory: { max: 65536 },
        restart: { policy: 'on-fault', backoff: '1ms' },
        provides: TRAPS.map(([name]) => ({
          method: 'POST',
          path: `/${name}`,
          handler: name,
          contract: { deadline: '5ms' },
        })),
      },
    ],
    steps: TRAPS.flatMap(([name]): Step[] => [
      { ask: 'POST', uri: `/${name}` },
      { state: 'running', of: 'traps' },
    ]),
  },
  {
    name: 'faults: within chains',
    shows: 'a trap two calls deep ends only who trapped; one in a call back ends all frames of its module',
    modules: [
      {
        name: 'outer',
        stack: 4096,
        restart: { policy: 'on-fault', backoff: '1ms' },
        source: {
          wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "outer goes on")
            ${handler(
              'start',
              `(i32.store (local.get $r) (call $call (i32.const 0) (local.get $p) (local.get $n) (i32.const 0) (i32.const 0)))
               (call $log (i32.const 0) (i32.const 13)) (i32.const ${word(2.05, 4) | 0})`,
            )}
            ${handler('back', 'unreachable')}`,
        },
        provides: [
          {
            method: 'POST',
            path: '/outer',
            handler: 'start',
            contract: { request: some, response: some, deadline: '50ms' },
          },
          { method: 'POST', path: '/back', handler: 'back', contract: { deadline: '5ms' } },
        ],
        requires: [{ path: '/middle', methods: ['POST'] }],
      },
      {
        name: 'middle',
        stack: 4096,
        restart: { policy: 'on-fault', backoff: '1ms' },
        source: {
          wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "middle got  ")
            ${handler(
              'go',
              `(local.set $x (call $call (i32.load8_u (local.get $p)) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
               (i32.store8 (i32.const 11) (i32.add (i32.const 48) (i32.and (i32.shr_u (local.get $x) (i32.const 24)) (i32.const 15))))
               (call $log (i32.const 0) (i32.const 12)) (i32.const ${word(2.04) | 0})`,
              '(local $x i32)',
            )}`,
        },
        provides: [{ method: 'POST', path: '/middle', handler: 'go', contract: { request: some, deadline: '20ms' } }],
        requires: [
          { path: '/inner', methods: ['POST'] },
          { path: '/back', methods: ['POST'] },
        ],
      },
      {
        name: 'inner',
        restart: { policy: 'on-fault', backoff: '1ms' },
        source: { wat: `${IMPORTS} (memory (export "memory") 1) ${handler('go', 'unreachable')}` },
        provides: [{ method: 'POST', path: '/inner', handler: 'go', contract: { deadline: '5ms' } }],
      },
    ],
    steps: [
      { ask: 'POST', uri: '/outer', payload: new Uint8Array([0]) },
      { state: 'running', of: 'inner' },
      { ask: 'POST', uri: '/outer', payload: new Uint8Array([1]) },
      { state: 'running', of: 'outer' },
      { ask: 'POST', uri: '/outer', payload: new Uint8Array([0]) },
    ],
  },
];
