// Feeds damaged bytes to every parser that eats foreign bytes (Wasm, ELF object, flash image): takes a seed, gives the
// first answer that is neither acceptance nor a DiagnosticError. Knows which parsers there are and nothing of formats.
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { ESP32 } from '../../compiler/abi/boards.js';
import { frontend, inspectModule } from '../../compiler/driver.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { buildImage } from '../../linker/build.js';
import { readFlashImage } from '../../linker/image/read.js';
import { readObject } from '../../linker/read-object.js';
import { generateModule } from './generate.js';
import { Random } from './random.js';

interface Target {
  readonly name: string;
  readonly valid: (seed: number) => Uint8Array;
  readonly eat: (bytes: Uint8Array) => void;
}

const small = { maxFunctions: 2, maxDepth: 3, maxStatements: 2, multiMemory: false };
const objectOf = (seed: number): Uint8Array =>
  compileModule(frontend(generateModule(seed, small).bytes, { name: 'p' }), { level: '0' }).object;
let image: Uint8Array | undefined;
const imageBytes = (): Uint8Array => {
  image ??= buildImage([{ bytes: generateModule(1, small).bytes, file: 'p.wasm' }], {
    board: ESP32,
    compile: { level: '0' },
  }).image;
  return image;
};

export const TARGETS: readonly Target[] = [
  {
    name: 'wasm',
    valid: (seed) => generateModule(seed, small).bytes,
    eat: (bytes) => void compileModule(frontend(bytes, { name: 'p' }), { level: '1' }),
  },
  { name: 'inspect', valid: (seed) => generateModule(seed, small).bytes, eat: (bytes) => void inspectModule(bytes) },
  { name: 'elf', valid: objectOf, eat: (bytes) => void readObject(bytes, 'p.o', 'module') },
  { name: 'image', valid: () => imageBytes(), eat: (bytes) => void readFlashImage(bytes, 'p.bin') },
];

/** One to eight edits: bytes changed, runs removed, doubled or overwritten with large numbers. */
export function damage(bytes: Uint8Array, random: Random): Uint8Array {
  let out = [...bytes];
  for (let n = random.between(1, 8); n > 0; n--) {
    const at = random.below(out.length);
    switch (random.below(6)) {
      case 0:
        out[at] = random.below(256);
        break;
      case 1:
        out[at] = out[at]! ^ (1 << random.below(8));
        break;
      case 2:
        out.splice(at, random.between(1, 16));
        break;
      case 3:
        out.splice(at, 0, ...out.slice(at, at + random.between(1, 16)));
        break;
      case 4:
        for (let i = 0; i < 4 && at + i < out.length; i++) out[at + i] = 0xff;
        break;
      default:
        if (random.chance(0.2)) out = out.slice(0, Math.max(1, at));
        else out[at] = random.pick([0, 0x7f, 0x80, 0xff]);
    }
    if (out.length === 0) return new Uint8Array();
  }
  return Uint8Array.from(out);
}

/** A complaint, or undefined when every target behaved. */
export function fuzzParsers(seed: number): string | undefined {
  const random = new Random(seed);
  for (const target of TARGETS) {
    const bytes = damage(target.valid(seed), random);
    try {
      target.eat(bytes);
    } catch (error) {
      if (!(error instanceof DiagnosticError)) {
        return `${target.name}: ${(error as Error).stack ?? String(error)} (input ${Buffer.from(bytes).toString('hex').slice(0, 4000)})`;
      }
    }
  }
  return undefined;
}
