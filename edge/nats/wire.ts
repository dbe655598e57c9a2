// Bodies of messages between edges: CBOR, compressed when long, in the object store when too long for a message. Takes and
// gives values; knows no subject.
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { decode, encode } from 'cborg';
import type { Blobs } from './blobs.js';

/** `call`: a request to a service. `place`: a step of a move. The others are of observing. */
export type Operation = 'call' | 'place' | 'observe' | 'renew' | 'unobserve';

/** [operation, id, session of the one who is asked, milliseconds that are waited, arguments] */
export type RequestBody = readonly [Operation, string, string, number, unknown];

/**
 * `ok`: the value. `not here`: nothing has run, look again. `gone`: meant for an earlier run of the edge. `busy`: too much
 * at a time. `unreached`: the place does not answer, nothing has run. `broken`: it may have run. `refused`: why, and the
 * number of a diagnostic, `UNSETTLED` or null.
 */
export type AnswerBody =
  | readonly ['ok', unknown]
  | readonly ['not here' | 'gone' | 'busy' | 'unreached' | 'broken']
  | readonly ['refused', string, string | null];

/** In the place of a number: the class of the error. */
export const UNSETTLED = 'unsettled';

const INLINE = 0;
const DEFLATED = 1;
const STORED = 2;
/** Bytes from which compressing pays. */
const COMPRESS_FROM = 4_096;
/** Room in a message for its envelope. */
const ENVELOPE_BYTES = 2_048;
/** A message cannot make the receiver's memory run over. */
const MAX_BYTES = 512 * 1024 * 1024;
const FASTEST = { level: 1 };

const deflate = promisify(deflateRaw) as (bytes: Uint8Array, options: object) => Promise<Buffer>;
const inflate = promisify(inflateRaw) as (bytes: Uint8Array, options: object) => Promise<Buffer>;

const marked = (mark: number, bytes: Uint8Array): Uint8Array => {
  const result = new Uint8Array(bytes.length + 1);
  result[0] = mark;
  result.set(bytes, 1);
  return result;
};

export async function pack(value: unknown, blobs: Blobs, maxPayload: number): Promise<Uint8Array> {
  const bytes = encode(value);
  const room = maxPayload - ENVELOPE_BYTES;
  if (bytes.length < Math.min(COMPRESS_FROM, room)) return marked(INLINE, bytes);
  const short = marked(DEFLATED, await deflate(bytes, FASTEST));
  if (short.length < room) return short;
  return marked(STORED, Buffer.from(await blobs.put(short), 'hex'));
}

/** @throws Error for what is not a body, or has gone from the object store */
export async function unpack(bytes: Uint8Array, blobs: Blobs): Promise<unknown> {
  const content = bytes.subarray(1);
  switch (bytes[0]) {
    case INLINE:
      return decode(content);
    case DEFLATED:
      return decode(await inflate(content, { maxOutputLength: MAX_BYTES }));
    case STORED: {
      const stored = await blobs.get(Buffer.from(content).toString('hex'));
      if (stored === null) throw new Error('the contents of a message have gone from the object store');
      return unpack(stored, blobs);
    }
    default:
      throw new Error('a message of an unknown kind');
  }
}
