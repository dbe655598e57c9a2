// Takes a benchmark program; gives the Wasm module that clang makes of it: the input of wasm-aot and of wasm2c. Knows
// nothing of what happens to it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchProgram } from '../programs.js';
import { includeInputs, INCLUDE, sourceOf } from './sources.js';
import { make } from './tools.js';

/** Bytes of the C stack within the linear memory. */
const STACK_BYTES = 4096;
export const MEMORY_BYTES = 65536;

export interface WasmBuild {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Contents of the code section: what code sizes are compared with. */
  readonly codeSectionBytes: number;
  /** First 16 hexadecimal digits of the SHA-256. */
  readonly hash: string;
}

/** One page of memory that cannot grow, as a module for a chip with 320 KiB of RAM would have. @throws MissingTool */
export function buildWasm(program: BenchProgram): WasmBuild {
  const { folder } = make({
    folder: `${program.name}/wasm`,
    inputs: includeInputs(program),
    commands: [
      {
        tool: 'clang-22',
        args: [
          '--target=wasm32',
          '-O2',
          '-ffreestanding',
          '-ffp-contract=off',
          '-nostdlib',
          `-I${INCLUDE}`,
          '-Wl,--no-entry',
          `-Wl,-z,stack-size=${STACK_BYTES}`,
          '-Wl,--stack-first',
          `-Wl,--initial-memory=${MEMORY_BYTES}`,
          `-Wl,--max-memory=${MEMORY_BYTES}`,
          '-o',
          'program.wasm',
          sourceOf(program),
        ],
      },
    ],
  });
  const path = join(folder, 'program.wasm');
  const bytes = readFileSync(path);
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { path, bytes, codeSectionBytes: codeSectionBytes(bytes), hash };
}

const CODE_SECTION = 10;

/** @returns bytes of the code section's contents, 0 without one */
export function codeSectionBytes(wasm: Uint8Array): number {
  let at = 8;
  while (at < wasm.length) {
    const id = wasm[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] as number;
      size += (byte & 127) * 2 ** shift;
      if (byte < 128) break;
    }
    if (id === CODE_SECTION) return size;
    at += size;
  }
  return 0;
}
