// The CoAP gateway against clients that are stock, slow, greedy or hostile. The place behind it answers from this file.
import { createSocket, type Socket } from 'node:dgram';
import coap from 'coap';
import { generate, parse, type ParsedPacket } from 'coap-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import type { PlaceLink } from '../fleet/types.js';
import type { ServiceRequest } from '../host/types.js';
import { EmbeddedRegistry } from '../registry/embedded.js';
import { Router } from '../router/router.js';
import type { Role } from '../security/roles.js';
import { startCoapGateway, type CoapGateway } from './coap.js';

let gateway: CoapGateway;
let socket: Socket;
let role: Role | null;
let seen: ServiceRequest[];
let notify: (() => void) | null;
let big: Buffer;
/** Milliseconds that the service takes. */
let slow = 0;
const received: Buffer[] = [];

beforeEach(async () => {
  [role, seen, notify, big] = ['caller', [], null, Buffer.alloc(3000, 'x')];
  received.length = 0;
  const registry = new EmbeddedRegistry(null);
  const router = new Router({ registry });
  const place: PlaceLink = {
    name: 'edge:a',
    request: async (_thing, request) => {
      seen.push(request);
      if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow));
      const payload = request.uri === '/big' ? big : Buffer.from(`${seen.length}`);
      return { code: ResponseCode.Content, payload };
    },
  };
  router.connect(place);
  const service = (path: string, method: number) => ({ path, method, attributes: 'obs', observable: true });
  const services = [service('n', 1), service('n', 3), service('big', 1), service('big', 3)];
  await registry.put(
    { thing: 'home', module: 'm', version: '1.0.0', hash: '', place: 'edge:a', epoch: 1, services },
    0,
  );
  const observe = (_thing: string, _uri: string, changed: () => void) => {
    notify = changed;
    return () => (notify = null);
  };
  gateway = await startCoapGateway({ router, observe, port: 0, role: () => role });
  socket = createSocket('udp4');
  socket.on('message', (bytes) => received.push(bytes));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
});
afterEach(() => {
  gateway.close();
  socket.close();
});

interface Option {
  readonly name: string;
  readonly value: Buffer;
}
let nextId = 1;
const path = (text: string): Option[] =>
  text.split('/').map((part) => ({ name: 'Uri-Path', value: Buffer.from(part) }));
function request(options: readonly Option[], more: object = {}): Buffer {
  const messageId = nextId++;
  const token = Buffer.alloc(4);
  token.writeUInt32BE(messageId);
  return generate({ code: '0.01', confirmable: true, messageId, token, options: [...options], ...more });
}
const send = (bytes: Buffer): void => socket.send(bytes, gateway.port, '127.0.0.1');
/** The next message from the gateway. */
async function next(): Promise<ParsedPacket> {
  await expect.poll(() => received.length, { timeout: 10_000 }).toBeGreaterThan(0);
  return parse(received.shift()!);
}
async function ask(options: readonly Option[], more: object = {}): Promise<ParsedPacket> {
  send(request(options, more));
  return next();
}
const option = (packet: ParsedPacket, name: string): Buffer | undefined =>
  packet.options.find((entry) => entry.name === name)?.value;
const N = path('things/home/n');

describe('requests', () => {
  it('reach a service as "coap", whatever caller they name', async () => {
    const forged = [...N, { name: '65000', value: Buffer.from('user:admin') }];
    expect((await ask(forged)).payload.toString()).toBe('1');
    expect(seen.map(({ caller }) => caller)).toEqual(['coap']);
  });

  it('are for who may, once tokens are in use', async () => {
    const core = path('.well-known/core');
    const codes = async () => [(await ask(core)).code, (await ask(N)).code];
    expect(await codes()).toEqual(['2.05', '2.05']);
    role = 'viewer';
    expect(await codes()).toEqual(['2.05', '4.03']);
    role = null;
    expect(await codes()).toEqual(['4.01', '4.01']);
    expect(seen.length).toBe(1);
  });

  it('are run once, however often they come', async () => {
    const put = request(N, { code: '0.03' });
    for (let i = 0; i < 5; i++) send(put);
    const answers = [await next(), await next()];
    expect(answers.map(({ payload }) => payload.toString())).toEqual(['1', '1']);
    expect(seen.length).toBe(1);
  });

  it('that mean nothing here are refused as the RFC says', async () => {
    const of = async (name: string, value = 'x', more: object = {}) =>
      (await ask([...N, { name, value: Buffer.from(value) }], more)).code;
    expect(await of('Proxy-Uri', 'coap://10.0.0.1/x')).toBe('5.05');
    expect([await of('If-None-Match', ''), await of('9'), await of('65001')]).toEqual(['4.02', '4.02', '4.02']);
    expect([await of('65000'), await of('Size1')]).toEqual(['2.05', '2.05']);
    expect((await ask(N, { code: '0.05' })).code).toBe('4.05');
    const ping = generate({ code: '0.00', confirmable: true, messageId: 77 });
    send(ping);
    expect(await next()).toMatchObject({ code: '0.00', reset: true, messageId: 77 });
  });

  it('with blocks that would take a gigabyte are refused', async () => {
    const block = (name: string, value: number[], more: object = {}) =>
      ask([...N, { name, value: Buffer.from(value) }], { code: '0.03', ...more });
    expect((await block('Block1', [0xff, 0xff, 0xf6])).code).toBe('4.13');
    expect((await block('Block1', [0x07])).code).toBe('4.02');
    expect((await block('Block1', [1, 2, 3, 4])).code).toBe('4.02');
    expect((await block('Block1', [0x0e], { payload: Buffer.alloc(10) })).code).toBe('4.00');
    expect((await block('Block2', [0xff, 0xff, 0xf6], { code: '0.01' })).code).toBe('4.02');
    expect(seen.length).toBe(0);
  });

  it('put bodies in blocks together, whatever the tokens, and blocks that come again', async () => {
    const part = (number: number, more: number, bytes: number, options: readonly Option[] = N): Buffer =>
      request([...options, { name: 'Block1', value: Buffer.of((number << 4) | (more << 3)) }], {
        code: '0.03',
        payload: Buffer.alloc(bytes, 65 + number),
      });
    const say = async (bytes: Buffer): Promise<readonly [string, number | undefined]> => {
      send(bytes);
      const answer = await next();
      return [answer.code, option(answer, 'Block1')?.[0]];
    };
    const [first, second, last] = [part(0, 1, 16), part(1, 1, 16), part(2, 0, 4)];
    expect([await say(first), await say(second), await say(first), await say(second)]).toEqual([
      ['2.31', 0x08],
      ['2.31', 0x18],
      ['2.31', 0x08],
      ['2.31', 0x18],
    ]);
    // Another body of the same sender at the same time.
    const other = [...path('things/home/m'), { name: 'Uri-Query', value: Buffer.from('x') }];
    expect(await say(part(0, 1, 16, other))).toEqual(['2.31', 0x08]);
    expect([await say(last), await say(last)]).toEqual([
      ['2.05', 0x20],
      ['2.05', 0x20],
    ]);
    expect(seen.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
      `${'A'.repeat(16)}${'B'.repeat(16)}CCCC`,
    ]);
    // Without its beginning, or with a hole.
    expect([await say(part(1, 0, 4)), await say(part(0, 1, 16)), await say(part(2, 0, 4))]).toEqual([
      ['4.08', 0x10],
      ['2.31', 0x08],
      ['4.08', 0x20],
    ]);
    expect(await say(part(0, 0, 3))).toEqual(['2.05', 0x00]);
    expect(seen.map(({ payload }) => payload.length)).toEqual([36, 3]);
  });
});

it('an answer that nobody acknowledges is given up, and nothing else', async () => {
  // The library gives up after 247 s; here at once.
  coap.updateTiming({ ackTimeout: 0.02, ackRandomFactor: 1, maxRetransmit: 1, maxLatency: 0.02 });
  try {
    slow = 200;
    send(request(N));
    expect(await next()).toMatchObject({ code: '0.00', ack: true });
    const answers = [await next(), await next()];
    expect(answers.map(({ code, confirmable }) => [code, confirmable])).toEqual([
      ['2.05', true],
      ['2.05', true],
    ]);
    slow = 0;
    // Time for the library to give up: what it throws then would end the process, and this test.
    await new Promise((resolve) => setTimeout(resolve, 500));
    received.length = 0;
    expect((await ask(N)).code).toBe('2.05');
  } finally {
    coap.defaultTiming();
  }
});

it('an answer that is ready after the end goes nowhere', async () => {
  slow = 200;
  send(request(N));
  await expect.poll(() => seen.length, { timeout: 10_000 }).toBe(1);
  gateway.close();
  slow = 0;
  // What is thrown when the answer is ready would end the process, and this test.
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(received.map((bytes) => parse(bytes).code)).not.toContain('2.05');
});

it('a change whose answer comes in blocks is made once', async () => {
  const part = (number: number): Option => ({ name: 'Block2', value: Buffer.of((number << 4) | 6) });
  const fetch = (...more: Option[]) => ask([...path('things/home/big'), ...more], { code: '0.03' });
  expect((await fetch(part(1))).code).toBe('4.08');
  const all = [await fetch(), await fetch(part(1)), await fetch(part(2))];
  expect([all.map(({ payload }) => payload.length), seen.length]).toEqual([[1024, 1024, 952], 1]);
  await fetch();
  expect(seen.length).toBe(2);
});

describe('observing', () => {
  const OBSERVE = { name: 'Observe', value: Buffer.alloc(0) };
  const acknowledge = ({ messageId }: ParsedPacket): void => send(generate({ code: '0.00', ack: true, messageId }));

  it('sends the last state when the one before has arrived', async () => {
    const first = await ask([...N, OBSERVE]);
    expect([first.payload.toString(), option(first, 'Observe')]).toEqual(['1', Buffer.of(1)]);
    notify!();
    const second = await next();
    expect([second.payload.toString(), second.confirmable]).toEqual(['2', true]);
    for (let i = 0; i < 50; i++) notify!();
    acknowledge(second);
    const third = await next();
    expect(third.payload.toString()).toBe('3');
    acknowledge(third);
    expect(seen.length).toBe(3);
  });

  it('ends with a reset, with Observe 1, and begins again in its own place', async () => {
    await ask([...N, OBSERVE], { token: Buffer.from('a') });
    notify!();
    const { messageId } = await next();
    send(generate({ code: '0.00', reset: true, messageId }));
    await expect.poll(() => notify).toBeNull();
    await ask([...N, OBSERVE], { token: Buffer.from('b') });
    await ask([...N, OBSERVE], { token: Buffer.from('b') });
    const end = await ask([...N, { name: 'Observe', value: Buffer.of(1) }], { token: Buffer.from('b') });
    expect([end.code, option(end, 'Observe'), notify]).toEqual(['2.05', undefined, null]);
  });

  it('is refused, with the answer, to too many and to those that acknowledge nothing', async () => {
    const loose = await ask([...N, OBSERVE], { confirmable: false });
    expect([loose.code, option(loose, 'Observe')]).toEqual(['2.05', undefined]);
    const observed: boolean[] = [];
    for (let i = 0; i < 40; i++) observed.push(option(await ask([...N, OBSERVE]), 'Observe') !== undefined);
    expect(observed).toEqual([...Array<boolean>(32).fill(true), ...Array<boolean>(8).fill(false)]);
  });

  it('sends what is too big for a message in blocks', async () => {
    const first = await ask([...path('things/home/big'), OBSERVE]);
    expect([first.payload.length, option(first, 'Block2')]).toEqual([1024, Buffer.of(0x0e)]);
    const rest = await ask([...path('things/home/big'), { name: 'Block2', value: Buffer.of(0x26) }]);
    expect(rest.payload.length).toBe(3000 - 2048);
    big = Buffer.from('small');
    notify!();
    const small = await next();
    expect([small.payload.toString(), option(small, 'Block2')]).toEqual(['small', undefined]);
  });
});
