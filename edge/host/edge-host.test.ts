// Modules on an edge host: calls, contracts, faults, grants, events, moves.
import { afterEach, describe, expect, it } from 'vitest';
import type { EdgeHost } from './edge-host.js';
import { assemble, modelsOf, testEdge, type TestModule } from '../test-support/edge.js';

const IMPORTS = `
  (import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "request" (func $request (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "parameter" (func $parameter (param i32 i32 i32) (result i32)))
  (import "thingspire" "query" (func $query (param i32 i32 i32 i32) (result i32)))
  (import "thingspire" "caller" (func $caller (param i32 i32) (result i32)))
  (import "thingspire" "grant" (func $grant (param i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "revoke" (func $revoke (param i32) (result i32)))
  (import "thingspire" "observe" (func $observe (param i32 i32 i32 i32) (result i32)))
  (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
  (import "thingspire" "timer" (func $timer (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)`;
const HANDLER = '(param $payload i32) (param $bytes i32) (param $response i32) (param $capacity i32) (result i32)';
/** Answers 2.05 with four bytes. */
const reply = (value: string): string => `(i32.store (local.get $response) ${value}) (i32.const 0x45000004)`;
const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const numberOf = (payload: Uint8Array): number => new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);

/** GET /count: adds the payload's word to a global and gives the sum. */
const counter: TestModule = {
  name: 'counter',
  provides: [
    {
      method: 'GET',
      path: '/count',
      handler: 'count',
      observable: true,
      contract: { request: { type: 'bytes', max: 4 }, response: { type: 'bytes', max: 4 }, deadline: '5ms' },
    },
  ],
  wat: `(module ${IMPORTS} (global $sum (mut i32) (i32.const 100))
    (data (i32.const 0) "/count")
    (func (export "count") ${HANDLER}
      (if (local.get $bytes) (then
        (global.set $sum (i32.add (global.get $sum) (i32.load (local.get $payload))))
        (drop (call $notify (i32.const 0) (i32.const 6)))))
      ${reply('(global.get $sum)')}))`,
};

const any = { type: 'bytes', max: 1024 } as const;

/** One GET service without contract but the deadline: one that calls others has more time than they. */
function single(name: string, path: string, body: string, more: Partial<TestModule> = {}): TestModule {
  const deadline = more.requires === undefined ? '5ms' : '20ms';
  return {
    name,
    provides: [{ method: 'GET', path, handler: 'run', contract: { request: any, response: any, deadline } }],
    wat: `(module ${IMPORTS} (global $g (mut i32) (i32.const 0)) (func (export "run") ${HANDLER} ${body}))`,
    ...more,
  };
}

let open: EdgeHost | null = null;
afterEach(async () => {
  await open?.close();
  open = null;
});
async function edge(...args: Parameters<typeof testEdge>) {
  const made = await testEdge(...args);
  open = made.host;
  return made;
}
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('EdgeHost', { timeout: 30_000 }, () => {
  it('calls a service through windows', async () => {
    const { get } = await edge([counter]);
    expect(numberOf((await get('/count', word(5))).payload)).toBe(105);
    expect(await get('/nothing')).toMatchObject({ code: 0x84 });
    expect(await get('/count', word(1), 2)).toMatchObject({ code: 0x85 });
    expect(await get('/count', new Uint8Array(5))).toMatchObject({ code: 0x8d });
    expect(Buffer.from((await get('/.well-known/core')).payload).toString()).toBe('</count>;obs');
  });

  it('lets modules call each other, back into the caller too', async () => {
    const service = (path: string, handler: string, deadline: string) =>
      ({ method: 'GET', path, handler, contract: { request: any, response: any, deadline } }) as const;
    const ask = '(drop (call $call (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 8) (i32.const 4)))';
    const front: TestModule = {
      name: 'front',
      provides: [service('/front', 'run', '50ms'), service('/inner', 'inner', '5ms')],
      requires: [{ path: '/back', methods: ['GET'] }],
      wat: `(module ${IMPORTS}
        (func (export "run") ${HANDLER} ${ask} ${reply('(i32.add (i32.load (i32.const 8)) (i32.const 1))')})
        (func (export "inner") ${HANDLER} ${reply('(i32.const 40)')}))`,
    };
    const back: TestModule = {
      name: 'back',
      provides: [service('/back', 'run', '20ms')],
      requires: [{ path: '/inner', methods: ['GET'] }],
      wat: `(module ${IMPORTS}
        (func (export "run") ${HANDLER} ${ask} ${reply('(i32.add (i32.load (i32.const 8)) (i32.const 1))')}))`,
    };
    const { get } = await edge([front, back]);
    expect(numberOf((await get('/front')).payload)).toBe(42);
  });

  it('refuses what is not required, what is not allowed and what comes too often', async () => {
    const caller = single(
      'caller',
      '/try/{n}',
      `(drop (call $parameter (i32.const 0) (i32.const 8) (i32.const 8)))
       ${reply(`(i32.shr_u (call $request (i32.const 1) (i32.const 0) (i32.const 9)
         (i32.const 0) (i32.const 0) (i32.const 32) (i32.const 4)) (i32.const 24))`)}`,
      {
        requires: [
          { path: '/secret/1', methods: ['GET'] },
          { path: '/secret/2', methods: ['GET'] },
        ],
      },
    );
    const secret = (path: string, contract: object): TestModule => ({
      name: `secret${path}`,
      provides: [{ method: 'GET', path: `/secret/${path}`, handler: 'run', contract }],
      wat: `(module (func (export "run") ${HANDLER} (i32.const 0x45)))`,
    });
    const wat = caller.wat.replace('(global', '(data (i32.const 0) "/secret/") (global');
    const { get } = await edge([
      { ...caller, wat },
      secret('1', { callers: ['other'] }),
      secret('2', { rate: '1/s', burst: 2, deadline: '1ms' }),
    ]);
    const code = async (n: number): Promise<number> => numberOf((await get(`/try/${n}`)).payload);
    expect(await code(1)).toBe(0x83);
    expect(await code(3)).toBe(0x83);
    expect([await code(2), await code(2), await code(2)]).toEqual([0x45, 0x45, 0x9d]);
  });

  it('checks records, and blames a handler that answers against its contract', async () => {
    const pair = {
      type: 'record',
      fields: [
        { name: 'a', type: 'u8' },
        { name: 'b', type: 'i16', min: -5, max: 5 },
      ],
    } as const;
    const strict: TestModule = {
      ...single(
        'strict',
        '/strict',
        `(memory.copy (local.get $response) (local.get $payload) (i32.const 4))
        (i32.store16 offset=2 (local.get $response) (i32.mul (i32.load16_s offset=2 (local.get $payload)) (i32.const 2)))
        (i32.const 0x45000004)`,
      ),
      provides: [{ method: 'GET', path: '/strict', handler: 'run', contract: { request: 'pair', response: 'pair' } }],
      restart: { policy: 'on-fault', backoff: '10ms' },
    };
    const { get, host } = await edge([strict], { pair });
    const send = (b: number) => get('/strict', new Uint8Array(Int16Array.of(1, b).buffer));
    expect(await send(2)).toMatchObject({ code: 0x45, payload: new Uint8Array(Int16Array.of(1, 4).buffer) });
    expect(await send(6)).toMatchObject({ code: 0x80 });
    expect(await send(3)).toMatchObject({ code: 0xa0 });
    expect(host.status()[0]).toMatchObject({ faults: 1, lastFault: { reason: 'contract broken' } });
    await until(() => host.status()[0]!.state === 'running');
    expect(await send(-2)).toMatchObject({ code: 0x45 });
  });

  it('ends endless loops and traps, restarts the module and leaves the caller alive', async () => {
    const bad = single(
      'bad',
      '/bad',
      `(if (local.get $bytes) (then (drop (i32.load (i32.const 70000)))))
       (loop $for_ever (br $for_ever)) (i32.const 0)`,
      { restart: { policy: 'on-fault', backoff: '20ms' } },
    );
    const caller = single(
      'caller',
      '/caller',
      `(global.set $g (i32.add (global.get $g) (i32.const 1)))
       (i32.store (local.get $response)
         (call $call (i32.const 0) (i32.const 0) (local.get $bytes) (i32.const 0) (i32.const 0)))
       (i32.store offset=4 (local.get $response) (global.get $g)) (i32.const 0x45000008)`,
      { requires: [{ path: '/bad', methods: ['GET'] }] },
    );
    const { get, host } = await edge([bad, caller]);
    const view = async (payload?: Uint8Array) => [
      ...new Uint32Array((await get('/caller', payload)).payload.slice().buffer),
    ];
    expect(await view()).toEqual([0xa4000000, 1]);
    expect(await view()).toEqual([0xa3000000, 2]);
    await until(() => host.status()[0]!.state === 'running');
    expect(await view(word(1))).toEqual([0xa0000000, 3]);
    const { lastFault, faults } = host.status()[0]!;
    expect(faults).toBe(2);
    expect(lastFault).toMatchObject({ reason: 'trapped', message: 'out of bounds memory access' });
    expect(lastFault!.backtrace[0]!.offset).toBeGreaterThan(0);
  });

  it('stops a start function that does not end', async () => {
    const endless: TestModule = {
      name: 'endless',
      restart: 'never',
      startDeadline: '1ms',
      wat: '(module (func $start (loop $l (br $l))) (start $start))',
    };
    const { host } = await edge([endless]);
    expect(host.status()[0]).toMatchObject({ state: 'failed', lastFault: { reason: 'deadline expired' } });
  });

  it('grants memory, with rights and an end', async () => {
    const owner = single(
      'owner',
      '/owner',
      `(i32.store (i32.const 0) (i32.const 7))
       (i32.store (i32.const 64) (call $grant (i32.const 0) (i32.const 0) (i32.const 8) (i32.load8_u (local.get $payload)) (i32.const 0)))
       (drop (call $call (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 68) (i32.const 4)))
       (if (i32.load8_u offset=1 (local.get $payload)) (then
         (drop (call $revoke (i32.load (i32.const 64))))
         (i32.store (i32.const 72) (call $call (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 68) (i32.const 4)))))
       (memory.copy (local.get $response) (i32.const 0) (i32.const 8))
       (i32.store offset=8 (local.get $response) (i32.load (i32.const 68)))
       (i32.store offset=12 (local.get $response) (i32.load (i32.const 72))) (i32.const 0x45000010)`,
      { requires: [{ path: '/user', methods: ['GET'] }] },
    );
    const user = single(
      'user',
      '/user',
      `(local $window i32) (local.set $window (i32.load (local.get $payload)))
       (i32.store offset=4 (local.get $window) (i32.add (i32.load (local.get $window)) (i32.const 35)))
       ${reply('(i32.load offset=4 (local.get $window))')}`,
      { restart: { policy: 'on-fault', backoff: '1ms' } },
    );
    const { get, host } = await edge([owner, user]);
    const ask = async (...bytes: number[]) => [
      ...new Uint32Array((await get('/owner', Uint8Array.from(bytes))).payload.slice().buffer),
    ];
    expect(await ask(3, 0)).toEqual([7, 42, 42, 0]);
    // Without the right to write, the user traps: 5.00 in its answer's place, nothing written.
    expect((await ask(1, 0))[1]).toBe(42);
    expect(host.status()[1]).toMatchObject({ faults: 1 });
    await until(() => host.status()[1]!.state === 'running');
    expect(await ask(3, 1)).toEqual([7, 42, 42, 0xa0000000]);
  });

  it('delivers notifications and timers', async () => {
    const observer: TestModule = {
      name: 'observer',
      requires: [{ path: '/count', methods: ['GET'] }],
      provides: [{ method: 'GET', path: '/seen', handler: 'seen', contract: { response: { type: 'bytes', max: 12 } } }],
      wat: `(module ${IMPORTS} (data (i32.const 0) "/count")
        (func (export "on_start")
          (i32.store (i32.const 32) (call $observe (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))
          (drop (call $timer (i32.const 2) (i32.const 5) (i32.const 5))))
        (func (export "on_notify") (param i32 i32) (i32.store (i32.const 20) (local.get 1)))
        (func (export "on_timer") (param i32) (i32.store (i32.const 24) (i32.add (i32.load (i32.const 24)) (local.get 0))))
        (func (export "seen") ${HANDLER} (memory.copy (local.get $response) (i32.const 16) (i32.const 12)) (i32.const 0x4500000c)))`,
    };
    const { get } = await edge([counter, observer]);
    await get('/count', word(11));
    const seen = async () => [...new Uint32Array((await get('/seen')).payload.slice().buffer)];
    await expect.poll(seen, { timeout: 5000 }).toMatchObject([111, 0x45000004, expect.any(Number)]);
    await expect.poll(async () => (await seen())[2]! >= 6, { timeout: 5000 }).toBe(true);
  });

  it('moves a module with its state while calls wait', async () => {
    const first = await edge([counter]);
    await first.get('/count', word(1));
    const [model] = modelsOf([counter]);
    const second = await testEdge([]);
    try {
      const state = (await first.host.freeze('counter'))!;
      const waiting = first.get('/count', word(10));
      expect(await second.host.add({ model: model!, wasm: await assemble(counter.wat), state })).toBe(true);
      // A host without a way elsewhere answers 4.04 once the module has left.
      await first.host.remove('counter', true);
      expect(await waiting).toMatchObject({ code: 0x84 });
      expect(numberOf((await second.get('/count', word(2))).payload)).toBe(103);
    } finally {
      await second.host.close();
    }
  });
});
