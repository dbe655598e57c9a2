// A simulated device behind an edge as stock CoAP clients see it: libcoap's and aiocoap's, none of which know of us. Skipped
// without them (Debian: libcoap3-bin; PyPI: aiocoap).
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startCoapGateway, type CoapGateway } from '../../edge/gateway/coap.js';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { buildDevice, handler, IMPORTS, prepareRuntime, word } from '../os/os-device.js';
import { Board } from './board.js';

const isThere = (command: string): boolean => spawnSync('sh', ['-c', `${command} --help`]).status !== 127;
const LIBCOAP = ['coap-client-notls', 'coap-client-openssl', 'coap-client-gnutls', 'coap-client'].find(isThere);
const AIOCOAP = ['aiocoap-client'].find((command) => spawnSync(command, ['--help'], { stdio: 'ignore' }).status === 0);
const run = promisify(execFile);

/** As much as a device answers at once. */
const LONG_BYTES = 1000;
const ADDRESS = 64;
const PATH = '/ticks';
const octets = (max: number) => ({ type: 'bytes' as const, max });

/** Counts calls of PUT, tells of a tick each 50 ms, gives more than a block. */
const meter = `${IMPORTS} (memory (export "memory") 1)
  (data (i32.const ${ADDRESS}) "${PATH}")
  (global $ticks (mut i32) (i32.const 0)) (global $puts (mut i32) (i32.const 0))
  (func (export "on_start") (drop (call $timer (i32.const 0) (i32.const 50) (i32.const 50))))
  (func (export "on_timer") (param i32)
    (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
    (drop (call $notify (i32.const ${ADDRESS}) (i32.const ${PATH.length}))))
  ${handler('ticks', `(i32.store (local.get $r) (global.get $ticks)) (i32.const ${word(2.05, 4)})`)}
  ${handler(
    'count',
    `(global.set $puts (i32.add (global.get $puts) (i32.const 1)))
    (i32.store (local.get $r) (global.get $puts)) (i32.const ${word(2.04, 4)})`,
  )}
  ${handler('echo', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}
  ${handler('long', `(memory.fill (local.get $r) (i32.const 120) (i32.const ${LONG_BYTES})) (i32.const ${word(2.05, LONG_BYTES)})`)}`;

let board: Board;
let edge: EdgeServer;
let gateway: CoapGateway;
let folder: string;
const urlOf = (path: string): string => `coap://127.0.0.1:${gateway.port}/${path}`;

/** What libcoap's client prints: the payload, or the code of an error. */
async function libcoap(...args: string[]): Promise<Buffer> {
  const { stdout, stderr } = await run(LIBCOAP!, ['-v', '3', ...args], { encoding: 'buffer', timeout: 60_000 });
  return Buffer.concat([stdout, stderr]);
}

beforeAll(async () => {
  if (LIBCOAP === undefined && AIOCOAP === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'stock-clients-'));
  await prepareRuntime();
  const { image } = await buildDevice(
    [
      {
        name: 'meter',
        wat: meter,
        provides: [
          { method: 'GET', path: PATH, handler: 'ticks', observable: true, contract: { response: octets(4) } },
          { method: 'PUT', path: '/count', handler: 'count', contract: { request: octets(16), response: octets(4) } },
          {
            method: 'POST',
            path: '/echo',
            handler: 'echo',
            contract: { request: octets(1024), response: octets(1024) },
          },
          { method: 'GET', path: '/long', handler: 'long', contract: { response: octets(LONG_BYTES) } },
        ],
      },
    ],
    { name: 'porch' },
  );
  edge = new EdgeServer({ name: 'a', dataDirectory: null, httpPort: null, coapPort: null });
  await edge.start();
  const { router } = edge;
  gateway = await startCoapGateway({
    router,
    observe: (...of) => router.observe(...of),
    port: 0,
    role: () => 'caller',
  });
  board = new Board(image);
  edge.attach({ name: 'porch', thing: 'porch', address: 'simulated', open: board.open, firmware: null, key: null });
  await vi.waitFor(() => expect(router.find('porch', PATH, 1)).not.toBeNull(), { timeout: 60_000 });
}, 180_000);
afterAll(async () => {
  if (LIBCOAP === undefined && AIOCOAP === undefined) return;
  gateway.close();
  await edge.close();
  board.stop();
  rmSync(folder, { recursive: true });
});

describe.skipIf(LIBCOAP === undefined)("libcoap's client", { timeout: 120_000 }, () => {
  it('lists the services of a device', async () => {
    const links = (await libcoap(urlOf('.well-known/core'))).toString();
    for (const path of ['ticks', 'count', 'echo', 'long', 'dev/clock', 'sys/modules'])
      expect(links).toContain(`</things/porch/${path}>`);
    expect(/<\/things\/porch\/ticks>[^,]*;obs/.test(links)).toBe(true);
  });

  it('calls them, in blocks where they are long', async () => {
    expect(await libcoap('-m', 'post', '-e', 'hello', urlOf('things/porch/echo'))).toEqual(Buffer.from('hello\n'));
    const file = join(folder, 'payload');
    writeFileSync(file, 'abcdefgh'.repeat(125));
    const echoed = await libcoap('-m', 'post', '-b', '64', '-f', file, urlOf('things/porch/echo'));
    expect(echoed.toString().trimEnd()).toBe('abcdefgh'.repeat(125));
    const long = await libcoap('-b', '256', urlOf('things/porch/long'));
    expect(long.toString().trimEnd()).toBe('x'.repeat(LONG_BYTES));
    expect((await libcoap(urlOf('things/porch/nothing'))).toString()).toContain('4.04');
    expect((await libcoap('-m', 'put', '-e', '12345678901234567', urlOf('things/porch/count'))).toString()).toContain(
      '4.13',
    );
  });

  it('has a request run once although its first datagrams are lost', async () => {
    const before = (await libcoap('-m', 'put', urlOf('things/porch/count'))).readUInt32LE();
    for (const [i, lost] of ['1', '1-2', '2'].entries()) {
      const answer = await libcoap('-l', lost, '-B', '50', '-m', 'put', urlOf('things/porch/count'));
      expect(answer.readUInt32LE()).toBe(before + i + 1);
    }
  });

  it('observes a service of the device', async () => {
    const client = spawn(LIBCOAP!, ['-s', '60', urlOf('things/porch/ticks')], { stdio: ['ignore', 'pipe', 'ignore'] });
    const seen: Buffer[] = [];
    client.stdout.on('data', (chunk: Buffer) => seen.push(chunk));
    // Four bytes for each representation, as they come.
    const values = (): number[] => {
      const bytes = Buffer.concat(seen);
      return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readUInt32LE(4 * i));
    };
    await vi.waitFor(() => expect(values().length).toBeGreaterThan(5), { timeout: 60_000 });
    client.kill();
    const all = values();
    expect(all.every((value, i) => i === 0 || value > all[i - 1]!)).toBe(true);
  });
});

describe.skipIf(AIOCOAP === undefined)("aiocoap's client", { timeout: 120_000 }, () => {
  it('lists and calls the services of a device', async () => {
    const get = async (path: string): Promise<string> => (await run(AIOCOAP!, [urlOf(path)])).stdout;
    expect(await get('.well-known/core')).toContain('</things/porch/ticks>');
    expect((await get('things/porch/long')).trimEnd()).toBe('x'.repeat(LONG_BYTES));
    const echo = await run(AIOCOAP!, ['-m', 'POST', '--payload', 'hello', urlOf('things/porch/echo')]);
    expect(echo.stdout.trimEnd()).toBe('hello');
  });
});
