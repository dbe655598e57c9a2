// The management interface over HTTP: the fleet at a glance, events, moves with their steps, forms, faults, refusals.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { embedManifest } from '../../manifest/section.js';
import { assemble, modelsOf } from '../test-support/edge.js';
import { EdgeServer } from './edge-server.js';
import { SharedFleet } from './shared-fleet.js';

const WAIT = { timeout: 30_000, interval: 20 };
const entry = {
  name: 'counter',
  version: '1.0.0',
  restart: { policy: 'on-fault', backoff: '1ms' },
  provides: [
    { method: 'POST', path: '/count', handler: 'count', contract: { response: 'value' } },
    { method: 'POST', path: '/fail', handler: 'fail' },
  ],
} as const;
const WAT = `(module (import "thingspire" "log" (func $log (param i32 i32)))
  (memory (export "memory") 1) (data (i32.const 8) "counted") (global $sum (mut i32) (i32.const 0))
  (func (export "count") (param i32 i32 i32 i32) (result i32)
    (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
    (call $log (i32.const 8) (i32.const 7))
    (i32.store (local.get 2) (global.get $sum)) (i32.const 0x45000004))
  (func (export "fail") (param i32 i32 i32 i32) (result i32) (unreachable)))`;
const types = { value: { type: 'record', fields: [{ name: 'sum', type: 'u32' }] } } as const;

let servers: EdgeServer[] = [];
afterEach(async () => {
  for (const server of servers.reverse()) await server.close();
  servers = [];
});

/** Edges of one fleet; their URLs. */
async function start(...names: string[]): Promise<string[]> {
  const fleet = new SharedFleet();
  servers = names.map((name) => {
    return new EdgeServer({ name, dataDirectory: null, httpPort: 0, coapPort: null, fleet: fleet.member() });
  });
  for (const server of servers) await server.start();
  return servers.map(({ url }) => url!);
}

async function packaged(): Promise<Uint8Array> {
  const [model] = modelsOf([{ ...entry, wat: WAT }], types);
  return embedManifest(await assemble(WAT), model!.travelling);
}
const send = (method: string, url: string, value: unknown): Promise<Response> =>
  fetch(url, { method, body: JSON.stringify(value), headers: { 'content-type': 'application/json' } });
const deploy = async (url: string, query = ''): Promise<Response> =>
  fetch(`${url}/api/things/home/modules${query}`, { method: 'PUT', body: (await packaged()) as BodyInit });
const count = async (url: string): Promise<unknown> =>
  (await fetch(`${url}/things/home/count`, { method: 'POST' })).json();

/** Events as they come, until the reader is cancelled. */
async function listen(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ events: Record<string, unknown>[]; ids: number[]; end: () => Promise<void> }> {
  const response = await fetch(url, { headers });
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const events: Record<string, unknown>[] = [];
  const ids: number[] = [];
  let text = '';
  void (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const blocks = (text + next.value).split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const [, id, data] = /^id: (\d+)\ndata: (.*)$/.exec(block) ?? [];
        if (id === undefined) continue;
        ids.push(Number(id));
        events.push(JSON.parse(data!) as Record<string, unknown>);
      }
    }
  })().catch(() => undefined);
  return { events, ids, end: () => reader.cancel() };
}

describe('the management interface', { timeout: 120_000 }, () => {
  it('moves a module of any edge from any edge, and tells each step', async () => {
    const [house, attic] = (await start('house', 'attic')) as [string, string];
    expect((await deploy(house, '?place=edge:attic')).status).toBe(200);
    expect([await count(house), await count(attic)]).toEqual([{ sum: 1 }, { sum: 2 }]);
    const follower = await listen(`${attic}/api/events?types=move,placement`);
    const answer = await send('POST', `${house}/api/things/home/modules/counter/move`, { to: 'edge:house' });
    expect(answer.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    const lines = (await answer.text()).trim().split('\n');
    const steps = lines.map((line) => JSON.parse(line) as { step: string; progress: number; id: string });
    expect(steps.map(({ step }) => step)).toEqual(
      expect.arrayContaining(['prepare', 'freeze', 'commit', 'activate', 'discard', 'done']),
    );
    expect(steps.at(-1)).toMatchObject({ step: 'done', progress: 1, from: 'edge:attic', to: 'edge:house' });
    expect(steps.map(({ progress }) => progress)).toEqual(steps.map(({ progress }) => progress).sort((a, b) => a - b));
    expect(await count(attic)).toEqual({ sum: 3 });
    await vi.waitFor(() => expect(follower.events.some(({ step }) => step === 'done')).toBe(true), WAIT);
    expect(follower.events.filter(({ type }) => type === 'placement').at(-1)).toMatchObject({
      key: 'home.counter',
      placement: { place: 'edge:house', epoch: 2 },
    });
    await follower.end();
  });

  it('sends events, also those from before, each once', async () => {
    const [url] = (await start('house')) as [string];
    await deploy(url);
    const first = await listen(`${url}/api/events?types=log`);
    await count(url);
    await vi.waitFor(() => expect(first.events).toHaveLength(1), WAIT);
    expect(first.events[0]).toMatchObject({ type: 'log', place: 'edge:house', module: 'counter', text: 'counted' });
    await first.end();
    await count(url);
    await count(url);
    const second = await listen(`${url}/api/events?types=log`, { 'last-event-id': String(first.ids[0]) });
    await vi.waitFor(() => expect(second.events).toHaveLength(2), WAIT);
    expect(second.ids[0]).toBeGreaterThan(first.ids[0]!);
    await second.end();
    const past = await (await fetch(`${url}/api/events?types=log&since=0&follow=0`)).text();
    expect(past.match(/"text":"counted"/g)).toHaveLength(3);
    expect((await fetch(`${url}/api/events?types=gossip`)).status).toBe(400);
    expect((await fetch(`${url}/api/events?since=yesterday`)).status).toBe(400);
  });

  it('shows figures, details and faults', async () => {
    const [url] = (await start('house')) as [string];
    await deploy(url);
    await count(url);
    type View = { modules: { stats: unknown; services: unknown[] }[]; places: unknown[] };
    const view = async (): Promise<View> => (await fetch(`${url}/api/fleet`)).json() as Promise<View>;
    await vi.waitFor(async () => {
      expect((await view()).modules[0]!.stats).toMatchObject({ state: 'running', calls: 1, memoryBytes: 65536 });
    }, WAIT);
    expect((await view()).modules[0]!.services).toContainEqual({ method: 'POST', path: 'count', observable: false });
    const place = (await (await fetch(`${url}/api/places/edge:house`)).json()) as object;
    expect(place).toMatchObject({ name: 'edge:house', kind: 'edge', modules: [{ module: 'counter' }] });
    expect((await fetch(`${url}/api/places/edge:none`)).status).toBe(404);
    expect((await fetch(`${url}/things/home/fail`, { method: 'POST' })).status).toBe(500);
    await vi.waitFor(async () => {
      const faults = (await (await fetch(`${url}/api/modules/home/counter/faults`)).json()) as object[];
      expect(faults).toMatchObject([{ reason: 'trapped', message: 'unreachable', backtrace: [{ source: null }] }]);
    }, WAIT);
  });

  it('takes forms with a things.json beside the module', async () => {
    const [url] = (await start('house')) as [string];
    const wasm = await assemble(WAT);
    const things = { name: 'any', version: '1.0.0', types, modules: [{ ...entry, wasm: 'build/counter.wasm' }] };
    const form = (manifest: unknown): FormData => {
      const data = new FormData();
      data.set('wasm', new Blob([wasm as BlobPart]), 'counter.wasm');
      data.set('manifest', new Blob([JSON.stringify(manifest)]), 'things.json');
      return data;
    };
    const put = (body: FormData): Promise<Response> => fetch(`${url}/api/things/home/modules`, { method: 'PUT', body });
    expect(await (await put(form(things))).json()).toMatchObject({ module: 'counter', place: 'edge:house' });
    expect(await count(url)).toEqual({ sum: 1 });
    const other = {
      ...things,
      modules: [{ ...things.modules[0]!, provides: [{ ...entry.provides[1], handler: 'no' }] }],
    };
    const refused = await put(form(other));
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ status: 422, errors: [expect.stringMatching(/^error W803: /)] });
    // What runs is not touched by what is refused.
    expect(await count(url)).toEqual({ sum: 2 });
  });

  it('starts, stops, and refuses with a reason', async () => {
    const [url] = (await start('house', 'attic')) as [string];
    expect(await (await deploy(url, '?dry=1')).json()).toMatchObject({ place: 'edge:house', epoch: 1 });
    expect((await fetch(`${url}/api/modules/home/counter/faults`)).status).toBe(404);
    await deploy(url);
    const module = `${url}/api/things/home/modules/counter`;
    expect((await send('POST', `${module}/run`, { action: 'stop' })).status).toBe(204);
    expect((await fetch(`${url}/things/home/count`, { method: 'POST' })).status).toBe(503);
    expect((await send('POST', `${module}/run`, { action: 'start' })).status).toBe(204);
    await vi.waitFor(async () => expect(await count(url)).toMatchObject({ sum: expect.any(Number) as number }), WAIT);
    const status = async (answer: Promise<Response>): Promise<number> => (await answer).status;
    expect(await status(send('POST', `${module}/run`, { action: 'fly' }))).toBe(400);
    expect(await status(send('POST', `${module}/move`, { to: 'edge:none' }))).toBe(404);
    expect(await status(send('POST', `${module}/move`, { to: 'edge:house' }))).toBe(409);
    expect(await status(send('POST', `${module}/move`, {}))).toBe(400);
    expect(await status(fetch(`${module}/move`, { method: 'POST', body: '{"to":"edge:attic"}' }))).toBe(415);
    expect(await status(send('POST', `${url}/api/things/home/modules/none/move`, { to: 'edge:attic' }))).toBe(404);
    // Two at a time: one is refused, nothing is lost.
    const both = await Promise.all([1, 2].map(() => status(send('POST', `${module}/move`, { to: 'edge:attic' }))));
    expect(both.sort()).toEqual([200, 409]);
    await vi.waitFor(async () => expect((await fetch(`${url}/things/home/count`, { method: 'POST' })).status).toBe(200), WAIT); // prettier-ignore
  });

  it('refuses a second module with the same service', async () => {
    const [url] = (await start('house')) as [string];
    await deploy(url);
    const [model] = modelsOf([{ ...entry, name: 'rival', wat: WAT }], types);
    const body = embedManifest(await assemble(WAT), model!.travelling) as BodyInit;
    const answer = await fetch(`${url}/api/things/home/modules`, { method: 'PUT', body });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({
      errors: [expect.stringMatching(/^error W901: .*\/count is a service/)],
    });
  });
});
