// Requests to a device: confirmable messages repeated until they are acknowledged, separate responses, single blocks and
// whole block-wise transfers, Observe (RFC 7252, 7641, 7959). Takes messages, gives messages. Knows no line and no route.
//
// Not the `coap` library's client: that cannot ask for one block among many, appends repeated blocks twice, and waits two
// seconds before it repeats what a serial line has lost.
import { randomBytes } from 'node:crypto';
import { Method } from '../../compiler/abi/os-layout.js';
import { BLOCK_BYTES, blockOf, type Block, type Message, type Outgoing } from './coap-message.js';

/**
 * Waited before the first repetition, as long as nothing is measured; doubles each time. A device remembers few answers: what
 * was lost is asked for again soon, before the answer is forgotten. A frame of 1 KiB takes 0.1 s at 115,200 baud.
 */
const FIRST_TIMEOUT_MS = 400;
const LEAST_TIMEOUT_MS = 80;
const MOST_TIMEOUT_MS = 2000;
/** A device that works on a request says so after 0.2 s: one that is silent for so long has no answer any more. */
const MOST_SILENCE_MS = 5000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Times a representation that changes while its blocks are fetched is begun again. */
const MOST_RESTARTS = 5;
const RECENT_TOKENS = 256;
/** Most bytes of a representation in blocks: a device that always has one more must not fill this machine. */
const MOST_BODY_BYTES = 1024 * 1024;
/** Requests that wait for an answer at a time. */
const MOST_EXCHANGES = 256;
const CONTINUE = 0x5f;

export interface ClientRequest {
  readonly method: number;
  /** Path and query with leading slash. */
  readonly uri: string;
  readonly payload: Uint8Array;
  readonly caller?: string;
  /** Until which it is repeated and waited for; default 10 s. */
  readonly timeoutMs?: number;
}

export interface ClientAnswer {
  readonly code: number;
  readonly payload: Buffer;
}

/** The device has not answered in time: whether the request has run is not known. */
export class NoAnswer extends Error {}

interface Exchange {
  readonly message: Outgoing & { readonly token: string };
  readonly resolve: (answer: Message) => void;
  readonly reject: (error: Error) => void;
  /** Until the next repetition; null once acknowledged. */
  repeat: NodeJS.Timeout | null;
  readonly since: number;
  repetitions: number;
  readonly deadline: NodeJS.Timeout;
}

export class CoapClient {
  private nextToken = randomBytes(4).readUInt32BE();
  private readonly exchanges = new Map<string, Exchange>();
  private readonly observers = new Map<string, (message: Message) => void>();
  /** Tokens of exchanges that have ended lately: a repeated response to them is acknowledged. */
  private readonly recent = new Set<string>();
  private readonly roundTrip = new RoundTrip();
  private closed: Error | null = null;

  /** @param nextId numbers of messages, for all of this side */
  constructor(
    private readonly send: (message: Outgoing) => void,
    private readonly nextId: () => number,
  ) {}

  /** One request and its whole answer, in blocks where need be. @throws NoAnswer */
  async request(request: ClientRequest): Promise<ClientAnswer> {
    const { payload } = request;
    // All blocks under one token: there are servers that put them together by it.
    const token = this.token();
    let answer: Message | null = null;
    for (let at = 0; at === 0 || at < payload.length; at += BLOCK_BYTES) {
      const part = payload.subarray(at, at + BLOCK_BYTES);
      const more = at + BLOCK_BYTES < payload.length;
      const block1 = payload.length > BLOCK_BYTES ? blockOf(at / BLOCK_BYTES, more) : null;
      answer = await this.exchange({ ...request, payload: part }, { block1, token });
      if (more && answer.code !== CONTINUE) break;
    }
    return this.rest(request, answer!, token);
  }

  /** One block of a representation: what comes with Block2 of this number and size. @throws NoAnswer */
  block(request: ClientRequest, number: number, bytes: number, token = this.token()): Promise<Message> {
    return this.exchange(request, { block2: { number, more: false, bytes }, token });
  }

  /**
   * Observes; `changed` gets the first and each later representation.
   * Gives a function that ends it, null if the device refuses.
   */
  async observe(request: ClientRequest, changed: (answer: ClientAnswer) => void): Promise<(() => void) | null> {
    const token = this.token();
    let last = -1;
    let ended = false;
    const report = (message: Message): void => {
      this.rest(request, message)
        .then((answer) => {
          if (!ended) changed(answer);
        })
        .catch(() => undefined);
    };
    this.observers.set(token, (message) => {
      // Older than what was reported already (RFC 7641, 3.4).
      const { observe } = message;
      if (observe !== null && last >= 0 && !isNewer(last, observe)) return;
      last = observe ?? last;
      // Without the option it is the end.
      if (observe === null) this.observers.delete(token);
      report(message);
    });
    try {
      const first = await this.exchange(request, { observe: 0, token });
      if (first.observe === null) {
        this.observers.delete(token);
        return null;
      }
      if (last < 0) {
        last = first.observe;
        report(first);
      }
    } catch (error) {
      this.observers.delete(token);
      throw error;
    }
    return () => {
      ended = true;
      if (!this.observers.delete(token) || this.closed !== null) return;
      this.exchange(request, { observe: 1, token }).catch(() => undefined);
    };
  }

  /** A response, an acknowledgement or a reset. False if nothing of it is known here. */
  receive(message: Message): boolean {
    if (message.code === 0) {
      const exchange = [...this.exchanges.values()].find((entry) => entry.message.id === message.id);
      if (exchange === undefined) return false;
      if (message.type === 'rst') this.fail(exchange, new NoAnswer('the device cannot read the request'));
      else if (message.type === 'ack') this.stopRepeating(exchange);
      return true;
    }
    const { token, type, id } = message;
    const exchange = this.exchanges.get(token);
    const observer = this.observers.get(token);
    const known = exchange !== undefined || observer !== undefined || this.recent.has(token);
    if (type === 'con') this.send({ type: known ? 'ack' : 'rst', id });
    if (exchange !== undefined) {
      this.finish(exchange);
      exchange.resolve(message);
    } else observer?.(message);
    return known;
  }

  /** Ends everything under way. */
  close(error: Error): void {
    this.closed = error;
    this.observers.clear();
    for (const exchange of [...this.exchanges.values()]) this.fail(exchange, error);
  }

  /** Fetches what is missing of a representation that came in blocks. */
  private async rest(request: ClientRequest, first: Message, token = this.token()): Promise<ClientAnswer> {
    if (first.block2 === null || !first.block2.more) return first;
    let start = first;
    for (let attempt = 0; attempt < MOST_RESTARTS; attempt++) {
      const parts = [start.payload];
      const { bytes } = start.block2!;
      for (let next = 1; ; next++) {
        const part = await this.block({ ...request, payload: new Uint8Array(0) }, next, bytes, token);
        if (part.code !== start.code || part.block2?.number !== next) return part;
        if (part.etag !== start.etag) break;
        parts.push(part.payload);
        if (next * bytes > MOST_BODY_BYTES) throw new NoAnswer(`${request.uri} has more than ${MOST_BODY_BYTES} bytes`);
        if (!part.block2.more) return { code: start.code, payload: Buffer.concat(parts) };
      }
      if (request.method !== Method.Get) break;
      start = await this.exchange(request, { token });
      if (start.block2 === null || !start.block2.more) return start;
    }
    throw new NoAnswer(`${request.uri} changes faster than it can be fetched`);
  }

  private exchange(
    { method, uri, payload, caller, timeoutMs = DEFAULT_TIMEOUT_MS }: ClientRequest,
    more: { token?: string; observe?: number; block1?: Block | null; block2?: Block | null },
  ): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (this.closed !== null) {
        reject(this.closed);
        return;
      }
      if (this.exchanges.size >= MOST_EXCHANGES) {
        reject(new NoAnswer('too much is asked of the device at a time'));
        return;
      }
      const { token = this.token(), ...options } = more;
      const id = this.nextId();
      const message = { type: 'con', id, code: method, token, uri, payload: Buffer.from(payload), ...options } as const;
      const late = (): void => this.fail(exchange, new NoAnswer(`no answer to ${uri}`));
      const exchange: Exchange = {
        message: caller === undefined ? message : { ...message, caller },
        resolve,
        reject,
        repeat: null,
        since: performance.now(),
        repetitions: 0,
        deadline: setTimeout(late, timeoutMs),
      };
      this.exchanges.set(token, exchange);
      this.transmit(exchange, this.roundTrip.timeoutMs);
    });
  }

  private transmit(exchange: Exchange, waitMs: number): void {
    this.send(exchange.message);
    if (!this.exchanges.has(exchange.message.token)) return;
    const again = (): void => {
      if (performance.now() - exchange.since > MOST_SILENCE_MS) {
        this.fail(exchange, new NoAnswer(`no answer to ${exchange.message.uri}`));
        return;
      }
      exchange.repetitions++;
      this.transmit(exchange, Math.min(2 * waitMs, MOST_TIMEOUT_MS));
    };
    exchange.repeat = setTimeout(again, waitMs * (1 + Math.random() / 4));
  }

  private stopRepeating(exchange: Exchange): void {
    // Of a repeated one it is not known which time was answered.
    if (exchange.repeat !== null && exchange.repetitions === 0)
      this.roundTrip.measured(performance.now() - exchange.since);
    if (exchange.repeat !== null) clearTimeout(exchange.repeat);
    exchange.repeat = null;
  }

  private finish(exchange: Exchange): void {
    const { token } = exchange.message;
    this.stopRepeating(exchange);
    clearTimeout(exchange.deadline);
    this.exchanges.delete(token);
    this.recent.add(token);
    const [oldest] = this.recent;
    if (this.recent.size > RECENT_TOKENS) this.recent.delete(oldest!);
  }

  private fail(exchange: Exchange, error: Error): void {
    exchange.repetitions++;
    this.finish(exchange);
    exchange.reject(error);
  }

  private token(): string {
    this.nextToken = (this.nextToken + 1) >>> 0;
    return this.nextToken.toString(16).padStart(8, '0');
  }
}

/** How long answers take (RFC 6298): the time after which one counts as lost. */
class RoundTrip {
  private mean: number | null = null;
  private deviation = 0;

  get timeoutMs(): number {
    if (this.mean === null) return FIRST_TIMEOUT_MS;
    return Math.min(FIRST_TIMEOUT_MS, Math.max(LEAST_TIMEOUT_MS, this.mean + 4 * this.deviation));
  }

  measured(ms: number): void {
    if (this.mean === null) {
      this.mean = ms;
      this.deviation = ms / 2;
      return;
    }
    this.deviation += (Math.abs(ms - this.mean) - this.deviation) / 4;
    this.mean += (ms - this.mean) / 8;
  }
}

/** Serial number arithmetic in 24 bits. */
const isNewer = (old: number, now: number): boolean => ((now - old) & 0xffffff) < 0x800000 && now !== old;
