// Modules made to hurt: deep nesting, huge tables, many locals times many branches. They must translate or be refused by
// a named limit, without overflowing the stack; what is accepted must verify.
import { describe, expect, it } from 'vitest';
import { frontend } from '../driver.js';
import type { Func } from '../ir/function.js';

function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return out;
}

function repeat(pattern: readonly number[], count: number): Uint8Array {
  const out = new Uint8Array(pattern.length * count);
  for (let i = 0; i < count; i++) out.set(pattern, i * pattern.length);
  return out;
}

/** A module of one function of type () -> () with i32 locals. */
function module(locals: number, ...code: (readonly number[] | Uint8Array)[]): Uint8Array {
  const body = [[1, ...leb(locals), 0x7f], ...code, [0x0b]];
  const size = body.reduce((sum, part) => sum + part.length, 0);
  const section = [1, ...leb(size)];
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, ...leb(section.length + size)];
  const parts = [head, section, ...body];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function translate(bytes: Uint8Array): Func {
  return frontend(bytes).bodies[0]!;
}

const N = 20_000;
const GET0 = [0x20, 0];
const SET0 = [0x41, 1, 0x21, 0];

describe('hostile modules', () => {
  it('nests blocks, ifs and loops without recursion', () => {
    expect(translate(module(1, repeat([0x02, 0x40], N), repeat([0x0b], N))).blocks).toHaveLength(1);
    const ifs = translate(module(1, repeat([...GET0, 0x04, 0x40], N), SET0, repeat([0x0b], N)));
    expect(ifs.blocks).toHaveLength(1 + 2 * N);
    const loops = translate(module(1, repeat([0x03, 0x40], N), GET0, [0x0d, 0], repeat([0x0b], N), GET0, [0x1a]));
    expect(loops.blocks.reduce((sum, block) => sum + block.params.length, 0)).toBe(0);
  });
  it('takes long chains of joins and reads through them', () => {
    const join = [...GET0, 0x04, 0x40, ...SET0, 0x0b];
    const func = translate(module(2, repeat(join, N), [0x20, 1, 0x1a]));
    expect(func.blocks).toHaveLength(1 + 2 * N);
    // Local 0 changes at each join and is read by the next; local 1 never does.
    expect(func.blocks.reduce((sum, block) => sum + block.params.length, 0)).toBe(N - 1);
  });
  it('takes a br_table of a hundred thousand targets', () => {
    const func = translate(module(1, [0x02, 0x40, ...GET0, 0x0e, ...leb(100_000)], repeat([0], 100_001), [0x0b]));
    expect(func.entry.terminator.edges).toHaveLength(100_001);
  });
  it('refuses locals times branches beyond any real program by a named limit', () => {
    const join = [...GET0, 0x04, 0x40, ...SET0, 0x0b];
    const attempt = (): Func => translate(module(50_000, repeat(join, 100_000)));
    expect(attempt).toThrowError('too many locals and branches in one function');
    expect(translate(module(1000, repeat(join, 10_000))).blocks).toHaveLength(20_001);
  });
  it('skips dead code quickly and checks it all the same', () => {
    const dead = [0x02, 0x40, ...GET0, 0x0d, 0, 0x0b];
    expect(translate(module(1, [0x00], repeat(dead, N))).blocks).toHaveLength(1);
    expect(() => translate(module(1, [0x00], repeat(dead, N), [0x20, 9, 0x1a]))).toThrowError('unknown local 9');
  });
});
