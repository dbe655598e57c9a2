// Requests between modules on the simulated device: routes, rights, results, nested and recursive calls, what a trap or a
// deadline of the callee means for its caller.
import { beforeAll, describe, expect, it } from 'vitest';
import { ModuleState } from '../../compiler/abi/os-layout.js';
import { bootDevice, handler, IMPORTS, prepareRuntime, word, type ModuleText, type OsDevice } from './os-device.js';

const text = (at: number, value: string): string => `(data (i32.const ${at}) "${value}")`;
const bytes = (max: number) => ({ type: 'bytes' as const, max });
const content = (length: string): string => `(i32.or (i32.const ${word(2.05)}) ${length})`;

/** Answers PUT /echo with the payload, and in other ways wrongly. */
const echo: ModuleText = {
  name: 'echo',
  restart: { policy: 'on-fault', backoff: '10ms' },
  provides: [
    {
      method: 'PUT',
      path: '/echo',
      handler: 'put',
      contract: { request: bytes(64), response: bytes(64), deadline: '1ms' },
    },
    { method: 'GET', path: '/log/{id}/of/{who}', handler: 'log', contract: { response: bytes(64), deadline: '1ms' } },
    { method: 'GET', path: '/trap', handler: 'trap', contract: { deadline: '1ms' } },
    { method: 'GET', path: '/spin', handler: 'spin', contract: { deadline: '1ms' } },
    { method: 'GET', path: '/deep', handler: 'deep', contract: { deadline: '1ms' } },
    { method: 'GET', path: '/long', handler: 'long', contract: { response: bytes(8), deadline: '1ms' } },
    { method: 'GET', path: '/odd', handler: 'odd', contract: { deadline: '1ms' } },
    { method: 'GET', path: '/bare', handler: 'bare', contract: { deadline: '1ms' } },
    { method: 'GET', path: '/count', handler: 'count', contract: { response: bytes(4), deadline: '1ms' } },
  ],
  wat: `${IMPORTS} (memory (export "memory") 1) (global $count (mut i32) (i32.const 0))
    ${handler('put', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) ${content('(local.get $n)')}`)}
    ${handler(
      'log',
      `(local.set $a (call $parameter (i32.const 0) (i32.const 16) (i32.const 16)))
       (memory.copy (local.get $r) (i32.const 16) (local.get $a))
       (local.set $b (call $parameter (i32.const 1) (i32.const 16) (i32.const 16)))
       (memory.copy (i32.add (local.get $r) (local.get $a)) (i32.const 16) (local.get $b))
       (local.set $a (i32.add (local.get $a) (local.get $b)))
       (local.set $b (call $query (i32.const 0) (i32.const 5) (i32.const 16) (i32.const 16)))
       (if (i32.ge_s (local.get $b) (i32.const 0)) (then
         (memory.copy (i32.add (local.get $r) (local.get $a)) (i32.const 16) (local.get $b))
         (local.set $a (i32.add (local.get $a) (local.get $b)))))
       ${content('(local.get $a)')}`,
      '(local $a i32) (local $b i32)',
    )}
    ${text(0, 'since')}
    (func $inner unreachable)
    ${handler('trap', '(call $inner) (i32.const 0)')}
    ${handler('spin', '(global.set $count (i32.const 99)) (loop $l (br $l)) unreachable')}
    (func $deep (export "deep") (param i32 i32 i32 i32) (result i32)
      (i32.add (call $deep (local.get 0) (local.get 1) (local.get 2) (local.get 3)) (i32.const 1)))
    ${handler('long', content('(i32.const 9)'))}
    ${handler('odd', '(i32.const 0x61000000)')}
    ${handler('bare', '(i32.const 0x84)')}
    ${handler(
      'count',
      `(global.set $count (i32.add (global.get $count) (i32.const 1)))
       (i32.store (local.get $r) (global.get $count)) ${content('(i32.const 4)')}`,
    )}`,
};

/** Calls what it is told to by POST /do: path of the payload; answers with the result word. GET /again calls itself. */
const caller: ModuleText = {
  name: 'caller',
  provides: [
    {
      method: 'POST',
      path: '/do',
      handler: 'do',
      contract: { request: bytes(64), response: bytes(4), deadline: '20ms' },
    },
    {
      method: 'POST',
      path: '/hasty',
      handler: 'do',
      contract: { request: bytes(64), response: bytes(4), deadline: '500us' },
    },
    { method: 'GET', path: '/again', handler: 'again', contract: { response: bytes(4), deadline: '1ms' } },
    { method: 'GET', path: '/who', handler: 'who', contract: { response: bytes(16), deadline: '1ms' } },
    { method: 'GET', path: '/left', handler: 'left', contract: { response: bytes(4), deadline: '2ms' } },
    { method: 'GET', path: '/ping', handler: 'ping', contract: { response: bytes(4), deadline: '10ms' } },
    { method: 'GET', path: '/wild', handler: 'wild', contract: { deadline: '10ms' } },
    { method: 'GET', path: '/direct', handler: 'direct', contract: { response: bytes(8), deadline: '10ms' } },
  ],
  requires: [
    { path: '/echo', methods: ['PUT'] },
    { path: '/trap', methods: ['GET'] },
    { path: '/spin', methods: ['GET'] },
    { path: '/count', methods: ['GET'] },
    { path: '/log/*', methods: ['GET'] },
    { path: '/pong', methods: ['GET'] },
    { path: '/who', methods: ['GET'] },
    { path: '/nowhere', methods: ['GET'], external: true },
    { path: '/bare', methods: ['PUT'], external: true },
  ],
  wat: `${IMPORTS} (memory (export "memory") 1)
    (global $calls (mut i32) (i32.const 0))
    ${text(0, '/pong/who')}
    ${handler(
      'do',
      `(memory.copy (i32.const 64) (local.get $p) (local.get $n))
       (i32.store (local.get $r) (call $request (i32.const 1) (i32.const 64) (local.get $n) (i32.const 0) (i32.const 0) (i32.const 256) (i32.const 64)))
       ${content('(i32.const 4)')}`,
    )}
    ${handler('again', '(i32.const 0x84)')}
    ${handler(
      'who',
      `(local.set $a (call $caller (i32.const 256) (i32.const 16)))
       (memory.copy (local.get $r) (i32.const 256) (local.get $a)) ${content('(local.get $a)')}`,
      '(local $a i32)',
    )}
    ${handler('left', `(i32.store (local.get $r) (call $time_left)) ${content('(i32.const 4)')}`)}
    ${handler(
      'ping',
      `(global.set $calls (i32.add (global.get $calls) (i32.const 1)))
       (i32.store (i32.const 512) (call $request (i32.const 1) (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 260) (i32.const 4)))
       (i32.store (local.get $r) (global.get $calls)) ${content('(i32.const 4)')}`,
    )}
    ${handler('wild', '(call $log (i32.const 65530) (i32.const 7)) (i32.const 0x45)')}
    ${handler(
      'direct',
      `(i32.store (i32.const 300) (i32.const 0x41424344))
       (i32.store (i32.const 308) (call $call (i32.const 0) (i32.const 300) (i32.const 4) (i32.const 304) (i32.const 4)))
       (i32.store (local.get $r) (i32.load (i32.const 308))) (i32.store offset=4 (local.get $r) (i32.load (i32.const 304)))
       ${content('(i32.const 8)')}`,
    )}`,
};

/** Calls back whoever calls. */
const pong: ModuleText = {
  name: 'pong',
  provides: [{ method: 'GET', path: '/pong', handler: 'pong', contract: { response: bytes(4), deadline: '500us' } }],
  requires: [{ path: '/ping', methods: ['GET'] }],
  wat: `${IMPORTS} (memory (export "memory") 1)
    ${handler(
      'pong',
      `(i32.store (local.get $r) (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 4)))
       ${content('(i32.const 4)')}`,
    )}`,
};

describe('requests', () => {
  let device: OsDevice;
  const ask = (path: string, from = '/do'): number => device.request('POST', from, path).payload.readUInt32LE();
  beforeAll(async () => {
    await prepareRuntime();
    device = await bootDevice([echo, caller, pong]);
  }, 120_000);

  it('boots without a word', () => {
    expect(device.console).toBe('');
  });
  it('carries payload and response', () => {
    const { code, payload } = device.request('PUT', '/echo', 'hello');
    expect({ code, text: payload.toString() }).toEqual({ code: 2.05, text: 'hello' });
  });
  it('tells path and method that are not there apart', () => {
    expect(device.get('/nothing').code).toBe(4.04);
    expect(device.get('/echo/x').code).toBe(4.04);
    expect(device.get('/echo').code).toBe(4.05);
    expect(device.get('/log//of/x').code).toBe(4.04);
  });
  it('gives path parameters and query', () => {
    expect(device.get('/log/7/of/me').payload.toString()).toBe('7me');
    expect(device.get('/log/7/of/me?x=1&since=20').payload.toString()).toBe('7me20');
    expect(device.get('log/7/of/me?since').payload.toString()).toBe('7me');
  });
  it('names the caller', () => {
    expect(device.get('/who').payload.toString()).toBe('sys');
    const before = device.machine;
    expect(ask('/who')).toBe(word(2.05, 6));
    expect(before).toBe(device.machine);
  });
  it('calls by number', () => {
    const { payload } = device.get('/direct');
    expect(payload.readUInt32LE()).toBe(word(2.05, 4));
    expect(payload.subarray(4).toString()).toBe('DCBA');
  });
  it('refuses what the manifest does not require, before it says whether it exists', () => {
    expect(ask('/left')).toBe(word(4.03));
    expect(ask('/unknown')).toBe(word(4.03));
    expect(ask('/nowhere')).toBe(word(4.04));
  });
  it('knows how much time is left', () => {
    const left = device.get('/left').payload.readUInt32LE();
    expect(left).toBeGreaterThan(1950);
    expect(left).toBeLessThan(2000);
  });
  it('turns a bare code into a result', () => {
    expect(device.get('/bare').code).toBe(4.04);
  });

  it('ends a callee that traps: 5.00 to the caller, a report, a restart', () => {
    device.get('/count');
    device.console = '';
    expect(ask('/trap')).toBe(word(5));
    expect(device.console).toMatch(
      /^fault: module echo 1\.0\.0: trap: unreachable\n {2}time 0\.\d{6} s, fault 1, restart in 10 ms\n {2}#0 func \d+(?: inner)? @0x[0-9a-f]+\n {2}#1 func \d+(?: trap)? @0x[0-9a-f]+\n$/,
    );
    expect(device.module('echo').state).toBe(ModuleState.BackingOff);
    expect(ask('/count')).toBe(word(5.03));
    device.pass(15);
    expect(device.module('echo').state).toBe(ModuleState.Running);
    expect(device.get('/count').payload.readUInt32LE()).toBe(1);
  });
  it('ends a callee at its deadline: 5.04 to the caller', () => {
    device.console = '';
    const before = device.machine.cycles;
    expect(ask('/spin')).toBe(word(5.04));
    expect(device.machine.cycles - before).toBeLessThan(60_000);
    expect(device.console).toContain('fault: module echo 1.0.0: deadline expired\n');
    device.pass(30);
    expect(device.get('/count').payload.readUInt32LE()).toBe(1);
  });
  it('refuses a call that the caller has no time for', () => {
    expect(ask('/count', '/hasty')).toBe(word(5.04));
    expect(device.module('caller').state).toBe(ModuleState.Running);
  });
  it('ends a stack overflow and goes on', () => {
    device.console = '';
    expect(device.get('/deep').code).toBe(5);
    expect(device.console).toMatch(/trap: call stack exhausted\n.*\n {2}#0 func \d+(?: deep)? @0x/);
    device.pass(50);
    expect(device.get('/count').code).toBe(2.05);
  });
  it('takes a response that is too long, or no code, for a breach of the callee', () => {
    device.console = '';
    expect(device.get('/long').code).toBe(5);
    expect(device.console).toContain('fault: module echo 1.0.0: contract broken\n');
    device.pass(100);
    expect(device.get('/odd').code).toBe(5);
    device.pass(200);
    expect(device.get('/count').code).toBe(2.05);
  });
  it('bounds calls back and recursion through modules', () => {
    const { code, payload } = device.get('/ping');
    expect(code).toBe(2.05);
    // ping 10 ms, pong 500 us: the second ping would need more time than pong has.
    expect(payload.readUInt32LE()).toBe(1);
    expect(device.module('caller').depth).toBe(0);
    expect(device.module('pong').depth).toBe(0);
  });
  it('traps in the module that gives the kernel a wild pointer', () => {
    device.console = '';
    expect(device.get('/wild').code).toBe(5);
    expect(device.console).toMatch(
      /^fault: module caller 1\.0\.0: trap: out of bounds memory access\n.*\n {2}#0 func \d+(?: wild)? @0x/,
    );
    expect(device.frameCount()).toBe(0);
  });
});

describe('recursion', () => {
  it('ends at the depth of a chain', async () => {
    // Deadlines of 0 nesting cost: each level has less time than the one above.
    const levels = Array.from({ length: 10 }, (_, i) => i);
    const device = await bootDevice(
      ['a', 'b'].map((name, which) => ({
        name,
        provides: levels
          .filter((level) => level % 2 === which)
          .map((level) => ({
            method: 'GET' as const,
            path: `/${level}`,
            handler: `h${level}`,
            contract: { response: bytes(1), deadline: `${20 - level}ms` },
          })),
        requires: levels
          .filter((level) => level % 2 !== which && level > 0)
          .map((level) => ({ path: `/${level}`, methods: ['GET' as const] })),
        wat: `${IMPORTS} (memory (export "memory") 1)
          ${levels
            .filter((level) => level % 2 === which)
            .map(
              (level) => `(data (i32.const ${16 * level}) "${level + 1}")
              ${handler(
                `h${level}`,
                `(i32.store8 (local.get $r) (i32.add (i32.const 1)
                   (if (result i32) (i32.eq (i32.shr_u (call $request (i32.const 1) (i32.const ${16 * level}) (i32.const ${level < 9 ? 1 : 2}) (i32.const 0) (i32.const 0) (i32.const ${256 + level}) (i32.const 1)) (i32.const 24)) (i32.const 0x45))
                     (then (i32.load8_u (i32.const ${256 + level}))) (else (i32.const 0))))) ${content('(i32.const 1)')}`,
              )}`,
            )
            .join('')}`,
      })),
    );
    expect(device.get('/0').payload[0]).toBe(8);
    expect(device.get('/5').payload[0]).toBe(5);
    expect(device.frameCount()).toBe(0);
  }, 60_000);
});
