// Reads bytes, LEB128 integers, float bits and names from a byte array, refusing every malformed form with an offset.
// Knows the binary format's scalars; knows no section, no opcode and no type rule.
import { DiagnosticError } from '../diagnostics.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * A cursor over `bytes[pos, end)`. All offsets are file offsets. Errors: W102 at the end of the range, W103 for LEB128,
 * W104 for names.
 */
export class ByteReader {
  pos: number;
  end: number;
  /** Words of the last `s64` or `f64`, signed 32-bit. */
  lo = 0;
  hi = 0;
  constructor(
    readonly bytes: Uint8Array,
    pos = 0,
    end = bytes.length,
  ) {
    this.pos = pos;
    this.end = end;
  }

  get done(): boolean {
    return this.pos >= this.end;
  }

  u8(): number {
    if (this.pos >= this.end) throw this.truncated();
    return this.bytes[this.pos++]!;
  }

  /** Unsigned LEB128, at most 32 bits. */
  u32(): number {
    const first = this.pos < this.end ? this.bytes[this.pos]! : 0x80;
    if (first < 0x80) {
      this.pos++;
      return first;
    }
    const start = this.pos;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.u8();
    if (last >= 0x80) throw this.tooLong(start);
    if (last > 0x0f) throw this.tooLarge(start);
    return (value | (last << 28)) >>> 0;
  }

  /** Signed LEB128, 32 bits. */
  s32(): number {
    const first = this.pos < this.end ? this.bytes[this.pos]! : 0x80;
    if (first < 0x80) {
      this.pos++;
      return (first << 25) >> 25;
    }
    const start = this.pos;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value << (25 - shift)) >> (25 - shift);
    }
    const last = this.u8();
    if (last >= 0x80) throw this.tooLong(start);
    const high = last & 0x78;
    if (high !== 0 && high !== 0x78) throw this.tooLarge(start);
    return value | (last << 28);
  }

  /** Signed LEB128, 33 bits: block types. The result is exact. */
  s33(): number {
    const start = this.pos;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 4; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return byte & 0x40 ? value - scale : value;
    }
    const last = this.u8();
    if (last >= 0x80) throw this.tooLong(start);
    const high = last & 0x70;
    if (high !== 0 && high !== 0x70) throw this.tooLarge(start);
    value += (last & 0x7f) * scale;
    return last & 0x40 ? value - scale * 128 : value;
  }

  /** Signed LEB128, 64 bits, into `lo` and `hi`. */
  s64(): void {
    const start = this.pos;
    let lo = 0;
    let hi = 0;
    let shift = 0;
    for (; shift < 63; shift += 7) {
      const byte = this.u8();
      const bits = byte & 0x7f;
      if (shift < 32) lo |= bits << shift;
      if (shift >= 32) hi |= bits << (shift - 32);
      else if (shift > 25) hi |= bits >> (32 - shift);
      if (byte < 0x80) {
        shift += 7;
        if (byte & 0x40) {
          if (shift < 32) {
            lo |= -1 << shift;
            hi = -1;
          } else if (shift < 64) hi |= -1 << (shift - 32);
        }
        this.lo = lo;
        this.hi = hi;
        return;
      }
    }
    const last = this.u8();
    if (last >= 0x80) throw this.tooLong(start);
    if (last !== 0 && last !== 0x7f) throw this.tooLarge(start);
    this.lo = lo;
    this.hi = hi | (last << 31);
  }

  /** Four bytes, little endian, as a signed 32-bit integer. */
  word(): number {
    const { pos, bytes } = this;
    if (this.end - pos < 4) throw this.truncated();
    this.pos = pos + 4;
    return bytes[pos]! | (bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16) | (bytes[pos + 3]! << 24);
  }

  /** Skips `count` bytes. */
  skip(count: number): void {
    if (count > this.end - this.pos) throw this.truncated('length out of bounds');
    this.pos += count;
  }

  /** A count of items that take at least `itemSize` bytes each: a count that cannot be true is refused at once. */
  count(itemSize = 1): number {
    const start = this.pos;
    const count = this.u32();
    if (count * itemSize > this.end - this.pos) {
      throw new DiagnosticError('W102', `length out of bounds: ${count} items`, { offset: start });
    }
    return count;
  }

  /** A UTF-8 name. */
  name(): string {
    const start = this.pos;
    const length = this.u32();
    if (length > this.end - this.pos) throw new DiagnosticError('W102', 'length out of bounds', { offset: start });
    const from = this.pos;
    this.pos += length;
    try {
      return utf8.decode(this.bytes.subarray(from, this.pos));
    } catch {
      throw new DiagnosticError('W104', 'malformed UTF-8 encoding', { offset: from });
    }
  }

  truncated(message = 'unexpected end'): DiagnosticError {
    return new DiagnosticError('W102', message, { offset: this.pos });
  }
  private tooLong(offset: number): DiagnosticError {
    return new DiagnosticError('W103', 'integer representation too long', { offset });
  }
  private tooLarge(offset: number): DiagnosticError {
    return new DiagnosticError('W103', 'integer too large', { offset });
  }
}
