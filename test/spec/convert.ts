// Takes a module's source from a script; gives its bytes, or says why no converter could make them. Tries npm's wabt,
// then `wasm-tools` if it is on the PATH (for suites newer than the package). Knows no executor.
import { spawnSync } from 'node:child_process';
import wabtInit from 'wabt';
import { convertWithGaps } from './wabt-gaps.js';
import type { ModuleSource } from './script.js';

export type Converted =
  { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly reason: string };

const encoder = new TextEncoder();
const wabt = await wabtInit();

const FEATURES = {
  exceptions: true,
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  threads: true,
  multi_value: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
  annotations: true,
  gc: true,
  memory64: true,
  multi_memory: true,
  extended_const: true,
  relaxed_simd: true,
  function_references: true,
} as const;

/** Text tokens that give away a proposal, for naming skips. First match wins. */
const FEATURE_TOKENS: readonly (readonly [RegExp, string])[] = [
  [/\bv128\b|\b[if](8x16|16x8|32x4|64x2)\./, 'SIMD (v128)'],
  [
    /\(\s*(struct|array|rec|sub)\b|\bref\.(cast|test|i31|eq)\b|\b(any|eq|i31|struct|array)ref\b|\bbr_on_cast/,
    'garbage collection',
  ],
  [/\bcall_ref\b|\bbr_on_(non_)?null\b|\(\s*ref\s|\bref\.as_non_null\b/, 'typed function references'],
  [/\(\s*tag\b|\btry_table\b|\bthrow\b|\bthrow_ref\b|\bexnref\b/, 'exception handling'],
  [/\(\s*(memory|table)\s+(\$\S+\s+)?(\([^)]*\)\s*)*i64\b/, 'memory64'],
  [/\bshared\b|\.atomic\./, 'threads'],
  [/\bpagesize\b/, 'custom page sizes'],
  [/\bcont\.new\b|\bresume\b|\bsuspend\b/, 'stack switching'],
];

/** Name of the proposal that the text needs, if it can be told. */
export function featureOfText(text: string): string | undefined {
  return FEATURE_TOKENS.find(([pattern]) => pattern.test(text))?.[1];
}

function external(command: string, args: readonly string[], text: string): Uint8Array | undefined {
  const result = spawnSync(command, args, { input: text, maxBuffer: 1 << 28 });
  return result.status === 0 ? new Uint8Array(result.stdout) : undefined;
}

function parseText(text: string): Uint8Array {
  const module = wabt.parseWat('module.wat', encoder.encode(text), FEATURES as never);
  try {
    return new Uint8Array(module.toBinary({ write_debug_names: true }).buffer);
  } finally {
    module.destroy();
  }
}

/** Binary of a module's text or bytes. */
export function convert(source: ModuleSource): Converted {
  if (source.kind === 'binary') return { ok: true, bytes: source.bytes };
  let reason: string;
  try {
    return { ok: true, bytes: convertWithGaps(source.text, parseText) ?? parseText(source.text) };
  } catch (error) {
    reason = String((error as Error).message)
      .split('\n')
      .slice(0, 2)
      .join(' ')
      .slice(0, 200);
  }
  const bytes = external('wasm-tools', ['parse', '-', '-o', '-'], source.text);
  return bytes ? { ok: true, bytes } : { ok: false, reason };
}
