// Packages that `wasm-aot package` makes, on the device: compiled modules in a slot serve, call, fault, keep state and are
// replaced under their callers; and who keeps time while the flash is busy.
import { beforeAll, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import type { BaseImage } from '../../manifest/base.js';
import type { ModuleEntry } from '../../manifest/file.js';
import { baseOf, compilePackage } from './compiled-package.js';
import { violations } from './preempt/invariants.js';
import { handler, IMPORTS, word, type ModuleText } from './os-device.js';
import { buildSlots, SlotsDevice, type BuiltSlots } from './slots-device.js';

const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });

/** Measures the longest time between two ticks of a millisecond; GET /NAME gives it in microseconds. */
const ticker = (name: string, priority: number): ModuleText => ({
  name,
  priority,
  stack: 2048,
  memory: { max: 1024 },
  wat: `${IMPORTS} (memory (export "memory") 1)
    (global $last (mut i32) (i32.const 0)) (global $longest (mut i32) (i32.const 0))
    (func (export "on_start") (global.set $last (i32.wrap_i64 (call $now)))
      (drop (call $timer (i32.const 0) (i32.const 1) (i32.const 1))))
    (func (export "on_timer") (param i32) (local $now i32) (local $gap i32)
      (local.set $now (i32.wrap_i64 (call $now)))
      (local.set $gap (i32.sub (local.get $now) (global.get $last)))
      (if (i32.gt_u (local.get $gap) (global.get $longest)) (then (global.set $longest (local.get $gap))))
      (global.set $last (local.get $now)))
    ${handler('get', `(i32.store (local.get $r) (global.get $longest)) (global.set $longest (i32.const 0)) (i32.const ${word(2.05, 4)})`)}`,
  provides: [{ method: 'GET', path: `/${name}`, handler: 'get', contract: { response: bytes(4), deadline: '1ms' } }],
});

/** In RAM, above those in flash: each millisecond it asks for what is not there, and at its 20th it traps. */
const nosy: ModuleText = {
  name: 'nosy',
  priority: 3,
  stack: 2048,
  memory: { max: 1024 },
  restart: { policy: 'on-fault', backoff: '1ms' },
  wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "/nobody") (global $n (mut i32) (i32.const 0))
    (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 1) (i32.const 1))))
    (func (export "on_timer") (param i32) (local $result i32)
      (local.set $result (call $request (i32.const 1) (i32.const 0) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
      (if (i32.and (i32.ne (local.get $result) (i32.const ${word(4.04)})) (i32.ne (local.get $result) (i32.const ${word(5.03)})))
        (then (call $log (i32.const 0) (i32.const 7))))
      (global.set $n (i32.add (global.get $n) (i32.const 1)))
      (if (i32.eq (global.get $n) (i32.const 20)) (then unreachable)))`,
  requires: [{ path: '/nobody', methods: ['GET'] }],
};

const caller: ModuleText = {
  name: 'caller',
  stack: 2048,
  memory: { max: 1024 },
  wat: `${IMPORTS} (memory (export "memory") 1)
    ${handler(
      'ask',
      `(i32.store (local.get $r) (call $call (i32.const 0) (local.get $p) (local.get $n) (i32.add (local.get $r) (i32.const 4)) (i32.const 12)))
       (i32.const ${word(2.05, 16)})`,
    )}`,
  provides: [
    {
      method: 'PUT',
      path: '/ask',
      handler: 'ask',
      contract: { request: bytes(8), response: bytes(16), deadline: '10ms' },
    },
  ],
  requires: [{ path: '/greet', methods: ['PUT'] }],
};

/** Counts in a global, greets from its memory, traps when asked with a 0. */
const greeter = (greeting: string): string => `${IMPORTS} (memory (export "memory") 1)
  (data (i32.const 16) "${greeting}") (global $n (mut i32) (i32.const 40)) (table 1 funcref) (elem (i32.const 0) $count)
  (func $count (global.set $n (i32.add (global.get $n) (i32.const 1))))
  (func $careful (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
  ${handler(
    'greet',
    `(call $careful (i32.load8_u (local.get $p))) (call_indirect (i32.const 0))
     (i32.store (local.get $r) (global.get $n))
     (memory.copy (i32.add (local.get $r) (i32.const 4)) (i32.const 16) (i32.const ${greeting.length}))
     (i32.const ${word(2.05, 4 + greeting.length)})`,
  )}`;

let built: BuiltSlots;
let base: BaseImage;
beforeAll(async () => {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
  built = await buildSlots([ticker('motor', 3), caller]);
  base = baseOf(built);
}, 120_000);

const pack = (text: string, entry: Partial<ModuleEntry> & { name: string }, slot = 'main'): Promise<Uint8Array> =>
  compilePackage(base, text, entry, slot);
const greet = (version: string, greeting: string): Promise<Uint8Array> =>
  pack(greeter(greeting), {
    name: 'greeter',
    version,
    restart: { policy: 'on-fault', backoff: '5ms' },
    provides: [
      {
        method: 'PUT',
        path: '/greet',
        handler: 'greet',
        contract: { request: bytes(8), response: bytes(12), deadline: '2ms' },
      },
    ],
  });

/** Result word, count and text of what the caller was told. */
function ask(device: SlotsDevice, first = 1): [number, number, string] {
  const { payload } = device.request('PUT', 'ask', Uint8Array.of(first));
  const result = payload.readUInt32LE();
  return [result, payload.readUInt32LE(4), payload.toString('latin1', 8, 4 + (result & 0xffffff))];
}

describe('a compiled module in a slot', () => {
  it('serves another module, traps, restarts, is replaced and removed under its caller', async () => {
    const device = new SlotsDevice(built).calm();
    expect(ask(device)[0]).toBe(word(4.04));
    expect(device.install(await greet('1.0.0', 'hello')).code).toBe(2.04);
    device.calm();
    expect(ask(device)).toEqual([word(2.05, 9), 41, 'hello']);
    expect(ask(device)).toEqual([word(2.05, 9), 42, 'hello']);
    expect(ask(device, 0)[0]).toBe(word(5));
    device.calm();
    expect(device.console).toContain('fault: module greeter 1.0.0: trap: unreachable\n');
    expect(device.console).toMatch(/ {2}#0 func 17 @0x[0-9a-f]+\n {2}#1 func 18 @0x/);
    expect(ask(device)).toEqual([word(2.05, 9), 41, 'hello']);
    expect(device.install(await greet('1.1.0', 'good day')).code).toBe(2.04);
    device.calm();
    expect(ask(device)).toEqual([word(2.05, 12), 41, 'good day']);
    expect(violations(device, true)).toEqual([]);
    expect(device.request('DELETE', 'sys/slots/main').code).toBe(2.02);
    device.calm();
    expect(ask(device)[0]).toBe(word(4.04));
    expect(violations(device, true)).toEqual([]);
  });

  it('has a state that outlives it, in the same package', async () => {
    const device = new SlotsDevice(built).calm();
    device.install(await greet('1.0.0', 'hello'));
    device.calm();
    ask(device);
    ask(device);
    const state = device.request('GET', 'sys/modules/greeter/state', undefined, 4000);
    expect(state.code).toBe(2.05);
    const again = new SlotsDevice(built, device.machine.flash).calm();
    expect(ask(again)).toEqual([word(2.05, 9), 41, 'hello']);
    expect(again.request('PUT', 'sys/modules/greeter/state', state.payload).code).toBe(2.04);
    expect(ask(again)).toEqual([word(2.05, 9), 43, 'hello']);
    again.install(await greet('1.1.0', 'other'));
    again.calm();
    expect(again.request('PUT', 'sys/modules/greeter/state', state.payload).code).toBe(4.12);
  });
});

/** Passes on what it is told: method, then the length of the URI, then URI and payload; answers with the result word. */
const agent = (answer: number): string => `${IMPORTS} (memory (export "memory") 1)
  ${handler(
    'forward',
    `(local.set $uri (i32.load8_u offset=1 (local.get $p)))
     (memory.copy (i32.const 0) (i32.add (local.get $p) (i32.const 2)) (local.get $uri))
     (i32.store (local.get $r) (call $request (i32.load8_u (local.get $p)) (i32.const 0) (local.get $uri)
       (i32.add (i32.add (local.get $p) (i32.const 2)) (local.get $uri))
       (i32.sub (i32.sub (local.get $n) (i32.const 2)) (local.get $uri)) (i32.const 512) (i32.const 0)))
     (i32.const ${word(2.05, 4)})`,
    '(local $uri i32)',
  )}
  ${handler('which', `(i32.const ${word(answer)})`)}`;
const updater = (version: string, answer: number): Promise<Uint8Array> =>
  pack(agent(answer), {
    name: 'updater',
    version,
    provides: [
      {
        method: 'PUT',
        path: '/forward',
        handler: 'forward',
        contract: { request: bytes(1200), response: bytes(4), deadline: '8s' },
      },
      { method: 'GET', path: '/which', handler: 'which', contract: { deadline: '1ms' } },
    ],
    requires: [{ path: '/sys/slots/*', methods: ['GET', 'PUT', 'POST', 'DELETE'] }],
  });

describe('a module that installs', () => {
  it('brings another one in, replaces and removes itself', async () => {
    const device = new SlotsDevice(built).calm();
    expect(device.install(await updater('1.0.0', 2.03)).code).toBe(2.04);
    device.calm();
    const through = (method: number, uri: string, payload: Uint8Array = new Uint8Array()): number => {
      const message = Buffer.concat([Uint8Array.of(method, uri.length), Buffer.from(uri), payload]);
      const { code, payload: result } = device.request('PUT', 'forward', message);
      expect(code, device.console).toBe(2.05);
      return result.readUInt32LE();
    };
    const send = (file: Uint8Array, slot: string): void => {
      const total = Buffer.alloc(4);
      total.writeUInt32LE(file.length);
      expect(through(2, `/sys/slots/${slot}`, total)).toBe(word(2.01));
      for (let at = 0; at < file.length; at += 1024)
        expect(through(3, `/sys/slots/${slot}?offset=${at}`, file.subarray(at, at + 1024))).toBe(word(2.04));
      expect(through(2, `/sys/slots/${slot}/commit`)).toBe(word(2.04));
      device.calm();
    };
    const { wat: text, ...entry } = ticker('slow', 1);
    send(await pack(text, entry, 'second'), 'second');
    expect(device.get('slow').code).toBe(2.05);
    expect(device.get('which').code).toBe(2.03);
    send(await updater('1.0.1', 2.02), 'main');
    expect(device.get('which').code).toBe(2.02);
    expect(violations(device, true)).toEqual([]);
    expect(through(4, '/sys/slots/main')).toBe(word(2.02));
    expect(device.calm().get('which').code).toBe(4.04);
    expect(device.slot()).toMatchObject({ state: 'empty', module: '' });
    expect(device.get('slow').code).toBe(2.05);
    expect(violations(device, true)).toEqual([]);
  });
});

describe('time while the flash is busy', () => {
  const longest = (device: SlotsDevice, name: string): number => device.get(name).payload.readUInt32LE();

  it('a module in RAM above those in flash keeps its millisecond; one in flash waits for the erasing of a sector', async () => {
    const device = new SlotsDevice(built).calm();
    const { wat: text, ...entry } = ticker('slow', 2);
    expect(device.install(await pack(text, entry, 'second'), 'second').code).toBe(2.04);
    device.calm();
    longest(device, 'slow');
    longest(device, 'motor');
    device.pass(20);
    expect(longest(device, 'slow')).toBeLessThan(1100);
    expect(device.install(await greet('1.0.0', 'hello')).code).toBe(2.04);
    device.calm();
    const [inRam, inFlash] = [longest(device, 'motor'), longest(device, 'slow')];
    expect(inRam).toBeLessThan(1100);
    expect(inFlash).toBeGreaterThan(44_000);
    expect(inFlash).toBeLessThan(48_000);
  });

  it('what looks at all modules does without those in flash: requests, traps', async () => {
    const other = await buildSlots([nosy]);
    const before = base;
    base = baseOf(other);
    const [first, second] = [await greet('1.0.0', 'hello'), await greet('1.1.0', 'again')];
    base = before;
    const device = new SlotsDevice(other).calm();
    expect(device.install(first).code).toBe(2.04);
    device.calm();
    expect(device.install(second).code).toBe(2.04);
    device.calm();
    expect(device.slot()).toMatchObject({ state: 'confirmed', bank: 2 });
    expect(device.console).not.toContain('/nobody');
    expect(device.console).not.toContain('machine exception');
    expect(device.console).toMatch(/fault: module nosy 1\.0\.0: trap: unreachable\n {2}time .*\n {2}#0 func/);
  });
});
