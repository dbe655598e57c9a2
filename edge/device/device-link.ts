// A device on a serial line or TCP as a place: requests go as CoAP over slipmux. Takes a stream; gives answers. Knows no
// registry.
import { Agent, createServer } from 'coap';
import type { IncomingMessage, OutgoingMessage, Server } from 'coap';
import type { Duplex } from 'node:stream';
import { InternalError } from '../../compiler/diagnostics.js';
import { RecentAnswers } from '../fleet/recent-answers.js';
import { NOT_HERE, type PlaceAnswer, type PlaceLink } from '../fleet/types.js';
import type { ServiceRequest } from '../host/types.js';
import { methodName, methodNumber, ResponseCode } from '../../compiler/abi/os-layout.js';
import { codeText } from '../gateway/codes.js';
import type { Answer } from '../worker/protocol.js';
import { StreamSocket } from './stream-socket.js';

export interface DeviceLinkEvents {
  console(text: Uint8Array): void;
  closed(): void;
  /**
   * A request of a module on the device for something elsewhere. `thing`: from Uri-Host, null for a plain path.
   * `request.caller` is what the device says.
   */
  request?(thing: string | null, request: ServiceRequest): Promise<Answer>;
}

/**
 * Requests of ours that a device has buffers for (NSTART of RFC 7252, 4.7). More than one, so that a request that a module
 * on the device makes on our behalf can come back to the device.
 */
const MAX_OUTSTANDING = 4;
/** Payloads above this go in blocks: what a device's receive buffer takes. */
const BLOCK_BYTES = 1024;
/** Block1 option: number 0, no more, size exponent 6 (1,024 bytes); the library goes on from there. */
const FIRST_BLOCK = 6;
/** Elective option, string: who calls, `MODULE` or `MODULE@THING`. The device believes the gateway. */
const CALLER_OPTION = '65000';
/** Most bytes of an answer to a device: one message. */
const MAX_ANSWER_BYTES = 1024;

/** What goes over the line of a request; without a caller, services that name their callers refuse it. */
export type DeviceRequest = Pick<ServiceRequest, 'method' | 'uri' | 'payload'> & { readonly caller?: string };

export class DeviceLink implements PlaceLink {
  /** Requests under way, and those that wait for one of them to end. */
  private outstanding = 0;
  private readonly waiting: (() => void)[] = [];
  /** Requests of the device that were answered lately. */
  private readonly served = new RecentAnswers();

  private readonly socket: StreamSocket;
  private readonly agent: Agent;
  private readonly server: Server;

  constructor(
    /** `device:NAME`. */
    readonly name: string,
    stream: Duplex,
    private readonly events: DeviceLinkEvents,
  ) {
    this.socket = new StreamSocket(stream, events);
    this.agent = new Agent({ type: 'udp4', socket: this.socket.client.asSocket });
    this.server = createServer({ type: 'udp4' }, (request: IncomingMessage, response: OutgoingMessage) => {
      this.serve(request, response).catch(() => undefined);
    });
    this.server.listen(this.socket.server);
  }

  /** Frames seen so far. */
  get counts(): { readonly good: number; readonly bad: number } {
    return this.socket.counts;
  }

  request(_thing: string, request: ServiceRequest, _id: string): Promise<PlaceAnswer> {
    return this.send(request);
  }

  /** Sends one request. Rejects when the device does not answer. */
  async send(request: DeviceRequest): Promise<Answer> {
    if (this.outstanding >= MAX_OUTSTANDING) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.outstanding++;
    try {
      return await this.exchange(request);
    } finally {
      this.outstanding--;
      this.waiting.shift()?.();
    }
  }

  observe(_thing: string, uri: string, changed: () => void): () => void {
    let stop: (() => void) | null = null;
    let ended = false;
    let first = true;
    void this.follow(uri, () => {
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

  /** Observes a service; `changed` gets each representation. Gives a function that ends it, null if it is refused. */
  follow(uri: string, changed: (answer: Answer) => void): Promise<(() => void) | null> {
    return new Promise((resolve, reject) => {
      const request = this.open({ method: 1, uri, payload: new Uint8Array(0) }, true);
      request.on('error', reject);
      request.on('response', (response: IncomingMessage) => {
        const report = (): void => changed({ code: codeByte(response.code), payload: response.payload });
        if (response.headers['Observe'] === undefined) {
          resolve(null);
          return;
        }
        report();
        response.on('data', () => report());
        resolve(() => (response as unknown as { close(): void }).close());
      });
      request.end();
    });
  }

  close(): void {
    this.agent.close();
    this.server.close();
    this.socket.close();
  }

  private async serve(request: IncomingMessage, response: OutgoingMessage): Promise<void> {
    const method = methodNumber(request.method);
    const thing = optionText(request, 'Uri-Host');
    const run = async (): Promise<Answer> =>
      this.events.request === undefined || method === undefined
        ? { code: ResponseCode.NotImplemented, payload: Buffer.alloc(0) }
        : this.events.request(thing, {
            method,
            uri: request.url,
            payload: request.payload,
            caller: optionText(request, CALLER_OPTION) ?? '',
            capacity: MAX_ANSWER_BYTES,
          });
    // The library hands a repeated message on as a new one.
    const { messageId, token } = request._packet;
    const answer = await this.served.once(`${messageId} ${token?.toString('hex')}`, run);
    if (answer === NOT_HERE) throw new InternalError('an answer from nowhere');
    response.code = codeText(answer.code);
    response.end(Buffer.from(answer.payload));
  }

  private open({ method, uri, payload, caller }: DeviceRequest, observe: boolean): OutgoingMessage {
    const [pathname, query] = uri.split('?');
    const request = this.agent.request({
      hostname: '127.0.0.1',
      method: methodName(method)!,
      pathname: pathname!,
      ...(query === undefined ? {} : { query }),
      observe,
      confirmable: true,
    });
    if (caller !== undefined) request.setOption(CALLER_OPTION, Buffer.from(caller));
    if (payload.length > BLOCK_BYTES) request.setOption('Block1', Buffer.from([FIRST_BLOCK]));
    return request;
  }

  private exchange(message: DeviceRequest): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = this.open(message, false);
      request.on('response', ({ code, payload }: IncomingMessage) => resolve({ code: codeByte(code), payload }));
      request.on('error', reject);
      request.on('timeout', reject);
      request.end(Buffer.from(message.payload));
    });
  }
}

function optionText(request: IncomingMessage, name: string): string | null {
  const option = request._packet.options?.find((entry) => String(entry.name) === name);
  return option === undefined ? null : Buffer.from(option.value as Uint8Array).toString();
}

/** "2.05" -> 0x45 */
function codeByte(text: string): number {
  const [kind, detail] = text.split('.');
  return (Number(kind) << 5) | Number(detail);
}
