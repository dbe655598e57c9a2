// The line to a device, a serial port or TCP: CoAP in slipmux frames both ways, console text beside them. Takes a stream;
// gives answers, observations and what the device asks for. Knows no module and no registry.
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { ResponseCode } from '../../compiler/abi/os-layout.js';
import { Unreachable } from '../router/unreachable.js';
import type { PlaceAnswer, PlaceLink } from '../fleet/types.js';
import type { ServiceRequest } from '../host/types.js';
import { TokenBucket } from '../imc/rate.js';
import { callerAt, callerFromDevice } from '../security/callers.js';
import type { Answer } from '../worker/protocol.js';
import { CoapClient, type ClientAnswer, type ClientRequest } from './coap-client.js';
import { readMessage, writeMessage, type Message, type Outgoing } from './coap-message.js';
import { CoapServer } from './coap-server.js';
import { encodeCoapFrame, SlipmuxDecoder, type SlipmuxCounts } from './slipmux.js';

export interface DeviceLinkEvents {
  console(text: Uint8Array): void;
  closed(): void;
  /**
   * A request of a module on the device for something elsewhere. `thing`: from Uri-Host, null for a plain path.
   * `request.caller` is `MODULE@THING`.
   */
  request?(thing: string | null, request: ServiceRequest): Promise<Answer>;
  /** Observing of the same kind; null: not there, or not observable. */
  observe?(thing: string | null, uri: string, changed: () => void): (() => void) | null;
}

/**
 * Requests of ours that a device has buffers for (NSTART of RFC 7252, 4.7). More than one, so that a request that a module
 * on the device makes on our behalf can come back to the device.
 */
const MAX_OUTSTANDING = 4;
/** Most bytes of an answer to a device: one message. */
const MAX_ANSWER_BYTES = 1024;

/** Requests of a device a second, and at once; more get 4.29. */
const REQUEST_RATE = 1_000;
const REQUEST_BURST = 2_000;
/** A device that does not read loses messages, as on any line, instead of filling this machine. */
const MAX_UNWRITTEN_BYTES = 256 * 1024;

export type { ClientRequest as DeviceRequest };

export class DeviceLink implements PlaceLink {
  /** Requests under way, and those that wait for one of them to end. */
  private outstanding = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly decoder: SlipmuxDecoder;
  private readonly client: CoapClient;
  private readonly server: CoapServer;
  private readonly rate = new TokenBucket(REQUEST_RATE, REQUEST_BURST, () => performance.now());
  private down = false;

  /** @param thing whose modules the device runs, by default that of its name */
  constructor(
    /** `device:NAME`. */
    readonly name: string,
    private readonly stream: Duplex,
    private readonly events: DeviceLinkEvents,
    private readonly thing = name.replace(/^device:/, ''),
  ) {
    const send = (message: Outgoing): void => this.transmit(message);
    // Both number their messages: an acknowledgement must not be taken for another's.
    let id = randomBytes(2).readUInt16BE();
    const nextId = (): number => (id = (id + 1) & 0xffff);
    this.client = new CoapClient(send, nextId);
    this.server = new CoapServer(send, nextId, {
      request: (message) => this.serve(message),
      observe: ({ host, uri }, changed) => events.observe?.(host, uri, changed) ?? null,
    });
    this.decoder = new SlipmuxDecoder({
      coap: (bytes) => this.receive(bytes),
      console: (text) => events.console(text),
    });
    stream.on('data', (chunk: Uint8Array) => this.decoder.push(chunk));
    stream.on('error', () => undefined);
    stream.once('close', () => this.ended());
  }

  /** Frames seen so far. */
  get counts(): SlipmuxCounts {
    return this.decoder.counts;
  }

  get isDown(): boolean {
    return this.down;
  }

  /** @throws as send */
  async request(
    thing: string,
    { method, uri, payload, caller, withinMs }: ServiceRequest,
    _id: string,
  ): Promise<PlaceAnswer> {
    const within = withinMs === undefined ? {} : { timeoutMs: withinMs };
    return this.send({ method, uri, payload, caller: callerAt(caller, thing), ...within });
  }

  observe(_thing: string, uri: string, changed: () => void): () => void {
    let stop: (() => void) | null = null;
    let ended = false;
    let first = true;
    this.follow(uri, () => {
      // The first is what there was already.
      if (!first) changed();
      first = false;
    })
      .then((end) => {
        if (ended) end?.();
        else stop = end;
      })
      .catch(() => undefined);
    return () => {
      ended = true;
      stop?.();
    };
  }

  /**
   * Sends one request.
   * @throws Unreachable if the line is down and nothing was sent; NoAnswer if it may have run
   */
  async send(request: ClientRequest): Promise<ClientAnswer> {
    return this.inTurn(() => this.client.request(request));
  }

  /** One block of a representation, by number. @throws as send */
  async block(request: ClientRequest, number: number, bytes: number): Promise<Message> {
    return this.inTurn(() => this.client.block(request, number, bytes));
  }

  /** Observes a service; `changed` gets each representation. Gives a function that ends it, null if it is refused. */
  follow(uri: string, changed: (answer: ClientAnswer) => void, caller?: string): Promise<(() => void) | null> {
    const request = { method: 1, uri, payload: new Uint8Array(0) };
    return this.inTurn(() => this.client.observe(caller === undefined ? request : { ...request, caller }, changed));
  }

  /** The device has begun anew: what it asked for and observed before is void. */
  forget(): void {
    this.server.forget();
  }

  close(): void {
    this.stream.destroy();
    this.ended();
  }

  private async inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.outstanding >= MAX_OUTSTANDING) await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (this.down) {
      this.waiting.shift()?.();
      throw new Unreachable(`the line to ${this.name} is down`);
    }
    this.outstanding++;
    try {
      return await run();
    } finally {
      this.outstanding--;
      this.waiting.shift()?.();
    }
  }

  private ended(): void {
    if (this.down) return;
    this.down = true;
    this.client.close(new Error(`the line to ${this.name} broke`));
    this.server.close();
    this.waiting.shift()?.();
    this.events.closed();
  }

  private transmit(message: Outgoing): void {
    if (this.down || this.stream.writableLength > MAX_UNWRITTEN_BYTES) return;
    this.stream.write(encodeCoapFrame(writeMessage(message)));
  }

  private receive(bytes: Uint8Array): void {
    const message = readMessage(bytes);
    if (message === null) return;
    const { code, type, id } = message;
    if (code === 0 && type === 'con') this.transmit({ type: 'rst', id });
    else if (code === 0) {
      if (!this.client.receive(message)) this.server.confirm(message);
    } else if (code >> 5 !== 0) this.client.receive(message);
    else if (type === 'con' || type === 'non') this.receiveRequest(message);
  }

  private receiveRequest(message: Message): void {
    const { type, id, token } = message;
    if (this.rate.take()) this.server.receive(message);
    else if (type === 'con') this.transmit({ type: 'ack', id, token, code: ResponseCode.TooManyRequests });
  }

  private async serve({ host, uri, code, payload, caller: said }: Message): Promise<Answer> {
    if (this.events.request === undefined || code > 4)
      return { code: ResponseCode.NotImplemented, payload: new Uint8Array(0) };
    const caller = callerFromDevice(said, this.thing);
    if (caller === null) return { code: ResponseCode.Forbidden, payload: new Uint8Array(0) };
    const request = { method: code, uri, payload, caller, capacity: MAX_ANSWER_BYTES };
    const answer = await this.events.request(host, request);
    // Not every place keeps to the capacity; a message that is too long could not be written.
    if (answer.payload.length <= MAX_ANSWER_BYTES) return answer;
    return { code: ResponseCode.RequestEntityTooLarge, payload: new Uint8Array(0) };
  }
}
