// Modules that are held: they come into a slot without starting, leave service between calls with their timers and
// subscriptions, go on from bytes, and come back without an upload. What is held has no routes.
import { decode } from 'cborg';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import { crc32 } from 'node:zlib';
import { agent, Op, payload } from './agent.js';
import { baseOf, compilePackage } from './compiled-package.js';
import { handler, IMPORTS, word } from './os-device.js';
import { violations } from './preempt/invariants.js';
import { buildSlots, SlotsDevice, type BuiltSlots } from './slots-device.js';

const TIMERS = 0;
const NOTIFICATIONS = 1;
const LAST_VALUE = 3;
const HEADER_BYTES = 24;
const SMALL = { stack: 2048, memory: { max: 3584 } };

let built: BuiltSlots;
let mover: Uint8Array;
let other: Uint8Array;
let tired: Uint8Array;
beforeAll(async () => {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
  built = await buildSlots([
    { ...agent('giver', []), ...SMALL },
    { ...agent('asker', ['mover']), ...SMALL },
  ]);
  const base = baseOf(built);
  const { wat: text, ...entry } = agent('mover', ['giver']);
  mover = await compilePackage(base, text, { ...entry, ...SMALL });
  const { wat: otherText, ...otherEntry } = agent('other', []);
  other = await compilePackage(base, otherText, { ...otherEntry, ...SMALL, version: '0.9.0' });
  tired = await compilePackage(
    base,
    `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "/sys/modules/tiredhold")
     ${handler('rest', `(i32.store (local.get $r) (call $request (i32.const 3) (i32.const 0) (i32.const 18) (i32.const 18) (i32.const 4) (i32.const 0) (i32.const 0))) (i32.const ${word(2.05, 4)})`)}`,
    {
      ...{ name: 'tired', version: '2.0.0' },
      provides: [
        {
          method: 'GET',
          path: '/rest',
          handler: 'rest',
          contract: { response: { type: 'bytes', max: 4 }, deadline: '2s' },
        },
      ],
      requires: [{ path: '/sys/modules/*', methods: ['PUT'] }],
    },
  );
}, 120_000);

let device: SlotsDevice;
beforeEach(() => {
  device = new SlotsDevice(built).calm();
});

const tell = (who: string, ...words: number[]): number => {
  const { code, payload: answer } = device.request('PUT', `/${who}`, payload(...words));
  return code === 2.05 ? answer.readUInt32LE() : -code;
};
const control = (wish: string, query = ''): number => device.request('PUT', `sys/modules/mover${query}`, wish).code;
const view = (): Record<string, unknown> => decode(device.get('sys/modules/mover').payload) as Record<string, unknown>;
const send = (file: Uint8Array, query: string): number => {
  const total = Buffer.alloc(4);
  total.writeUInt32LE(file.length);
  expect(device.request('POST', 'sys/slots/main', total).code).toBe(2.01);
  for (let at = 0; at < file.length; at += 1024)
    expect(device.request('PUT', `sys/slots/main?offset=${at}`, file.subarray(at, at + 1024)).code).toBe(2.04);
  const { code } = device.request('POST', `sys/slots/main/commit${query}`);
  device.calm();
  return code;
};
const read = (): Buffer => {
  const { code, payload: state } = device.request('GET', 'sys/modules/mover/state', undefined, 4096);
  expect(code, device.console).toBe(2.05);
  return state;
};
const write = (state: Uint8Array, piece = 1024): void => {
  for (let at = 0; at < state.length; at += piece)
    expect(device.request('PUT', `sys/modules/mover/state?offset=${at}`, state.subarray(at, at + piece)).code).toBe(
      2.04,
    );
};
/** The events at the end of a snapshot. */
const events = (state: Buffer): { timers: number[][]; subscriptions: [number, number, number, string][] } => {
  let at = state.length - state.readUInt32LE(20);
  const next = (): number => state.readUInt32LE((at += 4) - 4);
  const timers = Array.from({ length: next() }, () => [next(), next(), next()]);
  const subscriptions = Array.from({ length: next() }, (): [number, number, number, string] => {
    const [id, buffer, capacity, bytes] = [next(), next(), next(), next()];
    const uri = state.toString('latin1', at, at + bytes);
    at += (bytes + 3) & ~3;
    return [id, buffer, capacity, uri];
  });
  expect(at).toBe(state.length);
  return { timers, subscriptions };
};

describe('a module that is held', () => {
  it('comes without starting and without routes, waits through a reset, and starts when told', () => {
    expect(send(mover, '?held=41')).toBe(2.04);
    expect(device.slot()).toMatchObject({ state: 'trial', held: true, epoch: 41, module: 'mover', ram: 12288 });
    expect(view()).toMatchObject({ state: 'held', held: true, slot: 'main', max: 3584 });
    expect(tell('mover', Op.Count, TIMERS)).toBe(-4.04);
    expect(device.get('.well-known/core').payload.toString()).not.toContain('mover');
    expect(tell('asker', Op.Forward, 0, Op.Count, TIMERS)).toBe(word(4.04));
    expect([control('stop'), control('restart'), control('resume')]).toEqual([4.09, 4.09, 4.09]);
    device = new SlotsDevice(built, device.machine.flash).calm();
    expect(view()).toMatchObject({ state: 'held' });
    expect(device.slot()).toMatchObject({ held: true, epoch: 41 });
    expect(control('start')).toBe(2.04);
    device.calm();
    expect(tell('mover', Op.Count, TIMERS)).toBe(0);
    expect(tell('asker', Op.Forward, 0, Op.Count, TIMERS)).toBe(0);
    expect(device.slot()).toMatchObject({ state: 'confirmed', held: false, floor: 1 << 20 });
    expect(violations(device, true)).toEqual([]);
    device = new SlotsDevice(built, device.machine.flash).calm();
    expect(tell('mover', Op.Count, TIMERS)).toBe(0);
  });

  it('goes on with its timers and subscriptions, on another device too', () => {
    send(mover, '');
    expect(tell('mover', Op.Timer, 1, 40, 10)).toBe(1);
    expect(tell('mover', Op.Observe, 0)).toBe(0);
    device.pass(45);
    tell('giver', Op.Timer, 0, 2, 0);
    device.pass(3);
    expect(tell('mover', Op.Count, NOTIFICATIONS)).toBe(2);
    const before = tell('mover', Op.Count, TIMERS);
    expect(control('hold', '?epoch=7')).toBe(2.04);
    expect(control('hold')).toBe(2.04);
    expect(device.slot()).toMatchObject({ state: 'confirmed', held: true, epoch: 7 });
    device.pass(100);
    expect(tell('mover', Op.Count, TIMERS)).toBe(-4.04);
    const state = read();
    const { timers, subscriptions } = events(state);
    expect(timers).toHaveLength(1);
    expect([timers[0]![0], timers[0]![2]]).toEqual([1, 10]);
    expect(timers[0]![1]).toBeLessThanOrEqual(10);
    expect(subscriptions.map(([id, , , uri]) => [id, uri])).toEqual([[0, 'giver']]);
    const source = device;
    device = new SlotsDevice(built).calm();
    send(mover, '?held=8');
    expect(control('resume')).toBe(4.09);
    expect(device.request('PUT', 'sys/modules/mover/state?offset=24', state.subarray(24)).code).toBe(4.09);
    write(state, 500);
    expect(read()).toEqual(state);
    expect(control('resume')).toBe(2.04);
    device.pass(11);
    expect(tell('mover', Op.Count, TIMERS)).toBe(before + (timers[0]![1]! === 0 ? 2 : 1));
    const told = tell('mover', Op.Count, NOTIFICATIONS);
    tell('giver', Op.Timer, 0, 1, 0);
    device.pass(3);
    expect(tell('mover', Op.Count, NOTIFICATIONS)).toBe(told + 1);
    expect(tell('mover', Op.Count, LAST_VALUE)).toBe(1);
    expect(tell('mover', Op.Unobserve, 0)).toBe(1);
    expect(violations(device, true)).toEqual([]);
    // The one it left takes it back by the blocks that differ, without an upload.
    expect(control('hold')).toBe(2.04);
    const now = read();
    device = source;
    const { code } = device.request('POST', 'sys/slots/main/commit?held=9');
    expect(code).toBe(2.04);
    expect(device.slot()).toMatchObject({ epoch: 9, held: true });
    write(now.subarray(0, HEADER_BYTES));
    const block = 128;
    const checks = device.request('GET', `sys/modules/mover/state?crc=${block}`, undefined, 1024).payload;
    expect(checks.length).toBe(4 * Math.ceil(now.length / block));
    let written = 0;
    for (let at = 0; at < now.length; at += block) {
      const part = now.subarray(at, at + block);
      if (crc32(part) === checks.readUInt32LE((at / block) * 4)) continue;
      written++;
      expect(device.request('PUT', `sys/modules/mover/state?offset=${at}`, part).code).toBe(2.04);
    }
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(now.length / block / 2);
    expect(read()).toEqual(now);
    expect(control('resume')).toBe(2.04);
    device.pass(10);
    expect(tell('mover', Op.Count, TIMERS)).toBeGreaterThan(before + 1);
    expect(violations(device, true)).toEqual([]);
  });

  it('comes back from a bank by its hash, also after its slot was emptied', () => {
    send(mover, '');
    const { hash } = device.slot();
    const hex = Buffer.from(hash).toString('hex');
    expect(hash.length).toBe(16);
    expect(device.request('POST', `sys/slots/main/commit?held=1&hash=${hex}`).code).toBe(4.09);
    expect(device.request('DELETE', 'sys/slots/main').code).toBe(2.02);
    device.calm();
    expect(device.slot()).toMatchObject({ state: 'empty', hash: new Uint8Array(0), banks: [hash, new Uint8Array(0)] });
    expect(device.request('POST', `sys/slots/main/commit?held=1&hash=${'0'.repeat(32)}`).code).toBe(4.04);
    for (const bad of [
      'held=x&hash=' + hex,
      'held=4294967296&hash=' + hex,
      'held=&hash=' + hex,
      'hash=12',
      'hash=' + 'g'.repeat(32),
    ])
      expect(device.request('POST', `sys/slots/main/commit?${bad}`).code, bad).toBe(4);
    expect(device.request('POST', `sys/slots/main/commit?held=4294967295&hash=${hex}`).code).toBe(2.04);
    device.calm();
    expect(device.slot()).toMatchObject({ held: true, epoch: 0xffffffff, module: 'mover' });
    // Another module of a lower version takes the slot, and this one comes back after it.
    expect(control('start')).toBe(2.04);
    device.calm();
    expect(control('hold')).toBe(2.04);
    expect(send(other, '?held=2')).toBe(2.04);
    expect(device.slot()).toMatchObject({ held: true, module: 'other', bank: 2 });
    expect(device.request('GET', 'sys/modules/mover').code).toBe(4.04);
    expect(device.request('PUT', 'sys/modules/other', 'start').code).toBe(2.04);
    device.calm();
    expect(tell('other', Op.Count, TIMERS)).toBe(0);
    expect(device.request('PUT', 'sys/modules/other', 'hold').code).toBe(2.04);
    expect(device.request('POST', `sys/slots/main/commit?hash=${hex}`).code).toBe(2.04);
    device.calm();
    expect(device.slot()).toMatchObject({ state: 'confirmed', held: false, module: 'mover', bank: 1 });
    expect(tell('mover', Op.Count, TIMERS)).toBe(0);
    expect(violations(device, true)).toEqual([]);
  });

  it('is not one in the middle of a call, nor one of the image', () => {
    send(mover, '');
    expect(device.request('PUT', 'sys/modules/steady', 'hold').code).toBe(4.03);
    expect(device.request('PUT', 'sys/modules/dev', 'hold').code).toBe(4.03);
    expect(control('hold', '?epoch=x')).toBe(4);
    // It asks for itself, so it is in the middle of a call.
    expect(send(tired, '')).toBe(2.04);
    expect(device.get('rest').payload.readUInt32LE()).toBe(word(4.09));
    expect(device.slot()).toMatchObject({ held: false, module: 'tired' });
    expect(device.request('PUT', 'sys/modules/tired', 'hold').code).toBe(2.04);
    expect(device.get('rest').code).toBe(4.04);
    expect(device.request('PUT', 'sys/modules/tired', 'resume').code).toBe(2.04);
    expect(device.get('rest').payload.readUInt32LE()).toBe(word(4.09));
  });

  it('takes no state that does not fit it', () => {
    send(mover, '?held=1');
    const good = read();
    const put = (change: (state: Buffer) => void): number => {
      const state = Buffer.from(good);
      change(state);
      return device.request('PUT', 'sys/modules/mover/state?offset=0', state).code;
    };
    expect(put((state) => state.writeUInt32LE(1, 0))).toBe(4);
    expect(put((state) => state.writeUInt32LE(1, 4))).toBe(4.12);
    expect(put((state) => state.writeUInt32LE(state.readUInt32LE(8) + 4, 8))).toBe(4.12);
    expect(put((state) => state.writeUInt32LE(3585, 16))).toBe(4);
    expect(put((state) => state.writeUInt32LE(100_000, 20))).toBe(4.13);
    const wrong = (more: number[], uri = ''): number => {
      const bytes = Buffer.concat([payload(...more), Buffer.from(uri)]);
      const state = Buffer.concat([good.subarray(0, good.length - good.readUInt32LE(20)), bytes]);
      state.writeUInt32LE(bytes.length, 20);
      write(state);
      return control('resume');
    };
    expect(wrong([1, 4, 0, 0, 0])).toBe(4);
    expect(wrong([1, 0, 0, 0])).toBe(4);
    expect(wrong([0xffffffff, 0])).toBe(4);
    expect(wrong([0, 1, 0, 4090, 8, 4], 'sour')).toBe(4);
    expect(wrong([0, 1, 32, 0, 8, 4], 'sour')).toBe(4);
    expect(wrong([0, 1, 0, 0, 8, 400], 'sour')).toBe(4);
    expect(wrong([0, 0, 0])).toBe(4);
    expect(wrong([])).toBe(4);
    const many = Array.from({ length: 13 }, (_, id) => [id, 0, 8, 4, 0x72756f73]).flat();
    expect(wrong([0, 13, ...many])).toBe(5.03);
    expect(view()).toMatchObject({ state: 'held' });
    expect(device.slot()).toMatchObject({ held: true });
    expect(wrong([0, 0])).toBe(2.04);
    device.calm();
    expect(violations(device, true)).toEqual([]);
  });
});

describe('what /sys tells', () => {
  it('of the image, of calls, of the last fault', () => {
    send(mover, '');
    const image = decode(device.get('sys/image').payload) as Record<string, unknown>;
    expect(image).toMatchObject({ abi: 1, name: 'slots', version: '1.0.0' });
    expect(Buffer.from(image['identity'] as Uint8Array).readUInt32LE()).toBe(built.baseId);
    expect(image['free_ram']).toBeGreaterThan(10_000);
    expect(image['uptime_ms']).toBeGreaterThan(10);
    expect(view()['calls']).toBe(0);
    for (let i = 0; i < 3; i++) tell('mover', Op.Count, TIMERS);
    tell('asker', Op.Forward, 0, Op.Count, TIMERS);
    expect(view()['calls']).toBe(4);
    expect(device.get('sys/modules/mover/fault').code).toBe(4.04);
    tell('mover', Op.Trap);
    const fault = decode(device.get('sys/modules/mover/fault').payload) as Record<string, unknown>;
    expect(fault).toMatchObject({ n: 1, reason: 'trap', trap: 'unreachable' });
    const backtrace = fault['backtrace'] as number[][];
    // Also for a caller below the reporter: the reporter runs before the caller goes on.
    expect(backtrace.length).toBeGreaterThan(1);
    expect(device.calm().console).toContain(`#1 func ${backtrace[1]![0]} `);
    expect(device.console).toContain(`@0x${backtrace[0]![1]!.toString(16)}`);
  });
});
