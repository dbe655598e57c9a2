// What /sys of a device offers, as functions: image, slots, modules, uploads, snapshots. Takes a link; gives checked
// values, repeats what may be repeated, and says in words why the device refuses. Knows no package format and no registry.
import { decode } from 'cborg';
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { codeName, codeText } from '../gateway/codes.js';
import type { RunState } from '../host/types.js';
import { NoAnswer, type ClientAnswer } from './coap-client.js';
import type { DeviceLink, DeviceRequest } from './device-link.js';

/** What the image says of itself. */
export interface DeviceImage {
  /** What packages are bound to, little-endian as in their header. */
  readonly identity: number;
  readonly name: string;
  readonly version: string;
  readonly uptimeMs: number;
  readonly freeRam: number;
}

export interface SlotStatus {
  readonly slot: string;
  readonly state: string;
  /** Name of the module in it, or "". */
  readonly module: string;
  readonly held: boolean;
  readonly epoch: number;
  /** Of the active bank and of both, in hexadecimal; "" for nothing. */
  readonly hash: string;
  readonly banks: readonly string[];
  readonly received: number;
  readonly capacity: number;
  readonly ram: number;
}

export interface DeviceModule {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  readonly calls: number;
  readonly faults: number;
  readonly restarts: number;
  readonly stackBytes: number;
  readonly memoryBytes: number;
  readonly memoryMaxBytes: number;
  readonly held: boolean;
  readonly slot: string | null;
}

/** The device has answered, and not with what was wanted. */
export class Refused extends DiagnosticError {
  constructor(
    readonly answer: number,
    what: string,
  ) {
    super('W904', `the device refuses to ${what}: ${codeText(answer)} ${codeName(answer)}`);
  }
}

/** Most and least bytes of a package or state in one request: short frames come through where long ones do not. */
const PIECE_BYTES = 1024;
const LEAST_PIECE_BYTES = 128;
/** Pieces that go well before longer ones are tried again. */
const PIECES_TO_GROW = 32;
const PIECE_MS = 2500;
/** How often a request that may be repeated is. */
const ATTEMPTS = 3;
const REQUEST_MS = 6000;
/** Checking a signature over a whole bank takes a device this long at most. */
const COMMIT_MS = 30_000;
const BUSY_MS = 10;
const MOST_BUSY_MS = 1000;
const EMPTY = new Uint8Array(0);

type Values = Readonly<Record<string, unknown>>;

export class DeviceApi {
  /** @param link the line as it is now; throws Unreachable if there is none */
  constructor(private readonly link: () => DeviceLink) {}

  private pieceBytes = PIECE_BYTES;
  private goodPieces = 0;

  async image(): Promise<DeviceImage> {
    const value = object(await this.value('/sys/image', 'say what it runs'));
    const identity = value['identity'];
    return {
      identity: identity instanceof Uint8Array && identity.length >= 4 ? Buffer.from(identity).readUInt32LE() : -1,
      name: text(value['name']),
      version: text(value['version']),
      uptimeMs: count(value['uptime_ms']),
      freeRam: count(value['free_ram']),
    };
  }

  async slots(): Promise<SlotStatus[]> {
    const list = await this.value('/sys/slots', 'list its slots');
    return array(list).map((entry) => {
      const value = object(entry);
      return {
        slot: text(value['slot']),
        state: text(value['state']),
        module: text(value['module']),
        held: value['held'] === true,
        epoch: count(value['epoch']),
        hash: hex(value['hash']),
        banks: array(value['banks'] ?? []).map(hex),
        received: count(value['received']),
        capacity: count(value['capacity']),
        ram: count(value['ram']),
      };
    });
  }

  /** Firmware from before images told has an image of no identity; anything else says nothing. */
  async imageOrNone(): Promise<DeviceImage> {
    const none = { identity: -1, name: '', version: '', uptimeMs: 0, freeRam: 0 };
    return orIfNotThere(this.image(), none);
  }

  /** An image without slots has none. */
  slotsOrNone(): Promise<SlotStatus[]> {
    return orIfNotThere(this.slots(), []);
  }

  async modules(): Promise<DeviceModule[]> {
    const list = await this.value('/sys/modules', 'list its modules');
    return array(list).map((entry) => {
      const value = object(entry);
      return {
        name: text(value['name']),
        version: text(value['version']),
        state: text(value['state']),
        calls: count(value['calls']),
        faults: count(value['faults']),
        restarts: count(value['restarts']),
        stackBytes: count(value['stack']),
        memoryBytes: count(value['memory']),
        memoryMaxBytes: count(value['max']),
        held: value['held'] === true,
        slot: typeof value['slot'] === 'string' ? value['slot'] : null,
      };
    });
  }

  /** `start`, `stop`, `restart`, `hold` or `resume`; gives the response code. */
  async control(module: string, word: string): Promise<number> {
    const uri = `/sys/modules/${module}`;
    return (await this.again({ method: Method.Put, uri, payload: Buffer.from(word) })).code;
  }

  /** Puts a signed package into the free bank of a slot; goes on where it was cut off. */
  async upload(slot: string, bytes: Uint8Array, progress: (fraction: number) => void): Promise<void> {
    const uri = `/sys/slots/${slot}`;
    for (let attempt = 1; ; attempt++) {
      const begun = await this.begin(uri, bytes.length);
      if (begun && (await this.pieces(uri, bytes, progress))) return;
      if (attempt === ATTEMPTS) throw new DiagnosticError('W904', `the upload to slot ${slot} was cut off each time`);
    }
  }

  /** @param hash of the bank that holds it already; null: what was uploaded */
  async commit(slot: string, epoch: number | null, hash: string | null): Promise<void> {
    const query = [epoch === null ? null : `held=${epoch}`, hash === null ? null : `hash=${hash}`].filter(Boolean);
    const uri = `/sys/slots/${slot}/commit${query.length === 0 ? '' : `?${query.join('&')}`}`;
    const answer = await this.again({ method: Method.Post, uri, payload: EMPTY, timeoutMs: COMMIT_MS });
    if (answer.code !== ResponseCode.Changed) throw new Refused(answer.code, `take the package in slot ${slot}`);
  }

  async empty(slot: string): Promise<void> {
    const answer = await this.again({ method: Method.Delete, uri: `/sys/slots/${slot}`, payload: EMPTY });
    if (answer.code >> 5 !== 2 && answer.code !== ResponseCode.NotFound)
      throw new Refused(answer.code, `empty slot ${slot}`);
  }

  /** CRC-32 of each block of a module's snapshot. */
  async digest(module: string, blockBytes: number): Promise<number[]> {
    const { code, payload } = await this.get(`/sys/modules/${module}/state?crc=${blockBytes}`);
    if (code !== ResponseCode.Content || payload.length % 4 !== 0) throw new Refused(code, `sum up ${module}'s state`);
    return Array.from({ length: payload.length / 4 }, (_, i) => payload.readUInt32LE(4 * i));
  }

  /** Block `number` of a module's snapshot, in blocks of `bytes`. */
  async stateBlock(module: string, number: number, bytes: number): Promise<Buffer> {
    const request = { method: Method.Get, uri: `/sys/modules/${module}/state`, payload: EMPTY };
    if (bytes <= this.pieceBytes || bytes === LEAST_PIECE_BYTES) {
      const timeoutMs = bytes <= LEAST_PIECE_BYTES ? REQUEST_MS : PIECE_MS;
      const block = async () => this.link().block({ ...request, timeoutMs }, number, bytes);
      const message = bytes <= LEAST_PIECE_BYTES ? await this.repeated(block) : await this.piece(block);
      if (message !== null) {
        if (message.code !== ResponseCode.Content) throw new Refused(message.code, `give ${module}'s state`);
        return message.payload;
      }
    }
    const half = await this.stateBlock(module, 2 * number, bytes / 2);
    // The last one is shorter.
    if (half.length < bytes / 2) return half;
    return Buffer.concat([half, await this.stateBlock(module, 2 * number + 1, bytes / 2)]);
  }

  async writeState(module: string, offset: number, bytes: Uint8Array): Promise<void> {
    let failures = 0;
    for (let at = 0; at < bytes.length;) {
      const payload = bytes.subarray(at, at + this.pieceBytes);
      const uri = `/sys/modules/${module}/state?offset=${offset + at}`;
      const put = async () => this.link().send({ method: Method.Put, uri, payload, timeoutMs: PIECE_MS });
      const answer = await this.piece(put);
      if (answer === null) {
        if (++failures > 2 * ATTEMPTS) throw new NoAnswer(`no answer to ${uri}`);
        continue;
      }
      if (answer.code !== ResponseCode.Changed) throw new Refused(answer.code, `take ${module}'s state`);
      at += payload.length;
      failures = 0;
    }
  }

  /** Any value under /sys that is CBOR. */
  async value(uri: string, what: string): Promise<unknown> {
    const { code, payload } = await this.get(uri);
    if (code !== ResponseCode.Content) throw new Refused(code, what);
    try {
      return decode(payload);
    } catch {
      throw new DiagnosticError('W904', `${uri} of the device is no CBOR`);
    }
  }

  get(uri: string): Promise<ClientAnswer> {
    return this.again({ method: Method.Get, uri, payload: EMPTY });
  }

  private again(request: DeviceRequest): Promise<ClientAnswer> {
    return this.repeated(() => this.link().send({ timeoutMs: REQUEST_MS, ...request }));
  }

  /** Everything here may run twice. */
  private async repeated<T extends { readonly code: number }>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await unlessBusy(run);
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
  }

  /** One attempt at a piece; null: no answer, the next is shorter. */
  private async piece<T extends { readonly code: number }>(run: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await unlessBusy(run);
      if (++this.goodPieces >= PIECES_TO_GROW) {
        this.goodPieces = 0;
        this.pieceBytes = Math.min(PIECE_BYTES, 2 * this.pieceBytes);
      }
      return answer;
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      this.goodPieces = 0;
      this.pieceBytes = Math.max(LEAST_PIECE_BYTES, this.pieceBytes / 2);
      return null;
    }
  }

  private async begin(uri: string, bytes: number): Promise<boolean> {
    const total = Buffer.alloc(4);
    total.writeUInt32LE(bytes);
    const begin = (): Promise<ClientAnswer> => this.again({ method: Method.Post, uri, payload: total });
    let { code } = await begin();
    if (code === ResponseCode.Conflict) {
      // One that was given up, perhaps ours.
      await this.again({ method: Method.Delete, uri: `${uri}/upload`, payload: EMPTY });
      ({ code } = await begin());
    }
    if (code === ResponseCode.RequestEntityTooLarge) throw new Refused(code, `take ${bytes} bytes`);
    if (code >> 5 !== 2) throw new Refused(code, 'take an upload');
    return true;
  }

  /** False: the device has lost the beginning. */
  private async pieces(uri: string, bytes: Uint8Array, progress: (fraction: number) => void): Promise<boolean> {
    let stuck = 0;
    for (let offset = 0; offset < bytes.length;) {
      const payload = bytes.subarray(offset, offset + this.pieceBytes);
      const request = { method: Method.Put, uri: `${uri}?offset=${offset}`, payload, timeoutMs: PIECE_MS };
      const answer = await this.piece(async () => this.link().send(request));
      const code = answer?.code ?? ResponseCode.ServiceUnavailable;
      if (code >> 5 === 2) {
        offset += payload.length;
        stuck = 0;
      } else if (code === ResponseCode.Conflict || code === ResponseCode.ServiceUnavailable) {
        const slot = (await this.slots()).find(({ slot: name }) => uri.endsWith(`/${name}`));
        const received = slot?.received ?? 0;
        if (received < offset && received === 0) return false;
        if (++stuck > 2 * ATTEMPTS) return false;
        offset = received;
      } else throw new Refused(code, 'take a piece of the upload');
      progress(offset / bytes.length);
    }
    return true;
  }
}

/** A device has one buffer for long answers, and may be busy with its flash: what it puts off is asked again. */
async function unlessBusy<T extends { readonly code: number }>(run: () => Promise<T>): Promise<T> {
  for (let pause = BUSY_MS; ; pause *= 2) {
    const answer = await run();
    if (answer.code !== ResponseCode.ServiceUnavailable || pause > MOST_BUSY_MS) return answer;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function wrong(): never {
  throw new DiagnosticError('W904', 'the device sent something else than what it should');
}
function object(value: unknown): Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Values) : wrong();
}
function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : wrong();
}
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const count = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);
const hex = (value: unknown): string => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : '');

async function orIfNotThere<T>(value: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await value;
  } catch (error) {
    if (error instanceof Refused && error.answer === ResponseCode.NotFound) return otherwise;
    throw error;
  }
}

/** State of a module as the edge's modules have it. */
export function runState(state: string | undefined): RunState {
  const states: readonly RunState[] = ['starting', 'running', 'backing off', 'stopped', 'failed'];
  return states.find((known) => known === state) ?? 'stopped';
}
