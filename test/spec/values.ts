// Takes constants and expectations of a .wast script; gives bit patterns and matchers. Knows no executor.
import { atomText, isList, type SExpr, type SList } from './sexpr.js';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'funcref' | 'externref';

/** Value types by the letters of canonical signature text (compiler/abi/signature-id.ts). */
export const TYPE_OF_LETTER: Readonly<Record<string, ValueType>> = {
  i: 'i32',
  I: 'i64',
  f: 'f32',
  F: 'f64',
  r: 'funcref',
  e: 'externref',
};

/** A runtime value as bits: i32/f32 32 bits, i64/f64 64 bits, references: externref n is n + 1, null is 0. */
export interface Value {
  readonly type: ValueType;
  readonly bits: bigint;
}

/** What a result may be. */
export type Expectation =
  | { readonly kind: 'bits'; readonly type: ValueType; readonly bits: bigint }
  | { readonly kind: 'nan'; readonly type: 'f32' | 'f64'; readonly canonical: boolean }
  | { readonly kind: 'ref-nonnull'; readonly type: ValueType }
  | { readonly kind: 'ref-null'; readonly type: ValueType }
  | { readonly kind: 'either'; readonly options: readonly Expectation[] };

/** Raised for syntax of a proposal that this project does not have; the command becomes a skip that names it. */
export class UnsupportedScript extends Error {}

const buffer = new DataView(new ArrayBuffer(8));

function parseInteger(text: string, width: 32 | 64): bigint {
  const clean = text.replace(/_/g, '');
  const negative = clean.startsWith('-');
  const magnitude = BigInt(clean.replace(/^[+-]/, ''));
  return BigInt.asUintN(width, negative ? -magnitude : magnitude);
}

/** Parses a hexadecimal float (`0x1.8p3`) with one correct rounding to the given width, as bits. */
function parseHexFloat(text: string, width: 32 | 64): bigint {
  const match = /^0x([0-9a-f]*)(?:\.([0-9a-f]*))?(?:p([+-]?\d+))?$/i.exec(text);
  if (match === null) throw new Error(`bad float ${text}`);
  const [, whole = '', fraction = '', exponentText = '0'] = match;
  let mantissa = BigInt(`0x${whole}${fraction}` === '0x' ? 0 : `0x${whole}${fraction}`);
  let exponent = Number(exponentText) - 4 * fraction.length;
  const [precision, minExponent, bias, exponentBits] = width === 32 ? [24, -149, 127, 8] : [53, -1074, 1023, 11];
  if (mantissa === 0n) return 0n;
  const length = mantissa.toString(2).length;
  let drop = Math.max(length - precision, minExponent - exponent);
  if (drop > 0) {
    const shift = BigInt(drop);
    const half = 1n << (shift - 1n);
    const rest = mantissa & ((1n << shift) - 1n);
    mantissa >>= shift;
    if (rest > half || (rest === half && (mantissa & 1n) === 1n)) mantissa++;
    exponent += drop;
  } else {
    drop = 0;
  }
  while (mantissa !== 0n && mantissa.toString(2).length < precision && exponent > minExponent) {
    mantissa <<= 1n;
    exponent--;
  }
  if (mantissa.toString(2).length > precision) {
    mantissa >>= 1n;
    exponent++;
  }
  const fractionBits = BigInt(precision - 1);
  if (mantissa < 1n << fractionBits) return mantissa; // subnormal or zero
  const biased = exponent + precision - 1 + bias;
  if (biased >= (1 << exponentBits) - 1) return BigInt((1 << exponentBits) - 1) << fractionBits;
  return (BigInt(biased) << fractionBits) | (mantissa & ((1n << fractionBits) - 1n));
}

function parseFloatBits(text: string, width: 32 | 64): bigint {
  const clean = text.replace(/_/g, '');
  const negative = clean.startsWith('-');
  const body = clean.replace(/^[+-]/, '');
  const fractionBits = width === 32 ? 23n : 52n;
  const infinity = width === 32 ? 0xffn << 23n : 0x7ffn << 52n;
  let bits: bigint;
  if (body === 'inf') bits = infinity;
  else if (body === 'nan') bits = infinity | (1n << (fractionBits - 1n));
  else if (body.startsWith('nan:0x')) bits = infinity | BigInt(body.slice(4));
  else if (/^0x/i.test(body)) bits = parseHexFloat(body, width);
  else if (width === 64) {
    buffer.setFloat64(0, Number(body));
    bits = buffer.getBigUint64(0);
  } else {
    bits = decimalToF32(body);
  }
  return negative ? bits | (1n << BigInt(width - 1)) : bits;
}

/** Decimal to f32 without double rounding: exact rational comparison against the neighbours of Math.fround. */
function decimalToF32(text: string): bigint {
  const match = /^(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text)!;
  const [, whole = '', fraction = '', exponentText = '0'] = match;
  const digits = BigInt(`${whole}${fraction}` || '0');
  const scale = Number(exponentText) - fraction.length;
  const numerator = scale >= 0 ? digits * 10n ** BigInt(scale) : digits;
  const denominator = scale >= 0 ? 1n : 10n ** BigInt(-scale);
  if (numerator === 0n) return 0n;
  // value = numerator / denominator; reuse the hex path with enough bits and a sticky bit.
  const shift = 200n;
  const scaled = (numerator << shift) / denominator;
  const sticky = (numerator << shift) % denominator === 0n ? 0n : 1n;
  return parseHexFloat(`0x${((scaled << 1n) | sticky).toString(16)}p-${shift + 1n}`, 32);
}

/** `(i32.const 1)` and friends as an argument. */
export function parseConstant(e: SExpr): Value {
  const expected = parseExpectation(e);
  if (expected.kind === 'bits') return { type: expected.type, bits: expected.bits };
  if (expected.kind === 'ref-null') return { type: expected.type, bits: 0n };
  throw new UnsupportedScript(`argument ${atomText((e as SList).items[0])}`);
}

/** A result pattern. Throws UnsupportedScript for types that this project does not have. */
export function parseExpectation(e: SExpr): Expectation {
  if (!isList(e)) throw new Error('constant expected');
  const head = atomText(e.items[0])!;
  const operand = atomText(e.items[1]);
  switch (head) {
    case 'i32.const':
      return { kind: 'bits', type: 'i32', bits: parseInteger(operand!, 32) };
    case 'i64.const':
      return { kind: 'bits', type: 'i64', bits: parseInteger(operand!, 64) };
    case 'f32.const':
    case 'f64.const': {
      const type = head === 'f32.const' ? 'f32' : 'f64';
      if (operand === 'nan:canonical' || operand === 'nan:arithmetic')
        return { kind: 'nan', type, canonical: operand === 'nan:canonical' };
      return { kind: 'bits', type, bits: parseFloatBits(operand!, type === 'f32' ? 32 : 64) };
    }
    case 'ref.null': {
      const type = operand === 'extern' || operand === 'externref' ? 'externref' : 'funcref';
      if (operand !== undefined && !['extern', 'func', 'externref', 'funcref'].includes(operand))
        throw new UnsupportedScript(`reference type ${operand} (GC)`);
      return { kind: 'ref-null', type };
    }
    case 'ref.extern':
      if (operand === undefined) return { kind: 'ref-nonnull', type: 'externref' };
      return { kind: 'bits', type: 'externref', bits: parseInteger(operand, 32) + 1n };
    case 'ref.func':
      return { kind: 'ref-nonnull', type: 'funcref' };
    case 'either':
      return { kind: 'either', options: e.items.slice(1).map(parseExpectation) };
    case 'v128.const':
      throw new UnsupportedScript('SIMD (v128)');
    default:
      throw new UnsupportedScript(`value ${head} (GC)`);
  }
}

/** True if the value is what the expectation allows, bit for bit, NaNs by class. */
export function matches(value: Value, expected: Expectation): boolean {
  switch (expected.kind) {
    case 'bits':
      return value.type === expected.type && value.bits === expected.bits;
    case 'ref-null':
      return value.bits === 0n;
    case 'ref-nonnull':
      return value.type === expected.type && value.bits !== 0n;
    case 'either':
      return expected.options.some((o) => matches(value, o));
    case 'nan': {
      if (value.type !== expected.type) return false;
      const [infinity, quiet, magnitude] =
        expected.type === 'f32'
          ? [0x7f800000n, 0x7fc00000n, 0x7fffffffn]
          : [0x7ff0000000000000n, 0x7ff8000000000000n, 0x7fffffffffffffffn];
      const bits = value.bits & magnitude;
      if (expected.canonical) return bits === quiet;
      return (bits & quiet) === quiet && bits > infinity;
    }
  }
}

export function formatValue(value: Value): string {
  return `${value.type}:0x${value.bits.toString(16)}`;
}
export function formatExpectation(e: Expectation): string {
  switch (e.kind) {
    case 'bits':
      return formatValue(e);
    case 'nan':
      return `${e.type}:nan:${e.canonical ? 'canonical' : 'arithmetic'}`;
    case 'either':
      return e.options.map(formatExpectation).join(' or ');
    default:
      return `${e.type}:${e.kind}`;
  }
}
