// CoAP messages as a device link uses them: what coap-packet reads and writes, with codes as bytes, paths as text and blocks
// as numbers. Knows no retransmission and no line.
import { generate, type NamedOption } from 'coap-packet';
import { methodName } from '../../compiler/abi/os-layout.js';
import { codeText } from '../gateway/codes.js';
import { parseWhole } from '../security/coap-message.js';

/** Payloads above this go in blocks: what a device's receive buffer takes. */
export const BLOCK_BYTES = 1024;
/** Size exponent of BLOCK_BYTES: 2 ** (6 + 4). */
const BLOCK_SZX = 6;
/** Elective option, string: who calls, `MODULE` or `MODULE@THING`. The device believes the gateway. */
const CALLER_OPTION = 65000;
const MAX_MESSAGE_BYTES = 1400;

export interface Block {
  readonly number: number;
  readonly more: boolean;
  readonly bytes: number;
}

export interface Message {
  readonly type: 'con' | 'non' | 'ack' | 'rst';
  /** Method, response code, or 0: empty. */
  readonly code: number;
  readonly id: number;
  /** In hexadecimal. */
  readonly token: string;
  /** Path and query, with leading slash. */
  readonly uri: string;
  /** Uri-Host. */
  readonly host: string | null;
  readonly caller: string | null;
  readonly observe: number | null;
  readonly block1: Block | null;
  readonly block2: Block | null;
  readonly etag: string;
  readonly payload: Buffer;
}

export type Outgoing = Partial<Message> & Pick<Message, 'type' | 'id'>;

/** Null for what is no CoAP message. */
export function readMessage(bytes: Uint8Array): Message | null {
  const packet = parseWhole(bytes);
  if (packet === null) return null;
  const { code, messageId, token, payload, confirmable, ack, reset } = packet;
  const values = (name: string): Buffer[] =>
    packet.options.filter((option) => String(option.name) === name).map(({ value }) => value);
  const first = (name: string): Buffer | null => values(name)[0] ?? null;
  const path = values('Uri-Path').map((segment) => `/${segment.toString()}`);
  const query = values('Uri-Query').map((part) => part.toString());
  const observe = first('Observe');
  return {
    type: confirmable ? 'con' : ack ? 'ack' : reset ? 'rst' : 'non',
    code: codeByte(code),
    id: messageId,
    token: token.toString('hex'),
    uri: `${path.length === 0 ? '/' : path.join('')}${query.length === 0 ? '' : `?${query.join('&')}`}`,
    host: first('Uri-Host')?.toString() ?? null,
    caller: first(String(CALLER_OPTION))?.toString() ?? null,
    observe: observe === null ? null : number(observe),
    block1: block(first('Block1')),
    block2: block(first('Block2')),
    etag: first('ETag')?.toString('hex') ?? '',
    payload,
  };
}

/** @throws Error for one that is too long for a frame */
export function writeMessage(message: Outgoing): Buffer {
  const { type, id, code = 0, token = '', uri, host, caller, observe, block1, block2, payload } = message;
  const options: { name: string; value: Buffer }[] = [];
  const text = (name: string, value: string): void => void options.push({ name, value: Buffer.from(value) });
  const bytes = (name: string, value: number | null | undefined): void => {
    if (value !== null && value !== undefined) options.push({ name, value: minimal(value) });
  };
  const [path = '', query] = (uri ?? '').split(/\?(.*)/s);
  if (host !== null && host !== undefined) text('Uri-Host', host);
  for (const segment of path.split('/').slice(1)) if (segment !== '') text('Uri-Path', segment);
  for (const part of query === undefined || query === '' ? [] : query.split('&')) text('Uri-Query', part);
  bytes('Observe', observe);
  bytes('Block1', blockValue(block1));
  bytes('Block2', blockValue(block2));
  if (caller !== null && caller !== undefined) text(String(CALLER_OPTION), caller);
  return generate(
    {
      code: code >= 1 && code < 32 ? methodName(code)! : codeText(code),
      confirmable: type === 'con',
      ack: type === 'ack',
      reset: type === 'rst',
      messageId: id,
      token: Buffer.from(token, 'hex'),
      options: options as unknown as NamedOption[],
      payload: payload ?? Buffer.alloc(0),
    },
    MAX_MESSAGE_BYTES,
  );
}

/** "2.05" -> 0x45 */
function codeByte(text: string): number {
  const [kind, detail] = text.split('.');
  return (Number(kind) << 5) | Number(detail);
}

const number = (value: Buffer): number =>
  value.length === 0 || value.length > 6 ? 0 : value.readUIntBE(0, value.length);

/** An unsigned number in as few bytes as it needs. */
function minimal(value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return Buffer.from(bytes);
}

function block(value: Buffer | null): Block | null {
  if (value === null || value.length > 3) return null;
  const bits = number(value);
  const exponent = bits & 7;
  return exponent === 7 ? null : { number: bits >>> 4, more: (bits & 8) !== 0, bytes: 2 ** (exponent + 4) };
}

function blockValue(value: Block | null | undefined): number | null {
  if (value === null || value === undefined) return null;
  return (value.number << 4) | (value.more ? 8 : 0) | (Math.log2(value.bytes) - 4);
}

/** A block of the size that goes into one message. */
export const blockOf = (index: number, more: boolean): Block => ({ number: index, more, bytes: 2 ** (BLOCK_SZX + 4) });
