// Events on the simulated device: timers, observing, preemption by priority, turns among equals, restarts with back-off.
import { beforeAll, describe, expect, it } from 'vitest';
import { ModuleState } from '../../compiler/abi/os-layout.js';
import { agent, Op, payload } from './agent.js';
import { bootDevice, handler, IMPORTS, OsDevice, prepareRuntime, word, type ModuleText } from './os-device.js';

const tell = (device: OsDevice, who: string, ...words: number[]): number => {
  const { code, payload: answer } = device.request('PUT', `/${who}`, payload(...words));
  return code === 2.05 ? answer.readUInt32LE() : -code;
};
/** What Op.Count gives. */
const TIMERS = 0;
const NOTIFICATIONS = 1;
const LAST_RESULT = 2;
const LAST_VALUE = 3;

beforeAll(async () => {
  await prepareRuntime();
}, 120_000);

describe('timers', () => {
  it('fire once or again and again, and stop', async () => {
    const device = await bootDevice([agent('a', [])]);
    expect(tell(device, 'a', Op.Timer, 0, 5, 0)).toBe(1);
    device.pass(4);
    expect(tell(device, 'a', Op.Count, TIMERS)).toBe(0);
    device.pass(2);
    expect(tell(device, 'a', Op.Count, TIMERS)).toBe(1);
    device.pass(20);
    expect(tell(device, 'a', Op.Count, TIMERS)).toBe(1);
    expect(tell(device, 'a', Op.Timer, 3, 1, 2)).toBe(1);
    device.pass(20);
    expect(tell(device, 'a', Op.Count, TIMERS)).toBe(11);
    expect(tell(device, 'a', Op.Timer, 3, 0, 0)).toBe(1);
    device.pass(20);
    expect(tell(device, 'a', Op.Count, TIMERS)).toBe(11);
    expect(tell(device, 'a', Op.Timer, 4, 1, 0)).toBe(0);
  });
  it('that are due and stopped before their turn do not fire', async () => {
    // Both become due while the module is busy; each stops the other.
    const wat = `${IMPORTS} (memory (export "memory") 1) (global $fired (mut i32) (i32.const 0))
      (func (export "on_start") (local $i i32)
        (drop (call $timer (i32.const 0) (i32.const 1) (i32.const 0)))
        (drop (call $timer (i32.const 1) (i32.const 1) (i32.const 0)))
        (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50000)))))
      (func (export "on_timer") (param $id i32)
        (global.set $fired (i32.add (global.get $fired) (i32.const 1)))
        (drop (call $timer (i32.sub (i32.const 1) (local.get $id)) (i32.const 0) (i32.const 0))))
      ${handler('fired', `(i32.store (local.get $r) (global.get $fired)) (i32.const ${word(2.05, 4)})`)}`;
    const contract = { response: { type: 'bytes' as const, max: 4 } };
    const provides = [{ method: 'GET' as const, path: '/fired', handler: 'fired', contract }];
    const device = await bootDevice([{ name: 'both', wat, startDeadline: '100ms', provides }]);
    device.pass(20);
    expect(device.request('GET', '/fired').payload.readUInt32LE()).toBe(1);
  });
  it('keep time to the microsecond over many periods', async () => {
    const device = await bootDevice([agent('a', [])]);
    tell(device, 'a', Op.Timer, 0, 1, 1);
    device.pass(500.5);
    const count = tell(device, 'a', Op.Count, TIMERS);
    expect(count).toBe(500);
  });
});

describe('observing', () => {
  it('tells the present value at first, then every change, then no more', async () => {
    const device = await bootDevice([agent('a', ['b']), agent('b', [])]);
    expect(tell(device, 'a', Op.Observe, 0)).toBe(0);
    device.pass(1);
    expect(tell(device, 'a', Op.Count, NOTIFICATIONS)).toBe(1);
    expect(tell(device, 'a', Op.Count, LAST_RESULT)).toBe(word(2.05, 4));
    expect(tell(device, 'a', Op.Count, LAST_VALUE)).toBe(0);
    tell(device, 'b', Op.Timer, 0, 2, 2);
    device.pass(11);
    expect(tell(device, 'a', Op.Count, NOTIFICATIONS)).toBe(6);
    expect(tell(device, 'a', Op.Count, LAST_VALUE)).toBe(5);
    expect(tell(device, 'b', Op.Unobserve, 0)).toBe(0);
    expect(tell(device, 'a', Op.Unobserve, 0)).toBe(1);
    expect(tell(device, 'a', Op.Unobserve, 0)).toBe(0);
    device.pass(11);
    expect(tell(device, 'a', Op.Count, NOTIFICATIONS)).toBe(6);
  });
  it('tells that the provider is away, and what it says when it is back', async () => {
    const device = await bootDevice([
      agent('a', ['b']),
      agent('b', [], { restart: { policy: 'on-fault', backoff: '20ms' } }),
    ]);
    tell(device, 'a', Op.Observe, 0);
    tell(device, 'b', Op.Timer, 0, 1, 0);
    device.pass(3);
    expect(tell(device, 'a', Op.Count, LAST_VALUE)).toBe(1);
    tell(device, 'b', Op.Trap);
    device.pass(3);
    expect(tell(device, 'a', Op.Count, LAST_RESULT)).toBe(word(5.03));
    device.pass(30);
    expect(tell(device, 'a', Op.Count, LAST_RESULT)).toBe(word(2.05, 4));
    expect(tell(device, 'a', Op.Count, LAST_VALUE)).toBe(0);
  });
  it('says how many listen, and has room for a dozen', async () => {
    const device = await bootDevice([agent('a', ['b']), agent('b', [])]);
    for (let i = 0; i < 12; i++) expect(tell(device, 'a', Op.Observe, 0)).toBe(i);
    expect(tell(device, 'a', Op.Observe, 0)).toBe(0xffffffff);
    expect(tell(device, 'b', Op.Notify)).toBe(12);
    expect(tell(device, 'a', Op.Notify)).toBe(0);
  });
});

describe('priorities', () => {
  it('let a higher event in at once, and a lower or equal one not', async () => {
    const device = await bootDevice([
      agent('low', [], {
        priority: 0,
        onTimer:
          '(local.set $y (i32.const 120000)) (loop $l (br_if $l (local.tee $y (i32.sub (local.get $y) (i32.const 1)))))',
        eventDeadline: '50ms',
      }),
      agent('top', [], { priority: 3 }),
      agent('new', [], { priority: 0 }),
    ]);
    // The rounds take some 6 ms of the 40 MHz clock; the others' timers fall into them.
    tell(device, 'low', Op.Timer, 0, 1, 0);
    tell(device, 'top', Op.Timer, 0, 2, 1);
    tell(device, 'new', Op.Timer, 0, 2, 1);
    device.run(4);
    const count = (name: string): number => device.readGlobalCount(name);
    expect(count('top')).toBeGreaterThanOrEqual(2);
    expect(count('new')).toBe(0);
    device.pass(20);
    expect(count('new')).toBeGreaterThan(3);
    expect(device.module('low').faults).toBe(0);
  });
  it('keep a module’s callees from being preempted by who may call them', async () => {
    // top may call shared, so while low is in shared, top waits.
    const shared: ModuleText = agent('same', []);
    const device = await bootDevice([
      agent('slow', ['same'], { priority: 0 }),
      agent('high', ['same'], { priority: 3 }),
      { ...shared, priority: 0 },
    ]);
    expect(device.module('same').ceiling).toBe(4);
    expect(device.module('slow').ceiling).toBe(1);
    tell(device, 'high', Op.Timer, 0, 1, 1);
    const before = device.readGlobalCount('high');
    expect(tell(device, 'slow', Op.Forward, 0, Op.Spin, 30000)).toBe(0);
    expect(device.readGlobalCount('high') - before).toBeGreaterThanOrEqual(1);
    expect(device.module('same').faults).toBe(0);
  });
  it('give equals their turns', async () => {
    const busy = (name: string): ModuleText =>
      agent(name, [], {
        priority: 1,
        onTimer:
          '(local.set $y (i32.const 12000)) (loop $l (br_if $l (local.tee $y (i32.sub (local.get $y) (i32.const 1)))))',
      });
    const device = await bootDevice([busy('a'), busy('b'), busy('c')]);
    for (const name of ['a', 'b', 'c']) tell(device, name, Op.Timer, 0, 1, 1);
    device.run(60);
    const counts = ['a', 'b', 'c'].map((name) => device.readGlobalCount(name));
    expect(Math.min(...counts)).toBeGreaterThan(5);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2);
  });
});

describe('restarts', () => {
  const dying = (restart: ModuleText['restart']): ModuleText =>
    agent('a', [], { ...(restart === undefined ? {} : { restart }), onTimer: 'unreachable', provides: [] });
  it('come later each time, and without end only if the manifest says so', async () => {
    const device = await bootDevice([
      {
        ...dying({ policy: 'on-fault', max: 4, backoff: '2ms' }),
        wat: `${IMPORTS} (memory (export "memory") 1)
        (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 1) (i32.const 0))))
        (func (export "on_timer") (param i32) unreachable)
        ${[0, 1, 2, 3].map((i) => handler(`put${i}`, '(i32.const 0x44)')).join('')}${handler('get', '(i32.const 0x45)')}`,
      },
    ]);
    device.pass(200);
    const waits = [...device.console.matchAll(/restart in (\d+) ms/g)].map((match) => Number(match[1]));
    expect(waits).toEqual([2, 4, 8, 16]);
    expect(device.console).toMatch(/fault 5, no restart\n/);
    expect(device.module('a').state).toBe(ModuleState.Failed);
    expect(device.get('/a').code).toBe(5.03);
  });
  it('do not happen with policy never', async () => {
    const device = await bootDevice([agent('a', [], { restart: 'never' })]);
    expect(tell(device, 'a', Op.Trap)).toBe(-5);
    device.pass(100);
    expect(device.module('a').state).toBe(ModuleState.Failed);
  });
  it('restore data, memory, globals and tables', async () => {
    const device = await bootDevice([agent('a', [])]);
    expect(tell(device, 'a', Op.Fill, 1024, 64, 0xdeadbeef)).toBe(1280);
    expect(tell(device, 'a', Op.Load32, 1024)).toBe(0xdeadbeef);
    tell(device, 'a', Op.Timer, 0, 1, 1);
    device.pass(5);
    expect(device.get('/a').payload.readUInt32LE()).toBeGreaterThan(3);
    expect(tell(device, 'a', Op.Trap)).toBe(-5);
    device.pass(20);
    expect(tell(device, 'a', Op.Load32, 1024)).toBe(0x03020100);
    expect(device.get('/a').payload.readUInt32LE()).toBe(0);
    expect(device.module('a').timersOn).toBe(0);
  });
  it('end an event that takes too long', async () => {
    const device = await bootDevice([agent('a', [], { eventDeadline: '1ms', onTimer: '(loop $l (br $l))' })]);
    tell(device, 'a', Op.Timer, 0, 1, 0);
    device.pass(4);
    expect(device.console).toContain('fault: module a 1.0.0: deadline expired');
    device.pass(10);
    expect(device.module('a').state).toBe(ModuleState.Running);
  });
});

describe('discovery', () => {
  it('lists services in link format, filtered', async () => {
    const device = await bootDevice([
      {
        name: 'sensor',
        wat: `${IMPORTS} ${handler('get', '(i32.const 0x45)')}`,
        provides: [
          {
            method: 'GET',
            path: '/temperature',
            handler: 'get',
            observable: true,
            attributes: { rt: 'temperature outdoor', title: 'T' },
          },
          { method: 'GET', path: '/log/{id}', handler: 'get', attributes: { rt: 'log' } },
        ],
      },
    ]);
    const list = (query = ''): string => device.get(`/.well-known/core${query}`).payload.toString();
    expect(list('?href=/dev/gpio*')).toBe('</dev/gpio/{pin}>;obs');
    expect(list('?href=/temperature')).toContain(';rt="temperature outdoor"');
    expect(list('?rt=outdoor')).toMatch(/^<\/temperature>[^,]*$/);
    expect(list('?rt=out*')).toMatch(/^<\/temperature>[^,]*$/);
    expect(list('?rt=out')).toBe('');
    expect(list('?href=/log*')).toMatch(/^<\/log\/\{id\}>[^,]*$/);
    expect(device.get('/.well-known/core').code).toBe(4.13);
  });
});
