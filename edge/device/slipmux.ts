// Slipmux (draft-bormann-t2trg-slipmux) on a byte stream: CoAP messages and console text over one serial line. Takes and
// gives bytes; checks frames, believes nothing. Knows no CoAP.

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** First byte of a frame. */
export const FrameType = { Diagnostic: 0x0a, Coap: 0xa9 } as const;

/** Longest frame that is taken, unescaped: a CoAP message with a block of 1,024 bytes and all its options fits. */
export const MAX_FRAME_BYTES = 2048;

const FCS_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x8408 : value >>> 1;
  return value;
});
const FCS_START = 0xffff;
/** What the sum over a good frame, its own sum included, comes to. */
const FCS_GOOD = 0xf0b8;

function fcs16(bytes: Uint8Array, start = FCS_START): number {
  let sum = start;
  for (const byte of bytes) sum = (sum >>> 8) ^ FCS_TABLE[(sum ^ byte) & 0xff]!;
  return sum;
}

/** One CoAP message as a frame, with its check sum (RFC 1662). */
export function encodeCoapFrame(message: Uint8Array): Uint8Array {
  const body = new Uint8Array(message.length + 3);
  body[0] = FrameType.Coap;
  body.set(message, 1);
  const sum = fcs16(body.subarray(0, message.length + 1)) ^ 0xffff;
  body[message.length + 1] = sum & 0xff;
  body[message.length + 2] = sum >>> 8;
  const out: number[] = [END];
  for (const byte of body) {
    if (byte === END) out.push(ESC, ESC_END);
    else if (byte === ESC) out.push(ESC, ESC_ESC);
    else out.push(byte);
  }
  out.push(END);
  return Uint8Array.from(out);
}

export interface SlipmuxEvents {
  /** A CoAP message whose check sum is right. */
  coap(message: Uint8Array): void;
  /** Console text: diagnostic frames, and whatever comes outside of frames. */
  console(text: Uint8Array): void;
}

export interface SlipmuxCounts {
  good: number;
  /** Wrong check sum, wrong escape, too long, or of an unknown kind. */
  bad: number;
}

/** Splits a stream; hands on what is whole. Memory is bounded by MAX_FRAME_BYTES whatever comes. */
export class SlipmuxDecoder {
  readonly counts: SlipmuxCounts = { good: 0, bad: 0 };
  private readonly frame = new Uint8Array(MAX_FRAME_BYTES);
  private length = 0;
  private state: 'outside' | 'inside' | 'escape' | 'skip' = 'outside';

  constructor(private readonly events: SlipmuxEvents) {}

  push(chunk: Uint8Array): void {
    let textFrom = 0;
    for (const [i, byte] of chunk.entries()) {
      if (this.state === 'outside') {
        if (byte !== END) continue;
        if (i > textFrom) this.events.console(chunk.slice(textFrom, i));
        this.begin();
        continue;
      }
      this.inside(byte);
      textFrom = i + 1;
    }
    if (this.state === 'outside' && textFrom < chunk.length) this.events.console(chunk.slice(textFrom));
  }

  private begin(): void {
    this.state = 'inside';
    this.length = 0;
  }

  private inside(byte: number): void {
    if (byte === END) {
      this.end();
      return;
    }
    if (this.state === 'skip') return;
    let value = byte;
    if (this.state === 'escape') {
      if (byte !== ESC_END && byte !== ESC_ESC) {
        this.state = 'skip';
        return;
      }
      value = byte === ESC_END ? END : ESC;
      this.state = 'inside';
    } else if (byte === ESC) {
      this.state = 'escape';
      return;
    }
    // Text between two frames looks like a frame of its own kind when the first END is missed.
    if (this.length === MAX_FRAME_BYTES) this.state = 'skip';
    else this.frame[this.length++] = value;
  }

  /** An END: closes a frame, or opens one (two in a row, or the end of a broken one, begin the next). */
  private end(): void {
    const { length, state } = this;
    if (length === 0 && state === 'inside') return;
    this.state = 'outside';
    const body = this.frame.slice(0, length);
    if (state !== 'inside') {
      this.counts.bad++;
      return;
    }
    switch (body[0]) {
      case FrameType.Diagnostic:
        this.counts.good++;
        this.events.console(body.subarray(1));
        break;
      case FrameType.Coap:
        if (length > 3 && fcs16(body) === FCS_GOOD) {
          this.counts.good++;
          this.events.coap(body.subarray(1, length - 2));
          break;
        }
        this.counts.bad++;
        break;
      default:
        // A lost END turns frames inside out: what lies between them is text, and this END begins a frame.
        this.counts.bad++;
        this.events.console(body);
        this.begin();
    }
  }
}
