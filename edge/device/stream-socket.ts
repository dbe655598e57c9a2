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

export class StreamSocket extends EventEmitter {
  private readonly decoder: SlipmuxDecoder;

  constructor(
    private readonly stream: Duplex,
    events: StreamSocketEvents,
  ) {
    super();
    this.decoder = new SlipmuxDecoder({
      coap: (message) => this.emit('message', Buffer.from(message), PEER),
      console: (text) => events.console(text),
    });
    stream.on('data', (chunk: Uint8Array) => this.decoder.push(chunk));
    stream.on('error', () => undefined);
    stream.once('close', () => events.closed());
  }

  /** As the library wants it; only `send`, `address`, `on` and `close` are used. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  get counts(): SlipmuxCounts {
    return this.decoder.counts;
  }

  send(
    message: Uint8Array,
    offset: number,
    length: number,
    _port: number,
    _address: string,
    done?: (error?: Error) => void,
  ): void {
    this.stream.write(encodeCoapFrame(message.subarray(offset, offset + length)), (error) =>
      done?.(error ?? undefined),
    );
  }

  address(): RemoteInfo {
    return PEER;
  }

  close(done?: () => void): void {
    this.stream.destroy();
    done?.();
  }
}
