// SLIP framing (RFC 1055) of byte streams. Takes chunks of any size; gives whole frames. Knows no protocol inside.

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** Collects frames from chunks. A frame longer than `limit` is dropped. */
export class SlipReader {
  private frame: number[] = [];
  private inside = false;
  private escaped = false;

  constructor(private readonly limit = 0x20000) {}

  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (const byte of chunk) {
      if (byte === END) {
        if (this.inside && this.frame.length > 0) {
          frames.push(Uint8Array.from(this.frame));
          this.inside = false;
        } else this.inside = true;
        this.frame = [];
        this.escaped = false;
      } else if (!this.inside) continue;
      else if (this.escaped) {
        this.frame.push(byte === ESC_END ? END : byte === ESC_ESC ? ESC : byte);
        this.escaped = false;
      } else if (byte === ESC) this.escaped = true;
      else this.frame.push(byte);
      if (this.frame.length > this.limit) {
        this.frame = [];
        this.inside = false;
      }
    }
    return frames;
  }
}

/** One frame with its delimiters. */
export function slipFrame(bytes: Uint8Array): Uint8Array {
  const out: number[] = [END];
  for (const byte of bytes) {
    if (byte === END) out.push(ESC, ESC_END);
    else if (byte === ESC) out.push(ESC, ESC_ESC);
    else out.push(byte);
  }
  out.push(END);
  return Uint8Array.from(out);
}
