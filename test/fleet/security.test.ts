// Who may call what, over the whole chain: people and programs over HTTP and CoAP, modules of a real (simulated) device,
// modules of edges, and a device that lies.
import { createSocket } from 'node:dgram';
import { Duplex } from 'node:stream';
import { generate, parse } from 'coap-packet';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DeviceLink } from '../../edge/device/device-link.js';
import { startCoapGateway, type CoapGateway } from '../../edge/gateway/coap.js';
import { Security } from '../../edge/security/security.js';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { assemble, modelsOf, type TestModule } from '../../edge/test-support/edge.js';
import { embedManifest } from '../../manifest/section.js';
import { buildDevice, handler, IMPORTS, prepareRuntime, word } from '../os/os-device.js';
import { Board } from './board.js';
import { decode, frame } from './device-link.js';

const text = { type: 'utf8', max: 64 } as const;
/** Answers with the name of its caller, as the service sees it. */
const whoHandler = (name: string): string =>
  handler(name, `(i32.or (i32.const ${word(2.05) | 0}) (call $caller (local.get $r) (local.get $c)))`);
/** Requests requirement `number` and answers with what it gets. */
const askHandler = (name: string, number: number): string =>
  handler(name, `(call $call (i32.const ${number}) (local.get $p) (i32.const 0) (local.get $r) (local.get $c))`);
const service = (path: string, callers?: readonly string[]) => ({
  method: 'PUT' as const,
  path: `/${path}`,
  handler: path,
  contract: { response: text, deadline: '500ms', ...(callers === undefined ? {} : { callers }) },
});
const outside = (path: string) => ({ path, methods: ['PUT' as const], timeout: '5s', external: true });
const MEMORY = '(memory (export "memory") 1)';

const device = [
  {
    name: 'lamp',
    wat: `${IMPORTS} ${MEMORY} ${['who', 'switch', 'guarded', 'all'].map(whoHandler).join(' ')}`,
    provides: [
      service('who'),
      service('switch', ['user:anna', 'key@house', 'asker']),
      service('guarded', ['asker@nowhere']),
      service('all', ['user:*']),
    ],
  },
  {
    name: 'asker',
    wat: `${IMPORTS} ${MEMORY} ${askHandler('ask', 0)} ${askHandler('intrude', 1)}`,
    provides: [service('ask'), service('intrude')].map((entry) => ({
      ...entry,
      contract: { ...entry.contract, deadline: '7s' },
    })),
    requires: [
      { path: '//house/lock', methods: ['PUT' as const], timeout: '5s' },
      { path: '//house/safe', methods: ['PUT' as const], timeout: '5s' },
    ],
  },
];
const house: readonly TestModule[] = [
  {
    name: 'lock',
    wat: `(module ${IMPORTS} ${MEMORY} ${['lock', 'safe', 'door'].map(whoHandler).join(' ')})`,
    provides: [
      service('lock', ['asker@porch']),
      service('safe', ['asker', 'lamp@porch', 'user:anna']),
      service('door'),
    ],
  },
  {
    name: 'key',
    wat: `(module ${IMPORTS} ${MEMORY} ${askHandler('go', 0)})`,
    provides: [{ ...service('go'), contract: { response: text, deadline: '7s' } }],
    requires: [outside('//porch/switch')],
  },
  {
    name: 'thief',
    wat: `(module ${IMPORTS} ${MEMORY} ${askHandler('steal', 0)})`,
    provides: [{ ...service('steal'), contract: { response: text, deadline: '7s' } }],
    requires: [outside('//porch/switch')],
  },
];

let edge: EdgeServer;
let board: Board;
let coap: CoapGateway;
const tokens = new Map<string, string>();

beforeAll(async () => {
  await prepareRuntime();
  const { image } = await buildDevice(device as never, { name: 'porch' });
  const security = await Security.open({ name: 'a', dataDirectory: null });
  for (const name of ['anna', 'eve']) tokens.set(name, security.tokens.add(name, 'caller', null).token);
  edge = new EdgeServer({ name: 'a', dataDirectory: null, httpPort: 0, coapPort: null, security });
  await edge.start();
  const { router } = edge;
  coap = await startCoapGateway({ router, observe: (...of) => router.observe(...of), port: 0, role: () => 'caller' });
  for (const [i, model] of modelsOf(house).entries())
    await edge.deploy({ thing: 'house', wasm: embedManifest(await assemble(house[i]!.wat), model.travelling) });
  board = new Board(image);
  edge.attach({ name: 'porch', thing: 'porch', address: 'simulated', open: board.open, firmware: null, key: null });
  await vi.waitFor(() => expect(router.find('porch', '/switch', 3)).not.toBeNull(), { timeout: 60_000 });
}, 180_000);
afterAll(async () => {
  coap.close();
  await edge.close();
  board.stop();
});

/** Code and text of a request by HTTP. */
async function http(name: string, path: string, more: Record<string, string> = {}): Promise<readonly [string, string]> {
  const headers = { authorization: `Bearer ${tokens.get(name)}`, ...more };
  const answer = await fetch(`${edge.url}/things/${path}`, { method: 'PUT', headers });
  const body = await answer.text();
  return [answer.headers.get('x-coap-code') ?? String(answer.status), answer.ok ? body : ''];
}
const OK = '2.05';
const FORBIDDEN = ['4.03', ''] as const;

describe('callers of a contract', { timeout: 60_000 }, () => {
  it('are who has the token, from HTTP to a device', async () => {
    expect(await http('anna', 'porch/switch')).toEqual([OK, 'user:anna']);
    expect(await http('eve', 'porch/switch')).toEqual(FORBIDDEN);
    expect([await http('anna', 'porch/guarded'), await http('eve', 'porch/guarded')]).toEqual([FORBIDDEN, FORBIDDEN]);
    expect([await http('anna', 'porch/all'), await http('eve', 'porch/all')]).toEqual([
      [OK, 'user:anna'],
      [OK, 'user:eve'],
    ]);
    const forged = { 'x-caller': 'user:anna', 'x-forwarded-user': 'anna', cookie: 'caller=user:anna' };
    expect(await http('eve', 'porch/who', forged)).toEqual([OK, 'user:eve']);
    expect((await fetch(`${edge.url}/things/porch/who`, { method: 'PUT' })).status).toBe(401);
  });

  it('are modules of other things by both names, from edge to device and from device to edge', async () => {
    expect(await http('anna', 'house/go')).toEqual([OK, 'key@house']);
    expect(await http('anna', 'house/steal')).toEqual(FORBIDDEN);
    expect(await http('anna', 'porch/ask')).toEqual([OK, 'asker@porch']);
    // "asker" in house's contract would be a module of house.
    expect(await http('anna', 'porch/intrude')).toEqual(FORBIDDEN);
    expect(await http('anna', 'house/safe')).toEqual([OK, 'user:anna']);
    expect(await http('anna', 'house/lock')).toEqual(FORBIDDEN);
  });

  it('are not what a CoAP client says', async () => {
    const socket = createSocket('udp4');
    const ask = async (path: string, caller: string, messageId: number): Promise<readonly [string, string]> => {
      const options = [...path.split('/').map((part) => ['Uri-Path', part] as const), ['65000', caller] as const];
      const bytes = generate({
        code: '0.03',
        confirmable: true,
        messageId,
        token: Buffer.of(messageId),
        options: options.map(([name, value]) => ({ name, value: Buffer.from(value) })),
      });
      const answer = await new Promise<Buffer>((resolve) => {
        socket.on('message', (message) => {
          const { code, token } = parse(message);
          if (code !== '0.00' && token.equals(Buffer.of(messageId))) resolve(message);
        });
        socket.send(bytes, coap.port, '127.0.0.1');
      });
      const { code, payload } = parse(answer);
      return [code, payload.toString()];
    };
    expect(await ask('things/porch/who', 'user:anna', 1)).toEqual([OK, 'coap']);
    expect(await ask('things/porch/switch', 'user:anna', 2)).toEqual(FORBIDDEN);
    expect(await ask('things/porch/switch', 'asker', 3)).toEqual(FORBIDDEN);
    expect(await ask('things/house/lock', 'asker@porch', 4)).toEqual(FORBIDDEN);
    socket.close();
  });

  it('are modules of its own thing, whatever a device says', async () => {
    const sent: Buffer[] = [];
    const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
      sent.push(chunk);
      done();
    };
    const stream = new Duplex({ read: () => undefined, write });
    const link = new DeviceLink('device:porch', stream, {
      console: () => undefined,
      closed: () => undefined,
      request: (thing, request) => edge.router.request(thing ?? 'porch', request),
    });
    let messageId = 100;
    const say = async (caller: string | null, host: string, path: string): Promise<readonly [string, string]> => {
      const id = messageId++;
      const options = [
        { name: 'Uri-Host', value: Buffer.from(host) },
        { name: 'Uri-Path', value: Buffer.from(path) },
        ...(caller === null ? [] : [{ name: '65000', value: Buffer.from(caller) }]),
      ];
      const bytes = generate({ code: '0.03', confirmable: true, messageId: id, token: Buffer.of(id), options });
      stream.push(frame(bytes));
      const answers = () =>
        decode(Buffer.concat(sent))
          .messages.map((message) => parse(Buffer.from(message)))
          .find(({ code, token }) => code !== '0.00' && token.equals(Buffer.of(id)));
      await expect.poll(answers, { timeout: 20_000 }).toBeDefined();
      const { code, payload } = answers()!;
      return [code, payload.toString()];
    };
    for (const lie of ['user:anna', 'user:anna@porch', 'key@house', 'lock@house', 'asker@porch@house', '', 'A', null])
      expect([lie, await say(lie, 'house', 'door')]).toEqual([lie, FORBIDDEN]);
    expect(await say('asker', 'house', 'door')).toEqual([OK, 'asker@porch']);
    expect(await say('lock', 'house', 'door')).toEqual([OK, 'lock@porch']);
    expect(await say('key@porch', 'porch', 'switch')).toEqual(FORBIDDEN);
    link.close();
  });
});
