// Observations of CoAP clients (RFC 7641) on the `coap` library's server: who observes what, how many, how fast. Takes
// requests and a way to ask again; knows no service.
import type { IncomingMessage, OutgoingMessage } from 'coap';
import type { Answer } from '../worker/protocol.js';
import { codeText } from './codes.js';

/** Observations at a time, of one address and of all; more get the answer without one (RFC 7641, 4.1). */
const MAX_OF_ADDRESS = 32;
const MAX_OF_ALL = 1_000;
/** A representation above this goes in blocks: the first in the notification, the client asks for the rest (RFC 7959, 2.6). */
const BLOCK_BYTES = 1024;
/** Block2: number 0, more, 1,024 bytes. */
const FIRST_BLOCK = Buffer.of(0x0e);

export interface ObserversOptions {
  /** Resolves when a client has acknowledged what it was sent. */
  readonly settled: (address: string, port: number) => Promise<void>;
  readonly forget: (address: string, port: number) => void;
}

export class Observers {
  /** What ends an observation, by peer and token. */
  private readonly running = new Map<string, () => void>();
  private readonly counts = new Map<string, number>();

  constructor(private readonly options: ObserversOptions) {}

  get size(): number {
    return this.running.size;
  }

  /** A request with this token ends what was observed with it: with Observe 1, or to observe again. */
  end(request: IncomingMessage): void {
    this.running.get(keyOf(request))?.();
  }

  /**
   * Sends `first` and, from then on, what `ask` gives after each change. False if that is not to be: then nothing was sent.
   * @param observe begins to watch; null if the service cannot be observed
   */
  begin(
    request: IncomingMessage,
    response: OutgoingMessage,
    first: Answer,
    ask: () => Promise<Answer>,
    observe: (changed: () => void) => (() => void) | null,
  ): boolean {
    const { address, port } = request.rsinfo;
    const count = this.counts.get(address) ?? 0;
    // Notifications that nobody acknowledges would go on for ever, to whoever the address belongs.
    if (!request._packet.confirmable || count >= MAX_OF_ADDRESS || this.running.size >= MAX_OF_ALL) return false;
    let busy = false;
    let again = false;
    let over = false;
    const changed = async (): Promise<void> => {
      again = true;
      if (busy) return;
      busy = true;
      // Changes while the last one is under way are one more: what counts is the last state.
      for (await this.options.settled(address, port); again && !over; await this.options.settled(address, port)) {
        again = false;
        const next = await ask();
        if (over) break;
        send(response, next);
        // An error ends it (RFC 7641, 4.2).
        if (next.code >> 5 !== 2) end();
      }
      busy = false;
    };
    const stop = observe(() => void changed().catch(() => end()));
    if (stop === null) return false;
    const key = keyOf(request);
    const end = (): void => {
      if (over) return;
      over = true;
      stop();
      this.running.delete(key);
      const left = this.counts.get(address)! - 1;
      if (left === 0) this.counts.delete(address);
      else this.counts.set(address, left);
      response.end();
    };
    this.running.set(key, end);
    this.counts.set(address, count + 1);
    // The client has refused a notification, or has acknowledged none of its repetitions.
    response.on('finish', () => {
      this.options.forget(address, port);
      end();
    });
    send(response, first);
    return true;
  }
}

/** The library puts the option into everything that answers a request to observe; without it there is no observation. */
export function withoutObserve(response: OutgoingMessage): void {
  response.setOption('Observe', []);
  const set = response.setOption.bind(response);
  response.setOption = (name, values) => (name === 'Observe' ? response : set(name, values));
}

function send(response: OutgoingMessage, { code, payload }: Answer): void {
  // Of an observation the library takes the one, otherwise the other.
  response.statusCode = response.code = codeText(code);
  if (code >> 5 !== 2) withoutObserve(response);
  const whole = payload.length <= BLOCK_BYTES;
  response.setOption('Block2', whole ? [] : FIRST_BLOCK);
  response.write(Buffer.from(whole ? payload : payload.subarray(0, BLOCK_BYTES)));
}

const keyOf = ({ rsinfo, _packet }: IncomingMessage): string =>
  `${rsinfo.address}|${rsinfo.port}|${_packet.token?.toString('hex')}`;
