// The device of these tests: a module that counts, echoes, takes its time and asks the edge, and a second one. Gives the built
// image; knows no expectation.
import type { ParsedPacket } from 'coap-packet';
import { buildDevice, handler, IMPORTS, prepareRuntime, word, type BuiltDevice } from '../os/os-device.js';
import type { Request } from './device-link.js';

export const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
const PATH = { value: 64, slow: 96 } as const;

/** Counts what it does, echoes, takes its time, asks the edge. */
const sensor = `${IMPORTS} (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (data (i32.const ${PATH.value}) "/value") (data (i32.const ${PATH.slow}) "//other/far/away?x=1")
  ${handler('echo', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}
  ${handler(
    'count',
    `(global.set $count (i32.add (global.get $count) (i32.const 1)))
    (drop (call $notify (i32.const ${PATH.value}) (i32.const 6)))
    (i32.store (local.get $r) (global.get $count)) (i32.const ${word(2.04, 4)})`,
  )}
  ${handler('value', `(i32.store (local.get $r) (global.get $count)) (i32.const ${word(2.05, 4)})`)}
  ${handler('slow', `(loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 4000000)))) (i32.const ${word(2.05)})`)}
  ${handler('who', `(i32.or (i32.const ${word(2.05) | 0}) (call $caller (local.get $r) (local.get $c)))`)}
  ${handler(
    'item',
    `(local.set $n (call $parameter (i32.const 0) (local.get $r) (i32.const 8)))
    (i32.or (i32.const ${word(2.05) | 0}) (i32.add (local.get $n)
      (call $query (i32.const ${PATH.slow + 17}) (i32.const 1) (i32.add (local.get $r) (local.get $n)) (i32.const 8))))`,
  )}
  ${handler('trap', 'unreachable')}
  ${handler('log', `(call $log (local.get $p) (local.get $n)) (i32.const ${word(2.04)})`)}
  ${handler(
    'far',
    `(i32.store (local.get $r) (call $request (i32.const 1) (i32.const ${PATH.slow}) (i32.const 20)
      (i32.const 0) (i32.const 0) (i32.add (local.get $r) (i32.const 4)) (i32.const 16))) (i32.const ${word(2.05, 20)})`,
  )}
  ${handler('put_far', `(i32.store (local.get $r) (call $call (i32.const 1) (i32.const 0) (i32.const 700) (i32.const 2048) (i32.const 16))) (i32.const ${word(2.05, 4)})`)}`;

export async function buildSensor(): Promise<BuiltDevice> {
  await prepareRuntime();
  const get = (name: string, max: number, deadline = '1ms') => ({
    method: 'GET' as const,
    path: `/${name}`,
    handler: name,
    contract: { response: bytes(max), deadline },
  });
  return buildDevice([
    {
      name: 'sensor',
      wat: sensor,
      memory: { max: 8192 },
      provides: [
        {
          method: 'PUT',
          path: '/echo',
          handler: 'echo',
          contract: { request: bytes(1024), response: bytes(1024), deadline: '5ms' },
        },
        { method: 'POST', path: '/count', handler: 'count', contract: { response: bytes(4), deadline: '1ms' } },
        { ...get('value', 4), observable: true },
        get('slow', 4, '2s'),
        get('who', 32),
        { ...get('item', 32), path: '/item/{name}' },
        {
          ...get('who', 32),
          path: '/private',
          contract: {
            response: bytes(32),
            deadline: '1ms',
            callers: ['second', 'console@porch', 'user:anna', 'user:bob'],
          },
        },
        {
          ...get('who', 32),
          path: '/users',
          contract: { response: bytes(32), deadline: '1ms', callers: ['user:*'] },
        },
        get('trap', 4),
        { method: 'POST', path: '/log', handler: 'log', contract: { request: bytes(256), deadline: '50ms' } },
        get('far', 32),
        get('put_far', 200),
      ],
      requires: [
        { path: '//other/far/*', methods: ['GET'], timeout: '300ms' },
        { path: '/sink', methods: ['PUT'], external: true, timeout: '300ms' },
      ],
      restart: { policy: 'on-fault', backoff: '1ms' },
    },
    {
      name: 'second',
      provides: [{ method: 'GET', path: '/second', handler: 'get', contract: { deadline: '1ms' } }],
      wat: `${IMPORTS} (memory (export "memory") 1) ${handler('get', `(i32.const ${word(2.05)})`)}`,
    },
  ]);
}

const blockValue = (number: number): Buffer =>
  number === 0 ? Buffer.alloc(0) : number < 256 ? Buffer.from([number]) : Buffer.from([number >> 8, number & 255]);
/** An option of a request: its bytes, or a number of a block in as few as it needs. */
export const option = (name: string, value: number | Buffer): Request['options'] =>
  [{ name, value: typeof value === 'number' ? blockValue(value) : value }] as unknown as Request['options'];
export const isRequest = ({ code }: ParsedPacket): boolean => code.startsWith('0.') && code !== '0.00';
