// Who gets into NATS, and what edges believe there: TLS, user and password; signed messages, of this fleet only.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FleetEvent } from '../../edge/fleet/events.js';
import { natsAccess } from '../../edge/nats/access.js';
import { signCertificate } from '../../edge/security/certificate.js';
import { SignedEnvelopes, type Envelopes } from '../../edge/security/envelope.js';
import { ownTls } from '../../edge/security/tls.js';
import { NatsEdge } from './nats-edge.js';
import { NatsServer, withoutNats } from './nats-server.js';

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
      await vi.waitFor(() => expect(edge.fleet.linkTo('device:porch')).not.toBeNull(), wait);
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
    expect(await call(b)).toBe(0x45);
    expect([await call(plain), await call(stranger)]).toEqual([0xa4, 0xa4]);
    expect(runs).toEqual(['console@b']);
    await vi.waitFor(() => {
      for (const edge of [plain, stranger, b]) edge.events.publish(log(edge.name));
      expect(seen.length).toBeGreaterThan(2);
    }, wait);
    expect(new Set(seen.map((event) => (event as { text: string }).text))).toEqual(new Set(['b']));
  });
});
