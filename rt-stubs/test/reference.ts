// What each pure runtime function must give: argument words in, result words out, computed with JavaScript's own exact
// doubles and big integers. Knows nothing of the implementations under test.
import { LIBCALLS, type LibCallName } from '../../compiler/abi/libcalls.js';
import { Type } from '../../compiler/ir/types.js';

const view = new DataView(new ArrayBuffer(8));

export function f64OfBits(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}
export function f32OfBits(bits: number): number {
  view.setUint32(0, bits);
  return view.getFloat32(0);
}
const CANONICAL_F64 = 0x7ff8000000000000n;
const CANONICAL_F32 = 0x7fc00000;
export function bitsOfF64(value: number): bigint {
  if (Number.isNaN(value)) return CANONICAL_F64;
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
export function bitsOfF32(value: number): number {
  if (Number.isNaN(value)) return CANONICAL_F32;
  view.setFloat32(0, value);
  return view.getUint32(0);
}

/** Round to nearest integer, ties to even. */
function nearest(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
  const below = Math.floor(x);
  const rest = x - below;
  const rounded = rest < 0.5 ? below : rest > 0.5 ? below + 1 : below % 2 === 0 ? below : below + 1;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** A big integer to the nearest f32, ties to even, without a detour through f64 that would round twice. */
function f32OfInteger(value: bigint): number {
  const negative = value < 0n;
  let magnitude = negative ? -value : value;
  let shift = 0;
  while (magnitude >= 1n << 26n) {
    magnitude = (magnitude >> 1n) | (magnitude & 1n);
    shift++;
  }
  const rounded = Math.fround(Number(magnitude)) * 2 ** shift;
  return negative ? -rounded : rounded;
}

type Value = number | bigint;
/** status: 0 fine, 1 overflow, 2 invalid. */
interface Checked {
  readonly value: bigint;
  readonly status: number;
}

function truncate(x: number, minimum: bigint, maximum: bigint): Checked {
  if (Number.isNaN(x)) return { value: 0n, status: 2 };
  if (x === Infinity) return { value: maximum, status: 1 };
  if (x === -Infinity) return { value: minimum, status: 1 };
  const integer = BigInt(Math.trunc(x));
  if (integer < minimum) return { value: minimum, status: 1 };
  if (integer > maximum) return { value: maximum, status: 1 };
  return { value: integer, status: 0 };
}

const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  i32s: [-(1n << 31n), (1n << 31n) - 1n],
  i32u: [0n, (1n << 32n) - 1n],
  i64s: [-(1n << 63n), (1n << 63n) - 1n],
  i64u: [0n, (1n << 64n) - 1n],
};

const signed = (value: bigint): bigint => BigInt.asIntN(64, value);

/** Integers come as unsigned big integers, floats as numbers. */
function compute(name: LibCallName, [a, b]: readonly Value[]): Value | Checked {
  const x = a as number;
  const y = b as number;
  const truncation = /^(i32|i64)Trunc(Sat)?F(?:32|64)([SU])$/.exec(name);
  if (truncation !== null) {
    const [minimum, maximum] = RANGES[truncation[1]! + truncation[3]!.toLowerCase()]!;
    const result = truncate(x, minimum, maximum);
    return truncation[2] === undefined ? result : result.value;
  }
  const narrow = name.startsWith('f32') ? Math.fround : (value: number): number => value;
  switch (name) {
    case 'i64DivS':
      return signed(a as bigint) / signed(b as bigint);
    case 'i64DivU':
      return (a as bigint) / (b as bigint);
    case 'i64RemS':
      return signed(a as bigint) % signed(b as bigint);
    case 'i64RemU':
      return (a as bigint) % (b as bigint);
    case 'f64Add':
      return x + y;
    case 'f64Sub':
      return x - y;
    case 'f64Mul':
      return x * y;
    case 'f32Div':
    case 'f64Div':
      return narrow(x / y);
    case 'f32Sqrt':
    case 'f64Sqrt':
      return narrow(Math.sqrt(x));
    case 'f32Ceil':
    case 'f64Ceil':
      return Math.ceil(x);
    case 'f32Floor':
    case 'f64Floor':
      return Math.floor(x);
    case 'f32Trunc':
    case 'f64Trunc':
      return Math.trunc(x);
    case 'f32Nearest':
    case 'f64Nearest':
      return nearest(x);
    case 'f32Min':
    case 'f64Min':
      return Math.min(x, y);
    case 'f32Max':
    case 'f64Max':
      return Math.max(x, y);
    case 'f64Eq':
      return BigInt(x === y);
    case 'f64Ne':
      return BigInt(x !== y);
    case 'f64Lt':
      return BigInt(x < y);
    case 'f64Le':
      return BigInt(x <= y);
    case 'f64ConvertI32S':
      return Number(BigInt.asIntN(32, a as bigint));
    case 'f64ConvertI32U':
    case 'f64ConvertI64U':
      return Number(a as bigint);
    case 'f64ConvertI64S':
      return Number(signed(a as bigint));
    case 'f32ConvertI64S':
      return f32OfInteger(signed(a as bigint));
    case 'f32ConvertI64U':
      return f32OfInteger(a as bigint);
    case 'f64PromoteF32':
      return x;
    case 'f32DemoteF64':
      return Math.fround(x);
    default:
      throw new Error(`no reference for ${name}`);
  }
}

function push(words: number[], type: Type, value: Value): void {
  let bits: bigint;
  if (type === Type.F32) bits = BigInt(bitsOfF32(value as number));
  else if (type === Type.F64) bits = bitsOfF64(value as number);
  else bits = BigInt.asUintN(64, value as bigint);
  words.push(Number(bits & 0xffffffffn));
  if (type === Type.I64 || type === Type.F64) words.push(Number(bits >> 32n));
}

/** Result words (unsigned) of a pure runtime function. For a status other than 0 the value words mean nothing: null. */
export function reference(name: LibCallName, args: readonly number[]): (number | null)[] {
  const call = LIBCALLS[name];
  const values: Value[] = [];
  let at = 0;
  for (const type of call.params) {
    const low = args[at++]! >>> 0;
    if (type === Type.I32) values.push(BigInt(low));
    else if (type === Type.F32) values.push(f32OfBits(low));
    else {
      const bits = (BigInt(args[at++]! >>> 0) << 32n) | BigInt(low);
      values.push(type === Type.I64 ? bits : f64OfBits(bits));
    }
  }
  const result = compute(name, values);
  const words: number[] = [];
  if (typeof result !== 'object') {
    push(words, call.results[0]!, result);
    return words;
  }
  push(words, call.results[0]!, result.value);
  return [...words.map((word) => (result.status === 0 ? word : null)), result.status];
}
