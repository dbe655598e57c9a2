// Somebody with full access to NATS, but without a key of the fleet: what they read they can send again, change and make up,
// and nothing of it runs.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { decode, encode } from 'cborg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { PlaceLink } from '../../edge/fleet/types.js';
import type { ServiceRequest } from '../../edge/host/types.js';
import { signCertificate } from '../../edge/security/certificate.js';
import { PlainEnvelopes, SignedEnvelopes, type Envelopes } from '../../edge/security/envelope.js';
import { NatsEdge } from './nats-edge.js';
import { NatsServer, withoutNats } from './nats-server.js';

const PREFIX = 'security';
const wait = { timeout: 30_000, interval: 20 };
const root = generateKeyPairSync('ed25519');

function enrolled(edge: string, by: KeyObject = root.privateKey): Envelopes {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const issued = Date.now();
  const certificate = signCertificate({ edge, key: publicKey, issued, expires: issued + 3_600_000 }, by);
  return new SignedEnvelopes({ edge, privateKey, certificate, root: root.publicKey });
}

describe.skipIf(withoutNats())('with access to NATS but no key', { timeout: 90_000 }, () => {
  const server = new NatsServer();
  const heard: { readonly subject: string; readonly reply: string; readonly data: Uint8Array }[] = [];
  const seen: ServiceRequest[] = [];
  let spy: NatsConnection;
  let a: NatsEdge;
  let b: NatsEdge;

  beforeAll(async () => {
    await server.start();
    spy = await connect({ servers: server.url });
    spy.subscribe(`${PREFIX}.>`, {
      callback: (_error, { subject, reply, data }) => void heard.push({ subject, reply: reply ?? '', data }),
    });
    const open = (edge: string): Promise<NatsEdge> =>
      NatsEdge.open({ edge, servers: server.url, prefix: PREFIX, envelopes: enrolled(edge) });
    [a, b] = await Promise.all([open('a'), open('b')]);
    const place: PlaceLink = {
      name: 'device:porch',
      request: async (_thing, request) => {
        seen.push(request);
        return { code: 0x45, payload: Buffer.from(`${seen.length}`) };
      },
    };
    await a.add(place);
    const services = [{ path: 'lock', method: 3, attributes: '', observable: false }];
    const record = { thing: 'porch', module: 'device', version: '', hash: '', place: place.name, epoch: 1, services };
    await a.registry.put(record, 0);
    await vi.waitFor(() => {
      expect(b.registry.holder(place.name)?.edge).toBe('a');
      expect(b.registry.placement('porch', 'device')).not.toBeNull();
    }, wait);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await spy?.close();
    await server.remove();
  });

  const ask = async (): Promise<string> => {
    const request = { method: 3, uri: '//porch/lock', payload: Buffer.from('open'), caller: 'user:anna', capacity: 64 };
    const { code, payload } = await b.router.request('house', request);
    return code === 0x45 ? Buffer.from(payload).toString() : `${code >> 5}.${code & 31}`;
  };
  const requests = () => heard.filter(({ subject }) => subject === `${PREFIX}.edge.a`);
  const toA = (data: Uint8Array): void => spy.publish(`${PREFIX}.edge.a`, data, { reply: 'nobody.here' });
  /** Own requests go through after all that was sent before them. */
  async function nothingRan(send: () => void): Promise<void> {
    const before = seen.length;
    send();
    await spy.flush();
    expect([await ask(), seen.length]).toEqual([String(before + 1), before + 1]);
    expect(seen.every(({ caller }) => caller === 'user:anna')).toBe(true);
  }

  it('a request cannot be sent again, nor changed', async () => {
    expect(await ask()).toBe('1');
    const [request] = requests();
    expect(request).toBeDefined();
    await nothingRan(() => {
      for (let i = 0; i < 20; i++) toA(request!.data);
    });
    await nothingRan(() => {
      for (let at = 0; at < request!.data.length; at += 3) {
        const changed = Uint8Array.from(request!.data);
        changed[at]! ^= 0x41;
        toA(changed);
      }
    });
  });

  it('a request cannot be made up', async () => {
    const [request] = requests();
    const [certificate] = decode(request!.data) as [Uint8Array, Uint8Array];
    const stranger = enrolled('b', generateKeyPairSync('ed25519').privateKey);
    const body = encode(['call', 'id', 'session', 5000, []]);
    const message = { kind: 'request', to: 'a', caller: 'user:anna', body } as const;
    await nothingRan(() => {
      toA(new PlainEnvelopes('b').seal(message).bytes);
      toA(stranger.seal(message).bytes);
      const [, signed] = decode(stranger.seal(message).bytes) as [Uint8Array, Uint8Array];
      toA(encode([certificate, signed]));
      toA(Buffer.from('hello'));
      toA(new Uint8Array(0));
    });
  });

  it('an answer cannot be given in place of the one who was asked', async () => {
    const before = seen.length;
    expect(heard.some(({ subject }) => subject.startsWith(`${PREFIX}.answer.b`))).toBe(true);
    const mallory = enrolled('mallory', generateKeyPairSync('ed25519').privateKey);
    const forger = spy.subscribe(`${PREFIX}.edge.a`, {
      callback: (_error, message) => {
        const answer = {
          kind: 'answer',
          to: 'b',
          caller: '',
          body: encode(['ok', [0x45, Buffer.from('forged')]]),
        } as const;
        for (const envelopes of [new PlainEnvelopes('a'), mallory])
          message.respond(envelopes.seal({ ...answer, re: '00'.repeat(16) }).bytes);
        // An answer of before.
        for (const old of heard) if (old.subject.startsWith(`${PREFIX}.answer.b`)) message.respond(old.data);
      },
    });
    expect(await ask()).toBe(String(before + 1));
    forger.unsubscribe();
  });

  it('another member cannot speak for one', async () => {
    const c = enrolled('c');
    const before = seen.length;
    const { bytes } = c.seal({
      kind: 'request',
      to: 'a',
      caller: 'user:anna',
      body: encode(['call', 'x', 's', 1, []]),
    });
    const [certificate] = decode(requests()[0]!.data) as [Uint8Array];
    const [, signed] = decode(bytes) as [Uint8Array, Uint8Array];
    await nothingRan(() => toA(encode([certificate, signed])));
    expect(seen.length).toBe(before + 1);
  });
});
