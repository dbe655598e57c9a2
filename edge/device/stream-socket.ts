// A byte stream with slipmux in the shape of the datagram socket that the `coap` library uses: its retransmission, observe
// and block-wise transfer then work over a serial line. Takes a stream; knows no CoAP beyond whole messages.
import type { RemoteInfo, Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { encodeCoapFrame, SlipmuxDecoder, type SlipmuxCounts } from './slipmux.js';

export interface StreamSocketEvents {
  console(text: Uint8Array): void;
  closed(): void;
}

/** The peer of every message: the library tells requests apart by it, there is only one. */
const PEER = { address: '127.0.0.1', family: 'IPv4', port: 5683, size: 0 } as const satisfies RemoteInfo;

/** One side of the stream: what the library's client listens to, or its server. */
class Side extends EventEmitter {
  constructor(private readonly stream: Duplex) {
    super();
  }

  /** As the library wants it; only `send`, `address`, `on` and `close` are used. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  send(
    message: Uint8Array,
    offset: number,
    length: number,
    _port: number,
    _address: string,
    done?: (error?: Error) => void,
  ): void {
    const frame = encodeCoapFrame(message.subarray(offset, offset + length));
    this.stream.write(frame, (error) => done?.(error ?? undefined));
  }

  address(): RemoteInfo {
    return PEER;
  }

  close(done?: () => void): void {
    done?.();
  }
}

/** Code of a message: class 0 is a request, 0.00 an empty message. */
const isRequest = (message: Uint8Array): boolean => message.length >= 4 && message[1] !== 0 && message[1]! >> 5 === 0;
const isEmpty = (message: Uint8Array): boolean => message.length >= 4 && message[1] === 0;

export class StreamSocket {
  private readonly decoder: SlipmuxDecoder;
  /** For requests to the device. */
  readonly client: Side;
  /** For requests of the device. */
  readonly server: Side;

  constructor(
    private readonly stream: Duplex,
    events: StreamSocketEvents,
  ) {
    this.client = new Side(stream);
    this.server = new Side(stream);
    this.decoder = new SlipmuxDecoder({
      coap: (message) => {
        const { client, server } = this;
        if (!isRequest(message)) client.emit('message', Buffer.from(message), PEER);
        if (isRequest(message) || isEmpty(message)) server.emit('message', Buffer.from(message), PEER);
      },
      console: (text) => events.console(text),
    });
    stream.on('data', (chunk: Uint8Array) => this.decoder.push(chunk));
    stream.on('error', () => undefined);
    stream.once('close', () => events.closed());
  }

  get counts(): SlipmuxCounts {
    return this.decoder.counts;
  }

  close(): void {
    this.stream.destroy();
  }
}
