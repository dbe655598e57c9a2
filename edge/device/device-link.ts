// A device on a serial line or TCP as a place: requests go as CoAP over slipmux. Takes a stream; gives answers. Knows no
// registry.
import { Agent } from 'coap';
import type { IncomingMessage, OutgoingMessage } from 'coap';
import type { Duplex } from 'node:stream';
import type { PlaceAnswer, PlaceLink } from '../fleet/types.js';
import type { ServiceRequest } from '../host/types.js';
import type { Answer } from '../worker/protocol.js';
import { StreamSocket } from './stream-socket.js';

export interface DeviceLinkEvents {
  console(text: Uint8Array): void;
  closed(): void;
}

const METHOD_NAMES: Readonly<Record<number, 'GET' | 'POST' | 'PUT' | 'DELETE'>> = {
  1: 'GET',
  2: 'POST',
  3: 'PUT',
  4: 'DELETE',
};
/** Block size of uploads: what a device's receive buffer takes. */
const BLOCK_BYTES = 512;

export class DeviceLink implements PlaceLink {
  /** Requests to one device go one after the other: NSTART is 1 (RFC 7252, 4.7). */
  private last: Promise<unknown> = Promise.resolve();
  private readonly observations = new Set<IncomingMessage>();

  private readonly socket: StreamSocket;
  private readonly agent: Agent;

  constructor(
    /** `device:NAME`. */
    readonly name: string,
    stream: Duplex,
    events: DeviceLinkEvents,
  ) {
    this.socket = new StreamSocket(stream, events);
    this.agent = new Agent({ type: 'udp4', socket: this.socket.asSocket });
  }

  /** Frames seen so far. */
  get counts(): { readonly good: number; readonly bad: number } {
    return this.socket.counts;
  }

  request(_thing: string, request: ServiceRequest, _id: string): Promise<PlaceAnswer> {
    return this.send(request);
  }

  /** Sends one request. Rejects when the device does not answer. */
  send(request: Pick<ServiceRequest, 'method' | 'uri' | 'payload'>): Promise<Answer> {
    const result = this.last.then(() => this.exchange(request));
    this.last = result.catch(() => undefined);
    return result;
  }

  /** Observes a service; `changed` gets each representation. Gives a function that ends it, null if it is refused. */
  observe(uri: string, changed: (answer: Answer) => void): Promise<(() => void) | null> {
    return new Promise((resolve, reject) => {
      const request = this.open({ method: 1, uri, payload: new Uint8Array(0) }, true);
      request.on('error', reject);
      request.on('response', (response: IncomingMessage) => {
        const report = (): void => changed({ code: codeByte(response.code), payload: response.payload });
        if (response.headers['Observe'] === undefined) {
          resolve(null);
          return;
        }
        this.observations.add(response);
        report();
        response.on('data', () => report());
        resolve(() => {
          this.observations.delete(response);
          (response as unknown as { close(): void }).close();
        });
      });
      request.end();
    });
  }

  close(): void {
    this.observations.clear();
    this.agent.close();
    this.socket.close();
  }

  private open(
    { method, uri, payload }: Pick<ServiceRequest, 'method' | 'uri' | 'payload'>,
    observe: boolean,
  ): OutgoingMessage {
    const [pathname, query] = uri.split('?');
    const request = this.agent.request({
      hostname: '127.0.0.1',
      method: METHOD_NAMES[method]!,
      pathname: pathname!,
      ...(query === undefined ? {} : { query }),
      observe,
      confirmable: true,
    });
    if (payload.length > BLOCK_BYTES) request.setOption('Block1', Buffer.from([BLOCK1_512]));
    return request;
  }

  private exchange(message: Pick<ServiceRequest, 'method' | 'uri' | 'payload'>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = this.open(message, false);
      request.on('response', ({ code, payload }: IncomingMessage) => resolve({ code: codeByte(code), payload }));
      request.on('error', reject);
      request.on('timeout', reject);
      request.end(Buffer.from(message.payload));
    });
  }
}

/** Block1 option: number 0, no more, size exponent 5 (512 bytes); the library goes on from there. */
const BLOCK1_512 = 5;

/** "2.05" -> 0x45 */
function codeByte(text: string): number {
  const [kind, detail] = text.split('.');
  return (Number(kind) << 5) | Number(detail);
}
