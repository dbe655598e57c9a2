// Tests verdicts on whole modules: what is malformed, invalid or not supported, with number, place and wording.
import { describe, expect, it } from 'vitest';
import { wat } from '../../test/support/wat.js';
import { DiagnosticError, formatDiagnostic } from '../diagnostics.js';
import { inspectModule, parseModule } from '../driver.js';
import { MAX_LOCALS } from './body.js';

function verdict(bytes: Uint8Array): DiagnosticError | null {
  try {
    parseModule(bytes);
    return null;
  } catch (error) {
    if (error instanceof DiagnosticError) return error;
    throw error;
  }
}

async function refusal(text: string): Promise<string> {
  const error = verdict(await wat(text));
  return error === null ? 'accepted' : `${error.code} ${error.message}`;
}

const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
function module(...sections: number[][]): Uint8Array {
  return Uint8Array.from([...HEADER, ...sections.flat()]);
}

describe('malformed files', () => {
  it('refuses what is no module', () => {
    expect(verdict(new Uint8Array())?.code).toBe('W107');
    expect(verdict(Uint8Array.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0]))?.code).toBe('W107');
    expect(verdict(Uint8Array.from([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]))?.message).toMatch('unknown binary version 2');
    expect(verdict(Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]))?.message).toMatch('component model');
  });
  it('refuses every truncation of a module', async () => {
    const bytes =
      await wat(`(module (import "a" "b" (func (param i32))) (memory 1) (table 2 funcref) (global i64 (i64.const 5))
      (func (export "f") (result i32) (local f64) i32.const 1 (if (result i32) (then i32.const 2) (else i32.const 3)))
      (elem (i32.const 0) 1) (data (i32.const 0) "hello"))`);
    const sectionEnds = new Set<number>();
    for (let at = 8; at < bytes.length; at += 2 + bytes[at + 1]!) sectionEnds.add(at);
    for (let length = 0; length < bytes.length; length++) {
      const error = verdict(bytes.subarray(0, length));
      // Cut between sections, a file may still be a smaller module, or lacks the code of a declared function.
      if (error === null) expect(sectionEnds.has(length)).toBe(true);
      else expect(error.code).toMatch(/^W[12]/);
    }
    expect(verdict(bytes)).toBeNull();
  });
  it('refuses sections out of order, repeated, unknown, or with bytes left over', () => {
    const types = [1, 4, 1, 0x60, 0, 0];
    expect(verdict(module(types, types))?.code).toBe('W105');
    expect(verdict(module([3, 1, 0], types))?.message).toMatch('out of order');
    expect(verdict(module([99, 0]))?.message).toMatch('malformed section id 99');
    expect(verdict(module([1, 5, 1, 0x60, 0, 0, 0]))).toMatchObject({
      code: 'W105',
      place: { section: 'type', offset: 14 },
    });
    expect(verdict(module([1, 200, 1]))?.message).toMatch('length out of bounds');
  });
  it('refuses hostile counts without allocating for them', () => {
    const huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for (const id of [1, 2, 3, 4, 5, 6, 7, 9, 10, 11])
      expect(verdict(module([id, 5, ...huge]))?.code).toMatch(/^W10[12]$/);
  });
  it('ignores a malformed name section with a warning', () => {
    const report = inspectModule(module([0, 9, 4, 0x6e, 0x61, 0x6d, 0x65, 1, 5, 0, 0]));
    expect(report.warnings[0]).toMatch('malformed name section ignored: length out of bounds');
  });
});

describe('invalid modules', () => {
  const cases: readonly [string, string][] = [
    ['(module (func (result i32) i64.const 1))', 'W201 expected i32, found i64'],
    ['(module (func (result i32)))', 'W201 expected i32, but the stack is empty'],
    ['(module (func i32.const 1))', 'W201 1 values left over at the end of the block'],
    ['(module (func (if (result i32) (i32.const 1) (then (i32.const 1))) drop))', 'W201 if without else'],
    ['(module (func local.get 0 drop))', 'W202 unknown local 0'],
    ['(module (func call 7))', 'W202 unknown function 7'],
    ['(module (func br 1))', 'W202 unknown label 1'],
    ['(module (func (i32.load (i32.const 0)) drop))', 'W202 unknown memory 0'],
    ['(module (func (drop (global.get 0))))', 'W202 unknown global 0'],
    ['(module (func (drop (table.size 3))))', 'W202 unknown table 3'],
    ['(module (func (elem.drop 0)))', 'W202 unknown elem segment 0'],
    ['(module (global i32 (i32.const 0)) (func (global.set 0 (i32.const 1))))', 'W207 global is immutable'],
    ['(module (func) (func ref.func 0 drop))', 'W207 undeclared function reference 0'],
    [
      '(module (memory 1) (func (drop (i32.load8_u align=2 (i32.const 0)))))',
      'W204 alignment must not be larger than natural',
    ],
    ['(module (memory 2 1))', 'W205 size minimum must not be greater than maximum'],
    ['(module (memory 65537))', 'W205 memory size must be at most 65536 pages'],
    ['(module (func) (export "a" (func 0)) (export "a" (func 0)))', 'W206 duplicate export name "a"'],
    ['(module (func (param i32)) (start 0))', 'W207 start function must have neither'],
    ['(module (global i32 (i32.const 1)) (global i32 (global.get 0)))', 'W202 unknown global 0'],
    ['(module (import "m" "g" (global (mut i32))) (global i32 (global.get 0)))', 'W203 constant expression required'],
    ['(module (global i32 (i32.clz (i32.const 1))))', 'W203 constant expression required'],
    ['(module (global i32 (i32.add (i32.const 1) (i64.const 1))))', 'W201 expected two i32 operands'],
    ['(module (table 1 externref) (func) (elem (i32.const 0) func 0))', 'W201 funcref segment'],
    ['(module (type (func)) (table 1 externref) (func (call_indirect (type 0) (i32.const 0))))', 'W201 indirect'],
    ['(module (func (result i32) (return_call 1)) (func))', 'W201 tail call'],
    ['(module (func unreachable i64.const 1 i32.add drop))', 'W201 expected i32, found i64'],
  ];
  it.each(cases)('%s', async (text, expected) => {
    expect(await refusal(text)).toContain(expected);
  });
  it('names function and offset', async () => {
    const bytes = await wat('(module (func (export "sum") (result i32) i32.const 1 i32.const 2 f32.add))');
    const error = verdict(bytes)!;
    expect(bytes[error.place.offset!]).toBe(0x92);
    expect(formatDiagnostic(error.at({ file: 'a.wasm' }))).toBe(
      `error W201: type mismatch: expected f32, found i32 (a.wasm, code section, function 0 "sum", offset 0x${error.place.offset!.toString(16)})`,
    );
  });
});

describe('unsupported features', () => {
  const cases: readonly [string, string][] = [
    ['(module (func (drop (v128.const i32x4 1 2 3 4))))', 'SIMD (v128) (opcode 0xfd)'],
    ['(module (func (param v128)))', 'SIMD (v128): type 0x7b'],
    ['(module (global v128 (v128.const i32x4 1 2 3 4)))', 'SIMD (v128): type 0x7b'],
    ['(module (func (try (do) (catch_all))))', 'exception handling (opcode 0x06)'],
    ['(module (tag (param i32)))', 'exception handling: tag section'],
    ['(module (memory 1 2 shared))', 'threads and atomics: shared memory'],
    ['(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))', 'threads and atomics (opcode 0xfe)'],
    ['(module (memory i64 1))', 'memory64: 64-bit memory'],
    ['(module (type (struct (field i32))))', 'garbage collection: type form 0x5f'],
  ];
  it.each(cases)('%s', async (text, expected) => {
    expect(await refusal(text)).toBe(`W301 ${expected}`);
  });
  it('refuses typed references and recursive types', () => {
    const type = (...bytes: number[]): string => verdict(module([1, bytes.length + 1, 1, ...bytes]))!.message;
    expect(type(0x60, 1, 0x64, 0, 0)).toBe('typed function references: type 0x64');
    expect(type(0x4e, 1, 0x60, 0, 0)).toBe('garbage collection: type form 0x4e');
  });
  it('says in which function', async () => {
    const error = verdict(
      await wat('(module (func) (func $lanes (drop (v128.const i32x4 1 2 3 4))))', { names: true }),
    )!;
    expect(error.place).toMatchObject({ section: 'code', func: { index: 1, name: 'lanes' } });
  });
});

describe('limits', () => {
  it(`takes ${MAX_LOCALS} locals and refuses one more`, () => {
    const body = (count: number): Uint8Array => {
      const leb = [(count & 0x7f) | 0x80, ((count >> 7) & 0x7f) | 0x80, count >> 14];
      return module([1, 4, 1, 0x60, 0, 0], [3, 2, 1, 0], [10, 8, 1, 6, 1, ...leb, 0x7f, 0x0b]);
    };
    expect(verdict(body(MAX_LOCALS))).toBeNull();
    expect(verdict(body(MAX_LOCALS + 1))?.code).toBe('W501');
  });
  it('takes any number of locals in two groups only up to 2^32', () => {
    const max = [0xff, 0xff, 0xff, 0xff, 0x0f];
    const body = [2, ...max, 0x7f, ...max, 0x7e, 0x0b];
    const error = verdict(module([1, 4, 1, 0x60, 0, 0], [3, 2, 1, 0], [10, body.length + 2, 1, body.length, ...body]));
    expect(error).toMatchObject({ code: 'W101', message: 'too many locals' });
  });
});

describe('features', () => {
  it('reports what a module uses', async () => {
    const bytes = await wat(`(module (memory 1) (memory 1) (global i32 (i32.add (i32.const 1) (i32.const 2)))
      (func (result i32 i32) i32.const 1 i32.extend8_s i32.const 2)
      (func (return_call 1)) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))) 
      (func (drop (i32.trunc_sat_f32_s (f32.const 1)))))`);
    expect(inspectModule(bytes).features).toEqual([
      'bulk-memory',
      'extended-const',
      'multi-memory',
      'multi-value',
      'saturating-conversions',
      'sign-extension',
      'tail-call',
    ]);
  });
});
