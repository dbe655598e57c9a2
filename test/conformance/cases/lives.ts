// Lives of modules: restart policies, starts that fail, exits, state that is new after each start.
import { handler, IMPORTS, word } from '../../os/os-device.js';
import type { RestartName } from '../../../manifest/file.js';
import type { Case, CaseModule, Step } from '../case.js';

const some = { type: 'bytes', max: 8 } as const;

/** Counts its calls; POST /NAME/trap traps, /NAME/exit exits. */
const counter = (name: string, restart: CaseModule['restart'], more = ''): CaseModule => ({
  name,
  ...(restart === undefined ? {} : { restart }),
  source: {
    wat: `${IMPORTS} (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1) (global $n (mut i32) (i32.const 10)) (data (i32.const 0) "up")
      (func (export "on_start") (call $log (i32.const 0) (i32.const 2)) ${more})
      ${handler(
        'count',
        `(global.set $n (i32.add (global.get $n) (i32.const 1)))
         (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))
         (i32.store (local.get $r) (i32.add (global.get $n) (i32.shl (i32.load (i32.const 16)) (i32.const 16))))
         (i32.const ${word(2.05, 4) | 0})`,
      )}
      ${handler('trap', 'unreachable')}
      ${handler('exit', `(call $exit (i32.const 3)) (i32.const ${word(2.04) | 0})`)}`,
  },
  provides: [
    { method: 'GET', path: `/${name}`, handler: 'count', contract: { response: some, deadline: '5ms' } },
    { method: 'POST', path: `/${name}/trap`, handler: 'trap', contract: { deadline: '5ms' } },
    { method: 'POST', path: `/${name}/exit`, handler: 'exit', contract: { deadline: '5ms' } },
  ],
});

const POLICIES: readonly RestartName[] = ['never', 'on-fault', 'always'];
const end = (policy: RestartName, what: 'trap' | 'exit'): 'running' | 'stopped' | 'failed' => {
  if (what === 'exit') return policy === 'always' ? 'running' : 'stopped';
  return policy === 'never' ? 'failed' : 'running';
};

export const LIVES: readonly Case[] = [
  ...(['trap', 'exit'] as const).map((what): Case => ({
    name: `lives: after a ${what}`,
    shows: `what becomes of a module after a ${what}, by its restart policy; memory and globals are new`,
    modules: POLICIES.map((policy) => counter(policy, { policy, backoff: '2ms' })),
    steps: POLICIES.flatMap((policy): Step[] => [
      { ask: 'GET', uri: `/${policy}` },
      { ask: 'GET', uri: `/${policy}` },
      { ask: 'POST', uri: `/${policy}/${what}` },
      { state: end(policy, what), of: policy },
      { ask: 'GET', uri: `/${policy}` },
    ]),
  })),
  {
    name: 'lives: restarts in an hour',
    shows: 'max restarts, then failed',
    modules: [counter('thrice', { policy: 'on-fault', max: 2, backoff: '1ms' })],
    steps: [
      ...[1, 2].flatMap((): Step[] => [
        { ask: 'POST', uri: '/thrice/trap' },
        { state: 'running', of: 'thrice' },
      ]),
      { ask: 'POST', uri: '/thrice/trap' },
      { state: 'failed', of: 'thrice' },
      { ask: 'GET', uri: '/thrice' },
    ],
  },
  {
    name: 'lives: starts that fail',
    shows: 'traps, endless loops and exits in start function, _initialize and on_start; others run',
    modules: [
      { ...counter('fine', undefined) },
      { ...counter('traps', { policy: 'on-fault', max: 2, backoff: '20ms' }, 'unreachable') },
      { ...counter('exits', { policy: 'on-fault', backoff: '1ms' }, '(call $exit (i32.const 0))') },
      {
        name: 'loops',
        restart: 'never',
        startDeadline: '2ms',
        source: { wat: `${IMPORTS} (func $s (loop $l (br $l))) (start $s)` },
      },
      {
        name: 'spins',
        restart: 'never',
        startDeadline: '2ms',
        source: { wat: `${IMPORTS} (func (export "_initialize") (loop $l (br $l)))` },
      },
      {
        name: 'segments',
        restart: 'never',
        source: {
          wat: `${IMPORTS} (memory (export "memory") 1) (global $g (mut i32) (i32.const 0)) (data (i32.const 0) "1234")
            (func $s (global.set $g (i32.load (i32.const 0)))) (start $s)
            (func (export "_initialize") (i32.store (i32.const 4) (global.get $g)))
            (func (export "on_start") (call $log (i32.const 0) (i32.const 8)))`,
        },
      },
    ],
    steps: [
      { state: 'failed', of: 'traps' },
      { state: 'stopped', of: 'exits' },
      { state: 'failed', of: 'loops' },
      { state: 'failed', of: 'spins' },
      { ask: 'GET', uri: '/fine' },
      { ask: 'GET', uri: '/traps' },
      { ask: 'GET', uri: '/exits' },
    ],
  },
];
