// The runtime functions, bit for bit: the portable C on the host against the host's hardware, the objects of the package
// in the simulated ESP32 against JavaScript's exact arithmetic.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeAt } from '../../backend-xtensa/isa/decode.js';
import { ESP32 } from '../../compiler/abi/boards.js';
import { LIBCALLS, type LibCallName } from '../../compiler/abi/libcalls.js';
import { Type } from '../../compiler/ir/types.js';
import { buildRuntime } from '../../firmware/build.js';
import { writeFlashImage } from '../../linker/image/flash.js';
import { link } from '../../linker/link.js';
import type { LinkedImage } from '../../linker/linked.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';
import { Machine } from '../../simulator/machine.js';
import { f32Operand, f64Operand, i64Operand, Random } from './operands.js';
import { bitsOfF64, reference } from './reference.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const haveHostCompiler = spawnSync('cc', ['--version']).status === 0;

describe.skipIf(!haveHostCompiler)('portable C on the host', () => {
  it('agrees with the hardware', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rt-stubs-test-'));
    try {
      const program = join(folder, 'host-test');
      const sources = readdirSync(join(ROOT, 'rt-stubs/src')).filter((name) => name.endsWith('.c'));
      const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-ffp-contract=off'];
      const inputs = ['rt-stubs/test/host-test.c', ...sources.map((name) => `rt-stubs/src/${name}`)];
      const includes = ['-Irt-stubs/include', '-Ifirmware/include'];
      const built = spawnSync('cc', [...flags, ...includes, ...inputs, '-lm', '-o', program], {
        cwd: ROOT,
        encoding: 'utf8',
      });
      expect(built.stderr).toBe('');
      const result = spawnSync(program, ['300000'], { encoding: 'utf8' });
      expect(result.stdout).toMatch(/^\d+ checks, 0 failures\n$/);
      expect(result.status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});

/** How often each function is called with fresh operands. */
const ROUNDS = 2000;

describe('objects in the simulated ESP32', () => {
  let machine: Machine;
  let image: LinkedImage;

  beforeAll(async () => {
    await buildRuntime();
    image = link(loadRuntimeObjects(), ESP32, { keepAll: true });
    machine = new Machine({ board: ESP32 });
    machine.loadFlash(writeFlashImage(image), 0x1000);
    machine.resetFromRom();
    machine.run({ maxInstructions: 1_000_000, until: image.symbols.get('rt_idle')!.address });
  }, 60_000);

  const address = (symbol: string): number => image.symbols.get(symbol)!.address;

  it('define every function of the table', () => {
    for (const { symbol } of Object.values(LIBCALLS)) expect(image.symbols.has(symbol), symbol).toBe(true);
  });

  it('begin no zero-overhead loop across a fetch word', () => {
    let loops = 0;
    for (const section of image.sections) {
      if (section.kind !== 'code') continue;
      const bytes = machine.readMemory(section.address, section.size);
      for (let at = 0; at + 3 <= bytes.length; at++) {
        const loop = decodeAt(bytes, at, section.address + at);
        if (loop === undefined || loop.row.flow !== 'loop') continue;
        // Only real loops: their body begins with a valid instruction, literals rarely decode so.
        const begin = section.address + at + 3;
        const body = decodeAt(bytes, at + 3, begin);
        if (body === undefined || !section.name.startsWith('.text.mem')) continue;
        loops++;
        expect((begin & 3) + body.row.size, `${section.name}+${at}`).toBeLessThanOrEqual(4);
      }
    }
    expect(loops).toBeGreaterThanOrEqual(8);
  });

  function operands(name: LibCallName, random: Random): number[] {
    const words: number[] = [];
    let other: [number, number] = [random.next(), random.next()];
    for (const type of LIBCALLS[name].params) {
      if (type === Type.I32) words.push(random.next() >>> random.below(32));
      else if (type === Type.F32) {
        other = [f32Operand(random, other[0]), 0];
        words.push(other[0]);
      } else {
        other = type === Type.I64 ? i64Operand(random) : f64Operand(random, other);
        words.push(...other);
      }
    }
    return words;
  }

  function outsideContract(name: LibCallName, args: readonly number[]): boolean {
    if (!/^i64(Div|Rem)/.test(name)) return false;
    const [aLow, aHigh, bLow, bHigh] = args as [number, number, number, number];
    if (bLow === 0 && bHigh === 0) return true;
    return name.endsWith('S') && aLow === 0 && aHigh === 0x80000000 && bLow === 0xffffffff && bHigh === 0xffffffff;
  }

  const names = (Object.keys(LIBCALLS) as LibCallName[]).filter((name) => LIBCALLS[name].effect === 'pure');

  it.each(names)('%s', (name) => {
    const random = new Random(names.indexOf(name) * 77 + 5);
    const entry = address(LIBCALLS[name].symbol);
    const stack = address('__wasm_stack_top');
    // Callee-saved registers must survive.
    const saved = [12, 13, 14, 15];
    for (const register of saved) machine.setRegister(register, register * 0x01010101);
    const differences: string[] = [];
    let rounds = 0;
    while (rounds < ROUNDS && differences.length < 5) {
      const args = operands(name, random);
      if (outsideContract(name, args)) continue;
      rounds++;
      const result = machine.call(entry, args, { stack, maxInstructions: 5000 });
      expect(result.returned, `${name}(${args.join(', ')}): ${result.stop.message}`).toBe(true);
      const wanted = reference(name, args);
      const got = result.results.slice(0, wanted.length).map((word) => word >>> 0);
      if (wanted.some((word, i) => word !== null && word !== got[i])) {
        const hex = (words: readonly (number | null)[]): string => words.map((w) => w?.toString(16) ?? '-').join(' ');
        differences.push(`(${hex(args)}) = ${hex(got)}, expected ${hex(wanted)}`);
      }
    }
    expect(differences).toEqual([]);
    expect(saved.map((register) => machine.getRegister(register))).toEqual(saved.map((r) => r * 0x01010101));
    expect(machine.getRegister(1) >>> 0).toBe(stack);
  });

  const EDGES = [
    0,
    2 ** -1074,
    3 * 2 ** -1074,
    2 ** -1022 - 2 ** -1074,
    2 ** -1022,
    2 ** -1022 + 2 ** -1074,
    2 ** -1021,
    2 ** -970,
    0.5,
    1 - 2 ** -53,
    1 - 2 ** -52,
    1,
    1 + 2 ** -52,
    1 + 2 ** -32,
    2 - 2 ** -52,
    2,
    2 ** 21 - 2 ** -32,
    2 ** 31,
    2 ** 32,
    2 ** 32 + 1,
    2 ** 53,
    2 ** 54 - 2,
    2 ** 55 + 8,
    2 ** 56,
    2 ** 511,
    2 ** 1022,
    2 ** 1023,
    Number.MAX_VALUE,
    Infinity,
    NaN,
  ];
  it.each(['f64Add', 'f64Sub', 'f64Mul', 'f64Div', 'f64Lt', 'f64Le', 'f64Eq', 'f64Min'] as const)(
    '%s at the edges',
    (name) => {
      const entry = address(LIBCALLS[name].symbol);
      const signed = EDGES.flatMap((value) => [value, -value]).map((value) => {
        const bits = bitsOfF64(value);
        return [Number(bits & 0xffffffffn), Number(bits >> 32n)] as const;
      });
      for (const a of signed) {
        for (const b of signed) {
          const args = [...a, ...b];
          const result = machine.call(entry, args, { stack: address('__wasm_stack_top'), maxInstructions: 5000 });
          const wanted = reference(name, args);
          const got = result.results.slice(0, wanted.length).map((word) => word >>> 0);
          if (wanted.join() !== got.join()) expect(got, `${name}(${args.join(', ')})`).toEqual(wanted);
        }
      }
    },
  );

  it('copies and fills at every alignment and length', () => {
    const area = 0x3ffc8000;
    const stack = address('__wasm_stack_top');
    const random = new Random(99);
    const fresh = Uint8Array.from({ length: 256 }, () => random.next());
    for (let round = 0; round < 1200; round++) {
      const kind = round % 3;
      const length = random.below(kind === 2 ? 90 : 70);
      const to = 64 + random.below(40);
      const from = 64 + random.below(40);
      if (kind === 0 && Math.abs(to - from) < length) continue;
      machine.writeMemory(area, fresh);
      const symbol = ['memcpy', 'memmove', 'memset'][kind]!;
      const second = kind === 2 ? 0x1234 + round : area + from;
      const result = machine.call(address(symbol), [area + to, second, length], { stack, maxInstructions: 5000 });
      const expected = fresh.slice();
      if (kind === 2) expected.fill(second & 0xff, to, to + length);
      else expected.copyWithin(to, from, from + length);
      expect(result.results[0]! >>> 0).toBe(area + to);
      const got = machine.readMemory(area, fresh.length);
      expect(Buffer.compare(got, expected), `${symbol} to ${to} from ${from} length ${length}`).toBe(0);
    }
  });
});

describe('runtime objects', () => {
  it('need nothing but the linker', () => {
    const folder = join(ROOT, 'dist/runtime/esp32');
    const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { objects: string[] };
    const image = link(loadRuntimeObjects(folder), ESP32, { keepAll: true });
    expect(index.objects.length).toBeGreaterThan(10);
    expect(image.entry).toBeGreaterThan(0x40080000);
  });
});
