// The registry's contract, the same for one edge alone and for many over NATS; and what only many can show: what one
// writes the others read, one of two writers wins, an edge that dies takes its places along, NATS goes and comes back.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '@nats-io/kv';
import { Connection } from '../../edge/nats/connection.js';
import type { Placement, PlaceRecord, Registry, RegistryChange } from '../../edge/fleet/types.js';
import { EmbeddedRegistry } from '../../edge/registry/embedded.js';
import { decodeToken, encodeToken } from '../../edge/registry/keys.js';
import { NatsRegistry } from '../../edge/registry/nats.js';
import { RegistryTables } from '../../edge/registry/tables.js';
import { PlainEnvelopes } from '../../edge/security/envelope.js';
import { NatsServer, withoutNats } from './nats-server.js';

const placement = (module: string, more: Partial<Placement> = {}): Placement => ({
  thing: 'weather-station',
  module,
  version: '1.0.0',
  hash: '00',
  place: 'edge:a',
  epoch: 1,
  services: [{ method: 1, path: 'lamp/{n}', attributes: ';rt="x"', observable: true }],
  ...more,
});
const place = (name: string, edge: string, details = {}): PlaceRecord => {
  return { name, kind: name.startsWith('edge') ? 'edge' : 'device', edge, details };
};
const wait = { timeout: 30_000, interval: 20 };
const skipped = withoutNats();

function contract(name: string, open: () => Promise<Registry>): void {
  describe(name, () => {
    let registry: Registry;
    afterEach(() => registry.close());

    it('writes by compare-and-swap and shows at once what it has written', async () => {
      registry = await open();
      const first = (await registry.put(placement('a'), 0))!;
      expect(registry.placement('weather-station', 'a')).toEqual({ value: placement('a'), revision: first });
      expect(await registry.put(placement('a', { epoch: 7 }), 0)).toBeNull();
      expect(await registry.put(placement('a', { epoch: 7 }), first + 1000)).toBeNull();
      const moved = placement('a', { place: 'device:porch', epoch: 2 });
      const second = (await registry.put(moved, first))!;
      expect(second).toBeGreaterThan(first);
      expect(registry.placement('weather-station', 'a')).toEqual({ value: moved, revision: second });
      expect(await registry.put(placement('a', { epoch: 3 }), first)).toBeNull();
      expect([...registry.placements()]).toEqual([moved]);
    });

    it('removes, and writes again what was removed', async () => {
      registry = await open();
      const first = (await registry.put(placement('a'), 0))!;
      expect(await registry.remove('weather-station', 'a', first + 1)).toBe(false);
      expect(await registry.remove('weather-station', 'a', first)).toBe(true);
      expect(registry.placement('weather-station', 'a')).toBeNull();
      expect(await registry.remove('weather-station', 'a', first)).toBe(false);
      const again = (await registry.put(placement('a', { epoch: 2 }), 0))!;
      expect(again).toBeGreaterThan(first);
      expect([...registry.placements()]).toHaveLength(1);
    });

    it('tells of each change, until it is not wanted', async () => {
      registry = await open();
      const changes: RegistryChange[] = [];
      const end = registry.watch((change) => changes.push(change));
      const revision = (await registry.put(placement('a'), 0))!;
      await registry.remove('weather-station', 'a', revision);
      await registry.announce(place('edge:a', 'a', { board: 'pc' }));
      await registry.announce(place('device:porch', 'a'));
      await registry.withdraw('device:porch');
      await registry.withdraw('device:never');
      expect(changes).toEqual([
        { type: 'placement', key: 'weather-station.a', placement: placement('a') },
        { type: 'placement', key: 'weather-station.a', placement: null },
        { type: 'place', key: 'edge:a', place: place('edge:a', 'a', { board: 'pc' }) },
        { type: 'place', key: 'device:porch', place: place('device:porch', 'a') },
        { type: 'place', key: 'device:porch', place: null },
      ]);
      expect([...registry.places()]).toEqual([place('edge:a', 'a', { board: 'pc' })]);
      end();
      await registry.put(placement('b'), 0);
      expect(changes).toHaveLength(5);
    });

    it('takes names of any letters', async () => {
      registry = await open();
      const odd = placement('b', { thing: 'Küche.2/Süd *>' });
      await registry.put(odd, 0);
      await registry.announce(place('device:Küche 1', 'a'));
      expect(registry.placement('Küche.2/Süd *>', 'b')?.value).toEqual(odd);
    });
  });
}

it('keys of a bucket hold any name', () => {
  for (const text of ['', 'a-b_9', 'a.b', '=41', 'Küche', '>', '*', '日本', '\u{1f600}'])
    expect(decodeToken(encodeToken(text))).toBe(text);
  expect(encodeToken('a.b ü')).toMatch(/^[-/_=a-zA-Z0-9]+$/);
});

contract('registry of an edge alone, in memory', async () => new EmbeddedRegistry(null));

const directory = mkdtempSync(join(tmpdir(), 'thingspire-registry-'));
let count = 0;
afterAll(() => rmSync(directory, { recursive: true, force: true }));
contract('registry of an edge alone, in a file', async () => new EmbeddedRegistry(join(directory, `${count++}.jsonl`)));

describe.skipIf(skipped)('over NATS', () => {
  const server = new NatsServer();
  const connections: Connection[] = [];
  const registries: Registry[] = [];
  let prefix = '';
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  afterEach(async () => {
    await Promise.all(registries.splice(0).map((registry) => registry.close()));
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
  });

  async function open(edge: string, more: { ttlMs?: number; onTwin?: () => void } = {}) {
    const connection = await Connection.open(edge, { servers: server.url });
    connections.push(connection);
    const registry = new NatsRegistry({
      connection,
      edge,
      session: `${edge}${count++}`,
      prefix,
      envelopes: new PlainEnvelopes(edge),
      ...more,
    });
    expect(await registry.ready(30_000)).toBe(true);
    return { registry, connection };
  }
  const joined = async (edge: string, more = {}) => {
    const opened = await open(edge, more);
    registries.push(opened.registry);
    return opened;
  };
  const fresh = () => (prefix = `test${count++}`);

  contract('registry of an edge among many', async () => {
    fresh();
    return (await open('a')).registry;
  });

  it('what one writes all read, also who comes later', async () => {
    fresh();
    const [{ registry: a }, { registry: b }] = [await joined('a'), await joined('b')];
    await a.announce(place('edge:a', 'a'));
    await a.announce(place('device:porch', 'a'));
    for (let i = 0; i < 50; i++) await a.put(placement(`m${i}`), 0);
    await a.remove('weather-station', 'm7', a.placement('weather-station', 'm7')!.revision);
    await vi.waitFor(() => expect([...b.placements()]).toEqual([...a.placements()]), wait);
    await vi.waitFor(() => expect([...b.places()]).toHaveLength(2), wait);
    const { registry: c } = await joined('c');
    expect([...c.placements()]).toHaveLength(49);
    expect([...c.places()].map(({ name }) => name).sort()).toEqual(['device:porch', 'edge:a']);
    expect(c.holder('device:porch')).toMatchObject({ edge: 'a' });
    await a.withdraw('device:porch');
    await vi.waitFor(() => expect(c.holder('device:porch')).toBeNull(), wait);
  });

  it('of writers at the same time one wins each time', async () => {
    fresh();
    const edges = [await joined('a'), await joined('b'), await joined('c')].map(({ registry }) => registry);
    await edges[0]!.put(placement('m', { epoch: 0 }), 0);
    let written = 0;
    const write = async (registry: Registry): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        const stored = registry.placement('weather-station', 'm');
        if (stored === null) await new Promise((resolve) => setTimeout(resolve, 1));
        else if ((await registry.put({ ...stored.value, epoch: stored.value.epoch + 1 }, stored.revision)) !== null)
          written++;
      }
    };
    await Promise.all(edges.map(write));
    // Each success is one step: none was lost, none was written over.
    await vi.waitFor(
      () =>
        expect(edges.map((registry) => registry.placement('weather-station', 'm')!.value.epoch)).toEqual(
          edges.map(() => written),
        ),
      wait,
    );
  });

  it('an edge that is silent is gone with its places, and back when it is heard again', async () => {
    fresh();
    const { registry: a, connection } = await joined('a', { ttlMs: 600 });
    const { registry: b } = await joined('b', { ttlMs: 600 });
    await b.announce(place('edge:b', 'b'));
    await a.announce(place('edge:a', 'a'));
    await a.announce(place('device:porch', 'a'));
    const names = () => [...b.places()].map(({ name }) => name).sort();
    await vi.waitFor(() => expect(names()).toEqual(['device:porch', 'edge:a', 'edge:b']), wait);
    // As if its process had stopped: the connection stays, nothing is said.
    const { client } = connection;
    const { publish, request } = client;
    client.publish = () => undefined;
    client.request = () => Promise.reject(new Error('cut off'));
    await vi.waitFor(() => expect(names()).toEqual(['edge:b']), wait);
    expect(b.holder('device:porch')).toBeNull();
    Object.assign(client, { publish, request });
    await vi.waitFor(() => expect(names()).toEqual(['device:porch', 'edge:a', 'edge:b']), wait);
  });

  it('a place that appears under another edge is that edge`s', async () => {
    fresh();
    const [{ registry: a }, { registry: b }] = [await joined('a'), await joined('b')];
    await a.announce(place('device:porch', 'a'));
    await vi.waitFor(() => expect(b.holder('device:porch')?.edge).toBe('a'), wait);
    await b.announce(place('device:porch', 'b'));
    await vi.waitFor(() => expect(a.holder('device:porch')?.edge).toBe('b'), wait);
    // The first one's late farewell does not take it away.
    await a.withdraw('device:porch');
    await a.announce(place('device:other', 'a'));
    await vi.waitFor(() => expect(b.holder('device:other')?.edge).toBe('a'), wait);
    expect([a, b].map((registry) => registry.holder('device:porch')?.edge)).toEqual(['b', 'b']);
  });

  it('places of an earlier run do not count', async () => {
    fresh();
    const first = await open('a');
    const { registry: b } = await joined('b');
    await first.registry.announce(place('device:porch', 'a'));
    await vi.waitFor(() => expect(b.holder('device:porch')?.edge).toBe('a'), wait);
    // Dies without a word and is there again before anybody has missed it.
    await first.connection.close();
    const { registry: again } = await joined('a');
    await vi.waitFor(() => expect(b.holder('device:porch')).toBeNull(), wait);
    expect([...again.places()]).toEqual([]);
    await first.registry.close();
  });

  it('a name used twice is noticed', async () => {
    fresh();
    const onTwin = vi.fn();
    await joined('a', { onTwin, ttlMs: 600 });
    await joined('a', { ttlMs: 600 });
    await vi.waitFor(() => expect(onTwin).toHaveBeenCalled(), wait);
  });

  it('reads on while NATS is away, writes when it is back, and misses nothing', async () => {
    fresh();
    const [{ registry: a }, { registry: b }] = [await joined('a'), await joined('b')];
    await a.announce(place('device:porch', 'a'));
    await a.put(placement('m'), 0);
    await vi.waitFor(() => expect(b.placement('weather-station', 'm')).not.toBeNull(), wait);
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await a.announce(place('device:gone', 'a'));
      await vi.waitFor(() => expect(b.holder('device:gone')?.edge).toBe('a'), wait);
      const { revision, value } = a.placement('weather-station', 'm')!;
      await server.stop(signal);
      expect([...b.placements()]).toEqual([value]);
      const written = a.put({ ...value, epoch: value.epoch + 1 }, revision);
      await a.announce(place(`device:${signal}`, 'a'));
      await a.withdraw('device:gone');
      expect([...a.places()].map(({ name }) => name)).toContain(`device:${signal}`);
      await server.start();
      expect(await written).toBeGreaterThan(revision);
      await vi.waitFor(() => expect(b.placement('weather-station', 'm')?.value.epoch).toBe(value.epoch + 1), wait);
      await vi.waitFor(() => expect(b.holder(`device:${signal}`)?.edge).toBe('a'), wait);
      await vi.waitFor(() => expect(b.holder('device:gone')).toBeNull(), wait);
    }
    expect(b.holder('device:porch')?.edge).toBe('a');
  });

  it('reads only what has changed when the bucket is the one that it was', async () => {
    fresh();
    const [{ registry: a }, { registry: b }] = [await joined('a'), await joined('b')];
    for (let i = 0; i < 5; i++) await a.put(placement(`m${i}`), 0);
    await vi.waitFor(() => expect([...b.placements()]).toHaveLength(5), wait);
    const reset = vi.spyOn(RegistryTables.prototype, 'resetPlacements');
    for (const removed of [false, true]) {
      // The newest entry was deleted: nothing to go by, so all is read.
      if (removed) await a.remove('weather-station', 'm0', a.placement('weather-station', 'm0')!.revision);
      await vi.waitFor(() => expect([...b.placements()]).toHaveLength(5), wait);
      await server.stop();
      await server.start();
      await a.put(placement(`after ${removed}`), 0);
      await vi.waitFor(() => expect(b.placement('weather-station', `after ${removed}`)).not.toBeNull(), wait);
      expect(reset.mock.calls.length > 0).toBe(removed);
    }
    reset.mockRestore();
    expect([...b.placements()]).toEqual([...a.placements()]);
  });

  it('what was removed behind an edge`s back is gone after a full look', async () => {
    fresh();
    const { registry: a, connection } = await joined('a');
    const { registry: b } = await joined('b');
    for (const name of ['m', 'n']) await a.put(placement(name), 0);
    await vi.waitFor(() => expect([...b.placements()]).toHaveLength(2), wait);
    await server.stop();
    await server.start();
    await connection.whenConnected(30_000);
    // Without a trace, as when NATS has lost its store: no watch tells of it.
    await vi.waitFor(() => new Kvm(connection.client).create(`${prefix}-placements`).then((kv) => kv.destroy()), wait);
    await server.stop();
    await server.start();
    await vi.waitFor(() => expect([...b.placements(), ...a.placements()]).toEqual([]), wait);
    await vi.waitFor(async () => expect(await a.put(placement('m', { epoch: 9 }), 0)).not.toBeNull(), wait);
    await vi.waitFor(() => expect(b.placement('weather-station', 'm')?.value.epoch).toBe(9), wait);
  });
});
