// Wasm values as text: what is accepted, what is refused, how results are printed.
import { describe, expect, it } from 'vitest';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { formatResults, parseArguments } from './values.js';

describe('parseArguments', () => {
  it.each([
    ['i', '0', [0]],
    ['i', '-1', [0xffffffff]],
    ['i', '4294967295', [0xffffffff]],
    ['i', '0x80000000', [0x80000000]],
    ['i', '-0x80000000', [0x80000000]],
    ['I', '-2', [0xfffffffe, 0xffffffff]],
    ['I', '0x123456789abcdef0', [0x9abcdef0, 0x12345678]],
    ['I', '18446744073709551615', [0xffffffff, 0xffffffff]],
    ['f', '1', [0x3f800000]],
    ['f', '-0', [0x80000000]],
    ['f', '0x7fc00001', [0x7fc00001]],
    ['f', 'inf', [0x7f800000]],
    ['f', '-inf', [0xff800000]],
    ['f', 'nan', [0x7fc00000]],
    ['f', '1e-3', [0x3a83126f]],
    ['F', '1', [0, 0x3ff00000]],
    ['F', '0x3ff0000000000001', [1, 0x3ff00000]],
    ['F', '.5', [0, 0x3fe00000]],
    ['e', 'null', [0]],
    ['e', '0', [1]],
    ['r', 'null', [0]],
  ])('%s %s', (type, text, words) => {
    expect(parseArguments('f', `${type}:`, [text])).toEqual(words);
  });

  it.each([
    ['i', '4294967296'],
    ['i', '-2147483649'],
    ['i', '1.5'],
    ['i', ''],
    ['i', '0x'],
    ['i', '12a'],
    ['I', '18446744073709551616'],
    ['I', 'nan'],
    ['f', 'one'],
    ['f', '1e'],
    ['f', '0x1ffffffff'],
    ['F', '--1'],
    ['r', '5'],
  ])('refuses %s "%s"', (type, text) => {
    expect(() => parseArguments('f', `${type}:`, [text])).toThrow(DiagnosticError);
  });

  it('wants as many arguments as there are parameters', () => {
    expect(() => parseArguments('f', 'iI:', ['1'])).toThrow('"f" takes 2 arguments (i32, i64) -> (), 1 given');
    expect(() => parseArguments('f', ':', ['1'])).toThrow('takes 0 arguments');
  });
});

describe('formatResults', () => {
  it.each([
    ['i', [5], 'i32:5'],
    ['i', [0xffffffff], 'i32:-1'],
    ['I', [0xffffffff, 0xffffffff], 'i64:-1'],
    ['I', [0, 0x80000000], 'i64:-9223372036854775808'],
    ['f', [0x3f800000], 'f32:0x3f800000 1'],
    ['f', [0x3dcccccd], 'f32:0x3dcccccd 0.1'],
    ['f', [0x00000001], 'f32:0x00000001 1e-45'],
    ['f', [0x80000000], 'f32:0x80000000 -0'],
    ['f', [0xffc00000], 'f32:0xffc00000 nan'],
    ['F', [0, 0x3ff00000], 'f64:0x3ff0000000000000 1'],
    ['F', [0, 0xfff00000], 'f64:0xfff0000000000000 -inf'],
    ['e', [0], 'externref:null'],
    ['e', [8], 'externref:7'],
    ['r', [0], 'funcref:null'],
  ])('%s %j', (type, words, text) => {
    expect(formatResults(`:${type}`, words)).toEqual([text]);
  });

  it('gives one line a result', () => {
    expect(formatResults('i:iFi', [1, 0, 0x40000000, 3])).toEqual(['i32:1', 'f64:0x4000000000000000 2', 'i32:3']);
    expect(formatResults(':', [])).toEqual([]);
  });
});
