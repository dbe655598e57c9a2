// A device link against the `coap` library's server behind a slipmux stream: calls, observing, a lossy line.
import { createServer, type IncomingMessage, type OutgoingMessage, type Server } from 'coap';
import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createConnection, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceLink } from './device-link.js';
import { encodeCoapFrame, SlipmuxDecoder } from './slipmux.js';

const BIG = Buffer.from(Array.from({ length: 5000 }, (_, i) => i * 7 + (i >> 8)));
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A TCP server that is a device: slipmux in front of a CoAP server; every `lose`-th frame is damaged. */
class FakeDevice {
  private coap!: Server;
  private tcp!: TcpServer;
  readonly observers: OutgoingMessage[] = [];
  private frames = 0;

  constructor(private readonly lose: number) {}

  async start(): Promise<number> {
    this.coap = createServer((request: IncomingMessage, response: OutgoingMessage) => {
      if (request.headers['Observe'] === 0) {
        response.code = '2.05';
        response.write('0');
        this.observers.push(response);
      } else if (request.url === '/big') {
        response.code = '2.05';
        response.end(BIG);
      } else if (request.url.startsWith('/echo')) {
        response.code = request.method === 'PUT' ? '2.04' : '2.05';
        response.end(request.method === 'PUT' ? sha(request.payload) : request.url);
      } else {
        response.code = '4.04';
        response.end();
      }
    });
    const bound = createSocket('udp4');
    await new Promise<void>((resolve) => bound.bind(0, '127.0.0.1', resolve));
    const { port } = bound.address();
    this.coap.listen(bound);
    this.tcp = createTcpServer((socket) => {
      const udp: Socket = createSocket('udp4');
      const decoder = new SlipmuxDecoder({
        coap: (message) => udp.send(message, port, '127.0.0.1'),
        console: () => undefined,
      });
      socket.write('booting\n');
      socket.on('data', (chunk: Buffer) => decoder.push(chunk));
      udp.on('message', (message) => {
        const frame = encodeCoapFrame(message);
        if (this.lose > 0 && ++this.frames % this.lose === 0) frame[3]! ^= 4;
        socket.write(frame);
      });
      socket.on('close', () => udp.close());
    });
    return new Promise((resolve) =>
      this.tcp.listen(0, '127.0.0.1', () => resolve((this.tcp.address() as { port: number }).port)),
    );
  }

  stop(): void {
    this.coap.close();
    this.tcp.close();
  }
}

/** Two ends of a byte stream. */
function streamPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [0, 1].map(
    (end) =>
      new Duplex({
        read: () => undefined,
        write: (chunk: Buffer, _encoding, done) => {
          ends[1 - end]!.push(chunk);
          done();
        },
      }),
  );
  return [ends[0]!, ends[1]!];
}

let device: FakeDevice;
let link: DeviceLink;
afterEach(() => {
  link.close();
  device.stop();
});

async function connect(lose = 0): Promise<{ text: () => string }> {
  device = new FakeDevice(lose);
  const port = await device.start();
  let text = '';
  const stream = createConnection({ port, host: '127.0.0.1' });
  link = new DeviceLink('device:d', stream, {
    console: (bytes) => (text += Buffer.from(bytes).toString()),
    closed: () => undefined,
  });
  return { text: () => text };
}
const get = (uri: string) => link.send({ method: 1, uri, payload: new Uint8Array(0) });

/** A bare CoAP request on the device's side of the line. */
const request = (id: number): Uint8Array =>
  // GET coap://other/lamp?x=1 with option 65000 "mod", token 7
  Uint8Array.from([
    0x41,
    1,
    id >> 8,
    id & 255,
    7,
    0x35,
    ...Buffer.from('other'),
    0x84,
    ...Buffer.from('lamp'),
    0x43,
    ...Buffer.from('x=1'),
    0xe3,
    0xfc,
    0xcc,
    ...Buffer.from('mod'),
  ]);

describe('DeviceLink', { timeout: 30_000 }, () => {
  it('asks and hears', async () => {
    const { text } = await connect();
    expect((await get('/echo/1?a=b')).payload.toString()).toBe('/echo/1?a=b');
    expect((await get('/none')).code).toBe(0x84);
    expect((await link.send({ method: 3, uri: '/echo', payload: BIG })).payload.toString()).toBe(sha(BIG));
    expect((await get('/big')).payload.equals(BIG)).toBe(true);
    expect(text()).toBe('booting\n');
  });

  it('observes', async () => {
    await connect();
    const seen: string[] = [];
    const stop = await link.follow('/watch', ({ payload }) => seen.push(payload.toString()));
    for (const value of ['1', '2']) device.observers[0]!.write(value);
    await expect.poll(() => seen.at(-1), { timeout: 5000 }).toBe('2');
    stop!();
  });

  it('serves the device', async () => {
    const heard: unknown[] = [];
    const answers: string[] = [];
    const [ours, theirs] = streamPair();
    device = new FakeDevice(0);
    await device.start();
    link = new DeviceLink('device:d', ours, {
      console: () => undefined,
      closed: () => undefined,
      request: async (thing, { uri, caller, method }) => {
        heard.push({ thing, uri, caller, method });
        return { code: 0x45, payload: Buffer.from('on') };
      },
    });
    const decoder = new SlipmuxDecoder({
      coap: (message) => answers.push(Buffer.from(message).toString('latin1')),
      console: () => undefined,
    });
    theirs.on('data', (chunk: Buffer) => decoder.push(chunk));
    theirs.write(encodeCoapFrame(request(300)));
    await expect.poll(() => answers.length).toBe(1);
    expect(answers[0]).toBe('\x61\x45\x01\x2c\x07\xffon');
    expect(heard).toEqual([{ thing: 'other', uri: '/lamp?x=1', caller: 'mod@d', method: 1 }]);
    // A repetition is answered and not run again.
    theirs.write(encodeCoapFrame(request(300)));
    await expect.poll(() => answers.length).toBe(2);
    expect(heard.length).toBe(1);
  });

  it('repeats what a bad line has lost', async () => {
    await connect(3);
    for (let i = 0; i < 4; i++) expect((await get(`/echo/${i}`)).payload.toString()).toBe(`/echo/${i}`);
    expect((await get('/big')).payload.equals(BIG)).toBe(true);
    expect((await link.send({ method: 3, uri: '/echo', payload: BIG })).payload.toString()).toBe(sha(BIG));
    expect(link.counts.bad).toBeGreaterThan(0);
  });
});
