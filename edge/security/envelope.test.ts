// Envelopes between edges: what is signed comes through, and everything else is refused with its reason.
import { generateKeyPairSync } from 'node:crypto';
import { decode, encode } from 'cborg';
import { describe, expect, it } from 'vitest';
import { signCertificate } from './certificate.js';
import {
  EnvelopeRefused,
  PlainEnvelopes,
  SignedEnvelopes,
  WINDOW_MS,
  type Expected,
  type Message,
} from './envelope.js';
import { ReplayCache } from './replay.js';

const EMPTY_MAP = 0xa0;
const DAY = 86_400_000;
const root = generateKeyPairSync('ed25519');
let now = 1_800_000_000_000;

function edge(name: string, { expires = now + DAY, by = root, key = generateKeyPairSync('ed25519') } = {}) {
  const certificate = signCertificate({ edge: name, key: key.publicKey, issued: now, expires }, by.privateKey);
  const identity = { edge: name, privateKey: key.privateKey, certificate, root: root.publicKey };
  return new SignedEnvelopes(identity, () => now);
}
const body = Buffer.from('hello');
const request: Message = { kind: 'request', to: 'b', caller: 'filter@porch', body };
const REQUEST: Expected = { kind: 'request' };

function reason(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof EnvelopeRefused) return error.reason;
    throw error;
  }
  return 'taken';
}

describe('envelopes', () => {
  it('carry requests, answers and events', () => {
    const [a, b, c] = [edge('a'), edge('b'), edge('c')];
    const asked = a.seal(request);
    const got = b.open(asked.bytes, REQUEST);
    expect(got).toMatchObject({ from: 'a', to: 'b', caller: 'filter@porch', id: asked.id, time: now });
    expect(Buffer.from(got.body).toString()).toBe('hello');
    const answer = (from: SignedEnvelopes, re = asked.id) =>
      from.seal({ kind: 'answer', to: 'a', caller: '', body, re }).bytes;
    const expected: Expected = { kind: 'answer', re: asked.id, from: 'b' };
    expect(a.open(answer(b), expected).from).toBe('b');
    expect(reason(() => a.open(answer(c), expected))).toBe('kind');
    expect(reason(() => a.open(answer(b, '00'.repeat(16)), expected))).toBe('kind');
    const event = a.seal({ kind: 'event', to: '*', caller: '', body }).bytes;
    expect([b, c].map((reader) => reader.open(event, { kind: 'event' }).from)).toEqual(['a', 'a']);
  });

  it('count once, in time, for one receiver', () => {
    const [a, b, c] = [edge('a'), edge('b'), edge('c')];
    const { bytes } = a.seal(request);
    expect(reason(() => c.open(bytes, REQUEST))).toBe('receiver');
    expect(reason(() => b.open(bytes, { kind: 'event' }))).toBe('kind');
    expect(reason(() => b.open(bytes, REQUEST))).toBe('taken');
    expect(reason(() => b.open(bytes, REQUEST))).toBe('replay');
    const late = a.seal(request).bytes;
    now += WINDOW_MS + 1;
    expect(reason(() => b.open(late, REQUEST))).toBe('time');
    // A process that starts anew remembers nothing, so it takes nothing from before.
    const before = a.seal(request).bytes;
    now += 1;
    expect(reason(() => edge('b').open(before, REQUEST))).toBe('time');
    const everybody = a.seal({ ...request, to: '*' }).bytes;
    expect(reason(() => b.open(everybody, REQUEST))).toBe('receiver');
  });

  it('are signed by who has a certificate of this fleet', () => {
    const b = edge('b');
    const other = generateKeyPairSync('ed25519');
    expect(reason(() => b.open(edge('a', { by: other }).seal(request).bytes, REQUEST))).toBe('certificate');
    const expired = edge('a', { expires: now - 1000 });
    expect(reason(() => b.open(expired.seal(request).bytes, REQUEST))).toBe('certificate');
    // The certificate of one with the signature of another.
    const [own] = decode(edge('a').seal(request).bytes) as [Uint8Array];
    const [, signed] = decode(edge('c').seal(request).bytes) as [Uint8Array, Uint8Array];
    expect(reason(() => b.open(encode([own, signed]), REQUEST))).toBe('signature');
    // A certificate is no message, though an edge that was a root would have signed both.
    expect(reason(() => b.open(encode([own, own]), REQUEST))).toBe('signature');
    const plain = new PlainEnvelopes('a');
    expect(reason(() => b.open(plain.seal(request).bytes, REQUEST))).toBe('malformed');
    expect(reason(() => plain.open(edge('b').seal({ ...request, to: 'a' }).bytes, REQUEST))).toBe('malformed');
    expect(new PlainEnvelopes('b').open(plain.seal(request).bytes, REQUEST).from).toBe('a');
  });

  it('are refused after any change of one byte', () => {
    let b = edge('b');
    const { bytes } = edge('a').seal(request);
    const taken: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [1, 0x80, 0xff]) {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= change;
        if (reason(() => b.open(changed, REQUEST)) !== 'taken') continue;
        taken.push(bytes[at]!);
        b = edge('b');
      }
    }
    // Only the headers that COSE leaves unprotected, which are empty and not looked at.
    expect(taken.filter((byte) => byte !== EMPTY_MAP)).toEqual([]);
    for (let length = 0; length < bytes.length; length++)
      expect(reason(() => b.open(bytes.slice(0, length), REQUEST))).not.toBe('taken');
    expect(reason(() => b.open(bytes, REQUEST))).toBe('taken');
  });
});

describe('records', () => {
  it('count for their key, for ever, if their writer was a member then', () => {
    const [a, b] = [edge('a', { expires: now + DAY }), edge('b')];
    const record = a.sealRecord('placement x', body);
    expect(b.openRecord('placement x', record)).toMatchObject({ from: 'a', time: now });
    expect(reason(() => b.openRecord('placement y', record))).toBe('kind');
    expect(reason(() => b.open(record, REQUEST))).toBe('signature');
    expect(reason(() => b.openRecord('x', a.seal(request).bytes))).toBe('signature');
    const changed = Uint8Array.from(record);
    changed[changed.length - 80]! ^= 1;
    expect(reason(() => b.openRecord('placement x', changed))).not.toBe('taken');
    now += 2 * DAY;
    expect(b.openRecord('placement x', record).from).toBe('a');
    // What it writes after its certificate has ended is void.
    const late = a.sealRecord('placement x', body);
    expect(reason(() => b.openRecord('placement x', late))).toBe('certificate');
    const plain = new PlainEnvelopes('a').sealRecord('placement x', body);
    expect(reason(() => b.openRecord('placement x', plain))).toBe('malformed');
    expect(reason(() => new PlainEnvelopes('b').openRecord('placement x', record))).toBe('malformed');
  });
});

describe('ReplayCache', () => {
  it('forgets in bounded memory and refuses what it has forgotten', () => {
    const cache = new ReplayCache(1000, 0, { entries: 10, senders: 2 });
    for (let i = 1; i <= 30; i++) expect(cache.take('a', String(i), i * 10, i * 10)).toBeNull();
    for (let i = 1; i <= 20; i++) expect(cache.take('a', String(i), i * 10, 300)).toBe('time');
    for (let i = 21; i <= 30; i++) expect(cache.take('a', String(i), i * 10, 300)).toBe('replay');
    // More senders than fit: the first is forgotten, its messages are not taken again.
    cache.take('b', '1', 310, 310);
    cache.take('c', '1', 320, 320);
    for (let i = 1; i <= 30; i++) expect(cache.take('a', String(i), i * 10, 330)).not.toBeNull();
    expect(cache.take('a', 'new', 340, 340)).toBeNull();
  });
});
