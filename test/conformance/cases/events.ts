// Events: observing (RFC 7641) and timers.
import type { Case, Step } from '../case.js';

const value = (n: number): Uint8Array => new Uint8Array(Int32Array.of(n).buffer);
const bytes = (max: number) => ({ type: 'bytes', max }) as const;
const set = (n: number): Step => ({ ask: 'PUT', uri: '/value', payload: value(n) });
const watch = (n: number): Step => ({ ask: 'PUT', uri: `/watch/${n}` });
/** Lines that the watcher has printed by then. */
const heard = (count: number): Step => ({ lines: 'watcher', count });

export const EVENTS: readonly Case[] = [
  {
    name: 'events: observing',
    shows:
      'first and later notifications, two observers of one service, queries, too small a buffer, its end; faults and restarts of the provider are told',
    modules: [
      {
        name: 'provider',
        source: { program: 'provider.rs' },
        restart: { policy: 'on-fault', backoff: '30ms' },
        provides: [
          {
            method: 'GET',
            path: '/value',
            handler: 'get',
            observable: true,
            contract: { response: bytes(4), deadline: '5ms' },
          },
          { method: 'PUT', path: '/value', handler: 'put', contract: { request: bytes(4), deadline: '9ms' } },
          { method: 'POST', path: '/value/trap', handler: 'trap', contract: { deadline: '5ms' } },
          { method: 'GET', path: '/fixed', handler: 'get', contract: { response: bytes(4), deadline: '5ms' } },
        ],
      },
      {
        name: 'watcher',
        source: { program: 'watcher.ts' },
        stack: 4096,
        provides: [{ method: 'PUT', path: '/watch/{n}', handler: 'put', contract: { deadline: '9ms' } }],
        requires: [
          { path: '/value', methods: ['GET'] },
          { path: '/fixed', methods: ['GET'] },
        ],
      },
    ],
    steps: [
      watch(0),
      heard(2),
      set(7),
      heard(3),
      watch(1),
      heard(5),
      set(-3),
      heard(7),
      ...[2, 3, 6, 7].map(watch),
      { ask: 'POST', uri: '/value/trap' },
      heard(13),
      { state: 'running', of: 'provider' },
      heard(15),
      watch(4),
      set(11),
      heard(17),
      watch(5),
      heard(19),
    ],
  },
  {
    name: 'events: timers',
    shows: 'order, periods, once, at once, stopped and started anew, numbers that there are not, times of weeks',
    modules: [
      {
        name: 'clock',
        source: { program: 'clockwork.c' },
        provides: [{ method: 'PUT', path: '/clock/{n}', handler: 'put', contract: { deadline: '9ms' } }],
      },
      {
        // Exports no on_timer: it has no timers.
        name: 'deaf',
        source: {
          wat: `(import "thingspire" "timer" (func $timer (param i32 i32 i32) (result i32)))
            (import "thingspire" "log" (func $log (param i32 i32))) (memory (export "memory") 1) (data (i32.const 0) "timer ?")
            (func (export "on_start") (i32.store8 (i32.const 6) (i32.add (i32.const 48) (call $timer (i32.const 0) (i32.const 1) (i32.const 0))))
              (call $log (i32.const 0) (i32.const 7)))`,
        },
      },
    ],
    steps: [
      { ask: 'PUT', uri: '/clock/0' },
      { lines: 'clock', count: 4 },
      { ask: 'PUT', uri: '/clock/1' },
      { lines: 'clock', count: 8 },
      { ask: 'PUT', uri: '/clock/2' },
      { lines: 'clock', count: 10 },
      { ask: 'PUT', uri: '/clock/3' },
      { lines: 'clock', count: 13 },
      { ask: 'PUT', uri: '/clock/4' },
      { ask: 'PUT', uri: '/clock/5' },
      { lines: 'clock', count: 22 },
    ],
  },
];
