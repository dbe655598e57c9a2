// Takes the modules of a case, gives their bytes: text by wabt, programs by the compilers that are there. Knows no manifest.
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
// @ts-expect-error: plain JavaScript
import * as languages from '../../scripts/setup/languages.mjs';
import { wat } from '../support/wat.js';
import type { Case, CaseModule } from './case.js';

const root = join(import.meta.dirname, '../..');
const out = join(root, 'build/conformance');
type Compile = (source: string, wasm: string, options?: object) => string | undefined;
const { compileC, compileRust, compileAssemblyScriptModule } = languages as Record<string, Compile>;
const COMPILERS: Readonly<Record<string, Compile>> = {
  c: (source, wasm) => compileC!(source, wasm),
  rs: (source, wasm) => compileRust!(source, wasm, { stack: 2048, library: true }),
  ts: (source, wasm) => compileAssemblyScriptModule!(source, wasm),
};

const SDKS = ['sdk/c/thingspire.h', 'sdk/rust/src/lib.rs', 'sdk/assemblyscript/thingspire/index.ts'];

/** Bytes by module name; or which tools are missing. */
export async function bytesOf({ modules }: Case): Promise<Map<string, Uint8Array> | string> {
  const bytes = new Map<string, Uint8Array>();
  for (const { name, source } of modules) {
    const found = await compile(source);
    if (typeof found === 'string') return found;
    bytes.set(name, found);
  }
  return bytes;
}

async function compile(source: CaseModule['source']): Promise<Uint8Array | string> {
  if ('wat' in source) return wat(`(module ${source.wat})`, { names: true });
  if ('file' in source) {
    const file = join(root, source.file);
    return existsSync(file) ? new Uint8Array(readFileSync(file)) : `${source.file} (npm run setup)`;
  }
  const { program } = source;
  const from = join('test/conformance/programs', program);
  const wasm = join(out, `${program.replace('.', '-')}.wasm`);
  mkdirSync(out, { recursive: true });
  const changed = Math.max(...[from, ...SDKS].map((path) => statSync(join(root, path)).mtimeMs));
  if (!existsSync(wasm) || statSync(wasm).mtimeMs < changed) {
    const missing = COMPILERS[program.split('.').pop()!]!(from, wasm);
    if (missing !== undefined) return missing;
  }
  return new Uint8Array(readFileSync(wasm));
}
