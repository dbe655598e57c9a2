// The examples, built from source when their tools are there, give on the device what Node's engine gives.
/// <reference lib="dom" />
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { SlotDevice, fromWords, toWords, trapMessage, wordsOf } from '../runner/slot-device.js';

const folder = join(import.meta.dirname, '../../build/examples');
const CALLS: readonly (readonly [string, string, readonly number[]])[] = [
  ['filter', 'step', [2150, 16]],
  ['histogram', 'simulate', [1000]],
  ['fibonacci', 'fib', [20]],
  ['fibonacci', 'gcd', [3528, 3780]],
  ['parser', 'demo', [-3]],
];

/** A JavaScript result as bits of its Wasm type. */
function bitsOf(value: unknown, letter: string): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (letter === 'F') {
    view.setFloat64(0, value as number);
    return view.getBigUint64(0);
  }
  return letter === 'I' ? BigInt.asUintN(64, value as bigint) : BigInt.asUintN(32, BigInt(value as number));
}

describe('examples', () => {
  let device: SlotDevice;
  beforeAll(() => {
    device = new SlotDevice({ compile: { level: '2', verify: true }, maxInstructions: 100_000_000 });
  });

  it.each(CALLS)('%s.%s', (name, call, args) => {
    const file = join(folder, `${name}.wasm`);
    // `npm test` builds the examples first; without their tools the build has said what is missing.
    if (!existsSync(file)) return expect(name).not.toBe('fibonacci');
    const bytes = new Uint8Array(readFileSync(file));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const expected = (instance.exports[call] as (...a: number[]) => unknown)(...args);
    device.clear();
    const module = device.load(bytes, name);
    expect(trapMessage(device.instantiate(module).ending)).toBeUndefined();
    const [params = '', results = ''] = device.signature(module, call).split(':');
    const { ending, results: words } = device.call(module, call, toWords(args.map(BigInt), params), wordsOf(results));
    expect(trapMessage(ending)).toBeUndefined();
    expect(fromWords(words, results)).toEqual([bitsOf(expected, results)]);
  });
});
