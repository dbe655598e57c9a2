// Takes a module that shows a difference and a predicate; gives a smaller module that still shows it: whole bodies, then
// runs of instructions, then single ones are removed or replaced, as long as the module stays valid. Delta debugging
// (Zeller and Hildebrandt, TSE 2002) on instruction lists. Knows no engine.
/// <reference lib="dom" />
import { Bytes } from './encoder.js';

type Instruction = Uint8Array;
interface Body {
  readonly locals: Uint8Array;
  readonly code: readonly Instruction[];
}

class Cursor {
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

interface Sections {
  readonly parts: { readonly id: number; readonly content: Uint8Array }[];
  readonly bodies: Body[];
}

function split(bytes: Uint8Array): Sections {
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

function join({ parts }: Sections, bodies: readonly Body[]): Uint8Array {
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

const UNREACHABLE_BODY: readonly Instruction[] = [Uint8Array.of(0x00), Uint8Array.of(0x0b)];
/** What an instruction may become: constants and drops keep types right often enough. */
const REPLACEMENTS: readonly Instruction[] = [
  Uint8Array.of(0x41, 0),
  Uint8Array.of(0x42, 0),
  Uint8Array.of(0x43, 0, 0, 0, 0),
  Uint8Array.of(0x44, 0, 0, 0, 0, 0, 0, 0, 0),
  Uint8Array.of(0x1a),
];

/** Smallest module found within `budget` trials for which `fails` holds. */
export function reduceModule(bytes: Uint8Array, fails: (bytes: Uint8Array) => boolean, budget = 4000): Uint8Array {
  const sections = split(bytes);
  let bodies = [...sections.bodies];
  let best = bytes;
  let trials = 0;
  const attempt = (candidate: readonly Body[]): boolean => {
    if (trials >= budget) return false;
    const module = join(sections, candidate);
    if (!WebAssembly.validate(module as BufferSource)) return false;
    trials++;
    if (!fails(module)) return false;
    bodies = [...candidate];
    best = module;
    return true;
  };
  const withBody = (index: number, code: readonly Instruction[]): Body[] =>
    bodies.map((body, i) => (i === index ? { locals: body.locals, code } : body));
  for (let i = 0; i < bodies.length; i++) attempt(withBody(i, UNREACHABLE_BODY));
  for (let round = 0; round < 4; round++) {
    const before = best.length;
    for (let i = 0; i < bodies.length; i++) {
      for (let chunk = bodies[i]!.code.length >> 1; chunk >= 1; chunk >>= 1) {
        for (let at = 0; at + chunk < bodies[i]!.code.length;) {
          const { code } = bodies[i]!;
          const without = [...code.slice(0, at), ...code.slice(at + chunk)];
          const replaced = (): boolean =>
            REPLACEMENTS.some((r) => attempt(withBody(i, [...code.slice(0, at), r, ...code.slice(at + chunk)])));
          if (attempt(withBody(i, without))) continue;
          if (chunk > 1 && chunk <= 16) replaced();
          at += chunk <= 16 ? 1 : chunk;
        }
      }
    }
    if (best.length === before) break;
  }
  return best;
}
