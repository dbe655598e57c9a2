// Puts bodies together that come in blocks (Block1 of RFC 7959): blocks of one body have the same sender and options, but
// each may have a token of its own, which the `coap` library does not allow for. Takes messages; bounded. Knows no socket.
import { createHash } from 'node:crypto';
import { generate, type ParsedPacket } from 'coap-packet';
import { BoundedBlockCache } from './block-cache.js';
import { blockOf } from './coap-message.js';

/** Elective option that carries the Block1 of the last block to whoever answers: the answer has it too. */
export const LAST_BLOCK_OPTION = '65002';

/** EXCHANGE_LIFETIME of RFC 7252, 4.8.2. */
const LIFETIME_MS = 247_000;
const HEADER_BYTES = 2048;

export type Assembled =
  /** No body in blocks. */
  | { readonly kind: 'plain' }
  /** To be answered with this message: go on (2.31), or a block before it is missing (4.08). */
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  /** The request with its whole body. */
  | { readonly kind: 'whole'; readonly bytes: Buffer };

interface Body {
  readonly parts: Buffer[];
  length: number;
  /** Message ids of its blocks: one that comes again is acknowledged again. */
  readonly seen: Set<number>;
}

export class BlockAssembly {
  private readonly bodies: BoundedBlockCache;
  /** Whole requests by their last message, for when that comes again. */
  private readonly finished: BoundedBlockCache;

  constructor(clock?: () => number) {
    const none = (): unknown => null;
    this.bodies = new BoundedBlockCache(LIFETIME_MS, none, clock);
    this.finished = new BoundedBlockCache(LIFETIME_MS, none, clock);
  }

  /** @param packet whose block options have been checked */
  take(peer: string, packet: ParsedPacket): Assembled {
    const value = packet.options.find(({ name }) => name === 'Block1')?.value;
    if (value === undefined) return { kind: 'plain' };
    const { messageId, payload, token } = packet;
    const last = `${messageId}.${token.toString('hex')}/${peer}`;
    const known = this.finished.get(last) as Buffer | undefined;
    if (known !== undefined) return { kind: 'whole', bytes: known };
    const { number, more, bytes } = blockOf(value)!;
    const key = `${keyOf(packet)}/${peer}`;
    let body = this.bodies.get(key) as Body | undefined;
    if (body?.seen.has(messageId)) return reply(packet, '2.31', value);
    if (number === 0) body = { parts: [], length: 0, seen: new Set() };
    if (body === undefined || number * bytes !== body.length) return reply(packet, '4.08', value);
    body.parts.push(payload);
    body.length += payload.length;
    body.seen.add(messageId);
    if (more) {
      this.bodies.add(key, body);
      return reply(packet, '2.31', value);
    }
    this.bodies.remove(key);
    const options = packet.options.filter(({ name }) => name !== 'Block1' && name !== 'Size1');
    const whole = generate(
      {
        ...packet,
        options: [...(options as { name: string; value: Buffer }[]), { name: LAST_BLOCK_OPTION, value }],
        payload: Buffer.concat(body.parts),
      },
      body.length + HEADER_BYTES,
    );
    this.finished.add(last, whole);
    return { kind: 'whole', bytes: whole };
  }
}

function reply({ confirmable, messageId, token }: ParsedPacket, code: string, block: Buffer): Assembled {
  const options = [{ name: 'Block1', value: block }] as { name: string; value: Buffer }[];
  return {
    kind: 'answer',
    bytes: generate({ code, token, options, ...(confirmable ? { messageId, ack: true } : {}) }),
  };
}

const OF_BLOCKS: ReadonlySet<string> = new Set(['Block1', 'Block2', 'Size1', 'Size2', LAST_BLOCK_OPTION]);

/** What all messages of one transfer in blocks have in common (RFC 7959, 2.5; Request-Tag is one of the options). */
export function keyOf({ code, options }: Pick<ParsedPacket, 'code' | 'options'>): string {
  const hash = createHash('sha256').update(code);
  for (const { name, value } of options)
    if (!OF_BLOCKS.has(String(name))) hash.update(`|${String(name)}|${value.toString('hex')}`);
  return hash.digest('hex');
}
