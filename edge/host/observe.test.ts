// Observing across hosts: subscriptions follow the provider and the subscriber wherever they go.
import { afterEach, describe, expect, it } from 'vitest';
import { assemble, modelsOf, type TestModule } from '../test-support/edge.js';
import { EdgeHost } from './edge-host.js';
import type { ModuleState } from './types.js';

const HANDLER = '(param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32)';
const bytes = { type: 'bytes', max: 4 } as const;

const provider: TestModule = {
  name: 'provider',
  provides: [
    {
      method: 'GET',
      path: '/value',
      handler: 'get',
      observable: true,
      contract: { response: bytes, deadline: '5ms' },
    },
    { method: 'PUT', path: '/value', handler: 'put', contract: { request: bytes, deadline: '5ms' } },
  ],
  wat: `(module (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "value") (global $v (mut i32) (i32.const 0))
    (func (export "get") ${HANDLER} (i32.store (local.get $r) (global.get $v)) (i32.const 0x45000004))
    (func (export "put") ${HANDLER} (global.set $v (i32.load (local.get $p)))
      (drop (call $notify (i32.const 0) (i32.const 5))) (i32.const 0x44)))`,
};
/** Keeps the last value it was told, and the last code; observes from its start. */
const subscriber = (uri: string): TestModule => ({
  name: 'subscriber',
  eventDeadline: '50ms',
  requires: [{ path: uri, methods: ['GET'], external: true }],
  provides: [
    {
      method: 'GET',
      path: '/seen',
      handler: 'seen',
      contract: { response: { type: 'bytes', max: 8 }, deadline: '5ms' },
    },
  ],
  wat: `(module (import "thingspire" "observe" (func $observe (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "${uri}") (global $code (mut i32) (i32.const 0))
    (func (export "on_start") (drop (call $observe (i32.const 0) (i32.const ${uri.length}) (i32.const 64) (i32.const 4))))
    (func (export "on_notify") (param i32 i32) (global.set $code (i32.shr_u (local.get 1) (i32.const 24))))
    (func (export "seen") ${HANDLER} (i32.store (local.get $r) (i32.load (i32.const 64)))
      (i32.store offset=4 (local.get $r) (global.get $code)) (i32.const 0x45000008)))`,
});

let open: EdgeHost[] = [];
afterEach(async () => {
  await Promise.all(open.map((host) => host.close()));
  open = [];
});
/** Two hosts of one thing, each other's elsewhere. */
function pair(): [EdgeHost, EdgeHost] {
  const plain = (uri: string): string => uri.replace(/^\/\/home/, '');
  const made = [0, 1].map(
    (i) =>
      new EdgeHost({
        name: `host${i}`,
        thing: 'home',
        slackMs: 400,
        elsewhere: (request) => open[1 - i]!.requestHere({ ...request, uri: plain(request.uri) }),
        observeElsewhere: (uri, changed) => open[1 - i]!.observe(plain(uri), changed),
      }),
  );
  open = made;
  return made as [EdgeHost, EdgeHost];
}
const put = (host: EdgeHost, value: number) =>
  host.request({
    method: 3,
    uri: '/value',
    payload: new Uint8Array(Int32Array.of(value).buffer),
    caller: 'test',
    capacity: 0,
  });
async function seen(host: EdgeHost): Promise<number[]> {
  const { payload } = await host.request({
    method: 1,
    uri: '/seen',
    payload: new Uint8Array(0),
    caller: 'test',
    capacity: 8,
  });
  return [...new Uint32Array(payload.slice().buffer)];
}
const until = (host: EdgeHost, value: number) =>
  expect.poll(() => seen(host), { timeout: 10_000, interval: 10 }).toEqual([value, 0x45]);
async function move(name: string, from: EdgeHost, to: EdgeHost, module: TestModule): Promise<void> {
  const state = (await from.freeze(name)) as ModuleState;
  expect(state).not.toBeNull();
  const [model] = modelsOf([module]);
  await to.add({ model: model!, wasm: await assemble(module.wat), state });
  await from.remove(name, true);
}
const add = async (host: EdgeHost, module: TestModule): Promise<void> => {
  await host.add({ model: modelsOf([module])[0]!, wasm: await assemble(module.wat) });
};

describe('observing what is elsewhere', { timeout: 60_000 }, () => {
  it.each(['/value', '//home/value'])('follows provider and subscriber: %s', async (uri) => {
    const [here, there] = pair();
    const watcher = subscriber(uri);
    await add(here, watcher);
    // Nobody provides it yet: the subscription waits.
    await add(there, provider);
    await put(there, 1);
    await until(here, 1);
    await put(there, 2);
    await until(here, 2);
    await move('provider', there, here, provider);
    await put(here, 3);
    await until(here, 3);
    await move('provider', here, there, provider);
    await put(there, 4);
    await until(here, 4);
    await move('subscriber', here, there, watcher);
    await put(there, 5);
    await until(there, 5);
    await move('subscriber', there, here, watcher);
    await put(there, 6);
    await until(here, 6);
  });

  it('tells of a change during the move', async () => {
    const [here, there] = pair();
    const watcher = subscriber('/value');
    await add(there, provider);
    await add(here, watcher);
    await put(there, 1);
    await until(here, 1);
    const state = (await here.freeze('subscriber'))!;
    await put(there, 2);
    await there.add({ model: modelsOf([watcher])[0]!, wasm: await assemble(watcher.wat), state });
    await here.remove('subscriber', true);
    await until(there, 2);
  });
});
