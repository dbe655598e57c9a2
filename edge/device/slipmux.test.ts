// Slipmux: what comes out is what went in, through damage and garbage.
import { describe, expect, it } from 'vitest';
import { encodeCoapFrame, MAX_FRAME_BYTES, SlipmuxDecoder } from './slipmux.js';

function decode(chunks: readonly Uint8Array[]) {
  const messages: string[] = [];
  let text = '';
  const decoder = new SlipmuxDecoder({
    coap: (message) => messages.push(Buffer.from(message).toString('hex')),
    console: (bytes) => (text += Buffer.from(bytes).toString('latin1')),
  });
  chunks.forEach((chunk) => decoder.push(chunk));
  return { messages, text, counts: decoder.counts };
}
const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const message = (hex: string): Buffer => Buffer.from(hex, 'hex');

describe('slipmux', () => {
  it('frames as the draft says', () => {
    // Check sum by RFC 1662's table over a9 40 01 c0 db.
    const frame = encodeCoapFrame(message('4001c0db'));
    expect([frame[0], frame[1], frame.at(-1)]).toEqual([0xc0, 0xa9, 0xc0]);
    expect(Buffer.from(frame).toString('hex')).toContain('4001dbdcdbdd');
  });

  it('separates console text from messages, in chunks of any size', () => {
    const stream = Buffer.concat([
      latin('boot\n'),
      encodeCoapFrame(message('40010001')),
      latin('hello\n'),
      encodeCoapFrame(message('4001c0dbdc')),
      latin('\xc0\x0adiagnostic\xc0'),
      encodeCoapFrame(message('400100030404')),
    ]);
    const whole = decode([stream]);
    expect(whole.messages).toEqual(['40010001', '4001c0dbdc', '400100030404']);
    expect(whole.text).toBe('boot\nhello\ndiagnostic');
    for (const size of [1, 2, 3, 7]) {
      const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
        stream.subarray(i * size, (i + 1) * size),
      );
      expect(decode(chunks)).toEqual(whole);
    }
  });

  it('drops what is damaged and finds the next frame', () => {
    const good = encodeCoapFrame(message('40010001'));
    for (let at = 1; at < good.length - 1; at++) {
      const bad = good.slice();
      bad[at]! ^= 0x10;
      const { messages } = decode([bad, good, good]);
      expect(messages.at(-1)).toBe('40010001');
      expect(messages.length).toBeLessThanOrEqual(2);
    }
    const { messages, counts } = decode([latin('\xc0'), Buffer.alloc(3 * MAX_FRAME_BYTES, 65), latin('\xc0'), good]);
    expect([messages, counts.bad]).toEqual([['40010001'], 1]);
  });

  it('survives 20,000 random chunks', () => {
    let seed = 12345;
    const random = (n: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
    const interesting = [0xc0, 0xdb, 0xdc, 0xdd, 0xa9, 0x0a];
    const chunks = Array.from({ length: 20_000 }, () =>
      Uint8Array.from({ length: random(40) }, () => (random(3) === 0 ? interesting[random(6)]! : random(256))),
    );
    const { messages } = decode([
      ...chunks,
      latin('\xc0\xc0'),
      encodeCoapFrame(message('40010001')),
      encodeCoapFrame(message('40010002')),
    ]);
    expect(messages.at(-1)).toBe('40010002');
  });
});
