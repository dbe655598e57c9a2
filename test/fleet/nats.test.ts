// Edges together over a real nats-server: calls, large payloads, repetitions, edges that die, NATS that restarts, observing,
// events and packages. Places are made up here; moves of real modules are in nats-moves.test.ts.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { FleetEvent } from '../../edge/fleet/events.js';
import { NOT_HERE, type ModulePlace, type Placement, Unsettled } from '../../edge/fleet/types.js';
import type { ModuleState, ServiceRequest } from '../../edge/host/types.js';
import { NatsFleet, type NatsFleetOptions } from '../../edge/nats/fleet.js';
import type { RouterOptions } from '../../edge/router/router.js';
import { Unreachable } from '../../edge/router/unreachable.js';
import { PlainEnvelopes } from '../../edge/security/envelope.js';
import { Device, NatsEdge } from './nats-edge.js';
import { NatsServer, withoutNats } from './nats-server.js';

const wait = { timeout: 30_000, interval: 20 };
const skipped = withoutNats();

const placement = (thing: string, more: Partial<Placement> = {}): Placement => {
  const service = { path: 'echo', attributes: '', observable: true };
  const services = [1, 2].map((method) => ({ ...service, method }));
  return { thing, module: 'device', version: '', hash: '', place: `device:${thing}`, epoch: 1, services, ...more };
};
const post = (thing: string, payload: Uint8Array = Buffer.from('x'), more: Partial<ServiceRequest> = {}) => {
  return { method: 2, uri: `//${thing}/echo`, payload, caller: 'console@test', capacity: 1 << 20, ...more };
};
/** Stands between an edge and NATS: loses what `lose` says. */
function losing({ fleet }: NatsEdge, lose: (subject: string) => boolean): void {
  const { client } = (fleet as unknown as { connection: { client: { publish(...args: unknown[]): void } } }).connection;
  const publish = client.publish.bind(client);
  client.publish = (subject: string, ...more: unknown[]) => {
    if (!lose(subject)) publish(subject, ...more);
  };
}

describe.skipIf(skipped)('edges over NATS', () => {
  const server = new NatsServer();
  const edges: NatsEdge[] = [];
  let count = 0;
  let prefix = '';
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  afterEach(async () => {
    await Promise.all(edges.splice(0).map((edge) => edge.close()));
  });

  async function edge(name: string, more: Partial<NatsFleetOptions> = {}, router: Partial<RouterOptions> = {}) {
    const opened = await NatsEdge.open({ edge: name, servers: server.url, prefix, ...more }, router);
    edges.push(opened);
    return opened;
  }

  /** Two edges, a device `porch` at the first; the second knows of it. */
  async function pair(more: Partial<NatsFleetOptions> = {}, router: Partial<RouterOptions> = {}) {
    prefix = `nats${count++}`;
    const [a, b] = [await edge('a', more, router), await edge('b', more, router)];
    const device = new Device('device:porch');
    await a.add(device);
    await a.registry.put(placement('porch'), 0);
    await vi.waitFor(() => {
      expect(b.registry.holder('device:porch')?.edge).toBe('a');
      expect(b.registry.placement('porch', 'device')).not.toBeNull();
    }, wait);
    return { a, b, device };
  }

  it('calls a service behind another edge, as the same caller', async () => {
    const { b, device } = await pair();
    let seen: ServiceRequest | null = null;
    device.answer = async (request) => {
      seen = request;
      return { code: 0x45, payload: Buffer.from('there') };
    };
    const answer = await b.router.request('test', post('porch', Buffer.from('here'), { uri: '//porch/echo?q=1' }));
    expect([answer.code, Buffer.from(answer.payload).toString()]).toEqual([0x45, 'there']);
    expect(seen).toMatchObject({ method: 2, uri: '/echo?q=1', caller: 'console@test', capacity: 1 << 20 });
    expect(Buffer.from(seen!.payload).toString()).toBe('here');
    expect(seen!.withinMs).toBeGreaterThan(0);
  });

  it('carries payloads of any size', { timeout: 120_000 }, async () => {
    const { b } = await pair();
    for (const bytes of [0, 1, 5_000, 1_100_000, 5_000_000]) {
      const payload = randomBytes(bytes);
      const answer = await b.router.request('test', post('porch', payload));
      expect([answer.code, Buffer.compare(answer.payload, payload)]).toEqual([0x45, 0]);
    }
  });

  it('answers a repetition and does not run it again', async () => {
    const { a, b, device } = await pair();
    // The first answer is lost, then the second request.
    let lost = 0;
    losing(a, (subject) => subject.includes('.answer.') && lost === 0 && lost++ === 0);
    losing(b, (subject) => subject.includes('.edge.') && lost === 1 && lost++ === 1);
    const answer = await b.router.request('test', post('porch'));
    expect(answer.code).toBe(0x45);
    expect(device.runs).toHaveLength(1);
    expect(lost).toBe(2);
  });

  it('no call is lost or run twice when messages get lost at random', { timeout: 120_000 }, async () => {
    const { a, b, device } = await pair({}, { timeoutMs: 60_000 });
    const random = (): boolean => Math.random() < 0.15;
    for (const end of [a, b]) losing(end, (subject) => /\.(edge|answer)\./.test(subject) && random());
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => b.router.request('test', post('porch', Buffer.from([i])), `id ${i}`)),
    );
    expect(answers.map(({ code, payload }) => [code, payload[0]])).toEqual(answers.map((_, i) => [0x45, i]));
    expect([...device.runs].sort()).toEqual(answers.map((_, i) => `id ${i}`).sort());
  });

  it('asks again elsewhere when the place says that it is not there', async () => {
    const { a, b, device } = await pair();
    device.answer = async () => {
      // It has just moved: the registry says so a moment later.
      const { revision } = a.registry.placement('porch', 'device')!;
      void a.registry.put(placement('porch', { place: 'device:other', epoch: 2 }), revision);
      return NOT_HERE;
    };
    const other = new Device('device:other');
    await b.add(other);
    expect((await b.router.request('test', post('porch'))).code).toBe(0x45);
    expect([device.runs.length, other.runs.length]).toEqual([1, 1]);
  });

  it('tells apart what has not run and what may have', async () => {
    const { b, device } = await pair({}, { absentMs: 200 });
    device.answer = () => Promise.reject(new Unreachable('line down'));
    expect((await b.router.request('test', post('porch'))).code).toBe(0xa3);
    device.answer = () => Promise.reject(new Error('it has not answered'));
    expect((await b.router.request('test', post('porch'), 'once')).code).toBe(0xa4);
    device.answer = () => new Promise(() => undefined);
    expect((await b.router.request('test', post('porch', Buffer.alloc(1), { withinMs: 100 }))).code).toBe(0xa4);
  });

  it('refuses more than a place may have outstanding', async () => {
    const { b, device } = await pair({}, { maxOutstanding: 10 });
    const waiting: (() => void)[] = [];
    device.answer = ({ payload }) =>
      new Promise((resolve) => waiting.push(() => resolve({ code: 0x45, payload: Buffer.from(payload) })));
    const answers = Array.from({ length: 15 }, () => b.router.request('test', post('porch')));
    await vi.waitFor(() => expect(waiting).toHaveLength(10), wait);
    waiting.forEach((answer) => answer());
    const codes = (await Promise.all(answers)).map(({ code }) => code);
    expect(codes.filter((code) => code === 0x45)).toHaveLength(10);
    expect(codes.filter((code) => code === 0xa3)).toHaveLength(5);
  });

  it('an edge that closes: what it was asked ends, its device is served by another', async () => {
    const { a, b, device } = await pair({}, { absentMs: 300 });
    device.answer = () => new Promise(() => undefined);
    const asked = b.router.request('test', post('porch'));
    await vi.waitFor(() => expect(device.runs).toHaveLength(1), wait);
    await edges.splice(0, 1)[0]!.close();
    expect((await asked).code).toBe(0xa4);
    expect(a.fleet.connected).toBe(false);
    expect((await b.router.request('test', post('porch'))).code).toBe(0xa3);
    await b.add(new Device('device:porch'));
    expect((await b.router.request('test', post('porch'))).code).toBe(0x45);
  });

  it('an edge that is cut off: what it was asked ends with its heartbeats', async () => {
    const { a, b, device } = await pair({ ttlMs: 900 }, { absentMs: 300, timeoutMs: 60_000 });
    device.answer = () => new Promise(() => undefined);
    const asked = b.router.request('test', post('porch'));
    await vi.waitFor(() => expect(device.runs).toHaveLength(1), wait);
    const { client } = (a.fleet as unknown as { connection: { client: { publish: unknown; request: unknown } } })
      .connection;
    client.publish = () => undefined;
    client.request = () => Promise.reject(new Error('cut off'));
    expect((await asked).code).toBe(0xa4);
    await vi.waitFor(() => expect(b.registry.holder('device:porch')).toBeNull(), wait);
    expect((await b.router.request('test', post('porch'))).code).toBe(0xa3);
  });

  it('an edge that begins anew does not run what its earlier run was asked', async () => {
    const { b, device } = await pair({}, { timeoutMs: 60_000 });
    device.answer = () => new Promise(() => undefined);
    const asked = b.router.request('test', post('porch'), 'old');
    await vi.waitFor(() => expect(device.runs).toHaveLength(1), wait);
    // Its process is gone at once, without a word; the next comes before it was missed.
    const [first] = edges.splice(0, 1);
    await (first!.fleet as unknown as { connection: { close(): Promise<void> } }).connection.close();
    const again = await edge('a');
    const device2 = new Device('device:porch');
    await again.add(device2);
    expect((await asked).code).toBe(0xa4);
    expect(device2.runs).toEqual([]);
    await vi.waitFor(async () => expect((await b.router.request('test', post('porch'))).code).toBe(0x45), wait);
    first!.router.close();
  });

  it(
    'NATS restarts: local calls go on, remote ones are answered once or say so, then all is as before',
    { timeout: 120_000 },
    async () => {
      const { a, b, device } = await pair({}, { absentMs: 200, timeoutMs: 60_000 });
      const near = new Device('device:near');
      await b.add(near);
      await b.registry.put(placement('near'), 0);
      const release: (() => void)[] = [];
      device.answer = () =>
        new Promise((resolve) => release.push(() => resolve({ code: 0x45, payload: Buffer.from('y') })));
      const asked = b.router.request('test', post('porch'), 'through');
      await vi.waitFor(() => expect(release).toHaveLength(1), wait);
      await server.stop();
      await vi.waitFor(() => expect([a, b].map(({ fleet }) => fleet.connected)).toEqual([false, false]), wait);
      expect((await b.router.request('test', post('near'))).code).toBe(0x45);
      expect((await b.router.request('test', post('porch'), 'down')).code).toBe(0xa3);
      release[0]!();
      await server.start();
      expect((await asked).code).toBe(0x45);
      expect(device.runs).toEqual(['through']);
      device.answer = async ({ payload }) => ({ code: 0x45, payload });
      await vi.waitFor(async () => expect((await b.router.request('test', post('porch'))).code).toBe(0x45), wait);
      expect(near.runs).toHaveLength(1);
    },
  );

  it('observes across edges: every change is told, or that some were missed', { timeout: 120_000 }, async () => {
    const { a, b, device } = await pair({ leaseMs: 1_500 });
    const changed = vi.fn();
    const end = b.router.observe('test', '//porch/echo', changed)!;
    await vi.waitFor(() => expect(device.observers.size).toBe(1), wait);
    device.change();
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1), wait);
    // The service is served by another edge: followed, and told once.
    const other = new Device('device:porch');
    await a.take(device);
    await b.add(other);
    await vi.waitFor(() => expect([device.observers.size, other.observers.size]).toEqual([0, 1]), wait);
    await vi.waitFor(() => expect(changed.mock.calls.length).toBeGreaterThan(1), wait);
    const before = changed.mock.calls.length;
    other.change();
    expect(changed).toHaveBeenCalledTimes(before + 1);
    end();
    expect(other.observers.size).toBe(0);
  });

  it('a change while NATS is away is told afterwards', { timeout: 120_000 }, async () => {
    const { b, device } = await pair();
    const changed = vi.fn();
    b.router.observe('test', '//porch/echo', changed);
    await vi.waitFor(() => expect(device.observers.size).toBe(1), wait);
    await server.stop();
    await vi.waitFor(() => expect(edges.map(({ fleet }) => fleet.connected)).toEqual([false, false]), wait);
    device.change();
    await server.start();
    await vi.waitFor(() => expect(changed).toHaveBeenCalled(), wait);
    const before = changed.mock.calls.length;
    await vi.waitFor(() => {
      device.change();
      expect(changed.mock.calls.length).toBeGreaterThan(before);
    }, wait);
  });

  it('an observer that dies without a word goes away', async () => {
    const { a, b, device } = await pair({ leaseMs: 600 });
    b.router.observe('test', '//porch/echo', () => undefined);
    await vi.waitFor(() => expect(a.fleet.observerCount).toBe(1), wait);
    losing(b, () => true);
    await vi.waitFor(() => expect([a.fleet.observerCount, device.observers.size]).toEqual([0, 0]), wait);
  });

  it('events reach those who watch at any edge, in order', async () => {
    const { a, b } = await pair();
    const seen: FleetEvent[] = [];
    const own: FleetEvent[] = [];
    b.events.watch((event) => seen.push(event));
    a.events.watch((event) => own.push(event));
    const log = (text: string): FleetEvent => {
      return { type: 'log', time: 1, place: 'edge:a', thing: 'porch', module: 'm', text };
    };
    // A subscription counts from when the server knows of it.
    await vi.waitFor(() => {
      a.events.publish(log('first'));
      expect(seen.length).toBeGreaterThan(0);
    }, wait);
    const texts = Array.from({ length: 500 }, (_, i) => `line ${i} ${'x'.repeat(i * 5)}`);
    for (const text of texts) a.events.publish(log(text));
    await vi.waitFor(() => expect(seen.at(-1)).toEqual(log(texts.at(-1)!)), wait);
    expect(seen.slice(-500)).toEqual(texts.map(log));
    expect(own.slice(-500)).toEqual(texts.map(log));
  });

  it('keeps packages by hash for all edges', async () => {
    const { a, b } = await pair();
    const wasm = randomBytes(3_000_000);
    const hash = await a.fleet.packages.put(wasm);
    expect(Buffer.compare((await b.fleet.packages.get(hash))!, wasm)).toBe(0);
    expect(await b.fleet.packages.get('0'.repeat(64))).toBeNull();
    expect(await b.fleet.packages.get('../x')).toBeNull();
    expect(await b.fleet.packages.put(wasm)).toBe(hash);
  });

  it('steps of a move at another edge: arguments, results and errors', async () => {
    const { a, b } = await pair();
    const state: ModuleState = {
      scalars: { memories: [randomBytes(2_000_000)], globals: [7n], tables: [], dropped: [] },
      timers: [],
      subscriptions: [],
    };
    const calls: unknown[][] = [];
    const note = (...args: unknown[]): Promise<void> => {
      calls.push(args);
      return Promise.resolve();
    };
    const place: ModulePlace = {
      name: 'device:porch',
      kind: 'device',
      prepare: ({ thing, wasm }, epoch) => note('prepare', thing, Buffer.from(wasm).toString(), epoch),
      activate: (thing, module, epoch, given) => note('activate', thing, module, epoch, given),
      freeze: async () => state,
      precopy: async () => null,
      preload: (thing, module, given) => note('preload', thing, module, given.scalars.globals),
      release: () => Promise.reject(new DiagnosticError('W901', 'no such module')),
      discard: (...args) => note('discard', ...args),
      run: (...args) => note('run', ...args),
      details: async () => ({ slots: 2, nothing: undefined }),
      modules: async () => [{ thing: 'porch', module: 'm', epoch: 3, state: 'running' }],
    };
    a.places.add(place);
    const remote = b.places.find('device:porch')!;
    expect([remote.kind, b.places.find('device:none')]).toEqual(['device', null]);
    await remote.prepare({ thing: 'porch', wasm: Buffer.from('wasm') }, 4);
    const frozen = await remote.freeze('porch', 'm');
    expect(Buffer.compare(frozen.scalars.memories[0]!, state.scalars.memories[0]!)).toBe(0);
    expect(await remote.precopy!('porch', 'm')).toBeNull();
    await remote.preload!('porch', 'm', frozen);
    await remote.activate('porch', 'm', 4, frozen);
    await remote.activate('porch', 'm', 5, null);
    await remote.discard('porch', 'm');
    await remote.run('porch', 'm', 'restart');
    expect(calls.map(([step, ...args]) => [step, ...args.slice(0, 3)])).toEqual([
      ['prepare', 'porch', 'wasm', 4],
      ['preload', 'porch', 'm', [7n]],
      ['activate', 'porch', 'm', 4],
      ['activate', 'porch', 'm', 5],
      ['discard', 'porch', 'm'],
      ['run', 'porch', 'm', 'restart'],
    ]);
    expect(calls[3]![4]).toBeNull();
    expect(await remote.details()).toEqual({ slots: 2 });
    expect(await remote.modules()).toEqual([{ thing: 'porch', module: 'm', epoch: 3, state: 'running' }]);
    await expect(remote.release('porch', 'm')).rejects.toMatchObject({ code: 'W901', message: 'no such module' });
    // Whether a module has started must be known: the other side may say that it is not, or say nothing.
    place.activate = () => Promise.reject(new Unsettled('line cut'));
    await expect(remote.activate('porch', 'm', 6, null)).rejects.toThrow(Unsettled);
    place.activate = () => new Promise(() => undefined);
    const unanswered = remote.activate('porch', 'm', 6, null);
    (b.fleet as unknown as { client: { edgeChanged(edge: string, session: null): void } }).client.edgeChanged(
      'a',
      null,
    );
    await expect(unanswered).rejects.toThrow(Unsettled);
    a.places.remove(place);
    await expect(remote.modules()).rejects.toThrow(Unreachable);
  });

  it('drops what is not of the fleet', async () => {
    const { a, b, device } = await pair();
    const { client } = (b.fleet as unknown as { connection: { client: { publish(s: string, d: Uint8Array): void } } })
      .connection;
    const stranger = new PlainEnvelopes('c');
    for (const bytes of [
      Buffer.from('garbage'),
      randomBytes(200),
      stranger.seal({ kind: 'event', to: 'a', caller: '', body: Buffer.from([0]) }).bytes,
      stranger.seal({ kind: 'request', to: 'elsewhere', caller: '', body: Buffer.from([0]) }).bytes,
      stranger.seal({ kind: 'request', to: 'a', caller: '', body: Buffer.from([9, 9]) }).bytes,
    ])
      client.publish(`${prefix}.edge.a`, bytes);
    const service = (a.fleet as unknown as { service: { refused: number } }).service;
    await vi.waitFor(() => expect(service.refused).toBe(5), wait);
    expect((await b.router.request('test', post('porch'))).code).toBe(0x45);
    expect(device.runs).toHaveLength(1);
  });

  it('says what is wrong with a server that does not answer', async () => {
    const options = { edge: 'x', servers: 'nats://127.0.0.1:1', connection: { timeout: 500 } };
    await expect(NatsFleet.connect(options)).rejects.toMatchObject({ code: 'W902' });
  });
});
