// What runs while the test interrupts it: modules, and requests of the host whose answers are known. Together they pass
// through calls, grants, drivers, timers, observing, restarts and module management. Knows no interruption.
import { DATA, Op, agent, payload } from '../agent.js';
import type { MethodName } from '../../../manifest/file.js';
import { handler, IMPORTS, word, type ModuleText } from '../os-device.js';

export interface Step {
  readonly method: MethodName;
  readonly uri: string;
  readonly payload: Uint8Array;
  /** What it answers when nothing comes in between. */
  readonly code: number;
  readonly word?: number;
}

export interface Scenario {
  readonly name: string;
  readonly modules: readonly ModuleText[];
  readonly steps: readonly Step[];
  /** Time after the steps that belongs to it: timers and restarts, in milliseconds. */
  readonly after: number;
}

const bytes = (max: number) => ({ type: 'bytes' as const, max });
const step = (who: string, expected: number, ...words: number[]): Step => ({
  method: 'PUT',
  uri: `/${who}`,
  payload: payload(...words),
  code: 2.05,
  word: expected,
});

/** In every scenario: never called while the others are at work, so nothing of it may change. */
export const BYSTANDER: ModuleText = { ...agent('bystander', []), priority: 0 };
/** Answers the watcher only. */
const aide: ModuleText = { ...agent('aide', []), priority: 0 };
/**
 * In every scenario: has the highest priority, counts its timer's events, and makes a call with a payload in each, so that
 * the event uses registers, the argument buffer, grants of calls and windows of its own.
 */
export const WATCHER: readonly ModuleText[] = [
  {
    ...agent('aidd', ['aide'], {
      byNumber: true,
      onTimer: `(i32.store (i32.const 5000) (i32.const ${Op.Load32})) (i32.store (i32.const 5004) (i32.const ${DATA}))
      (local.set $y (call $forward (i32.const 0) (i32.const 5000) (i32.const 8) (i32.const 5016) (i32.const 0)))
      (if (i32.ne (local.get $y) (i32.const 0x03020100)) (then unreachable))`,
    }),
    priority: 3,
    eventDeadline: '50ms',
  },
  aide,
];
export const WATCHER_NAME = 'aidd';

const READ = 1;

/** Does several things in one request: `call $tell` asks agent i for an operation, words from 4096 on. */
function lead(
  body: string,
  more: { readonly requires?: ModuleText['requires']; readonly text?: string } = {},
): ModuleText {
  const ask = (name: string, path: string): string =>
    `(func $${name} (param $op i32) (param $a i32) (param $b i32) (param $c i32) (param $d i32) (param $e i32) (result i32)
       (i32.store (i32.const 4096) (local.get $op)) (i32.store (i32.const 4100) (local.get $a)) (i32.store (i32.const 4104) (local.get $b))
       (i32.store (i32.const 4108) (local.get $c)) (i32.store (i32.const 4112) (local.get $d)) (i32.store (i32.const 4116) (local.get $e))
       (drop (call $request (i32.const 3) (i32.const ${path}) (i32.const 4) (i32.const 4096) (i32.const 24) (i32.const 4200) (i32.const 4)))
       (i32.load (i32.const 4200)))`;
  return {
    name: 'lead',
    memory: { max: 8192 },
    restart: { policy: 'on-fault', backoff: '1ms' },
    provides: [
      {
        method: 'PUT',
        path: '/lead',
        handler: 'lead',
        contract: { request: bytes(64), response: bytes(4), deadline: '60ms' },
      },
    ],
    requires: [
      { path: '/b', methods: ['GET'] },
      { path: '/c', methods: ['GET'] },
      { path: '/b/*', methods: ['PUT'], name: 'b_all' },
      { path: '/c/*', methods: ['PUT'], name: 'c_all' },
      ...(more.requires ?? []),
    ],
    wat: `${IMPORTS} (memory (export "memory") 1)
      (data (i32.const 16) "/b/1/c/1") (data (i32.const ${DATA}) "0123456789abcdef")
      ${ask('b', '16')} ${ask('c', '20')}
      ${handler('lead', `${body} (i32.store (local.get $r) (local.get $x)) (i32.const ${word(2.05, 4)})`, '(local $x i32) (local $y i32) (local $z i32)')}
      ${more.text ?? ''}`,
  };
}

/** Calls by URI go through C, those by number through call.S. */
const b = agent('b', ['c'], { byNumber: true });
const c = agent('c', ['b']);
const byNumber = agent('c', ['b'], { byNumber: true });

const calls: Scenario = {
  name: 'calls',
  modules: [
    lead(
      `(local.set $x (i32.add
         (call $b (i32.const ${Op.Forward}) (i32.const 0) (i32.const ${Op.Forward}) (i32.const 0) (i32.const ${Op.Load}) (i32.const ${DATA + 6}))
         (call $call (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 4200) (i32.const 4))))`,
    ),
    b,
    byNumber,
  ],
  steps: [
    // host -> b -> c -> b: the payload goes on as a window of a window
    step('b', 9, Op.PassOn, 0, Op.PassOn, 0, Op.Load, DATA + 9),
    // lead -> b -> c -> b loads b's own byte, and the result word of a call by number is added
    step('lead', word(2.05, 4) + 6, 0),
  ],
  after: 0,
};

const grants: Scenario = {
  name: 'grants',
  modules: [
    lead(
      `(local.set $y (call $grant (i32.const 0) (i32.const ${DATA}) (i32.const 16) (i32.const 1) (i32.const 0)))
       (local.set $x (call $b (i32.const ${Op.Load}) (i32.add (local.get $y) (i32.const 15)) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
       (local.set $z (call $b (i32.const ${Op.Grant}) (i32.const 0) (i32.add (local.get $y) (i32.const 4)) (i32.const 8) (i32.const ${READ}) (i32.const 0)))
       (local.set $x (i32.add (local.get $x) (call $c (i32.const ${Op.Load}) (local.get $z) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
       (local.set $x (i32.add (local.get $x) (i32.shl (call $revoke (local.get $y)) (i32.const 16))))`,
    ),
    b,
    c,
  ],
  // 'f' + '4' and one revocation
  steps: [step('lead', 0x10000 + 0x66 + 0x34, 0)],
  after: 0,
};

const drivers: Scenario = {
  name: 'drivers',
  modules: [
    lead(
      `(drop (call $request (i32.const 1) (i32.const 32) (i32.const 10) (i32.const 0) (i32.const 0) (i32.const 5000) (i32.const 8)))
       (local.set $x (call $request (i32.const 3) (i32.const 48) (i32.const 11) (i32.const 60) (i32.const 1) (i32.const 0) (i32.const 0)))
       (local.set $x (i32.add (i32.shr_u (local.get $x) (i32.const 24)) (i32.shl (i32.shr_u (call $request (i32.const 1) (i32.const 48) (i32.const 11) (i32.const 0) (i32.const 0) (i32.const 5008) (i32.const 1)) (i32.const 24)) (i32.const 8))))
       (drop (call $request (i32.const 1) (i32.const 64) (i32.const 11) (i32.const 0) (i32.const 0) (i32.const 5016) (i32.const 16)))`,
      {
        requires: [{ path: '/dev/*', methods: ['GET', 'PUT', 'POST'], name: 'dev' }],
        text: '(data (i32.const 32) "/dev/clock") (data (i32.const 48) "/dev/gpio/5") (data (i32.const 60) "1") (data (i32.const 64) "/dev/random")',
      },
    ),
    b,
    c,
  ],
  steps: [step('lead', 0x4544, 0)],
  after: 0,
};

const events: Scenario = {
  name: 'events',
  modules: [
    lead(
      `(local.set $x (call $b (i32.const ${Op.Timer}) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
       (local.set $x (i32.add (local.get $x) (call $b (i32.const ${Op.Notify}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
       (drop (call $b (i32.const ${Op.Unobserve}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))`,
    ),
    b,
    c,
  ],
  // observing leaves a subscription behind: it is ended at once, the first notification is on its way then
  steps: [step('c', 0, Op.Observe, 0), step('lead', 2, 0), step('c', 1, Op.Unobserve, 0)],
  after: 3,
};

const restart: Scenario = {
  name: 'restart',
  modules: [
    lead(
      `(local.set $x (i32.shr_u (call $b (i32.const 5) (i32.const 0) (i32.const ${Op.Trap}) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 24)))`,
    ),
    b,
    c,
  ],
  // c traps, b sees 5.00 and goes on; c restores its memory and starts again
  steps: [step('lead', 0xa0, 0)],
  after: 100,
};

const management: Scenario = {
  name: 'management',
  modules: [b, c],
  steps: [
    { method: 'PUT', uri: '/sys/modules/c', payload: Buffer.from('restart'), code: 2.04 },
    { method: 'GET', uri: '/sys/modules/c', payload: Buffer.alloc(0), code: 2.05 },
  ],
  after: 100,
};

export const SCENARIOS: readonly Scenario[] = [calls, grants, drivers, events, restart, management];
