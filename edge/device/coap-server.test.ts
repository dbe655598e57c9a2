// Requests of a device at the edge: each runs once, answers come until they are taken, observers hear of every state in
// the end.
import { afterEach, describe, expect, it } from 'vitest';
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import type { Answer } from '../worker/protocol.js';
import { readMessage, writeMessage, type Message, type Outgoing } from './coap-message.js';
import { CoapServer } from './coap-server.js';

let sent: Message[] = [];
let ran: string[] = [];
let handle: (message: Message) => Promise<Answer>;
let changed: (() => void) | null = null;
let stopped = 0;
let lose = (_: Message): boolean => false;
let server: CoapServer;
afterEach(() => server.close());

function start(): void {
  [sent, ran, changed, stopped] = [[], [], null, 0];
  lose = () => false;
  handle = async ({ uri }) => ({ code: ResponseCode.Content, payload: Buffer.from(uri) });
  let id = 100;
  const send = (message: Outgoing): void => {
    // Through bytes, as on the line.
    const arrived = readMessage(writeMessage(message))!;
    if (!lose(arrived)) sent.push(arrived);
  };
  server = new CoapServer(send, () => id++, {
    request: (message) => {
      ran.push(message.uri);
      return handle(message);
    },
    observe: ({ uri }, tell) => {
      if (uri !== '/seen') return null;
      changed = tell;
      return () => {
        stopped++;
        changed = null;
      };
    },
  });
}

const message = (id: number, more: Partial<Outgoing> = {}): Message =>
  readMessage(writeMessage({ type: 'con', id, code: Method.Get, token: '0a', uri: '/x?a=1', ...more }))!;
const acknowledge = ({ id }: Message, type: 'ack' | 'rst' = 'ack'): void =>
  server.confirm(readMessage(writeMessage({ type, id }))!);

describe('requests of a device', () => {
  it('are answered in the acknowledgement, once', async () => {
    start();
    server.receive(message(1));
    await expect.poll(() => sent.length).toBe(1);
    expect(sent[0]).toMatchObject({ type: 'ack', id: 1, code: ResponseCode.Content, token: '0a' });
    expect(sent[0]!.payload.toString()).toBe('/x?a=1');
    server.receive(message(1));
    expect(sent).toHaveLength(2);
    expect(sent[1]).toEqual(sent[0]);
    expect(ran).toEqual(['/x?a=1']);
  });

  it('that take long are acknowledged first, and answered until the answer is taken', { timeout: 20_000 }, async () => {
    start();
    let finish: (answer: Answer) => void = () => undefined;
    handle = () => new Promise((resolve) => (finish = resolve));
    server.receive(message(2));
    await expect.poll(() => sent.length).toBe(1);
    expect(sent[0]).toMatchObject({ type: 'ack', id: 2, code: 0 });
    let lost = 0;
    lose = ({ type }) => type === 'con' && lost++ < 1;
    finish({ code: ResponseCode.Changed, payload: Buffer.alloc(0) });
    await expect.poll(() => sent.length, { timeout: 5000 }).toBe(2);
    expect(sent[1]).toMatchObject({ type: 'con', code: ResponseCode.Changed, token: '0a' });
    acknowledge(sent[1]!);
    server.receive(message(2));
    expect(ran).toHaveLength(1);
    expect(sent[2]).toMatchObject({ type: 'ack', id: 2, code: 0 });
  });

  it('that fail here are answered', async () => {
    start();
    handle = () => Promise.reject(new Error('broken'));
    server.receive(message(3));
    await expect.poll(() => sent[0]?.code).toBe(ResponseCode.InternalServerError);
  });
});

describe('observers on a device', () => {
  const watch = (id: number, observe: number, token = '0b'): Message => message(id, { uri: '/seen', observe, token });

  it('hear of changes, the newest last, until they leave', { timeout: 20_000 }, async () => {
    start();
    let value = 1;
    handle = async () => ({ code: ResponseCode.Content, payload: Buffer.from(String(value)) });
    server.receive(watch(1, 0));
    await expect.poll(() => sent.length).toBe(1);
    expect(sent[0]!.observe).not.toBeNull();
    // While one is on its way, several changes are one.
    value = 2;
    changed!();
    await expect.poll(() => sent.length).toBe(2);
    value = 3;
    changed!();
    value = 4;
    changed!();
    acknowledge(sent[1]!);
    await expect.poll(() => sent.length).toBe(3);
    acknowledge(sent[2]!);
    expect(sent.map(({ payload }) => payload.toString())).toEqual(['1', '2', '4']);
    expect(sent[2]!.observe! - sent[0]!.observe!).toBeGreaterThan(0);
    server.receive(watch(9, 1));
    expect(stopped).toBe(1);
    expect(changed).toBeNull();
  });

  it('are forgotten by a reset, an error, or a new start', { timeout: 20_000 }, async () => {
    start();
    server.receive(watch(1, 0));
    await expect.poll(() => sent.length).toBe(1);
    changed!();
    await expect.poll(() => sent.length).toBe(2);
    acknowledge(sent[1]!, 'rst');
    await expect.poll(() => stopped).toBe(1);
    server.receive(watch(2, 0));
    await expect.poll(() => sent.length).toBe(3);
    handle = async () => ({ code: ResponseCode.NotFound, payload: Buffer.alloc(0) });
    changed!();
    await expect.poll(() => sent.length).toBe(4);
    expect(sent[3]).toMatchObject({ code: ResponseCode.NotFound, observe: null });
    acknowledge(sent[3]!);
    await expect.poll(() => stopped).toBe(2);
    start();
    server.receive(watch(3, 0));
    await expect.poll(() => sent.length).toBe(1);
    server.forget();
    expect(stopped).toBe(1);
  });

  it('of what cannot be observed get the answer alone', async () => {
    start();
    server.receive(message(1, { observe: 0 }));
    await expect.poll(() => sent.length).toBe(1);
    expect(sent[0]).toMatchObject({ code: ResponseCode.Content, observe: null });
  });
});
