// Who gets into NATS, and what edges believe there: TLS, user and password; signed messages, of this fleet only.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FleetEvent } from '../../edge/fleet/events.js';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';
import { natsAccess } from '../../edge/nats/access.js';
import { signCertificate } from '../../edge/security/certificate.js';
import { SignedEnvelopes, type Envelopes } from '../../edge/security/envelope.js';
import { ownTls } from '../../edge/security/tls.js';
import { NatsEdge } from './nats-edge.js';
import { NatsServer, withoutNats } from './nats-server.js';

const connectionOf = ({ fleet }: NatsEdge): NatsConnection =>
  (fleet as unknown as { connection: { client: NatsConnection } }).connection.client;
const wait = { timeout: 30_000, interval: 20 };
const skipped = withoutNats();
const directory = mkdtempSync(join(tmpdir(), 'thingspire-nats-tls-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('addresses of NATS', () => {
  it('are taken apart', () => {
    expect(natsAccess('nats://a:1, b')).toEqual({ servers: ['a:1', 'b:4222'], connection: {} });
    expect(natsAccess('nats://anna:p%40ss@a').connection).toEqual({ user: 'anna', pass: 'p@ss' });
    expect(natsAccess('nats://secret@a').connection).toEqual({ token: 'secret' });
    expect(natsAccess('tls://a').connection).toEqual({ tls: {} });
  });
  it('are refused with a reason', () => {
    for (const wrong of ['http://a', '', 'nats://', 'tls://a:99999'])
      expect(() => natsAccess(wrong)).toThrow(expect.objectContaining({ code: 'W605' }) as Error);
    expect(() => natsAccess('tls://a', { ca: join(directory, 'none.pem') })).toThrow('no such file');
    expect(() => natsAccess('a', { creds: join(directory, 'none.creds') })).toThrow('no such file');
  });
});

describe.skipIf(skipped)('a NATS server with TLS and users', () => {
  let server: NatsServer;
  const ca = join(directory, 'ca.pem');
  beforeAll(async () => {
    const { cert, key } = (await ownTls(null, ['127.0.0.1'])) as unknown as { cert: string; key: string };
    writeFileSync(ca, cert);
    writeFileSync(join(directory, 'key.pem'), key);
    const tls = ['--tls', '--tlscert', ca, '--tlskey', join(directory, 'key.pem')];
    server = new NatsServer([...tls, '--user', 'edge', '--pass', 'secret']);
    await server.start();
  });
  afterAll(() => server.remove());

  const open = async (text: string, files = {}): Promise<string> => {
    const { servers, connection } = natsAccess(text, files);
    try {
      const edge = await NatsEdge.open({ edge: 'a', servers, connection });
      await edge.close();
      return 'connected';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it('lets in who has the password, and is let in with its certificate only', async () => {
    const { port } = new URL(server.url);
    expect(await open(`tls://edge:secret@127.0.0.1:${port}`, { ca })).toBe('connected');
    expect(await open(`tls://edge:wrong@127.0.0.1:${port}`, { ca })).toBe('W902');
    expect(await open(`tls://127.0.0.1:${port}`, { ca })).toBe('W902');
    // Not signed by anybody whom the system knows.
    expect(await open(`tls://edge:secret@127.0.0.1:${port}`)).toBe('W902');
  });

  it('is not taken for one that has no TLS', async () => {
    const plain = new NatsServer();
    await plain.start();
    try {
      expect(await open(`tls://127.0.0.1:${new URL(plain.url).port}`, { ca })).toBe('W902');
    } finally {
      await plain.remove();
    }
  });
});

describe.skipIf(skipped)('edges that sign', () => {
  const server = new NatsServer();
  const edges: NatsEdge[] = [];
  beforeAll(() => server.start());
  afterAll(() => server.remove());
  afterEach(async () => {
    await Promise.all(edges.splice(0).map((edge) => edge.close()));
  });

  const root = generateKeyPairSync('ed25519');
  const enrolled = (edge: string, by: { privateKey: KeyObject; publicKey: KeyObject } = root): Envelopes => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const issued = Date.now();
    const certificate = signCertificate({ edge, key: publicKey, issued, expires: issued + 86_400_000 }, by.privateKey);
    return new SignedEnvelopes({ edge, privateKey, certificate, root: by.publicKey });
  };

  it('believe each other and no stranger', { timeout: 120_000 }, async () => {
    const open = async (edge: string, envelopes?: Envelopes): Promise<NatsEdge> => {
      const options = { edge, servers: server.url, ...(envelopes === undefined ? {} : { envelopes }) };
      const opened = await NatsEdge.open(options, { timeoutMs: 2_000 });
      edges.push(opened);
      return opened;
    };
    const a = await open('a', enrolled('a'));
    const runs: string[] = [];
    await a.add({
      name: 'device:porch',
      request: async (_thing, { caller, payload }) => {
        runs.push(caller);
        return { code: 0x45, payload };
      },
    });
    const services = [{ method: 2, path: 'echo', attributes: '', observable: false }];
    const more = { version: '', hash: '', place: 'device:porch', epoch: 1, services };
    await a.registry.put({ thing: 'porch', module: 'device', ...more }, 0);
    const b = await open('b', enrolled('b'));
    const plain = await open('c');
    const stranger = await open('d', enrolled('d', generateKeyPairSync('ed25519')));
    const call = async (edge: NatsEdge): Promise<number> => {
      const request = {
        method: 2,
        uri: '/echo',
        payload: Buffer.from('x'),
        caller: `console@${edge.name}`,
        capacity: 8,
      };
      return (await edge.router.request('porch', request)).code;
    };
    const seen: FleetEvent[] = [];
    a.events.watch((event) => seen.push(event));
    const log = (text: string): FleetEvent => {
      return { type: 'log', time: 1, place: 'edge:x', thing: null, module: null, text };
    };
    await vi.waitFor(() => expect(b.fleet.linkTo('device:porch')).not.toBeNull(), wait);
    expect(await call(b)).toBe(0x45);
    // They do not even believe that there is a fleet.
    expect([await call(plain), await call(stranger)]).toEqual([0x84, 0x84]);
    expect(runs).toEqual(['console@b']);
    await vi.waitFor(() => {
      for (const edge of [plain, stranger, b]) edge.events.publish(log(edge.name));
      expect(seen.length).toBeGreaterThan(2);
    }, wait);
    expect(new Set(seen.map((event) => (event as { text: string }).text))).toEqual(new Set(['b']));
  });

  it('keep to what enrolled edges have written in the registry', { timeout: 120_000 }, async () => {
    const problems: string[] = [];
    const open = async (edge: string, envelopes: Envelopes): Promise<NatsEdge> => {
      const onProblem = (text: string): void => void problems.push(text);
      const opened = await NatsEdge.open({ edge, servers: server.url, prefix: 'records', envelopes, onProblem });
      edges.push(opened);
      return opened;
    };
    const [ours, theirs] = [enrolled('a'), enrolled('b')];
    const [a, b] = [await open('a', ours), await open('b', theirs)];
    await a.registry.announce({ name: 'device:porch', kind: 'device', edge: 'a', details: {} });
    const placement = { thing: 'porch', module: 'm', version: '1.0.0', hash: 'good', place: 'edge:a', services: [] };
    const first = (await a.registry.put({ ...placement, epoch: 1 }, 0))!;
    const bucket = await new Kvm(connectionOf(a)).open('records-placements');
    const old = (await bucket.get('porch.m'))!.value;
    await a.registry.put({ ...placement, epoch: 2 }, first);
    await vi.waitFor(() => expect(b.registry.placement('porch', 'm')?.value.epoch).toBe(2), wait);
    // Made up, written by another fleet's edge, of another key, and an earlier one sent again.
    const record = { writer: 'x', placement: { ...placement, epoch: 9, hash: 'evil' } };
    const bytes = Buffer.from(JSON.stringify(record));
    await bucket.put('porch.m', bytes);
    await bucket.put('porch.m', enrolled('a', generateKeyPairSync('ed25519')).sealRecord('placement porch.m', bytes));
    await bucket.put('porch.m', ours.sealRecord('placement porch.other', bytes));
    await bucket.put('porch.m', old);
    // Another edge of the fleet says that it has the device, for the one that has it.
    const places = await new Kvm(connectionOf(a)).open('records-places');
    const session = b.registry.sessionOf('a');
    const stolen = { session, record: { name: 'device:porch', kind: 'device', edge: 'a', details: { stolen: 1 } } };
    const key = 'place.device=3aporch';
    await places.put(key, theirs.sealRecord(`place ${key}`, Buffer.from(JSON.stringify(stolen))));
    await a.registry.put({ ...placement, module: 'last', epoch: 1 }, 0);
    await vi.waitFor(() => expect(b.registry.placement('porch', 'last')).not.toBeNull(), wait);
    for (const { registry } of [a, b]) {
      expect(registry.placement('porch', 'm')?.value).toEqual({ ...placement, epoch: 2 });
      expect([...registry.places()].find(({ name }) => name === 'device:porch')?.details).toEqual({});
    }
    expect(problems.length).toBeGreaterThan(0);
    // Who comes later finds nothing that counts.
    const c = await open('c', enrolled('c'));
    expect(c.registry.placement('porch', 'm')?.value.hash ?? 'nothing').not.toBe('evil');
    // The next write puts it right for all.
    const { revision } = b.registry.placement('porch', 'm')!;
    expect(await b.registry.put({ ...placement, epoch: 3 }, revision)).not.toBeNull();
    await vi.waitFor(() => expect(c.registry.placement('porch', 'm')?.value.epoch).toBe(3), wait);
  });
});
