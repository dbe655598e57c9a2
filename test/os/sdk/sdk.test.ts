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
import { NodeHost } from './host.js';
import type { HostModule } from './host.js';

const root = join(import.meta.dirname, '../../..');
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
[provider] table[3] is 233, closed
[caller] delete table 2.02, 0 bytes
[caller] sum 2.05, 4 bytes
[caller] total 4950, revoked once
[caller] observing 1
[caller] notified 2.05, 8 bytes
[caller] observed -7, changed 1x
[caller] timer put 2.04, 0 bytes
[caller] notified 2.05, 8 bytes
[caller] observed 41, changed 2x
[caller] done
`;

const PROVIDES: HostModule['provides'] = [
  { method: 'Get', path: '/counter', handler: 'get_counter' },
  { method: 'Put', path: '/counter', handler: 'put_counter' },
  { method: 'Post', path: '/greeting/{name}/{times}', handler: 'greet' },
  { method: 'Get', path: '/table', handler: 'get_table' },
  { method: 'Delete', path: '/table', handler: 'delete_table' },
  { method: 'Post', path: '/sum', handler: 'sum' },
];
const REQUIRES: HostModule['requires'] = [
  { method: 'Get', path: '/counter' },
  { method: 'Put', path: '/counter' },
  { method: 'Post', path: '/sum' },
];

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
  beforeAll(() => {
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

  it.each(PAIRS)('provider in %s, caller in %s', (provider, caller) => {
    const [first, second] = [built(`provider-${provider}`), built(`caller-${caller}`)];
    if (first === undefined || second === undefined) return;
    const host = new NodeHost();
    host.start({ name: 'provider', wasm: first, provides: PROVIDES });
    host.start({ name: 'caller', wasm: second, requires: REQUIRES });
    host.runUntil(20);
    expect(`\n${host.lines.join('\n')}\n`).toBe(TRANSCRIPT);
  });
});
