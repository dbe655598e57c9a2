// One message from somebody unknown: what is well-formed is what coap-packet writes, what is refused with which code, and how
// small answers to strangers stay.
import { generate, parse, type Packet } from 'coap-packet';
import { describe, expect, it } from 'vitest';
import { BoundedBlockCache } from './block-cache.js';
import { blockOf, inspectRequest, parseWhole } from './coap-message.js';
import { xorshift32 } from '../../test/support/random.js';

const MAX = 64 * 1024;
const path = (text: string) => text.split('/').map((part) => ({ name: 'Uri-Path', value: Buffer.from(part) }));
const option = (name: string, ...bytes: number[]) => ({ name, value: Buffer.from(bytes) });
const get = (options: Packet['options'], more: Packet = {}): Buffer =>
  generate({ code: '0.01', confirmable: true, messageId: 7, token: Buffer.from('t'), options: options!, ...more });

describe('messages', () => {
  it('are whole when coap-packet wrote them, and not when anything is missing', () => {
    const random = xorshift32(99);
    const bytes = (most: number): Buffer => Buffer.from(Array.from({ length: random(most + 1) }, () => random(256)));
    for (let i = 0; i < 3000; i++) {
      const names = [1, 3, 6, 11, 15, 23, 60, 258, 2049, 65000, 12, 13, 14, 268, 269, 270, 283];
      const options = Array.from({ length: random(6) }, () => {
        return { name: String(names[random(names.length)]), value: bytes([0, 12, 13, 268, 300][random(5)]!) };
      });
      const packet = {
        code: '0.02',
        messageId: i,
        token: bytes(8),
        options,
        payload: Buffer.concat([Buffer.of(65), bytes(40)]),
      };
      const whole = generate(packet, 2000);
      const read = parseWhole(whole);
      if (whole.length > 1472) {
        expect(read).toBeNull();
        continue;
      }
      expect([read?.token, read?.payload, read?.options.length]).toEqual([
        packet.token,
        packet.payload,
        options.length,
      ]);
      // Without its last byte it ends in the payload; cut where the payload or an option begins, it is not whole.
      const withoutPayload = whole.subarray(0, whole.length - packet.payload.length);
      expect(parseWhole(withoutPayload)).toBeNull();
      const last = options.length === 0 ? null : parseWhole(withoutPayload.subarray(0, -1))?.options.at(-1)?.value;
      if (last !== undefined && last !== null && last.length > 0)
        expect(parseWhole(withoutPayload.subarray(0, -2))).toBeNull();
    }
    const long = generate({ token: Buffer.alloc(300), options: [] });
    expect([parseWhole(long), parseWhole(Buffer.of(0x40, 1, 0)), parseWhole(Buffer.of(0x80, 1, 0, 0))]).toEqual([
      null,
      null,
      null,
    ]);
    expect(parseWhole(generate({ options: Array.from({ length: 65 }, () => option('Uri-Query', 1)) }))).toBeNull();
  });

  it('have blocks as RFC 7959 says', () => {
    const blocks = [[], [0x06], [0x1e], [0x01, 0x02], [0xff, 0xff, 0xf8], [0x07], [0, 0, 0, 1]];
    expect(blocks.map((bytes) => blockOf(Buffer.from(bytes)))).toEqual([
      { number: 0, more: false, bytes: 16 },
      { number: 0, more: false, bytes: 1024 },
      { number: 1, more: true, bytes: 1024 },
      { number: 16, more: false, bytes: 64 },
      { number: 0xfffff, more: true, bytes: 16 },
      null,
      null,
    ]);
  });

  it('are answered in blocks of three times their size at most, if their sender may be another', () => {
    const blockFor = (options: Packet['options']): [number, number] => {
      const bytes = get(options);
      const verdict = inspectRequest(bytes, MAX, true);
      if (verdict.kind !== 'take') throw new Error(verdict.kind);
      const block = parse(verdict.bytes).options.find(({ name }) => name === 'Block2');
      const { number, bytes: size } = blockOf(block!.value)!;
      expect(size).toBeLessThanOrEqual(Math.max(64, 3 * bytes.length));
      return [number, size];
    };
    expect(blockFor(path('a'))).toEqual([0, 64]);
    expect(blockFor(path('x'.repeat(200)))).toEqual([0, 512]);
    // Block 2 of 1,024 bytes begins where block 32 of 64 does.
    expect(blockFor([...path('a'), option('Block2', 0x26)])).toEqual([32, 64]);
    expect(blockFor([...path('a'), option('Block2', 0x21)])).toEqual([2, 32]);
    const here = inspectRequest(get(path('a')), MAX);
    expect(here.kind === 'take' && here.packet.options.map(({ name }) => name)).toEqual(['Uri-Path']);
  });

  it('lose an Observe that says nothing', () => {
    const names = (bytes: Buffer): string[] => {
      const verdict = inspectRequest(bytes, MAX);
      return verdict.kind === 'take' ? parse(verdict.bytes).options.map(({ name }) => String(name)) : [verdict.kind];
    };
    expect(names(get([option('Observe'), ...path('a')]))).toEqual(['Observe', 'Uri-Path']);
    expect(names(get([option('Observe'), ...path('a')], { code: '0.03' }))).toEqual(['Uri-Path']);
    expect(names(get([option('Observe', 1, 2), ...path('a')]))).toEqual(['Uri-Path']);
  });

  it('that are no requests are dropped, never answered', () => {
    const kind = (packet: Packet): string => inspectRequest(generate(packet), MAX).kind;
    expect([kind({ code: '2.05', confirmable: true }), kind({ code: '4.04' }), kind({ code: '7.31' })]).toEqual([
      'drop',
      'drop',
      'drop',
    ]);
    expect([kind({ code: '0.00', ack: true }), kind({ code: '0.00', reset: true }), kind({ code: '0.00' })]).toEqual([
      'take',
      'take',
      'drop',
    ]);
    expect([kind({ code: '0.01', ack: true }), kind({ code: '0.01', reset: true })]).toEqual(['drop', 'drop']);
  });
});

it('bodies in blocks are kept in bounded number, of each peer and of all', () => {
  let now = 0;
  const cache = new BoundedBlockCache(
    1000,
    () => ({}),
    () => now,
  );
  const first = cache.getWithDefaultInsert('t0/a:1') as Record<string, number>;
  first['0'] = 1;
  expect(cache.getWithDefaultInsert('t0/a:1')).toBe(first);
  for (let i = 1; i < 20; i++) cache.add(`t${i}/a:1`, i);
  expect([cache.size, cache.contains('t0/a:1'), cache.get('t19/a:1')]).toEqual([8, false, 19]);
  for (let i = 0; i < 2000; i++) cache.add(`t/p:${i}`, i);
  expect(cache.size).toBe(256);
  now = 1001;
  expect([cache.contains('t/p:1999'), cache.get('t/p:1999')]).toEqual([false, undefined]);
  cache.add('x/y', 1);
  expect(cache.size).toBe(1);
});
