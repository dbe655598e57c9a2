// One CoAP message as it comes from somebody unknown: taken, answered at once with a refusal, or dropped, before the `coap`
// library sees it, which believes sizes and numbers that it reads. Takes and gives bytes; knows no peer and no service.
import { generate, parse, type ParsedPacket } from 'coap-packet';
import { Method } from '../../compiler/abi/os-layout.js';

export type Verdict =
  | { readonly kind: 'take'; readonly bytes: Buffer; readonly packet: ParsedPacket }
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  | { readonly kind: 'drop' };

/** A datagram of the largest Ethernet frame; a block of 1,024 bytes with all its options is below it. */
const MAX_MESSAGE_BYTES = 1472;
/** Tokens are at most this long (RFC 7252, 5.3.1). */
const MAX_TOKEN_BYTES = 8;
const MAX_OPTIONS = 64;
const PAYLOAD_MARKER = 0xff;
/** Critical options (odd numbers) that this gateway does something with; others must be refused (RFC 7252, 5.4.1). */
const KNOWN_CRITICAL: ReadonlySet<string> = new Set([
  'Uri-Host',
  'Uri-Port',
  'Uri-Path',
  'Uri-Query',
  'Accept',
  'Block1',
  'Block2',
]);
const PROXY: ReadonlySet<string> = new Set(['Proxy-Uri', 'Proxy-Scheme']);
const OPTION_NUMBERS: Readonly<Record<string, number>> = {
  'If-Match': 1,
  'If-None-Match': 5,
  OSCORE: 9,
  'Q-Block1': 19,
  'Q-Block2': 31,
  'OCF-Accept-Content-Format-Version': 2049,
  'OCF-Content-Format-Version': 2053,
};

const DROP: Verdict = { kind: 'drop' };

/** A refusal in the manner of the request: piggybacked on its acknowledgement, or non-confirmable. */
function refusal({ confirmable, messageId, token }: ParsedPacket, code: string): Verdict {
  const options = { code, token, ...(confirmable ? { messageId, ack: true } : {}) };
  return { kind: 'answer', bytes: generate(options) };
}

/** A message that is well-formed (RFC 7252, 3); null: it is not. */
export function parseWhole(bytes: Uint8Array): ParsedPacket | null {
  if (bytes.length < 4 || bytes.length > MAX_MESSAGE_BYTES) return null;
  const tokenBytes = bytes[0]! & 15;
  if (tokenBytes > MAX_TOKEN_BYTES || !isWhole(bytes, 4 + tokenBytes)) return null;
  try {
    return parse(Buffer.from(bytes));
  } catch {
    return null;
  }
}

/** Whether options and payload from `at` on end where the message does: the library's parser takes less than is announced. */
function isWhole(bytes: Uint8Array, start: number): boolean {
  let at = start;
  /** A nibble with what extends it; 15 is reserved. */
  const extended = (nibble: number): number => {
    if (nibble < 13) return nibble;
    const width = nibble - 12;
    if (nibble === 15 || at + width > bytes.length) return NaN;
    const value = nibble === 13 ? 13 + bytes[at]! : 269 + bytes[at]! * 256 + bytes[at + 1]!;
    at += width;
    return value;
  };
  for (let count = 0; at < bytes.length; count++) {
    const first = bytes[at++]!;
    if (first === PAYLOAD_MARKER) return at < bytes.length;
    const delta = extended(first >> 4);
    const length = extended(first & 15);
    if (count === MAX_OPTIONS || Number.isNaN(delta) || !(at + length <= bytes.length)) return false;
    at += length;
  }
  return at === bytes.length;
}

export interface Block {
  readonly number: number;
  readonly more: boolean;
  readonly bytes: number;
}

/** A Block1 or Block2 option; null: not one that may be (RFC 7959, 2.2). */
export function blockOf(value: Uint8Array): Block | null {
  if (value.length > 3) return null;
  const word = Buffer.from(value).reduce((sum, byte) => sum * 256 + byte, 0);
  const exponent = word & 7;
  return exponent === 7 ? null : { number: word >> 4, more: (word & 8) !== 0, bytes: 16 << exponent };
}

/**
 * Looks at a request or an empty message.
 * @param maxBody most bytes of a body in blocks
 * @param unverified the sender may be somebody else than it says: answers are kept near the size of the request
 */
export function inspectRequest(bytes: Uint8Array, maxBody: number, unverified = false): Verdict {
  const packet = parseWhole(bytes);
  if (packet === null) return DROP;
  const { code, ack, reset, confirmable, messageId } = packet;
  if (code === '0.00') {
    // A ping (RFC 7252, 4.3).
    if (confirmable) return { kind: 'answer', bytes: generate({ code: '0.00', reset: true, messageId }) };
    return ack || reset ? { kind: 'take', bytes: Buffer.from(bytes), packet } : DROP;
  }
  if (!code.startsWith('0.') || ack || reset) return DROP;
  const method = Number(code.slice(2));
  if (method > Method.Delete) return refusal(packet, '4.05');
  const names = packet.options.map(({ name }) => String(name));
  if (names.some((name) => PROXY.has(name))) return refusal(packet, '5.05');
  if (names.some((name) => isCritical(name) && !KNOWN_CRITICAL.has(name))) return refusal(packet, '4.02');
  const refused = blockFault(packet, maxBody);
  if (refused !== null) return refusal(packet, refused);
  return rewrite(packet, bytes, method, unverified);
}

function isCritical(name: string): boolean {
  const number = OPTION_NUMBERS[name] ?? (/^\d+$/.test(name) ? Number(name) : null);
  return number === null ? KNOWN_CRITICAL.has(name) : number % 2 === 1;
}

/** Code to refuse a request's block options with; null: they are fine. */
function blockFault({ options, payload }: ParsedPacket, maxBody: number): string | null {
  for (const wanted of ['Block1', 'Block2'] as const) {
    const found = options.filter(({ name }) => name === wanted);
    if (found.length === 0) continue;
    const block = blockOf(found[0]!.value);
    if (found.length > 1 || block === null) return '4.02';
    if (wanted === 'Block2') {
      if (block.more || block.number * block.bytes > maxBody) return '4.02';
      continue;
    }
    if (block.more ? payload.length !== block.bytes : payload.length > block.bytes) return '4.00';
    if (block.number * block.bytes + payload.length > maxBody) return '4.13';
  }
  return null;
}

/** What the guard tells whoever answers (LAST_BLOCK_OPTION); from outside it means nothing. */
const INTERNAL_OPTION = '65002';
/** Block size exponents: 0 is 16 bytes, 6 is 1,024. */
const MAX_EXPONENT = 6;
const MIN_UNVERIFIED_EXPONENT = 2;
/** How many times the bytes of its request an answer to somebody unverified may have (RFC 9175, 2.4). */
const MAX_AMPLIFICATION = 3;

/** The same request without what the library stumbles over, and for somebody unverified in small blocks. */
function rewrite(packet: ParsedPacket, bytes: Uint8Array, method: number, unverified: boolean): Verdict {
  let { options } = packet;
  // Observe says nothing with other methods and is to be ignored there (RFC 7641, 2); as it is with other values.
  options = options.some(({ name }) => String(name) === INTERNAL_OPTION)
    ? options.filter(({ name }) => String(name) !== INTERNAL_OPTION)
    : options;
  if (options.some(({ name, value }) => name === 'Observe' && (method !== Method.Get || value.length > 1)))
    options = options.filter(({ name }) => name !== 'Observe');
  if (unverified && method === Method.Get) {
    const fitting = Math.floor(Math.log2((MAX_AMPLIFICATION * bytes.length) / 16));
    const exponent = Math.min(MAX_EXPONENT, Math.max(MIN_UNVERIFIED_EXPONENT, fitting));
    const asked = options.find(({ name }) => name === 'Block2')?.value;
    const block = asked === undefined ? { number: 0, bytes: 1024 } : blockOf(asked)!;
    if (block.bytes > 16 << exponent) {
      // The same place in smaller blocks.
      const number = (block.number * block.bytes) >> (4 + exponent);
      const value = uintOption((number << 4) | exponent);
      options = [...options.filter(({ name }) => name !== 'Block2'), { name: 'Block2', value }];
    }
  }
  if (options === packet.options) return { kind: 'take', bytes: Buffer.from(bytes), packet };
  const changed = { ...packet, options };
  return {
    kind: 'take',
    bytes: generate({ ...changed, options: options as { name: string; value: Buffer }[] }),
    packet: changed,
  };
}

/** An unsigned integer without leading zeros (RFC 7252, 3.2). */
function uintOption(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest & 255);
  return Buffer.from(bytes);
}
