// Modules that mean harm, or know no better: the edge and its other modules go on, memory is bounded, and who did it is
// told with function names.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { assemble, modelsOf, testEdge, type TestEdge, type TestModule } from '../test-support/edge.js';

const IMPORTS = `
  (import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "grant" (func $grant (param i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "observe" (func $observe (param i32 i32 i32 i32) (result i32)))
  (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
  (import "thingspire" "timer" (func $timer (param i32 i32 i32) (result i32)))
  (import "thingspire" "log" (func $log (param i32 i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))`;
const HANDLER = '(param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32)';
const any = { type: 'bytes', max: 1024 } as const;
const word = (value: string): string => `(i32.store (local.get $r) ${value}) (i32.const 0x45000004)`;

/** POST /bad runs `body`; the neighbour /good answers whatever happens. */
const bad = (body: string, more = '', entry: Partial<TestModule> = {}): TestModule => ({
  name: 'bad',
  restart: { policy: 'on-fault', backoff: '5ms' },
  provides: [
    {
      method: 'POST',
      path: '/bad',
      handler: 'run',
      contract: { request: any, response: any, deadline: '20ms' },
    },
  ],
  requires: [{ path: '/good', methods: ['GET'] }],
  wat: `(module ${IMPORTS} (memory (export "memory") 1 65536) ${more} (func $culprit (export "run") ${HANDLER} (local $i i32) ${body}))`,
  ...entry,
});
const good: TestModule = {
  name: 'good',
  provides: [
    {
      method: 'GET',
      path: '/good',
      handler: 'run',
      observable: true,
      contract: { request: any, response: any, deadline: '5ms' },
    },
  ],
  wat: `(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0))
    (func (export "run") ${HANDLER} (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (i32.store (local.get $r) (global.get $n)) (i32.const 0x45000004)))`,
};

let edge: TestEdge | null = null;
afterEach(async () => {
  await edge?.host.close();
  edge = null;
});
const start = async (module: TestModule): Promise<TestEdge> => (edge = await testEdge([good, module]));
const attack = async ({ get }: TestEdge): Promise<number> => (await get('/bad', new Uint8Array(8), 2)).code;
/** The neighbour answers, and counts on: it was not started again. */
async function unharmed({ get, host }: TestEdge): Promise<void> {
  expect((await get('/good')).code).toBe(0x45);
  expect(host.status()[0]).toMatchObject({ name: 'good', state: 'running', faults: 0, restarts: 0 });
}
const fault = ({ host }: TestEdge) => host.status()[1]!.lastFault;
const recovered = (made: TestEdge) =>
  expect.poll(() => made.host.status()[1]!.state, { timeout: 10_000 }).toBe('running');

describe('a hostile module', { timeout: 60_000 }, () => {
  let before = 0;
  beforeEach(() => {
    before = process.memoryUsage().rss;
  });
  /** The process has not grown by more. */
  const grewAtMost = (megabytes: number): void =>
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(megabytes);

  it.each([
    ['a loop', '(loop $l (br $l)) (i32.const 0)', ''],
    ['a loop two functions deep', '(call $a) (i32.const 0)', '(func $a (call $b)) (func $b (loop $l (br $l)))'],
    [
      'recursion that takes for ever',
      '(drop (call $fib (i32.const 60))) (i32.const 0)',
      `(func $fib (param i32) (result i32) (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
        (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))`,
    ],
    [
      'bulk operations',
      '(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l)) (i32.const 0)',
      '',
    ],
    ['notifying', '(loop $l (drop (call $notify (i32.const 0) (i32.const 4))) (br $l)) (i32.const 0)', ''],
    [
      'calling',
      '(loop $l (drop (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))) (br $l)) (i32.const 0)',
      '',
    ],
  ])('that never ends: %s', async (_, body, more) => {
    const made = await start(bad(body, more));
    expect(await attack(made)).toBe(0xa4);
    expect(fault(made)!.reason).toBe('deadline expired');
    const names = fault(made)!.backtrace.map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(['culprit', 'fib']).toContain(names[names.length - 1]);
    await unharmed(made);
    await recovered(made);
  });

  it.each([
    [
      'recursion',
      '(call $dig (i32.const 0)) (i32.const 0)',
      '(func $dig (param i32) (call $dig (local.get 0)) (drop (i32.const 1)))',
    ],
    [
      'recursion through the host',
      '(call $dig) (i32.const 0)',
      '(func $dig (drop (call $notify (i32.const 0) (i32.const 4))) (call $dig) (drop (i32.const 1)))',
    ],
  ])('that fills its stack: %s', async (_, body, more) => {
    const made = await start(
      bad(body, more, {
        provides: [{ ...bad('').provides![0]!, contract: { request: any, response: any, deadline: '4s' } }],
      }),
    );
    expect(await attack(made)).toBe(0xa0);
    expect(fault(made)).toMatchObject({ reason: 'trapped', message: 'call stack exhausted' });
    expect(fault(made)!.backtrace[0]!.name).toBe('dig');
    await recovered(made);
    expect(await attack(made)).toBe(0xa0);
    await unharmed(made);
  });

  it('that takes all memory gets what its manifest says', async () => {
    const grow = `(block $full (loop $l (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1))) (br $l)))
      (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536))) ${word('(memory.size)')}`;
    const made = await start(bad(grow, '', { memory: { max: 4 * 65536 * 16 } }));
    const { payload } = await made.get('/bad', new Uint8Array(8), 2);
    expect(new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)).toBe(49);
    expect(made.host.status()[1]).toMatchObject({ memoryBytes: 49 * 65536, memoryMaxBytes: 64 * 65536 });
    await unharmed(made);
    grewAtMost(200);
  });

  it('that takes all memory without a budget gets 16 MiB', async () => {
    const grow = `(block $full (loop $l (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1))) (br $l))) ${word('(memory.size)')}`;
    const made = await start(bad(grow));
    const { payload } = await made.get('/bad', new Uint8Array(8), 2);
    expect(new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)).toBeLessThanOrEqual(256);
  });

  it('that grows its table is stopped by its limit', async () => {
    const made = await start(
      bad(
        `(block $full (loop $l (br_if $full (i32.eq (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))) (br $l))) ${word('(table.size $t)')}`,
        '(table $t 1 funcref)',
      ),
    );
    const { payload } = await made.get('/bad', new Uint8Array(8), 2);
    expect(new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)).toBeLessThanOrEqual(65536);
    await unharmed(made);
  });

  it.each([
    ['lines', '(loop $l (call $log (i32.const 0) (i32.const 256)) (br $l)) (i32.const 0)'],
    ['empty lines', '(loop $l (call $log (i32.const 0) (i32.const 0)) (br $l)) (i32.const 0)'],
    [
      'text by WASI',
      '(i32.store (i32.const 4) (i32.const 65000)) (loop $l (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (br $l)) (i32.const 0)',
    ],
  ])('that floods the log with %s is slowed down and ended', async (_, body) => {
    const made = await start(bad(body));
    expect(await attack(made)).toBe(0xa4);
    await unharmed(made);
    const bytes = made.events.reduce(
      (sum, event) =>
        sum + (event.type === 'log' ? 64 + event.text.length : event.type === 'console' ? event.bytes.length : 0),
      0,
    );
    expect(bytes).toBeLessThan(2 * 2 ** 20);
    await recovered(made);
  });

  it('that sets timers and observes without end has four and twelve', async () => {
    const made = await start(
      bad(
        `(loop $l (drop (call $timer (i32.and (local.get $i) (i32.const 255)) (i32.const 1) (i32.const 1)))
           (drop (call $observe (i32.const 0) (i32.const 5) (i32.const 64) (i32.const 4)))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000))))
         ${word('(i32.load (i32.const 128))')}`,
        `(data (i32.const 0) "/good") (func (export "on_timer") (param i32) (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (i32.const 1))))
         (func (export "on_notify") (param i32 i32) (i32.store (i32.const 132) (i32.add (i32.load (i32.const 132)) (i32.const 1))))`,
        {
          provides: [{ ...bad('').provides![0]!, contract: { request: any, response: any, deadline: '4s' } }],
          eventDeadline: '100ms',
        },
      ),
    );
    expect(await attack(made)).toBe(0x45);
    const state = await made.host.freeze('bad');
    expect(state).not.toBeNull();
    expect(state!.timers.length).toBe(4);
    expect(state!.subscriptions.length).toBe(12);
    made.host.release('bad');
    await unharmed(made);
  });

  it('that grants all it has, again and again, has its share of windows', async () => {
    const made = await start(
      bad(
        `(loop $l (local.set $n (i32.add (local.get $n) (i32.ne (i32.const 0)
             (call $grant (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 3) (i32.const 0)))))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200))))
         ${word('(local.get $n)')}`,
        '',
        { provides: [{ ...bad('').provides![0]!, contract: { request: any, response: any, deadline: '4s' } }] },
      ),
    );
    const { payload } = await made.get('/bad', new Uint8Array(0), 2);
    expect(new DataView(payload.buffer, payload.byteOffset).getUint32(0, true)).toBe(32);
    await unharmed(made);
  });

  it('that is flooded with requests has a thousand waiting, and the rest is refused', async () => {
    const made = await start(bad('(loop $l (br $l)) (i32.const 0)', '', { restart: 'never' }));
    const codes = await Promise.all(Array.from({ length: 3000 }, () => attack(made)));
    expect(codes.filter((code) => code === 0xa4).length).toBe(1);
    expect(codes.filter((code) => code === 0xa3).length).toBe(2999);
    await unharmed(made);
  });

  it.each([
    ['imports what is not there', '(module (import "thingspire" "reboot" (func)))', 'W803'],
    ['imports what is something else', '(module (import "thingspire" "log" (func (param i64))))', 'W803'],
    ['imports memory', '(module (import "env" "memory" (memory 1)))', 'W803'],
    ['claims a table for itself', '(module (table (export "thingspire:host") 1 funcref))', null],
  ])('that %s is not taken', async (_, wat, code) => {
    const { host } = (edge = await testEdge([good]));
    const [model] = modelsOf([{ name: 'bad', restart: 'never', wat }]);
    const adding = host.add({ model: model!, wasm: await assemble(wat) });
    if (code !== null) {
      const error: unknown = await adding.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DiagnosticError);
      expect((error as DiagnosticError).code).toBe(code);
      expect(host.status().length).toBe(1);
    } else {
      expect(await adding).toBe(false);
      expect(host.status()[1]!.state).toBe('failed');
    }
    await unharmed(edge);
  });
});
