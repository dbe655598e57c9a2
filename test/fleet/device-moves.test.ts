// Modules that leave a device and come back, as the others on it see that: their calls and subscriptions follow the module to
// the edge and home again. Against an edge made of coap-packet alone.
import { generate, type ParsedPacket } from 'coap-packet';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { baseOf, compilePackage } from '../os/compiled-package.js';
import { handler, IMPORTS, prepareRuntime, word } from '../os/os-device.js';
import { buildSlots, SlotsDevice, type BuiltSlots } from '../os/slots-device.js';
import { DeviceLink, optionOf } from './device-link.js';

const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
const TURN = 5;

/** Has a value; PUT changes it. */
const giver = `${IMPORTS} (memory (export "memory") 1) (data (i32.const 64) "/value")
  ${handler('get', `(i32.store8 (local.get $r) (i32.load8_u (i32.const 0))) (i32.const ${word(2.05, 1)})`)}
  ${handler(
    'put',
    `(i32.store8 (i32.const 0) (i32.load8_u (local.get $p))) (drop (call $notify (i32.const 64) (i32.const 6)))
    (i32.const ${word(2.04)})`,
  )}`;
/** Observes /value and logs it; GET /ask asks for it. */
const display = `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "/value") (data (i32.const 16) "told ?")
  (func (export "on_start") (drop (call $observe (i32.const 0) (i32.const 6) (i32.const 64) (i32.const 16))))
  (func (export "on_notify") (param i32) (param $result i32)
    (i32.store8 (i32.const 21) (select (i32.load8_u (i32.const 64)) (i32.const 33)
      (i32.eq (local.get $result) (i32.const ${word(2.05, 1)}))))
    (call $log (i32.const 16) (i32.const 6)))
  ${handler('ask', `(call $call (i32.const 0) (i32.const 0) (i32.const 0) (local.get $r) (local.get $c))`)}`;

let built: BuiltSlots;
let file: Uint8Array;
beforeAll(async () => {
  await prepareRuntime();
  built = await buildSlots([
    {
      name: 'display',
      wat: display,
      stack: 2048,
      memory: { max: 1024 },
      provides: [{ method: 'GET', path: '/ask', handler: 'ask', contract: { response: bytes(16), deadline: '20ms' } }],
      requires: [{ path: '/value', methods: ['GET'], external: true, timeout: '900ms' }],
    },
  ]);
  file = await compilePackage(baseOf(built), giver, {
    name: 'giver',
    provides: [
      {
        method: 'GET',
        path: '/value',
        handler: 'get',
        observable: true,
        contract: { response: bytes(1), deadline: '1ms' },
      },
      { method: 'PUT', path: '/value', handler: 'put', contract: { request: bytes(1), deadline: '1ms' } },
    ],
  });
}, 120_000);

let device: SlotsDevice;
let link: DeviceLink;
const isRequest = ({ code }: ParsedPacket): boolean => code.startsWith('0.') && code !== '0.00';
const registered = (packet: ParsedPacket): boolean => isRequest(packet) && optionOf(packet, 'Observe') !== undefined;
const answer = (to: ParsedPacket, payload: string, observe?: number, code = '2.05'): void => {
  const { messageId, token } = to;
  const options = observe === undefined ? [] : [{ name: 'Observe', value: Buffer.from([observe]) }];
  link.send(generate({ ack: true, messageId, token, code, options: options as never, payload: Buffer.from(payload) }));
  link.run(TURN);
};
const told = (): string[] => {
  const lines = link.text.split('\n').slice(0, -1);
  link.text = '';
  return lines.filter((line) => line.startsWith('[display]')).map((line) => line.slice('[display] told '.length));
};
const control = (verb: string): void => {
  expect(link.request({ method: 'PUT', uri: '/sys/modules/giver', payload: verb }, 2000).code).toBe('2.04');
  link.run(TURN);
};
const set = (value: string): string => link.request({ method: 'PUT', uri: '/value', payload: value }).code;
/** The next message that comes for which `wanted` holds. */
const next = (wanted: (packet: ParsedPacket) => boolean, milliseconds = 1500): ParsedPacket => {
  for (let time = 0; time < milliseconds; time += TURN) {
    const found = link.take(wanted);
    if (found !== undefined) return found;
    link.run(TURN);
  }
  throw new Error(`nothing has come; text: ${link.text}`);
};

beforeEach(() => {
  device = new SlotsDevice(built).calm();
  expect(device.install(file).code).toBe(2.04);
  device.calm();
  link = new DeviceLink(device);
  link.collect();
  link.text = '';
  link.inbox.length = 0;
  expect(link.request({ method: 'PUT', uri: '/sys/edge', payload: 'edge' }).code).toBe('2.04');
  // It has come after its observer: the edge has not been asked for it, or is no more.
  for (const packet of link.inbox.splice(0).filter(registered)) answer(packet, '', undefined, '5.03');
  link.run(100);
  link.text = '';
  expect(set('a')).toBe('2.04');
  link.run(TURN);
  expect(told()).toEqual(['a']);
});

describe('when a module leaves its device', () => {
  it('calls follow it, and come home with it', () => {
    expect(link.request({ uri: '/ask' }).payload.toString()).toBe('a');
    control('hold');
    expect(link.request({ uri: '/value' }).code).toBe('4.04');
    link.send(link.encode({ uri: '/ask', token: Buffer.from('me') }));
    const call = next((packet) => isRequest(packet) && !registered(packet));
    expect(call).toMatchObject({ code: '0.01', confirmable: true });
    expect(optionOf(call, 'Uri-Path')?.toString()).toBe('value');
    answer(call, 'e');
    expect(next(({ token }) => token.toString() === 'me').payload.toString()).toBe('e');
    control('resume');
    expect(link.request({ uri: '/ask' }).payload.toString()).toBe('a');
  });
  it('the edge may call the device back while it is waited for', () => {
    control('hold');
    link.send(link.encode({ uri: '/ask', token: Buffer.from('me') }));
    const call = next((packet) => isRequest(packet) && !registered(packet));
    // What is in the chain is busy, all the rest is not: the other worker serves it.
    expect(link.request({ uri: '/steady' }).code).toBe('2.05');
    expect(link.request({ uri: '/ask' }).code).toBe('5.03');
    expect(link.request({ uri: '/sys/modules/display' }).code).toBe('2.05');
    // It comes home before the answer does: what was sent is answered from there.
    control('resume');
    expect(link.request({ uri: '/value' }).payload.toString()).toBe('a');
    answer(call, 'z');
    expect(next(({ token }) => token.toString() === 'me').payload.toString()).toBe('z');
    expect(link.request({ uri: '/ask' }).payload.toString()).toBe('a');
  });
  it('subscriptions follow it, and come home with it', () => {
    control('hold');
    const registration = next(registered);
    expect(optionOf(registration, 'Uri-Path')?.toString()).toBe('value');
    expect(told()).toEqual([]);
    answer(registration, 'b', 1);
    expect(told()).toEqual(['b']);
    const tell = (observe: number, payload: string): ParsedPacket => {
      const options = [{ name: 'Observe', value: Buffer.from([observe]) }] as never;
      const { token } = registration;
      const messageId = 700 + observe;
      link.send(
        generate({ confirmable: true, messageId, token, code: '2.05', options, payload: Buffer.from(payload) }),
      );
      return next((packet) => packet.messageId === messageId);
    };
    expect(tell(2, 'c')).toMatchObject({ ack: true });
    expect(told()).toEqual(['c']);
    control('resume');
    expect(told()).toEqual(['a']);
    expect(tell(3, 'x')).toMatchObject({ reset: true });
    expect(set('d')).toBe('2.04');
    link.run(TURN);
    expect(told()).toEqual(['d']);
    expect(link.inbox.filter(isRequest)).toEqual([]);
  });
  it('subscriptions wait while it is on its way', () => {
    control('hold');
    // Neither here nor there, for a while.
    for (let i = 0; i < 5; i++) answer(next(registered), '', undefined, '4.04');
    answer(next(registered), '', undefined, '5.03');
    expect(told()).toEqual([]);
    answer(next(registered, 3000), 'n', 1);
    expect(told()).toEqual(['n']);
  });
  it('subscriptions end if it does not come again', () => {
    control('hold');
    for (let i = 0; i < 31; i++) answer(next(registered), '', undefined, '4.04');
    expect(told()).toEqual(['!']);
    link.run(5000);
    expect(link.inbox.filter(isRequest)).toEqual([]);
  });
  it('the edge hears of it as an observer', () => {
    const token = Buffer.from('obs');
    const options = [{ name: 'Observe', value: Buffer.alloc(0) }] as never;
    const first = link.request({ uri: '/value', token, options });
    expect(optionOf(first, 'Observe')).toBeDefined();
    control('hold');
    expect(next((packet) => packet.token.equals(token))).toMatchObject({ code: '4.04' });
  });
});
