// Wasm values on the command line: text to 32-bit words and back, guided by a canonical signature text such as `iI:f`.
// Refuses to know exports and machines.
import { DiagnosticError } from '../compiler/diagnostics.js';

const TYPE_NAMES: Readonly<Record<string, string>> = {
  i: 'i32',
  I: 'i64',
  f: 'f32',
  F: 'f64',
  r: 'funcref',
  e: 'externref',
};

export interface SignatureTexts {
  readonly params: string;
  readonly results: string;
}

export function splitSignature(signature: string): SignatureTexts {
  const colon = signature.indexOf(':');
  return { params: signature.slice(0, colon), results: signature.slice(colon + 1) };
}

/** `(i32, f64) -> i64`, for messages. */
export function describeSignature(signature: string): string {
  const { params, results } = splitSignature(signature);
  const names = (letters: string): string => [...letters].map((letter) => TYPE_NAMES[letter]).join(', ');
  return `(${names(params)}) -> (${names(results)})`;
}

/** Words a value list takes in registers and buffers. */
export function wordCount(letters: string): number {
  let words = 0;
  for (const letter of letters) words += letter === 'I' || letter === 'F' ? 2 : 1;
  return words;
}

const scratch = new DataView(new ArrayBuffer(8));

/**
 * Parses the arguments of an export. Integers: decimal or 0x hexadecimal, with sign, signed or unsigned range. Floats:
 * decimal, `nan`, `inf`, or the bits as 0x hexadecimal. References: `null`, or a number for an externref.
 * @throws DiagnosticError W604
 */
export function parseArguments(name: string, signature: string, texts: readonly string[]): number[] {
  const { params } = splitSignature(signature);
  if (texts.length !== params.length)
    throw new DiagnosticError(
      'W604',
      `"${name}" takes ${params.length} argument${params.length === 1 ? '' : 's'} ${describeSignature(signature)}, ` +
        `${texts.length} given`,
    );
  const words: number[] = [];
  for (let i = 0; i < params.length; i++) {
    const fail = (expected: string): never => {
      const place = `argument ${i + 1} of "${name}"`;
      throw new DiagnosticError(
        'W604',
        `${place}: "${texts[i]}" is no ${TYPE_NAMES[params[i]!]}; expected ${expected}`,
      );
    };
    parseValue(params[i]!, texts[i]!, words, fail);
  }
  return words;
}

type Fail = (expected: string) => never;

function parseValue(type: string, text: string, words: number[], fail: Fail): void {
  switch (type) {
    case 'i':
      words.push(Number(BigInt.asUintN(32, parseInteger(text, 32, fail))));
      break;
    case 'I':
      pushWide(parseInteger(text, 64, fail), words);
      break;
    case 'f':
      words.push(floatBits32(text, fail));
      break;
    case 'F':
      if (/^0x/i.test(text)) pushWide(parseInteger(text, 64, fail), words);
      else {
        scratch.setFloat64(0, parseDecimal(text, fail), true);
        words.push(scratch.getUint32(0, true), scratch.getUint32(4, true));
      }
      break;
    default:
      words.push(parseReference(type, text, fail));
  }
}

function parseInteger(text: string, bits: 32 | 64, fail: Fail): bigint {
  const match = /^([+-]?)(0x[0-9a-f]+|\d+)$/i.exec(text);
  if (match === null) return fail('a decimal or 0x hexadecimal integer');
  const magnitude = BigInt(match[2]!);
  const value = match[1] === '-' ? -magnitude : magnitude;
  const width = BigInt(bits);
  if (value < -(1n << (width - 1n)) || value >= 1n << width) return fail(`a value of ${bits} bits`);
  return value;
}

function pushWide(value: bigint, words: number[]): void {
  const bits = BigInt.asUintN(64, value);
  words.push(Number(bits & 0xffffffffn), Number(bits >> 32n));
}

function parseDecimal(text: string, fail: Fail): number {
  const match = /^([+-]?)(nan|inf|infinity|\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)$/i.exec(text);
  if (match === null) return fail('a decimal number, nan, inf, or its bits as 0x hexadecimal');
  const body = match[2]!.toLowerCase();
  const value = body === 'nan' ? NaN : body.startsWith('inf') ? Infinity : Number(body);
  return match[1] === '-' ? -value : value;
}

function floatBits32(text: string, fail: Fail): number {
  if (/^0x/i.test(text)) return Number(BigInt.asUintN(32, parseInteger(text, 32, fail)));
  scratch.setFloat32(0, parseDecimal(text, fail), true);
  return scratch.getUint32(0, true);
}

function parseReference(type: string, text: string, fail: Fail): number {
  if (text === 'null') return 0;
  // A host value h travels as h + 1, so that null can be 0.
  if (type === 'e') return Number(BigInt.asUintN(32, parseInteger(text, 32, fail) + 1n));
  return fail('null');
}

/** One line a result: `i32:5`, `i64:-1`, `f32:0x3f800000 1`, `f64:0x3ff0000000000000 1`, `externref:null`. */
export function formatResults(signature: string, words: readonly number[]): string[] {
  const lines: string[] = [];
  let at = 0;
  for (const type of splitSignature(signature).results) {
    const low = words[at++]! >>> 0;
    switch (type) {
      case 'i':
        lines.push(`i32:${low | 0}`);
        break;
      case 'I':
        lines.push(`i64:${BigInt.asIntN(64, (BigInt(words[at++]! >>> 0) << 32n) | BigInt(low))}`);
        break;
      case 'f':
        scratch.setUint32(0, low, true);
        lines.push(`f32:0x${hex(low)} ${shortest32(scratch.getFloat32(0, true))}`);
        break;
      case 'F': {
        const high = words[at++]! >>> 0;
        scratch.setUint32(0, low, true);
        scratch.setUint32(4, high, true);
        lines.push(`f64:0x${hex(high)}${hex(low)} ${plain(scratch.getFloat64(0, true))}`);
        break;
      }
      default:
        lines.push(`${TYPE_NAMES[type]}:${low === 0 ? 'null' : type === 'e' ? String(low - 1) : `0x${hex(low)}`}`);
    }
  }
  return lines;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}

function plain(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The fewest digits that read back as the same f32. */
function shortest32(value: number): string {
  if (!Number.isFinite(value) || value === 0) return plain(value);
  for (let digits = 1; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return plain(candidate);
  }
  return plain(value);
}
