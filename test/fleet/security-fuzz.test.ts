// An edge under fire from its three sides: HTTP requests, CoAP datagrams and frames of a device's line, mutated from good
// ones. Nothing ends the process (vitest fails on what nobody catches), memory stays bounded, and the next good request is
// answered. SECURITY_FUZZ=100000 for a long run, FUZZ_SEED for another one.
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { generate, parse, type Packet, type ParsedPacket } from 'coap-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import { DeviceLink } from '../../edge/device/device-link.js';
import { startCoapGateway, type CoapGateway } from '../../edge/gateway/coap.js';
import { Security } from '../../edge/security/security.js';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { assemble, modelsOf } from '../../edge/test-support/edge.js';
import { embedManifest } from '../../manifest/section.js';
import { decode, frame } from './device-link.js';
import { xorshift32 } from '../support/random.js';

const INPUTS = Number(process.env['SECURITY_FUZZ'] ?? 10_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const PATIENCE = { timeout: 60_000 + INPUTS * 10 };
/** What the heap may have grown by after a run and a collection; caches of libraries are filled by then. */
const MOST_GROWTH_BYTES = 48 * 1024 * 1024;

type Random = ReturnType<typeof xorshift32>;

/** Between one and four changes; `words` are put in as they are. */
function mutate(good: Uint8Array, random: Random, words: readonly Uint8Array[]): Buffer {
  let bytes = [...good];
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(Math.max(1, bytes.length));
    const change = random(7);
    if (change === 0) bytes[at] = random(256);
    else if (change === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    else if (change === 2) bytes.splice(at, random(8));
    else if (change === 3) bytes.splice(at, 0, ...Array.from({ length: random(24) }, () => random(256)));
    else if (change === 4) bytes.splice(at, 0, ...words[random(words.length)]!);
    else if (change === 5) bytes = bytes.slice(0, at);
    else bytes.splice(at, 0, ...bytes.slice(random(bytes.length || 1)).slice(0, random(400)));
  }
  return Buffer.from(bytes);
}

/** Behind each HTTP request: makes headers and bodies whole that were cut, so that they are answered. */
const REST = Buffer.from(`\r\n\r\n${'GET /none HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(8)}`);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function heap(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
async function boundedGrowth(run: () => Promise<void>): Promise<void> {
  const before = heap();
  await run();
  expect(heap() - before).toBeLessThan(MOST_GROWTH_BYTES);
}

const value = { type: 'record', fields: [{ name: 'sum', type: 'u32' }] } as const;
const counter = {
  name: 'counter',
  provides: [
    {
      method: 'POST',
      path: '/count',
      handler: 'count',
      contract: { response: 'value', request: { type: 'bytes', max: 4096 } },
    },
    { method: 'GET', path: '/sum/{id}', handler: 'sum', observable: true, contract: { response: 'value' } },
  ],
  wat: `(module (memory (export "memory") 1) (global $sum (mut i32) (i32.const 0))
    (func (export "count") (param i32 i32 i32 i32) (result i32)
      (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
      (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004))
    (func (export "sum") (param i32 i32 i32 i32) (result i32)
      (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004)))`,
} as const;

let edge: EdgeServer;
let coap: CoapGateway;
let token: string;
const reports: unknown[] = [];
beforeAll(async () => {
  const security = await Security.open({ name: 'fuzz', dataDirectory: null });
  token = security.tokens.add('fuzz', 'caller', null).token;
  const report = (error: unknown): void => void reports.push((error as Error).stack);
  edge = new EdgeServer({ name: 'fuzz', dataDirectory: null, httpPort: 0, coapPort: null, security, report });
  await edge.start();
  const [model] = modelsOf([counter], { value });
  await edge.deploy({ thing: 'home', wasm: embedManifest(await assemble(counter.wat), model!.travelling) });
  const { router } = edge;
  coap = await startCoapGateway({
    router,
    observe: (...of) => router.observe(...of),
    port: 0,
    role: () => 'caller',
    limits: { rate: 1e6, burst: 1e6 },
  });
}, 60_000);
afterAll(async () => {
  coap.close();
  await edge.close();
});

describe('an edge under fire', () => {
  it('by HTTP', PATIENCE, async () => {
    const random = xorshift32(SEED * 2654435761 || 1);
    const { port } = new URL(edge.url!);
    const request = (method: string, url: string, headers: readonly string[] = [], body = ''): Buffer => {
      const length = body === '' ? [] : [`content-length: ${body.length}`];
      const all = [`${method} ${url} HTTP/1.1`, `host: 127.0.0.1:${port}`, ...headers, ...length, '', body];
      return Buffer.from(all.join('\r\n'));
    };
    const known = `authorization: Bearer ${token}`;
    const json = 'content-type: application/json';
    const boundary = 'content-type: multipart/form-data; boundary=b';
    const seeds = [
      request('GET', '/things/home/sum/1?x=1', [known]),
      request('GET', '/things/home/sum/1', [known, 'accept: text/event-stream']),
      request('POST', '/things/home/count', [known, json], '"aGVsbG8="'),
      request('POST', '/things/home/count', [known, 'content-type: application/octet-stream'], 'x'.repeat(300)),
      request('GET', '/openapi.json', [known]),
      request('GET', '/api/events?types=log,fault&since=3', [known, 'last-event-id: 7']),
      request('GET', '/api/places/edge:fuzz', [known]),
      request(
        'PUT',
        '/api/things/home/modules?place=edge:fuzz&dry=1',
        ['content-type: application/wasm'],
        '\0asm\x01\0\0\0',
      ),
      request(
        'PUT',
        '/api/things/home/modules',
        [boundary],
        '--b\r\ncontent-disposition: form-data; name="wasm"\r\n\r\nx\r\n--b--',
      ),
      request('POST', '/api/things/home/modules/none/move', [known, json], '{"to":"device:none"}'),
      request('POST', '/api/session', [json], `{"token":"${token}"}`),
      request('GET', '/api/whoami', [`cookie: thingspire-${port}=abc; other="x"`]),
      request('GET', '/page/app.js', ['if-none-match: W/"1"', 'range: bytes=0-10']),
    ];
    const words = [
      '%00',
      '%2e%2e/',
      '//',
      '..',
      '\r\n',
      '\r\n\r\n',
      '{"__proto__":',
      '[[[[',
      '\xff\xfe',
      '*',
      '0x',
      '-1',
    ];
    words.push('content-length: 99999999999\r\n', 'transfer-encoding: chunked\r\n', 'expect: 100-continue\r\n');
    words.push(
      'upgrade: websocket\r\nconnection: upgrade\r\n',
      'host: evil.example\r\n',
      '9'.repeat(400),
      'a'.repeat(20_000),
    );
    const dictionary = words.map((word) => Buffer.from(word, 'latin1'));
    const good = async (): Promise<void> => {
      const answer = await fetch(`${edge.url}/things/home/sum/1`, { headers: { authorization: `Bearer ${token}` } });
      expect([answer.status, Object.keys((await answer.json()) as object)]).toEqual([200, ['sum']]);
    };
    const shoot = (bytes: Buffer): Promise<string> =>
      new Promise((resolve) => {
        let answer = '';
        const socket = connect(Number(port), '127.0.0.1', () => socket.write(Buffer.concat([bytes, REST])));
        const end = (): void => void socket.destroy();
        // For the few that are still not whole.
        const late = setTimeout(end, 5_000);
        socket.on('data', (data) => {
          answer += data.toString('latin1');
          end();
        });
        socket.on('error', () => undefined);
        socket.on('close', () => {
          clearTimeout(late);
          resolve(answer);
        });
      });
    const codes = new Map<string, number>();
    await boundedGrowth(async () => {
      for (let done = 0; done < INPUTS / 4; done += 50) {
        const answers = await Promise.all(
          Array.from({ length: 50 }, () => shoot(mutate(seeds[random(seeds.length)]!, random, dictionary))),
        );
        for (const answer of answers) {
          const code = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 'none';
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }
        if (done % 500 === 0) await good();
      }
    });
    await good();
    // It has seen all sides of the server; no answer was a fault of ours.
    expect([...codes.keys()]).toEqual(expect.arrayContaining(['200', '400', '401', '404']));
    expect([codes.get('500') ?? 0, reports]).toEqual([0, []]);
  });

  const option = (name: string, ...bytes: number[]) => ({ name, value: Buffer.from(bytes) });
  const path = (text: string) => text.split('/').map((part) => ({ name: 'Uri-Path', value: Buffer.from(part) }));
  const messages: readonly Packet[] = [
    { code: '0.01', options: path('.well-known/core') },
    { code: '0.01', options: [...path('things/home/sum/1'), option('Observe')] },
    { code: '0.01', options: [...path('things/home/sum/1'), option('Observe', 1)] },
    { code: '0.01', options: [...path('things/home/sum/1'), option('Block2', 0x12)] },
    { code: '0.02', options: [...path('things/home/count'), option('65000', 0x61)], payload: Buffer.alloc(40, 7) },
    { code: '0.02', options: [...path('things/home/count'), option('Block1', 0x08)], payload: Buffer.alloc(16, 7) },
    { code: '0.02', options: [...path('things/home/count'), option('Block1', 0x12)], payload: Buffer.alloc(9, 7) },
    { code: '0.03', options: [...path('things/none'), option('If-None-Match')], confirmable: false },
    { code: '0.05', options: [...path('things/home/count'), option('Proxy-Uri', 0x63)] },
    { code: '2.05', payload: Buffer.from('x') },
    { code: '0.00', reset: true },
    { code: '0.00', confirmable: true },
  ];
  const dictionary = [[0xff], [0xc0], [0xdd, 0xff], [0xe0, 0xff, 0xff], [0x60], [0xd3, 0x0e, 0xff, 0xff, 0xf6]];
  const words = dictionary.map((bytes) => Buffer.from(bytes));
  function message(random: Random): Buffer {
    const messageId = random(65_536);
    const bytes = Buffer.from(
      generate({
        confirmable: true,
        token: Buffer.from([random(256), random(4)]),
        messageId,
        ...messages[random(messages.length)],
      }),
    );
    return random(8) === 0 ? bytes : mutate(bytes, random, words);
  }

  it('by CoAP over UDP', PATIENCE, async () => {
    const random = xorshift32((SEED + 1) * 2654435761 || 1);
    const socket = createSocket('udp4');
    let last: ParsedPacket | null = null;
    socket.on('message', (bytes) => {
      const packet = parse(bytes);
      if (packet.token.toString() === 'good') last = packet;
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const send = (bytes: Buffer): Promise<void> =>
      new Promise((resolve) => socket.send(bytes, coap.port, '127.0.0.1', () => resolve()));
    const good = async (messageId: number): Promise<void> => {
      last = null;
      const bytes = generate({
        code: '0.01',
        confirmable: true,
        messageId,
        token: Buffer.from('good'),
        options: path('things/home/sum/1'),
      });
      // Datagrams may be lost under load, even here.
      await expect
        .poll(async () => (last === null ? (await send(bytes), null) : last.code), { timeout: 20_000, interval: 100 })
        .toBe('2.05');
    };
    await boundedGrowth(async () => {
      for (let done = 0; done < INPUTS / 2; done++) {
        await send(message(random));
        if (done % 1000 === 0) await good((done / 1000) % 65_536);
      }
    });
    await good(65_535);
    socket.close();
    const { taken, answered, dropped } = coap.counts;
    expect(Math.min(taken, answered, dropped)).toBeGreaterThan(INPUTS / 100);
  });

  it('by a device', PATIENCE, async () => {
    const random = xorshift32((SEED + 2) * 2654435761 || 1);
    let asked = 0;
    const sent: Buffer[] = [];
    const callers = new Set<string>();
    /** A line of its own, and with it requests that its rate allows. */
    const begin = (): { readonly stream: Duplex; readonly link: DeviceLink } => {
      const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
        sent.push(chunk);
        done();
      };
      const stream = new Duplex({ read: () => undefined, write });
      const link = new DeviceLink('device:bad', stream, {
        console: () => undefined,
        closed: () => undefined,
        observe: () => () => undefined,
        request: async (_thing, request) => {
          asked++;
          callers.add(request.caller);
          return { code: ResponseCode.Content, payload: Buffer.alloc(random(2000)) };
        },
      });
      return { stream, link };
    };
    let { stream, link } = begin();
    const caller = { name: '65000', value: Buffer.from('sensor') };
    await boundedGrowth(async () => {
      for (let done = 0; done < INPUTS / 4; done++) {
        const good = messages[random(messages.length)]!;
        const options = [...(good.options ?? []), ...(good.code === '0.00' ? [] : [caller])];
        const bytes = generate({ confirmable: random(2) === 0, ...good, options, messageId: random(65_536) });
        stream.push(frame(mutate(bytes, random, words)));
        if (done % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        if (done % 2000 === 1999) {
          link.close();
          ({ stream, link } = begin());
        }
        if (sent.length > 1000) sent.length = 0;
      }
    });
    expect(asked).toBeGreaterThan(INPUTS / 100);
    // Whatever the device says, it is modules of its own thing that speak.
    expect([...callers].filter((name) => !/^[a-z][a-z0-9-]*@bad$/.test(name))).toEqual([]);
    // A broken frame takes the next one with it; what is repeated is answered again.
    sent.length = 0;
    const answering = setInterval(() => {
      for (const bytes of decode(Buffer.concat(sent.splice(0))).messages) {
        const { code, messageId, token: of } = parse(Buffer.from(bytes));
        if (code === '0.01') stream.push(frame(generate({ code: '2.05', ack: true, messageId, token: of })));
      }
    }, 10);
    const answer = await link.send({ method: 1, uri: '/x', payload: Buffer.alloc(0) });
    clearInterval(answering);
    expect(answer.code).toBe(ResponseCode.Content);
    link.close();
  });
});
