// Requests: rights, methods, paths and queries, numbers, buffers; chains of calls and calls back.
import type { ServiceEntry } from '../../../manifest/file.js';
import { handler, IMPORTS, word } from '../../os/os-device.js';
import type { Case, CaseModule, Step } from '../case.js';

const text = (max: number) => ({ type: 'bytes', max }) as const;
const LAST_STEP = 12;
/** Steps of requests.c that trap. */
const FIRST_TRAP = 5;
const TRAPS = 11;

/** One link of a chain: calls the next, or itself again, with one round less; answers how many were run. */
const ROUNDS = 12;
const link = (i: number): ServiceEntry => ({
  method: 'POST',
  path: `/link/${i}`,
  handler: 'link',
  contract: { request: text(4), response: text(4), deadline: `${200 - 10 * i}ms` },
});
function chain(name: string, numbers: readonly number[]): CaseModule {
  return {
    name,
    stack: 8192,
    source: {
      wat: `${IMPORTS} (memory (export "memory") 1) (global $at (mut i32) (i32.const 0)) (data (i32.const 0) "/link/")
        ${handler(
          'link',
          `(call $log (i32.const 0) (i32.const 5))
          (local.set $i (i32.add (i32.load (local.get $p)) (i32.const 1)))
          (local.set $to (i32.add (i32.const 64) (i32.mul (local.get $i) (i32.const 16))))
          (i32.store (local.get $to) (local.get $i))
          (i32.store8 (i32.const 6) (i32.add (i32.const 48) (i32.div_u (local.get $i) (i32.const 10))))
          (i32.store8 (i32.const 7) (i32.add (i32.const 48) (i32.rem_u (local.get $i) (i32.const 10))))
          (local.set $result (call $request (i32.const 2) (i32.const 0) (i32.const 8) (local.get $to) (i32.const 4) (i32.add (local.get $to) (i32.const 4)) (i32.const 4)))
          (i32.store (local.get $r) (if (result i32) (i32.eq (i32.shr_u (local.get $result) (i32.const 24)) (i32.const ${0x45}))
            (then (i32.load offset=4 (local.get $to))) (else (i32.or (i32.shr_u (local.get $result) (i32.const 24)) (i32.shl (local.get $i) (i32.const 8))))))
          (i32.const ${word(2.05, 4) | 0})`,
          '(local $i i32) (local $to i32) (local $result i32)',
        )}`,
    },
    provides: numbers.map((i) => ({ ...link(i), path: `/link/${String(i).padStart(2, '0')}` })),
    requires: [{ path: '/link/*', methods: ['POST'] }],
  };
}
const first = new Uint8Array(4);
const even = Array.from({ length: ROUNDS / 2 }, (_, i) => 2 * i);
const odd = even.map((i) => i + 1);

export const REQUESTS: readonly Case[] = [
  {
    name: 'requests: rights, paths, queries, numbers, buffers',
    shows:
      'ts_request and ts_call with all that may and may not be asked; parameters, queries, caller; traps of buffers',
    modules: [
      {
        name: 'log',
        source: { program: 'log.c' },
        provides: [
          ...(['GET', 'PUT'] as const).map((method): ServiceEntry => ({
            method,
            path: '/log/{id}',
            handler: method === 'GET' ? 'get_entry' : 'put_entry',
            contract: { request: text(8), response: text(96), deadline: '8ms' },
          })),
          { method: 'GET', path: '/fixed', handler: 'fixed', contract: { response: text(8), deadline: '2ms' } },
          {
            method: 'POST',
            path: '/fixed',
            handler: 'post_fixed',
            contract: { request: text(8), response: text(8), deadline: '2ms' },
          },
          { method: 'GET', path: '/only/get', handler: 'fixed', contract: { response: text(8), deadline: '2ms' } },
        ],
      },
      {
        name: 'requests',
        source: { program: 'requests.c' },
        restart: { policy: 'on-fault', backoff: '1ms' },
        provides: [{ method: 'POST', path: '/requests/{n}', handler: 'run', contract: { deadline: '500ms' } }],
        requires: [
          { path: '/log/7', methods: ['GET', 'PUT'] },
          { path: '/fixed', methods: ['GET', 'POST'] },
          { path: '/log/*', methods: ['GET', 'PUT', 'POST'], name: 'all' },
          { path: '/only/get', methods: ['POST'] },
        ],
      },
    ],
    steps: Array.from({ length: LAST_STEP + 1 }, (_, n): Step[] => [
      { ask: 'POST', uri: `/requests/${n}` },
      ...(n >= FIRST_TRAP && n <= TRAPS ? [{ state: 'running', of: 'requests' } as const] : []),
    ]).flat(),
  },
  {
    name: 'requests: chains and calls back',
    shows: 'two modules that call each other: nested invocations, eight deep and no more (5.03)',
    modules: [chain('even', even), chain('odd', odd)],
    steps: [
      { ask: 'POST', uri: '/link/00', payload: first },
      { ask: 'POST', uri: '/link/05', payload: new Uint8Array([5, 0, 0, 0]) },
    ],
  },
  {
    name: 'requests: a module that calls itself',
    shows: 'a call back without anybody between',
    modules: [chain('self', [...even, ...odd])],
    steps: [{ ask: 'POST', uri: '/link/08', payload: new Uint8Array([8, 0, 0, 0]) }],
  },
  {
    name: 'requests: deadlines of chains',
    shows: 'a callee that may take as long as its caller is refused at once (5.04), one that takes less is called',
    modules: [
      {
        name: 'front',
        source: {
          wat: `${IMPORTS} (memory (export "memory") 1) ${[0, 1, 2]
            .map((i) =>
              handler(
                `try${i}`,
                `(i32.store (local.get $r) (call $call (i32.const ${i}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (i32.const ${word(2.05, 4) | 0})`,
              ),
            )
            .join('')}`,
        },
        provides: [0, 1, 2].map((i) => ({
          method: 'GET',
          path: `/try/${i}`,
          handler: `try${i}`,
          contract: { response: text(4), deadline: '20ms' },
        })),
        requires: [0, 1, 2].map((i) => ({ path: `/back/${i}`, methods: ['GET'] })),
      },
      {
        name: 'back',
        source: { wat: `${IMPORTS} (memory (export "memory") 1) ${handler('back', `(i32.const ${word(2.04) | 0})`)}` },
        provides: ['19ms', '20ms', '30ms'].map((deadline, i) => ({
          method: 'GET',
          path: `/back/${i}`,
          handler: 'back',
          contract: { deadline },
        })),
      },
    ],
    steps: [0, 1, 2].map((i) => ({ ask: 'GET', uri: `/try/${i}` })),
  },
];
