// The SDKs for C, AssemblyScript and Rust: same constants, same imports, and provider and caller in any two of the
// languages give one transcript.
/// <reference lib="dom" />
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { THINGSPIRE_MODULE, THINGSPIRE_SIGNATURES } from '../../../compiler/abi/os-imports.js';
import { GrantRight, Method, ResponseCode } from '../../../compiler/abi/os-layout.js';
import { decodeModule } from '../../../compiler/wasm/decode.js';
import { ValType } from '../../../compiler/wasm/types.js';
import { buildRuntime } from '../../../firmware/build.js';
import { runOnDevice } from '../examples/device-run.js';
import { NodeHost } from './host.js';
import { loadThings } from './things.js';

const root = join(import.meta.dirname, '../../..');
const things = join(root, 'examples/sdk/things.json');
const folder = join(root, 'build/examples/sdk');
const LANGUAGES = ['c', 'assemblyscript', 'rust'] as const;
const LETTERS = new Map<number, string>([
  [ValType.I32, 'i'],
  [ValType.I64, 'I'],
]);
const PAIRS = LANGUAGES.flatMap((provider) => LANGUAGES.map((caller) => [provider, caller] as const));

const TRANSCRIPT = `
[provider] provider up, -12.05
[caller] put 2.04, 0 bytes
[caller] get 2.05, 8 bytes
[caller] counter -7, changed 1x
[provider] hello ada x3 for caller since -20
[caller] post 2.05, 5 bytes
[caller] answer HELLO
[caller] post 4.00, 0 bytes
[caller] get 4.04, 0 bytes
[caller] sum 2.05, 4 bytes
[caller] total 4950, revoked once
[caller] observing 1
[caller] notified 2.05, 8 bytes
[caller] observed -7, changed 1x
[provider] table[3] is 233, closed
[caller] delete table 2.02, 0 bytes
[caller] timer put 2.04, 0 bytes
[caller] notified 2.05, 8 bytes
[caller] observed 41, changed 2x
[caller] done
`;

/** The constants `NAME = value` between two marks of a file, names brought to the form of os-layout.ts. */
function constants(file: string, pattern: RegExp): Map<string, number> {
  const camel = (name: string): string =>
    name.includes('_') || name === name.toUpperCase()
      ? name
          .toLowerCase()
          .split('_')
          .map((word) => word[0]!.toUpperCase() + word.slice(1))
          .join('')
      : name;
  const source = readFileSync(join(root, 'sdk', file), 'utf8');
  return new Map([...source.matchAll(pattern)].map(([, name, value]) => [camel(name!), Number(value)]));
}

const built = (name: string): Uint8Array | undefined => {
  const file = join(folder, `${name}.wasm`);
  return existsSync(file) ? new Uint8Array(readFileSync(file)) : undefined;
};

describe('SDKs', () => {
  beforeAll(async () => {
    await buildRuntime();
    const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/setup/examples.mjs', 'sdk'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    // The compiler for AssemblyScript is an npm package: always there.
    expect(stdout).toContain('caller-assemblyscript.wasm');
  });

  it.each([
    ['c/thingspire.h', /\bTS_([A-Z_]+) = (0x[0-9a-f]+|\d+)/g],
    ['assemblyscript/thingspire/index.ts', /^ {2}([A-Z][A-Za-z]+) = (0x[0-9a-f]+|\d+)/gm],
    ['rust/src/codes.rs', /const ([A-Z_]+): \w+ = \w+\((0x[0-9a-f]+|\d+)\)/g],
  ])('%s has the codes of the kernel', (file, pattern) => {
    const found = constants(file, pattern);
    found.delete('ReadWrite');
    expect(Object.fromEntries(found)).toEqual({ ...Method, ...ResponseCode, ...GrantRight });
  });

  it.each(LANGUAGES)('%s imports what there is, with its signature', (language) => {
    const seen = new Set<string>();
    for (const part of ['provider', 'caller']) {
      const bytes = built(`${part}-${language}`);
      if (bytes === undefined) continue;
      const module = decodeModule(bytes);
      const imported = module.funcs.filter((func) => func.import !== null);
      expect(imported.length).toBe(WebAssembly.Module.imports(new WebAssembly.Module(bytes as BufferSource)).length);
      for (const { import: from, typeIndex } of imported) {
        const { params, results } = module.types[typeIndex]!;
        const text = [params, results].map((types) => types.map((type) => LETTERS.get(type)).join('')).join(':');
        expect([from!.module, from!.name, text]).toEqual([
          THINGSPIRE_MODULE,
          from!.name,
          THINGSPIRE_SIGNATURES.get(from!.name),
        ]);
        seen.add(from!.name);
      }
    }
    if (built(`caller-${language}`) !== undefined) expect(seen.size).toBe(THINGSPIRE_SIGNATURES.size);
  });

  it.each(PAIRS)('provider in %s, caller in %s: on the device as in Node', (provider, caller) => {
    const wasm = { provider: join(folder, `provider-${provider}.wasm`), caller: join(folder, `caller-${caller}.wasm`) };
    if (!Object.values(wasm).every((file) => existsSync(file))) return;
    const host = new NodeHost();
    for (const module of loadThings(things, wasm)) host.start(module);
    host.runUntil(20);
    expect(`\n${host.lines.join('\n')}\n`).toBe(TRANSCRIPT);
    expect(`\n${runOnDevice(things, 0.1, wasm).join('\n')}\n`).toBe(TRANSCRIPT);
  });
});
