// Takes sections as byte lists; gives a Wasm binary. The generator's own writer: shares nothing with the compiler.

/** A growing byte list with Wasm's encodings. */
export class Bytes {
  readonly data: number[] = [];
  u8(...values: number[]): this {
    for (const v of values) this.data.push(v & 0xff);
    return this;
  }
  u32(value: number): this {
    let v = value >>> 0;
    do {
      const b = v & 0x7f;
      v >>>= 7;
      this.data.push(v !== 0 ? b | 0x80 : b);
    } while (v !== 0);
    return this;
  }
  s64(value: bigint): this {
    let v = value;
    for (;;) {
      const b = Number(v & 0x7fn);
      v >>= 7n;
      if ((v === 0n && (b & 0x40) === 0) || (v === -1n && (b & 0x40) !== 0)) {
        this.data.push(b);
        return this;
      }
      this.data.push(b | 0x80);
    }
  }
  s32(value: number): this {
    return this.s64(BigInt(value | 0));
  }
  fixed(value: bigint, bytes: number): this {
    for (let i = 0; i < bytes; i++) this.data.push(Number((value >> BigInt(8 * i)) & 0xffn));
    return this;
  }
  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.u32(encoded.length).u8(...encoded);
  }
  append(other: Bytes): this {
    for (const b of other.data) this.data.push(b);
    return this;
  }
  vector(items: readonly Bytes[]): this {
    this.u32(items.length);
    for (const item of items) this.append(item);
    return this;
  }
  sized(content: Bytes): this {
    return this.u32(content.data.length).append(content);
  }
}

/** A module from (section id, content) pairs in order. */
export function assembleModule(sections: readonly (readonly [number, Bytes])[]): Uint8Array {
  const out = new Bytes().u8(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  for (const [id, content] of sections) out.u8(id).sized(content);
  return Uint8Array.from(out.data);
}
