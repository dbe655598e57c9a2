// A module that observes what is not on its device: registrations, notifications and their order, refusals, an edge that comes
// and goes, a bad line. Against an edge made of coap-packet alone.
import { generate, type ParsedPacket } from 'coap-packet';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildDevice, handler, IMPORTS, OsDevice, prepareRuntime, word, type BuiltDevice } from '../os/os-device.js';
import { CALLER_OPTION, DeviceLink, optionOf } from './device-link.js';

const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
const LINE = 512;
const BUFFERS = 4096;
const BUFFER_BYTES = 512;
/** Enough for a frame, its handling and the answer. */
const TURN = 5;

/** Observes what it is told to, and logs `ID CODE payload` for each notification. */
const display = `${IMPORTS} (memory (export "memory") 1)
  (data (i32.const 0) "/elsewhere/first")
  (func (export "on_start") (drop (call $observe (i32.const 0) (i32.const 16) (i32.const ${BUFFERS}) (i32.const ${BUFFER_BYTES}))))
  (func (export "on_notify") (param $id i32) (param $result i32) (local $code i32) (local $n i32)
    (local.set $code (i32.shr_u (local.get $result) (i32.const 24)))
    (local.set $n (i32.and (local.get $result) (i32.const 0xffffff)))
    (i32.store8 (i32.const ${LINE}) (i32.add (i32.const 48) (local.get $id)))
    (i32.store8 (i32.const ${LINE + 1}) (i32.const 32))
    (i32.store8 (i32.const ${LINE + 2}) (i32.add (i32.const 48) (i32.shr_u (local.get $code) (i32.const 5))))
    (i32.store8 (i32.const ${LINE + 3}) (i32.const 46))
    (local.set $code (i32.and (local.get $code) (i32.const 31)))
    (i32.store8 (i32.const ${LINE + 4}) (i32.add (i32.const 48) (i32.div_u (local.get $code) (i32.const 10))))
    (i32.store8 (i32.const ${LINE + 5}) (i32.add (i32.const 48) (i32.rem_u (local.get $code) (i32.const 10))))
    (i32.store8 (i32.const ${LINE + 6}) (i32.const 32))
    (memory.copy (i32.const ${LINE + 7})
      (i32.add (i32.const ${BUFFERS}) (i32.mul (local.get $id) (i32.const ${BUFFER_BYTES}))) (local.get $n))
    (call $log (i32.const ${LINE}) (i32.add (i32.const 7) (local.get $n))))
  ${handler(
    'observe',
    `(memory.copy (i32.const 64) (local.get $p) (local.get $n))
    (i32.store8 (local.get $r) (call $observe (i32.const 64) (local.get $n) (i32.const ${BUFFERS + BUFFER_BYTES}) (i32.const ${BUFFER_BYTES})))
    (i32.const ${word(2.05, 1)})`,
  )}
  ${handler('unobserve', `(i32.store8 (local.get $r) (call $unobserve (i32.load8_u (local.get $p)))) (i32.const ${word(2.05, 1)})`)}
  ${handler('wait', `(i32.store (local.get $r) (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))) (i32.const ${word(2.05, 4)})`)}`;

let built: BuiltDevice;
beforeAll(async () => {
  await prepareRuntime();
  const put = (name: string, max: number) => ({
    method: 'PUT' as const,
    path: `/${name}`,
    handler: name,
    contract: { request: bytes(64), response: bytes(max), deadline: '5ms' },
  });
  built = await buildDevice([
    {
      name: 'display',
      wat: display,
      provides: [put('observe', 1), put('unobserve', 1), put('wait', 4)],
      requires: [
        { path: '/sink', methods: ['PUT'], external: true, timeout: '900ms' },
        { path: '/elsewhere/*', methods: ['GET'], external: true },
        { path: '/near', methods: ['GET'] },
        { path: '//other/*', methods: ['GET'] },
      ],
    },
    {
      name: 'near',
      wat: `${IMPORTS} (memory (export "memory") 1) ${handler('near', `(i32.store8 (local.get $r) (i32.const 110)) (i32.const ${word(2.05, 1)})`)}`,
      provides: [{ method: 'GET', path: '/near', handler: 'near', contract: { response: bytes(1), deadline: '1ms' } }],
    },
  ]);
}, 120_000);

let link: DeviceLink;
let mid = 5000;
const isRequest = ({ code }: ParsedPacket): boolean => code.startsWith('0.') && code !== '0.00';
const isRegistration = (packet: ParsedPacket): boolean =>
  isRequest(packet) && optionOf(packet, 'Observe') !== undefined;
/** The smallest number of bytes that a number needs. */
const uint = (value: number): Buffer => {
  const digits = value === 0 ? '' : value.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
};
const options = (observe: number | null, maxAge?: number): { name: string; value: Buffer }[] => [
  ...(observe === null ? [] : [{ name: 'Observe', value: uint(observe) }]),
  ...(maxAge === undefined ? [] : [{ name: 'Max-Age', value: uint(maxAge) }]),
];

interface Told {
  readonly code?: string;
  readonly maxAge?: number;
  readonly confirmable?: boolean;
  readonly messageId?: number;
}
const answer = (
  to: ParsedPacket,
  observe: number | null,
  payload: string,
  { code = '2.05', maxAge }: Told = {},
): void => {
  const { messageId, token } = to;
  const list = options(observe, maxAge) as never;
  link.send(generate({ ack: true, messageId, token, code, options: list, payload: Buffer.from(payload) }));
  link.run(TURN);
};
const tell = (to: ParsedPacket, observe: number, payload: string, more: Told = {}): number => {
  const { code = '2.05', confirmable = true, messageId = mid++, maxAge } = more;
  const list = options(observe, maxAge) as never;
  link.send(generate({ confirmable, messageId, token: to.token, code, options: list, payload: Buffer.from(payload) }));
  link.run(TURN);
  return messageId;
};
/** What the module has logged since the last time. */
const logged = (): string[] => {
  const lines = link.text.split('\n').slice(0, -1);
  link.text = '';
  return lines.map((line) => line.replace('[display] ', ''));
};
const settled = (messageId: number): ParsedPacket | undefined =>
  link.take((packet) => packet.messageId === messageId && packet.code === '0.00');
const hello = (name: string): string => link.request({ method: 'PUT', uri: '/sys/edge', payload: name }).code;
const observe = (uri: string): number => link.request({ method: 'PUT', uri: '/observe', payload: uri }).payload[0]!;
/** Runs until a registration comes. */
const registration = (milliseconds = 100): ParsedPacket => {
  for (let time = 0; time < milliseconds; time += TURN) {
    const found = link.take(isRegistration);
    if (found !== undefined) return found;
    link.run(TURN);
  }
  throw new Error('no registration');
};

let device: OsDevice;
beforeEach(() => {
  device = new OsDevice(built).settle();
  link = new DeviceLink(device);
});
/** The subscription of on_start, told its first representation. */
const followed = (): ParsedPacket => {
  expect(hello('edge')).toBe('2.04');
  const request = registration();
  answer(request, 10, 'a');
  expect(logged()).toEqual(['0 2.05 a']);
  return request;
};

describe('observing what is elsewhere', () => {
  it('waits for an edge, then asks it and is told', () => {
    link.run(2000);
    expect(link.inbox).toEqual([]);
    expect(hello('edge')).toBe('2.04');
    const request = registration();
    expect(request).toMatchObject({ code: '0.01', confirmable: true });
    expect(request.options.map(({ name, value }) => `${String(name)}=${String(value)}`)).toEqual([
      'Observe=',
      'Uri-Path=elsewhere',
      'Uri-Path=first',
      `${CALLER_OPTION}=display`,
    ]);
    answer(request, 1, 'a');
    const messageId = tell(request, 2, 'b');
    expect(settled(messageId)).toMatchObject({ ack: true });
    tell(request, 3, 'c', { confirmable: false });
    tell(request, 4, '');
    expect(logged()).toEqual(['0 2.05 a', '0 2.05 b', '0 2.05 c', '0 2.05 ']);
    expect(link.inbox.filter(({ reset }) => reset)).toEqual([]);
  });
  it('takes only what is newer, over the wrap of the numbers', () => {
    const request = followed();
    const messageId = tell(request, 12, 'c');
    settled(messageId);
    tell(request, 12, 'c', { messageId });
    expect(settled(messageId)).toMatchObject({ ack: true });
    tell(request, 11, 'b');
    expect(logged()).toEqual(['0 2.05 c']);
    tell(request, 0x800000, 'd');
    tell(request, 0xffffff, 'e');
    tell(request, 0, 'f');
    tell(request, 0xffffff, 'e');
    expect(logged()).toEqual(['0 2.05 d', '0 2.05 e', '0 2.05 f']);
    // After 128 s any number is a newer one.
    for (let i = 0; i < 13; i++) tell(request, 1 + i, 'g', { maxAge: 600 });
    expect(logged().length).toBe(13);
    link.run(129_000);
    tell(request, 5, 'h');
    expect(logged()).toEqual(['0 2.05 h']);
  });
  it('repeats a registration that nobody answers, and takes a separate response', () => {
    hello('edge');
    const request = registration();
    const again = registration(1000);
    expect(again.messageId).toBe(request.messageId);
    link.send(generate({ ack: true, messageId: request.messageId, code: '0.00' }));
    link.run(5000);
    expect(link.take(isRegistration)).toBeUndefined();
    const messageId = tell(request, 1, 'late');
    expect(settled(messageId)).toMatchObject({ ack: true });
    expect(logged()).toEqual(['0 2.05 late']);
  });
  it('goes on asking, now and then, an edge that is silent', () => {
    hello('edge');
    link.run(60_000);
    const first = link.inbox.filter(isRegistration);
    expect(first.length).toBeGreaterThanOrEqual(5);
    expect(first.length).toBeLessThanOrEqual(7);
    link.inbox.length = 0;
    link.run(60_000);
    expect(link.inbox.filter(isRegistration).length).toBeGreaterThanOrEqual(1);
  });
  it('ends by a reset when the module has had enough', () => {
    const request = followed();
    expect(link.request({ method: 'PUT', uri: '/unobserve', payload: '\0' }).payload[0]).toBe(1);
    for (const confirmable of [true, false]) {
      const messageId = tell(request, 11, 'b', { confirmable });
      expect(settled(messageId)).toMatchObject({ reset: true });
    }
    expect(logged()).toEqual([]);
    // Its place is taken by another one, with another token.
    expect(observe('//other/thing')).toBe(0);
    const next = registration();
    expect(next.token.equals(request.token)).toBe(false);
    expect(optionOf(next, 'Uri-Host')?.toString()).toBe('other');
    expect(settled(tell(request, 12, 'b'))).toMatchObject({ reset: true });
  });
  it('gives each subscription its own number', () => {
    followed();
    expect(observe('//other/thing?unit=C')).toBe(1);
    const request = registration();
    expect(optionOf(request, 'Uri-Query')?.toString()).toBe('unit=C');
    answer(request, 1, 'x');
    expect(logged()).toEqual(['1 2.05 x']);
    // What is here and cannot be observed, what is not required, and what is too long is refused at once.
    expect(observe('/near')).toBe(255);
    expect(observe('/secret')).toBe(255);
    expect(observe(`/elsewhere/${'x'.repeat(48)}`)).toBe(255);
  });
  it('tells of a refusal once, and asks again later if that may change', () => {
    hello('edge');
    answer(registration(), null, '', { code: '4.03' });
    expect(logged()).toEqual(['0 4.03 ']);
    link.run(30_000);
    expect(link.take(isRegistration)).toBeUndefined();
    expect(observe('/elsewhere/second')).toBe(0);
    const asked = registration();
    answer(asked, null, '', { code: '5.03', maxAge: 3 });
    link.run(2500);
    expect(link.take(isRegistration)).toBeUndefined();
    const again = registration(1000);
    expect(again.token.equals(asked.token)).toBe(true);
    answer(again, null, 'x');
    expect(logged()).toEqual(['0 4.05 ']);
  });
  it('ends when a notification says so', () => {
    const request = followed();
    tell(request, 11, '', { code: '4.03' });
    expect(logged()).toEqual(['0 4.03 ']);
    expect(settled(tell(request, 12, 'x'))).toMatchObject({ reset: true });
  });
  it('takes what is not found for what is not yet there, half a minute long', () => {
    const request = followed();
    // It has gone, and comes again.
    tell(request, 11, '', { code: '4.04' });
    for (let i = 0; i < 20; i++) answer(registration(1200), null, '', { code: '4.04' });
    answer(registration(1200), 1, 'b');
    expect(logged()).toEqual(['0 2.05 b']);
    // And for good: the first time that is said does not count either.
    tell(request, 2, '', { code: '4.04' });
    for (let i = 0; i < 30; i++) {
      expect(logged()).toEqual([]);
      answer(registration(1200), null, '', { code: '4.04' });
    }
    expect(logged()).toEqual(['0 4.04 ']);
    link.run(5000);
    expect(link.take(isRegistration)).toBeUndefined();
  });
  it('asks again when nothing has come for too long', () => {
    hello('edge');
    const request = registration();
    answer(request, 10, 'a', { maxAge: 20 });
    link.run(24_000);
    expect(link.take(isRegistration)).toBeUndefined();
    const again = registration(15_000);
    expect(again.token.equals(request.token)).toBe(true);
    // Another edge counts from elsewhere.
    answer(again, 3, 'b', { maxAge: 1000 });
    tell(again, 4, 'c', { maxAge: 1000 });
    expect(logged()).toEqual(['0 2.05 a', '0 2.05 b', '0 2.05 c']);
    link.run(100_000);
    expect(link.take(isRegistration)).toBeUndefined();
  });
  it('asks an edge that has just come, once', () => {
    const request = followed();
    expect(hello('edge')).toBe('2.04');
    link.run(1000);
    expect(link.take(isRegistration)).toBeUndefined();
    hello('another');
    const again = registration();
    expect(again.token.equals(request.token)).toBe(true);
    answer(again, 1, 'z');
    expect(logged()).toEqual(['0 2.05 z']);
  });
  it('gives a subscriber that waits for the edge the newest representation afterwards', () => {
    const request = followed();
    link.send(link.encode({ method: 'PUT', uri: '/wait', token: Buffer.from('me') }));
    link.run(TURN);
    const call = link.take((packet) => packet.code === '0.03')!;
    expect(settled(tell(request, 11, 'b'))).toMatchObject({ ack: true });
    expect(settled(tell(request, 12, 'c'))).toMatchObject({ ack: true });
    expect(logged()).toEqual([]);
    answer(call, null, '', { code: '2.04' });
    expect(link.take(({ token }) => token.toString() === 'me')?.payload.readUInt32LE()).toBe(word(2.04));
    // What was told is gone: it is asked for.
    const again = registration();
    expect(again.token.equals(request.token)).toBe(true);
    answer(again, 12, 'c');
    expect(logged()).toEqual(['0 2.05 c']);
  });
  it('cuts nothing: what does not fit is 4.13, what comes in blocks 5.02', () => {
    const request = followed();
    tell(request, 11, 'x'.repeat(BUFFER_BYTES + 1));
    const list = [...options(12), { name: 'Block2', value: uint(0x0e) }] as never;
    link.send(
      generate({ messageId: mid++, token: request.token, code: '2.05', options: list, payload: Buffer.from('y') }),
    );
    link.run(TURN);
    expect(logged()).toEqual(['0 4.13 ', '0 5.02 ']);
  });
  it('ends with its module, and begins again with it', () => {
    const request = followed();
    expect(link.request({ method: 'PUT', uri: '/sys/modules/display', payload: 'restart' }).code).toBe('2.04');
    const next = registration();
    expect(next.token.equals(request.token)).toBe(false);
    expect(settled(tell(request, 12, 'x'))).toMatchObject({ reset: true });
    answer(next, 1, 'y');
    expect(logged()).toEqual(['0 2.05 y']);
  });
});

describe('many notifications', () => {
  it('keep no room from others, and come in order', () => {
    const first = followed();
    expect(observe('/elsewhere/second')).toBe(1);
    const second = registration();
    answer(second, 1, 's');
    logged();
    // Several are received before anybody runs.
    for (let i = 1; i <= 30; i++) {
      for (const { token } of [first, second])
        link.send(
          generate({
            messageId: mid++,
            token,
            code: '2.05',
            options: options(20 + i) as never,
            payload: Buffer.from(`${i} `.padEnd(100, '.')),
          }),
        );
      if (i % 3 === 0) link.run(1);
    }
    link.run(200);
    // Some were lost, which is what such messages may be; none came out of order, and nothing is stuck.
    const seen = logged();
    for (const id of ['0', '1']) {
      const numbers = seen.filter((line) => line.startsWith(id)).map((line) => Number(line.split(' ')[2]));
      expect(numbers.length).toBeGreaterThan(5);
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    }
    for (const request of [first, second]) expect(settled(tell(request, 90, 'last'))).toMatchObject({ ack: true });
    expect(logged()).toEqual(['0 2.05 last', '1 2.05 last']);
    expect(link.request({ method: 'PUT', uri: '/unobserve', payload: '\x01' }).payload[0]).toBe(1);
  });
  it('over a line that loses, repeats, changes and mixes frames: the last state arrives', () => {
    let seed = 99;
    const random = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
    const request = followed();
    const late: Uint8Array[] = [];
    link.toDevice = (frame) => {
      const dice = random();
      if (dice < 0.15) return new Uint8Array(0);
      if (dice < 0.25) return Uint8Array.from([...frame, ...frame]);
      if (dice < 0.35) return frame.map((byte) => (random() < 0.05 ? byte ^ (1 << Math.floor(random() * 8)) : byte));
      if (dice < 0.5) {
        late.push(frame);
        return new Uint8Array(0);
      }
      return Uint8Array.from([...frame, ...(late.length > 2 ? late.shift()! : [])]);
    };
    link.fromDevice = () => random() > 0.15;
    for (let value = 1; value <= 100; value++) {
      const messageId = mid++;
      for (let attempt = 0; settled(messageId) === undefined; attempt++) {
        expect(attempt).toBeLessThan(60);
        tell(request, 100 + value, String(value), { messageId });
      }
      const lines = logged();
      const seen = lines.map((line) => Number(line.split(' ')[2]));
      // In order, none twice; a state that was acknowledged has been told.
      expect(seen).toEqual([value]);
    }
  });
});
