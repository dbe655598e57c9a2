// Calls from thread to thread, beside those through the host: none is lost or run twice, whatever else happens.
import { afterEach, describe, expect, it } from 'vitest';
import { modelsOf, assemble, testEdge, type TestEdge, type TestModule } from '../test-support/edge.js';

const HANDLER = '(param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32)';
const bytes = { type: 'bytes', max: 64 } as const;
const large = { type: 'bytes', max: 20000 } as const;

/** POST /add adds its payload's word to the sum, GET /sum gives it; POST /trap traps; POST /mirror answers its payload. */
const adder: TestModule = {
  name: 'adder',
  restart: { policy: 'on-fault', backoff: '5ms' },
  provides: [
    ...(['add', 'trap', 'mirror', 'breach'] as const).map((name) => ({
      method: 'POST' as const,
      path: `/${name}`,
      handler: name,
      contract: { request: large, response: name === 'mirror' ? large : bytes, deadline: '20ms' },
    })),
    { method: 'GET', path: '/sum', handler: 'sum', contract: { response: bytes, deadline: '20ms' } },
  ],
  wat: `(module (memory (export "memory") 1) (global $sum (mut i32) (i32.const 0))
    (func (export "add") ${HANDLER} (global.set $sum (i32.add (global.get $sum) (i32.load (local.get $p)))) (i32.const 0x44))
    (func (export "sum") ${HANDLER} (i32.store (local.get $r) (global.get $sum)) (i32.const 0x45000004))
    (func (export "mirror") ${HANDLER} (memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const 0x45000000) (local.get $n)))
    (func $culprit (export "trap") ${HANDLER} unreachable)
    (func (export "breach") ${HANDLER} (i32.const 0x7f)))`,
};
/** POST /NAME calls `path` as often as its payload says; answers how many times that gave 2.xx, and the last result. */
const worker = (name: string, path: string, sent: number): TestModule => ({
  name,
  requires: [{ path, methods: ['POST'] }],
  provides: [
    { method: 'POST', path: `/${name}`, handler: 'run', contract: { request: bytes, response: bytes, deadline: '8s' } },
  ],
  wat: `(module (import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 0) "\\01\\00\\00\\00")
    (func (export "run") ${HANDLER} (local $i i32) (local $fine i32) (local $last i32)
      (local.set $i (i32.load (local.get $p)))
      (loop $l
        (local.set $last (call $call (i32.const 0) (i32.const 0) (i32.const ${sent}) (i32.const 20000) (i32.const 20000)))
        (local.set $fine (i32.add (local.get $fine) (i32.eq (i32.shr_u (local.get $last) (i32.const 29)) (i32.const 2))))
        (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
      (i32.store (local.get $r) (local.get $fine)) (i32.store offset=4 (local.get $r) (local.get $last)) (i32.const 0x45000008)))`,
});

let edge: TestEdge | null = null;
afterEach(async () => {
  await edge?.host.close();
  edge = null;
});
const words = (payload: Uint8Array): number[] => [...new Uint32Array(payload.slice().buffer)];
const times = (count: number): Uint8Array => new Uint8Array(Int32Array.of(count).buffer);
const run = async ({ get }: TestEdge, name: string, count: number): Promise<number[]> =>
  words((await get(`/${name}`, times(count), 2)).payload);
const sum = async ({ get }: TestEdge): Promise<number> => words((await get('/sum')).payload)[0]!;

describe('calls from thread to thread', { timeout: 120_000 }, () => {
  it('are all run once, with others from everywhere', async () => {
    const made = (edge = await testEdge([adder, worker('one', '/add', 4), worker('two', '/add', 4)]));
    let outside = 0;
    const ask = async (): Promise<void> => {
      for (let i = 0; i < 300; i++) if ((await made.get('/add', times(1), 2)).code === 0x44) outside++;
    };
    const [one, two] = await Promise.all([run(made, 'one', 2000), run(made, 'two', 2000), ask(), ask()]);
    expect([one[0], two[0], outside]).toEqual([2000, 2000, 600]);
    expect(await sum(made)).toBe(4600);
    const status = made.host.status()[0]!;
    expect(status.calls).toBe(4601);
    // Most of them did not pass the host.
    expect(made.events.filter((event) => event.type === 'call' && event.to === 'adder').length).toBeLessThan(4000);
  });

  it('wait while the module moves, and go where it is', async () => {
    const made = (edge = await testEdge([adder, worker('one', '/add', 4)]));
    const running = run(made, 'one', 3000);
    const [model] = modelsOf([adder]);
    const wasm = await assemble(adder.wat);
    for (let i = 0; i < 4; i++) {
      const state = (await made.host.freeze('adder'))!;
      if (i % 2 === 0) {
        made.host.release('adder');
        continue;
      }
      // Away and back: what waits finds it again.
      const gone = made.host.remove('adder', true);
      await Promise.all([gone, made.host.add({ model: model!, wasm, state })]);
    }
    const [fine] = await running;
    expect(await sum(made)).toBe(fine);
    expect(fine).toBeGreaterThan(0);
  });

  it('that trap, breach or are stopped leave the caller alive, and the module starts again', async () => {
    const made = (edge = await testEdge([
      adder,
      worker('traps', '/trap', 4),
      worker('breaches', '/breach', 4),
      worker('adds', '/add', 4),
    ]));
    const { host } = made;
    const running = () => expect.poll(() => host.status()[0]!.state, { timeout: 10_000 }).toBe('running');
    expect(await run(made, 'adds', 3)).toEqual([3, 0x44000000]);
    expect(await run(made, 'traps', 1)).toEqual([0, 0xa0000000]);
    expect(host.status()[0]!.lastFault!.backtrace[0]!.name).toBe('culprit');
    await running();
    expect(await run(made, 'adds', 3)).toEqual([3, 0x44000000]);
    expect(await run(made, 'breaches', 1)).toEqual([0, 0xa0000000]);
    expect(host.status()[0]!.lastFault!.reason).toBe('contract broken');
    await running();
    const adding = run(made, 'adds', 5000);
    await host.halt('adder');
    await host.restart('adder');
    const [fine] = await adding;
    expect(fine).toBeLessThanOrEqual(5000);
    expect(await run(made, 'adds', 3)).toEqual([3, 0x44000000]);
    expect(
      host
        .status()
        .slice(1)
        .every(({ faults }) => faults === 0),
    ).toBe(true);
  });

  it('go through the host when their payload is large', async () => {
    const made = (edge = await testEdge([adder, worker('one', '/mirror', 16000)]));
    expect(await run(made, 'one', 3)).toEqual([3, 0x45000000 + 16000]);
  });

  it('end with the caller that is stopped', async () => {
    const made = (edge = await testEdge([adder, worker('one', '/add', 4), worker('two', '/add', 4)]));
    for (let i = 0; i < 5; i++) {
      const running = run(made, 'one', 100_000).catch(() => []);
      await run(made, 'two', 50);
      await made.host.restart('one');
      await running;
    }
    // The lock of who was called is nobody's now.
    expect((await made.get('/add', times(0), 2)).code).toBe(0x44);
    expect(await run(made, 'two', 100)).toEqual([100, 0x44000000]);
  });
});
