// What edges say to each other: every message names sender, receiver, kind, caller and time, is signed with the sender's
// key (COSE_Sign1, Ed25519) and counts once. Takes an identity; gives and takes bytes. Knows no transport.
import { randomBytes, type KeyObject } from 'node:crypto';
import { decode, encode } from 'cborg';
import { openMessage, signMessage } from '../../manifest/cose.js';
import { openCertificate, type EdgeCertificate } from './certificate.js';
import { ReplayCache } from './replay.js';

/** What a message is for; a request cannot be passed off as an event. */
export type EnvelopeKind = 'request' | 'answer' | 'event';

export interface Message {
  readonly kind: EnvelopeKind;
  /** Name of the edge that it is for, without `edge:`; `*` for events, which all may read. */
  readonly to: string;
  /** On whose behalf, as services see it (`filter@porch`, `user:anna`); empty if nobody's. */
  readonly caller: string;
  readonly body: Uint8Array;
  /** With an answer: id of the request's envelope. */
  readonly re?: string;
}

export interface Opened extends Message {
  /** The edge that signed it, without `edge:`. */
  readonly from: string;
  /** Of this envelope: 32 hexadecimal digits, never used twice. */
  readonly id: string;
  /** When it was sealed, in milliseconds since 1970. */
  readonly time: number;
}

export interface Envelopes {
  /** Signs a message. `id` is what its answer must give as `re`. */
  seal(message: Message): { readonly bytes: Uint8Array; readonly id: string };
  /** Checks and opens one. @throws EnvelopeRefused */
  open(bytes: Uint8Array, expected: Expected): Opened;
  /** Signs what is kept under a key where others can write too. */
  sealRecord(key: string, body: Uint8Array): Uint8Array;
  /**
   * Opens what is kept under a key. It has no age: it counts as long as its signer was a member when it was written.
   * @throws EnvelopeRefused
   */
  openRecord(key: string, bytes: Uint8Array): OpenedRecord;
}

export interface OpenedRecord {
  /** The edge that wrote it, without `edge:`. */
  readonly from: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly body: Uint8Array;
}

/** `answer`: to which request, and who was asked. */
export type Expected =
  { readonly kind: 'request' | 'event' } | { readonly kind: 'answer'; readonly re: string; readonly from: string };

/** A message that does not count. Whoever sent it may be anybody: no answer, or one that says no more than no. */
export class EnvelopeRefused extends Error {
  constructor(
    readonly reason: 'malformed' | 'signature' | 'certificate' | 'kind' | 'receiver' | 'time' | 'replay',
    message: string,
  ) {
    super(message);
    this.name = 'EnvelopeRefused';
  }
}

export interface EnvelopeIdentity {
  /** Name of this edge, without `edge:`. */
  readonly edge: string;
  readonly privateKey: KeyObject;
  /** Signed by the fleet's root; travels with each message. */
  readonly certificate: Uint8Array;
  /** Public root key. */
  readonly root: KeyObject;
  /** Certificates that the root has taken back. */
  readonly revoked?: { has(certificate: EdgeCertificate): boolean };
}

/** How far the clocks of two edges and the way between them may be apart. */
export const WINDOW_MS = 30_000;
const VERSION = 1;
const ID_BYTES = 16;
const CONTEXT = Buffer.from('thingspire edge message');
const RECORD_CONTEXT = Buffer.from('thingspire edge record');
/** Certificates whose signature was checked already. */
const MAX_KNOWN_CERTIFICATES = 1_000;
const EVERYBODY = '*';

/** [version, kind, from, to, id, time, caller, re, body] */
type Content = [number, EnvelopeKind, string, string, Uint8Array, number, string, Uint8Array | null, Uint8Array];

const refuse = (reason: EnvelopeRefused['reason'], message: string): never => {
  throw new EnvelopeRefused(reason, message);
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function write(from: string, { kind, to, caller, body, re }: Message, id: Uint8Array, now: number): Uint8Array {
  const reply = re === undefined ? null : Uint8Array.from(Buffer.from(re, 'hex'));
  return encode([VERSION, kind, from, to, id, now, caller, reply, body] satisfies Content);
}

function read(payload: Uint8Array): Opened {
  const value: unknown = tryDecode(payload);
  if (!Array.isArray(value) || value.length !== 9) return refuse('malformed', 'not an envelope');
  const [version, kind, from, to, id, time, caller, re, body] = value as Content;
  if (version !== VERSION) return refuse('malformed', `an envelope of version ${String(version)}`);
  const texts = [kind, from, to, caller].every((text) => typeof text === 'string');
  const bytes = [id, body, ...(re === null ? [] : [re])].every((part) => part instanceof Uint8Array);
  if (!texts || !bytes || !Number.isSafeInteger(time) || id.length !== ID_BYTES)
    return refuse('malformed', 'not an envelope');
  return { kind, from, to, id: hex(id), time, caller, body, ...(re === null ? {} : { re: hex(re) }) };
}

/** [version, key, from, time, body] */
type RecordContent = [number, string, string, number, Uint8Array];

function readRecord(payload: Uint8Array, wanted: string): OpenedRecord {
  const value = tryDecode(payload);
  const [version, key, from, time, body] = (Array.isArray(value) ? value : []) as Partial<RecordContent>;
  if (version !== VERSION || typeof from !== 'string' || !Number.isSafeInteger(time) || !(body instanceof Uint8Array))
    return refuse('malformed', 'not a record');
  if (key !== wanted) return refuse('kind', `a record of ${String(key)}, not of ${wanted}`);
  return { from, time: time!, body };
}

function tryDecode(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, { allowIndefinite: false });
  } catch {
    return refuse('malformed', 'not an envelope');
  }
}

/** Checks what signatures do not say. */
function check(opened: Opened, self: string, expected: Expected): void {
  if (opened.kind !== expected.kind) refuse('kind', `${opened.kind} where ${expected.kind} belongs`);
  if (opened.to !== self && !(opened.kind === 'event' && opened.to === EVERYBODY))
    refuse('receiver', `for ${opened.to}, not for ${self}`);
  if (expected.kind === 'answer' && (opened.re !== expected.re || opened.from !== expected.from))
    refuse('kind', `an answer to something else, by ${opened.from}`);
}

/** The envelopes of an enrolled edge. */
export class SignedEnvelopes implements Envelopes {
  private readonly replays: ReplayCache;
  private readonly known = new Map<string, EdgeCertificate>();

  /** @param clock milliseconds since 1970 */
  constructor(
    private readonly identity: EnvelopeIdentity,
    private readonly clock: () => number = Date.now,
  ) {
    this.replays = new ReplayCache(WINDOW_MS, clock());
  }

  seal(message: Message): { readonly bytes: Uint8Array; readonly id: string } {
    const { edge, privateKey, certificate } = this.identity;
    const id = Uint8Array.from(randomBytes(ID_BYTES));
    const signed = signMessage(write(edge, message, id, this.clock()), privateKey, CONTEXT);
    return { bytes: encode([certificate, Uint8Array.from(signed)]), id: hex(id) };
  }

  sealRecord(key: string, body: Uint8Array): Uint8Array {
    const { edge, privateKey, certificate } = this.identity;
    const content = encode([VERSION, key, edge, this.clock(), body] satisfies RecordContent);
    return encode([certificate, Uint8Array.from(signMessage(content, privateKey, RECORD_CONTEXT))]);
  }

  openRecord(key: string, bytes: Uint8Array): OpenedRecord {
    const { payload, sender } = this.unwrap(bytes, RECORD_CONTEXT);
    const record = readRecord(payload, key);
    if (record.from !== sender.edge) refuse('signature', `${sender.edge} signed for ${record.from}`);
    if (record.time > sender.expires || record.time < sender.issued - WINDOW_MS)
      refuse('certificate', `${sender.edge}: written while it was no member`);
    return record;
  }

  open(bytes: Uint8Array, expected: Expected): Opened {
    const now = this.clock();
    const { payload, sender } = this.unwrap(bytes, CONTEXT);
    const opened = read(payload);
    if (now > sender.expires) refuse('certificate', `${sender.edge}: expired`);
    if (opened.from !== sender.edge) refuse('signature', `${sender.edge} signed for ${opened.from}`);
    check(opened, this.identity.edge, expected);
    const late = this.replays.take(opened.from, opened.id, opened.time, now);
    if (late === 'time') refuse('time', `from ${opened.from}: ${now - opened.time} ms old, clocks may differ`);
    if (late === 'replay') refuse('replay', `from ${opened.from}: a copy`);
    return opened;
  }

  /** Checks both signatures: the root's under the certificate, the certificate's under the contents. */
  private unwrap(bytes: Uint8Array, context: Uint8Array): { payload: Uint8Array; sender: EdgeCertificate } {
    const parts = tryDecode(bytes);
    const [certificate, signed] = Array.isArray(parts) ? (parts as unknown[]) : [];
    if (!(certificate instanceof Uint8Array) || !(signed instanceof Uint8Array))
      return refuse('malformed', 'not signed');
    const sender = this.sender(certificate);
    if (this.identity.revoked?.has(sender) === true) refuse('certificate', `${sender.edge}: revoked`);
    try {
      return { payload: openMessage(signed, sender.edge, sender.key, context), sender };
    } catch (error) {
      return refuse('signature', (error as Error).message);
    }
  }

  private sender(bytes: Uint8Array): EdgeCertificate {
    const key = hex(bytes);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    let certificate: EdgeCertificate;
    try {
      certificate = openCertificate(bytes, this.identity.root, 'certificate');
    } catch (error) {
      return refuse('certificate', (error as Error).message);
    }
    if (this.known.size >= MAX_KNOWN_CERTIFICATES) this.known.clear();
    this.known.set(key, certificate);
    return certificate;
  }
}

/** The same without keys: for one machine and for development. Refuses signed ones, as they refuse these. */
export class PlainEnvelopes implements Envelopes {
  constructor(private readonly edge: string) {}

  seal(message: Message): { readonly bytes: Uint8Array; readonly id: string } {
    const id = Uint8Array.from(randomBytes(ID_BYTES));
    return { bytes: write(this.edge, message, id, Date.now()), id: hex(id) };
  }

  open(bytes: Uint8Array, expected: Expected): Opened {
    const opened = read(bytes);
    check(opened, this.edge, expected);
    return opened;
  }

  sealRecord(key: string, body: Uint8Array): Uint8Array {
    return encode([VERSION, key, this.edge, Date.now(), body] satisfies RecordContent);
  }

  openRecord(key: string, bytes: Uint8Array): OpenedRecord {
    return readRecord(bytes, key);
  }
}
