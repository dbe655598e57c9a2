// Takes a Wasm binary; gives its sections and its bodies as lists of instructions, and puts them together again. The fuzzer's
// own reader, for modules of Wasm 2.0 without SIMD: shares nothing with the compiler.
import { Bytes } from './encoder.js';

export type Instruction = Uint8Array;
export interface Body {
  readonly locals: Uint8Array;
  readonly code: readonly Instruction[];
}

export class Cursor {
  at = 0;
  constructor(readonly bytes: Uint8Array) {}
  byte(): number {
    return this.bytes[this.at++]!;
  }
  leb(): number {
    let result = 0;
    let shift = 0;
    for (;;) {
      const b = this.byte();
      if (shift < 32) result |= (b & 0x7f) << shift;
      shift += 7;
      if (b < 0x80) return result >>> 0;
    }
  }
}

function skipMemarg(c: Cursor): void {
  if ((c.leb() & 0x40) !== 0) c.leb();
  c.leb();
}

/** LEB immediates of the 0xfc operators from 8 on. */
const BULK_IMMEDIATES: Readonly<Record<number, number>> = {
  8: 2,
  9: 1,
  10: 2,
  11: 1,
  12: 2,
  13: 1,
  14: 2,
  15: 1,
  16: 1,
  17: 1,
};

/** Moves over one instruction of what the generator and Wasm 2.0 compilers emit. */
function skipInstruction(c: Cursor): void {
  const op = c.byte();
  if (op >= 0x28 && op <= 0x3e) skipMemarg(c);
  else if (op === 0x0e) for (let n = c.leb(); n >= 0; n--) c.leb();
  else if (op === 0x11 || op === 0x13) {
    c.leb();
    c.leb();
  } else if (op === 0x1c) for (let n = c.leb(); n > 0; n--) c.byte();
  else if (op === 0x43) c.at += 4;
  else if (op === 0x44) c.at += 8;
  else if (op === 0xd0) c.byte();
  else if (op === 0xfc) {
    const sub = c.leb();
    for (let n = BULK_IMMEDIATES[sub] ?? 0; n > 0; n--) c.leb();
  } else if (
    [0x02, 0x03, 0x04, 0x0c, 0x0d, 0x10, 0x12, 0x3f, 0x40, 0x41, 0x42, 0xd2].includes(op) ||
    (op >= 0x20 && op <= 0x26)
  )
    c.leb();
}

export interface Sections {
  readonly parts: readonly { readonly id: number; readonly content: Uint8Array }[];
  readonly bodies: Body[];
}

/** Splits a module; custom sections stay in `parts`. */
export function splitModule(bytes: Uint8Array): Sections {
  const c = new Cursor(bytes);
  c.at = 8;
  const parts: { id: number; content: Uint8Array }[] = [];
  const bodies: Body[] = [];
  while (c.at < bytes.length) {
    const id = c.byte();
    const size = c.leb();
    const content = bytes.subarray(c.at, c.at + size);
    c.at += size;
    parts.push({ id, content });
    if (id !== 10) continue;
    const code = new Cursor(content);
    for (let n = code.leb(); n > 0; n--) {
      const end = code.leb() + code.at;
      const start = code.at;
      for (let groups = code.leb(); groups > 0; groups--) {
        code.leb();
        code.byte();
      }
      const locals = content.slice(start, code.at);
      const list: Instruction[] = [];
      while (code.at < end) {
        const from = code.at;
        skipInstruction(code);
        list.push(content.slice(from, code.at));
      }
      bodies.push({ locals, code: list });
    }
  }
  return { parts, bodies };
}

/** The module with other bodies; custom sections are left out. */
export function joinModule(parts: Sections['parts'], bodies: readonly Body[]): Uint8Array {
  const out = new Bytes().u8(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  for (const { id, content } of parts) {
    if (id === 0) continue;
    if (id !== 10) {
      out
        .u8(id)
        .u32(content.length)
        .u8(...content);
      continue;
    }
    const list = bodies.map((body) => {
      const code = new Bytes().u8(...body.locals);
      for (const instruction of body.code) code.u8(...instruction);
      return new Bytes().sized(code);
    });
    out.u8(id).sized(new Bytes().vector(list));
  }
  return Uint8Array.from(out.data);
}
