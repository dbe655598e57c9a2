// An edge as tools see it: deploying over HTTP, what survives a restart, refusals.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { embedManifest } from '../../manifest/section.js';
import { assemble, modelsOf } from '../test-support/edge.js';
import { EdgeServer } from './edge-server.js';

const counter = (step: number) =>
  ({
    name: 'counter',
    version: `${step}.0.0`,
    provides: [{ method: 'POST', path: '/count', handler: 'count', contract: { response: 'value' } }],
    wat: `(module (memory (export "memory") 1) (global $sum (mut i32) (i32.const 0))
      (func (export "count") (param i32 i32 i32 i32) (result i32)
        (global.set $sum (i32.add (global.get $sum) (i32.const ${step})))
        (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004)))`,
  }) as const;
const value = { type: 'record', fields: [{ name: 'sum', type: 'u32' }] } as const;

let folder: string | null = null;
let server: EdgeServer | null = null;
afterEach(async () => {
  await server?.close();
  server = null;
  if (folder !== null) rmSync(folder, { recursive: true });
  folder = null;
});

async function start(): Promise<string> {
  folder ??= mkdtempSync(join(tmpdir(), 'edge-'));
  server = new EdgeServer({ name: 'test', dataDirectory: folder, httpPort: 0, coapPort: null });
  await server.start();
  return server.url!;
}
async function packageOf(step: number): Promise<Uint8Array> {
  const module = counter(step);
  const [model] = modelsOf([module], { value });
  return embedManifest(await assemble(module.wat), model!.travelling);
}
const put = (url: string, body: Uint8Array) =>
  fetch(`${url}/api/things/home/modules`, {
    method: 'PUT',
    body: body as BodyInit,
    headers: { 'content-type': 'application/wasm' },
  });
const count = async (url: string): Promise<unknown> =>
  (await fetch(`${url}/things/home/count`, { method: 'POST' })).json();

describe('EdgeServer', { timeout: 60_000 }, () => {
  it('deploys, replaces and removes modules, and has them again after a restart', async () => {
    let url = await start();
    expect(await (await put(url, await packageOf(1))).json()).toMatchObject({
      thing: 'home',
      place: 'edge:test',
      epoch: 1,
    });
    expect([await count(url), await count(url)]).toEqual([{ sum: 1 }, { sum: 2 }]);
    expect(await (await put(url, await packageOf(5))).json()).toMatchObject({ version: '5.0.0', epoch: 2 });
    expect(await count(url)).toEqual({ sum: 5 });
    await server!.close();
    url = await start();
    // It goes on where it was.
    expect(await count(url)).toEqual({ sum: 10 });
    await vi.waitFor(async () => {
      const { modules } = (await (await fetch(`${url}/api/fleet`)).json()) as { modules: unknown[] };
      expect(modules).toMatchObject([
        { thing: 'home', module: 'counter', version: '5.0.0', stats: { state: 'running', calls: 1 } },
      ]);
    }, 20_000);
    const remove = () => fetch(`${url}/api/things/home/modules/counter`, { method: 'DELETE' });
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 404]);
    expect(await count(url)).toMatchObject({ status: 404 });
    await server!.close();
    url = await start();
    expect(await (await fetch(`${url}/api/fleet`)).json()).toMatchObject({
      edge: 'test',
      places: [{ name: 'edge:test', kind: 'edge' }],
      modules: [],
    });
  });

  it('refuses what is no module or carries no manifest', async () => {
    const url = await start();
    const errors = async (body: Uint8Array): Promise<[number, string]> => {
      const response = await put(url, body);
      const { errors: list } = (await response.json()) as { errors: string[] };
      return [response.status, list[0]!.slice(0, 10)];
    };
    expect(await errors(Buffer.from('hello'))).toEqual([422, 'error W107']);
    expect(await errors(await assemble('(module)'))).toEqual([422, 'error W814']);
    expect(await errors((await packageOf(1)).subarray(0, 60))).toEqual([422, 'error W102']);
    expect((await fetch(`${url}/api/things/No%20Name/modules`, { method: 'PUT' })).status).toBe(400);
  });
});
