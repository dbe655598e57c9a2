// The edge's end of a simulated device's serial line: frames of CoAP messages in and out (oracle: coap-packet), console text
// beside them, and what a bad line does to them. Written apart from the edge's own code. Knows no expectation.
import { generate, parse, type Packet, type ParsedPacket } from 'coap-packet';
import type { OsDevice } from '../os/os-device.js';

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;
const COAP = 0xa9;
const GOOD = 0xf0b8;
export const CALLER_OPTION = '65000';

/** RFC 1662, bit by bit. */
export function checkSequence(bytes: Iterable<number>): number {
  let fcs = 0xffff;
  for (const byte of bytes) {
    fcs ^= byte;
    for (let bit = 0; bit < 8; bit++) fcs = (fcs & 1) === 0 ? fcs >>> 1 : (fcs >>> 1) ^ 0x8408;
  }
  return fcs;
}

export function frame(message: Uint8Array): Uint8Array {
  const check = ~checkSequence([COAP, ...message]) & 0xffff;
  const bytes = [END, COAP];
  for (const byte of [...message, check & 0xff, check >>> 8]) {
    if (byte === END) bytes.push(ESC, ESC_END);
    else if (byte === ESC) bytes.push(ESC, ESC_ESC);
    else bytes.push(byte);
  }
  return Uint8Array.from([...bytes, END]);
}

export interface Decoded {
  readonly messages: readonly Uint8Array[];
  readonly text: string;
  /** Frames whose check sequence is wrong. */
  readonly broken: number;
}

export function decode(bytes: Uint8Array): Decoded {
  const messages: Uint8Array[] = [];
  const text: number[] = [];
  let broken = 0;
  let inside: number[] | null = null;
  let afterEnd = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === END) {
      if (inside !== null) {
        if (checkSequence([COAP, ...inside]) === GOOD) messages.push(Uint8Array.from(inside.slice(0, -2)));
        else broken++;
      }
      inside = null;
      afterEnd = true;
    } else if (afterEnd && byte === COAP) {
      inside = [];
      afterEnd = false;
    } else {
      afterEnd = false;
      const into: number[] = inside ?? text;
      const next = bytes[i + 1];
      if (byte === ESC && (next === ESC_END || next === ESC_ESC) && (inside !== null || next === ESC_END)) {
        into.push(next === ESC_END ? END : ESC);
        i++;
      } else into.push(byte);
    }
  }
  return { messages, text: Buffer.from(text).toString(), broken };
}

export interface Request {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/path?query` */
  readonly uri: string;
  readonly payload?: Uint8Array | string;
  readonly caller?: string;
  readonly mid?: number;
  readonly token?: Uint8Array;
  readonly confirmable?: boolean;
  readonly options?: Packet['options'];
}

export class DeviceLink {
  private mid = 100;
  private read = 0;
  /** Everything that has come and was not asked for yet. */
  readonly inbox: ParsedPacket[] = [];
  text = '';
  broken = 0;
  /** What becomes of a frame on its way to the device, and back. */
  toDevice: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  fromDevice: (message: Uint8Array) => boolean = () => true;

  constructor(readonly device: OsDevice) {}

  encode({ method = 'GET', uri, payload, caller, mid, token, confirmable = true, options = [] }: Request): Uint8Array {
    const [path, query] = uri.split('?');
    const number = mid ?? (this.mid = (this.mid + 1) & 0xffff);
    const all = [
      ...(path ?? '')
        .split('/')
        .slice(1)
        .map((segment) => ({ name: 'Uri-Path', value: Buffer.from(segment) })),
      ...(query === undefined
        ? []
        : query.split('&').map((value) => ({ name: 'Uri-Query', value: Buffer.from(value) }))),
      ...options,
      ...(caller === undefined ? [] : [{ name: CALLER_OPTION, value: Buffer.from(caller) }]),
    ] as Packet['options'];
    return generate({
      confirmable,
      code: { GET: '0.01', POST: '0.02', PUT: '0.03', DELETE: '0.04' }[method],
      messageId: number,
      token: Buffer.from(token ?? [number >>> 8, number & 0xff]),
      options: all!,
      payload: typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(payload ?? []),
    });
  }

  send(message: Uint8Array): void {
    this.device.machine.sendConsole(this.toDevice(frame(message)));
  }

  /** Takes what the device has sent. */
  collect(): void {
    const bytes = Buffer.from(this.device.console.slice(this.read), 'latin1');
    // A frame that has only begun is left for the next time.
    const ends = [...bytes.keys()].filter((i) => bytes[i] === END);
    const open = ends.length > 0 && bytes[ends[ends.length - 1]! + 1] === COAP;
    const take = open ? ends[ends.length - 1]! : bytes.length;
    this.read += take;
    const { messages, text, broken } = decode(bytes.subarray(0, take));
    this.text += text;
    this.broken += broken;
    for (const message of messages) if (this.fromDevice(message)) this.inbox.push(parse(Buffer.from(message)));
  }

  run(milliseconds: number): this {
    this.device.run(milliseconds);
    this.collect();
    return this;
  }

  /** After what the device has printed was thrown away. */
  restart(): void {
    this.read = 0;
  }

  /** The first message that has come for which `wanted` holds, taken out of the inbox. */
  take(wanted: (packet: ParsedPacket) => boolean): ParsedPacket | undefined {
    const at = this.inbox.findIndex(wanted);
    return at < 0 ? undefined : this.inbox.splice(at, 1)[0];
  }

  /** Sends a request and runs until its answer is there; separate responses are acknowledged. */
  request(request: Request, milliseconds = 200): ParsedPacket {
    const message = this.encode(request);
    const { token } = parse(Buffer.from(message));
    this.send(message);
    for (let time = 0; time < milliseconds; time++) {
      this.run(1);
      const answer = this.take((packet) => packet.code !== '0.00' && packet.token.equals(token));
      if (answer === undefined) continue;
      if (answer.confirmable) this.acknowledge(answer);
      return answer;
    }
    throw new Error(`no answer to ${request.uri}; text: ${this.text}`);
  }

  acknowledge({ messageId }: ParsedPacket, reset = false): void {
    this.send(generate({ ack: !reset, reset, messageId, code: '0.00' }));
  }
}

/** Value of an option as the library gives it raw. */
export function optionOf(packet: ParsedPacket, name: string): Buffer | undefined {
  return packet.options.find((option) => String(option.name) === name)?.value as Buffer | undefined;
}
