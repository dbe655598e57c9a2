// Feeds damaged bytes to every parser that eats foreign bytes (Wasm, ELF object, flash image, manifest, package, line
// table): takes a seed, gives the
// first answer that is neither acceptance nor a DiagnosticError. Knows which parsers there are and nothing of formats.
import { compileModule } from '../../backend-xtensa/compile-module.js';
import { ESP32 } from '../../compiler/abi/boards.js';
import { ABI_VERSION } from '../../compiler/abi/layout.js';
import { OS_ABI_VERSION, PACKAGE_MAGIC, TS_PACKAGE } from '../../compiler/abi/os-layout.js';
import { frontend, inspectModule } from '../../compiler/driver.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { readLineTable } from '../../compiler/wasm/debug-line.js';
import { buildImage } from '../../linker/build.js';
import { readFlashImage } from '../../linker/image/read.js';
import { readObject } from '../../linker/read-object.js';
import { planSlots } from '../../linker/slots.js';
import { readLinkDescription } from '../../manifest/base.js';
import { signMessage } from '../../manifest/cose.js';
import { DescriptorWriter } from '../../manifest/descriptors.js';
import { generateKeys, readPrivateKey } from '../../manifest/keys.js';
import { joinSections, loadManifest } from '../../manifest/load.js';
import type { LoadedManifest } from '../../manifest/load.js';
import { readPackage } from '../../manifest/package.js';
import { embedManifest, readManifestSection } from '../../manifest/section.js';
import { STUB_LANGUAGES } from '../../manifest/stubs/languages.js';
import { planStubs } from '../../manifest/stubs/plan.js';
import { generateModule } from './generate.js';
import { carriedValue, manifestValue } from './manifests.js';
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

const wasmBytes = (seed: number): Uint8Array => generateModule(seed, small).bytes;
/** A model that was accepted must be of use. */
function useManifest({ app }: LoadedManifest): void {
  const writer = new DescriptorWriter(app.name, ESP32);
  const facts = { exports: new Set<string>(), hasMemory: true };
  writer.bootTable(
    app,
    app.modules.map((model) => ({ model, facts })),
    planSlots(ESP32, app.slots),
    null,
  );
  writer.finish('runtime');
  for (const { name } of app.modules) for (const { text } of Object.values(STUB_LANGUAGES)) text(planStubs(app, name));
}
const keys = generateKeys();
const privateKey = readPrivateKey(Buffer.from(keys.privatePem), 'key');
/** A header that is right, before contents that are not looked at. */
function packageContents(seed: number): Uint8Array {
  const contents = Buffer.concat([new Uint8Array(TS_PACKAGE.size), wasmBytes(seed)]);
  contents.writeUInt32LE(PACKAGE_MAGIC, TS_PACKAGE.offset.magic);
  contents.writeUInt32LE(contents.length, TS_PACKAGE.offset.total_bytes);
  return contents;
}
const description = {
  format: 1,
  board: 'esp32',
  abi: { wasm: ABI_VERSION, os: OS_ABI_VERSION },
  id: 7,
  slots: planSlots(ESP32, [{ name: 's', pages: 1, ramBytes: 4096 }]),
  symbols: { rt_boot: 0x40080400 },
};
/** A small .debug_line of version 4: one file, three rows. */
function lineSection(): Uint8Array {
  const tables = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0x61, 0x2e, 0x63, 0, 0, 0, 0, 0];
  const program = [0, 5, 2, 3, 0, 0, 0, 0x13, 5, 9, 3, 2, 1, 8, 0x4b, 2, 0x90, 1, 9, 4, 0, 2, 3, 0, 1, 1];
  const header = Buffer.alloc(10);
  header.writeUInt32LE(6 + tables.length + program.length);
  header.writeUInt16LE(4, 4);
  header.writeUInt32LE(tables.length, 6);
  return Uint8Array.from([...header, ...tables, ...program]);
}
const LINES = lineSection();

export const TARGETS: readonly Target[] = [
  {
    name: 'wasm',
    valid: (seed) => generateModule(seed, small).bytes,
    eat: (bytes) => void compileModule(frontend(bytes, { name: 'p' }), { level: '1' }),
  },
  { name: 'inspect', valid: (seed) => generateModule(seed, small).bytes, eat: (bytes) => void inspectModule(bytes) },
  { name: 'elf', valid: objectOf, eat: (bytes) => void readObject(bytes, 'p.o', 'module') },
  {
    name: 'manifest',
    valid: (seed) => Buffer.from(JSON.stringify(manifestValue(new Random(seed)))),
    eat: (bytes) => useManifest(loadManifest(bytes, 'things.json')),
  },
  {
    name: 'manifest section',
    valid: (seed) => embedManifest(wasmBytes(seed), carriedValue(new Random(seed))),
    eat: (bytes) => {
      const section = readManifestSection(bytes, 'p.wasm');
      if (section !== null) useManifest(joinSections([{ file: 'p.wasm', section }]));
    },
  },
  {
    name: 'package',
    valid: (seed) => signMessage(packageContents(seed), privateKey),
    eat: (bytes) => void readPackage(bytes, 'p.tsp', null),
  },
  {
    name: 'link description',
    valid: () => Buffer.from(JSON.stringify(description)),
    eat: (bytes) => void readLinkDescription(bytes, 'p.slots.json'),
  },
  {
    name: 'line table',
    valid: (seed) =>
      Buffer.concat([wasmBytes(seed), Uint8Array.of(0, 12 + LINES.length, 11), Buffer.from('.debug_line'), LINES]),
    eat: (bytes) => void readLineTable(bytes)?.lookup(3),
  },
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
    // Manifests are damaged in their values already: half of them stay well-formed.
    const whole = target.name.startsWith('manifest') && random.chance(0.5);
    const bytes = whole ? target.valid(seed) : damage(target.valid(seed), random);
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
