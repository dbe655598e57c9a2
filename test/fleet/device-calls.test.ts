// Requests of modules to the edge, and what becomes of the chain of calls that waits for the answer. The oracle for messages is
// coap-packet.
import { generate, type ParsedPacket } from 'coap-packet';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildDevice, handler, IMPORTS, OsDevice, word, type BuiltDevice } from '../os/os-device.js';
import { CALLER_OPTION, DeviceLink, optionOf } from './device-link.js';
import { buildSensor, bytes, isRequest } from './sensor-device.js';

let built: BuiltDevice;
beforeAll(async () => {
  built = await buildSensor();
}, 120_000);

let device: OsDevice;
let link: DeviceLink;
beforeEach(() => {
  device = new OsDevice(built).settle();
  link = new DeviceLink(device);
});

describe('a module’s request to the edge', () => {
  const answerTo = ({ messageId, token }: ParsedPacket, code: string, payload = ''): Buffer =>
    generate({ ack: true, messageId, token, code, payload: Buffer.from(payload) });
  const ask = (uri: string): ParsedPacket => {
    link.request({ uri: '/second' });
    link.send(link.encode({ uri, token: Buffer.from('me') }));
    link.run(5);
    return link.take(isRequest)!;
  };
  it('waits while others run, and gets its answer', () => {
    const request = ask('/far');
    expect(request).toMatchObject({ code: '0.01', confirmable: true });
    expect(request.options.map(({ name, value }) => `${String(name)}=${String(value)}`)).toEqual([
      'Uri-Host=other',
      'Uri-Path=far',
      'Uri-Path=away',
      'Uri-Query=x=1',
      `${CALLER_OPTION}=sensor`,
    ]);
    expect(link.request({ uri: '/second' }).code).toBe('2.05');
    expect(link.request({ uri: '/value' }).code).toBe('5.03');
    link.send(answerTo(request, '2.05', 'far away'));
    link.run(5);
    const answer = link.take(({ token }) => token.toString() === 'me')!;
    expect(answer.payload.readUInt32LE()).toBe(word(2.05, 8));
    expect(answer.payload.subarray(4, 12).toString()).toBe('far away');
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
  });
  it('sends its payload, repeats it until it is acknowledged, takes a separate response', () => {
    const request = ask('/put_far');
    expect(request).toMatchObject({ code: '0.03' });
    expect(request.payload.length).toBe(700);
    link.run(200);
    link.inbox.length = 0;
    link.send(generate({ ack: true, messageId: request.messageId, code: '0.00' }));
    link.run(20);
    link.send(generate({ confirmable: true, messageId: 77, token: request.token, code: '2.04' }));
    link.run(5);
    expect(link.take(({ messageId }) => messageId === 77)).toMatchObject({ ack: true, code: '0.00' });
    expect(link.take(({ token }) => token.toString() === 'me')?.payload.readUInt32LE()).toBe(word(2.04));
  });
  it('ends with 5.04 when no answer comes, and nothing of it stays', () => {
    for (let i = 0; i < 6; i++) {
      ask('/put_far');
      link.run(310);
      const answer = link.take(({ token }) => token.toString() === 'me')!;
      expect(answer.payload.readUInt32LE()).toBe(word(5.04));
      link.acknowledge(answer);
      link.inbox.length = 0;
    }
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
  });
  it('keeps what it needs: others are told to come again', () => {
    const request = ask('/put_far');
    const refused = link.request({ method: 'PUT', uri: '/echo', payload: Buffer.alloc(100) });
    expect(refused.code).toBe('5.03');
    expect(optionOf(refused, 'Max-Age')?.[0]).toBe(1);
    link.send(answerTo(request, '2.04'));
    link.run(5);
    expect(link.request({ method: 'PUT', uri: '/echo', payload: Buffer.alloc(100) }).code).toBe('2.05');
  });
  it('ends when its module is stopped', () => {
    ask('/put_far');
    expect(link.request({ method: 'PUT', uri: '/sys/modules/sensor', payload: 'restart' }).code).toBe('2.04');
    link.run(20);
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
  });
});

describe('a chain that waits and has preempted another', () => {
  const spin = `(loop $l (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 1000000))))`;
  const sink = { path: '/sink', methods: ['PUT'], external: true, timeout: '300ms' } as const;
  /** `high` asks the edge in a timer event, by `middle` if `by` says so; `low` is in the middle of a call then. */
  const build = (by: 'itself' | 'middle'): Promise<BuiltDevice> =>
    buildDevice([
      {
        name: 'low',
        wat: `${IMPORTS} (memory (export "memory") 1)
          ${handler('spin', `${spin} (i32.const ${word(2.05)})`)} ${handler('spins', `${spin} (local.set $n (i32.const 0)) ${spin} (i32.const ${word(2.05)})`)}`,
        provides: ['spin', 'spins'].map((name) => ({
          method: 'GET' as const,
          path: `/${name}`,
          handler: name,
          contract: { response: bytes(4), deadline: '900ms' },
        })),
      },
      {
        name: 'middle',
        wat: `${IMPORTS} (memory (export "memory") 1)
          ${handler('ask', `(call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))`)}`,
        provides: [{ method: 'PUT', path: '/ask', handler: 'ask', contract: { request: bytes(4), deadline: '1ms' } }],
        requires: [sink],
      },
      {
        name: 'high',
        priority: 2,
        eventDeadline: '2ms',
        wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "answered") (data (i32.const 16) "too late")
          (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 40) (i32.const 0))))
          (func (export "on_timer") (param i32)
            (call $log (select (i32.const 0) (i32.const 16)
              (i32.eq (call $call (i32.const 0) (i32.const 0) (i32.const ${by === 'middle' ? 4 : 0}) (i32.const 0) (i32.const 0)) (i32.const ${word(2.04)}))) (i32.const 8)))`,
        requires: by === 'middle' ? [{ path: '/ask', methods: ['PUT'] }] : [sink],
      },
    ]);
  const start = (two: BuiltDevice, path: string): ParsedPacket => {
    device = new OsDevice(two).settle();
    link = new DeviceLink(device);
    link.request({ uri: '/nothing' });
    link.send(link.encode({ uri: path, token: Buffer.from('spin') }));
    link.run(60);
    expect(link.text).toBe('');
    return link.take(isRequest)!;
  };
  const ended = ({ token, code }: ParsedPacket): boolean => token.toString() === 'spin' && code === '2.05';
  const runUntil = (done: () => boolean): void => {
    for (let time = 0; time < 600 && !done(); time++) link.run(1);
    expect(done()).toBe(true);
  };
  const answer = ({ messageId, token }: ParsedPacket): void =>
    link.send(generate({ ack: true, messageId, token, code: '2.04' }));
  const noFaults = (): void =>
    expect(['high', 'middle', 'low'].map((name) => device.module(name).faults)).toEqual([0, 0, 0]);

  it('lets it go on, and comes back before it', async () => {
    const two = await build('itself');
    let request = start(two, '/spin');
    // The call that was preempted ends, and others are served, while the answer is waited for.
    runUntil(() => link.inbox.some(ended));
    expect(link.text).toBe('');
    expect(link.request({ uri: '/sys/modules' }).code).toBe('2.05');
    answer(request);
    link.run(2);
    expect(link.text).toBe('[high] answered\n');
    noFaults();
    // An answer that comes in the middle of it is taken at once.
    request = start(two, '/spins');
    link.run(20);
    answer(request);
    link.run(2);
    expect(link.text).toBe('[high] answered\n');
    expect(link.inbox.some(ended)).toBe(false);
    runUntil(() => link.inbox.some(ended));
    noFaults();
    // And none at all.
    start(two, '/spins');
    runUntil(() => link.text === '[high] too late\n');
    runUntil(() => link.inbox.some(ended));
    noFaults();
  });
  it('sleeps in place if it holds grants, beyond its own deadline, and both go on', async () => {
    const two = await build('middle');
    for (const answered of [true, false]) {
      const request = start(two, '/spin');
      link.run(20);
      if (answered) answer(request);
      runUntil(() => link.text !== '');
      expect(link.text).toBe(answered ? '[high] answered\n' : '[high] too late\n');
      expect(link.inbox.some(ended)).toBe(false);
      runUntil(() => link.inbox.some(ended));
      noFaults();
    }
  });
});
