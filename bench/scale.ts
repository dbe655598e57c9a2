// The command `npx tsx bench/scale.ts [FILE.wasm...]`: compile speed over the size of real modules, from npm packages
// unless files are given. Measures the CPU time of this process (all its threads), which a busy machine does not disturb;
// numbers depend on the machine all the same.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { compileModule } from '../backend-xtensa/compile-module.js';
import { frontend } from '../compiler/driver.js';
import { ROOT } from './rivals/tools.js';
import { codeSectionBytes } from './rivals/wasm.js';

/** By size. */
const MODULES = [
  'xxhash-wasm/workerd/xxhash.wasm',
  '@chainsafe/as-chacha20poly1305/build/untouched.wasm',
  '@jsquash/qoi/codec/enc/qoi_enc.wasm',
  '@foxglove/wasm-lz4/dist/wasm-lz4.wasm',
  'argon2-browser/dist/argon2.wasm',
  'snappy-wasm/cjs/snappy_bg.wasm',
  'source-map/lib/mappings.wasm',
  'web-tree-sitter/web-tree-sitter.wasm',
  'draco3d/draco_decoder.wasm',
  'draco3d/draco_encoder.wasm',
  'vscode-oniguruma/release/onig.wasm',
];
const RUNS = 3;

interface Row {
  readonly name: string;
  readonly wasmBytes: number;
  readonly codeBytes: number;
  readonly firstMs: number;
  readonly bestMs: number;
  readonly frontendMs: number;
  readonly outputBytes: number;
  readonly heapMB: number;
}

/** CPU time of the process so far, in ms. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function measure(path: string): Row {
  const bytes = readFileSync(path);
  const totals: number[] = [];
  let frontendMs = Infinity;
  let outputBytes = 0;
  let heapMB = 0;
  for (let i = 0; i < RUNS; i++) {
    const start = cpuMs();
    const ir = frontend(bytes, { file: basename(path) });
    const middle = cpuMs();
    const compiled = compileModule(ir);
    totals.push(cpuMs() - start);
    frontendMs = Math.min(frontendMs, middle - start);
    outputBytes = compiled.stats.codeBytes;
    heapMB = Math.max(heapMB, process.memoryUsage().heapUsed / 1e6);
  }
  return {
    name: basename(path),
    wasmBytes: bytes.length,
    codeBytes: codeSectionBytes(bytes),
    firstMs: totals[0] as number,
    bestMs: Math.min(...totals),
    frontendMs,
    outputBytes,
    heapMB,
  };
}

const given = process.argv.slice(2);
const paths = given.length > 0 ? given : MODULES.map((name) => join(ROOT, 'node_modules', name)).filter(existsSync);
console.log(
  '| module | Wasm bytes | code section | first CPU ms | best | of it front end | KB/s | code out / in | heap MB |',
);
console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|');
for (const path of paths) {
  try {
    const r = measure(path);
    const speed = (r.wasmBytes / r.bestMs).toFixed(0);
    console.log(
      `| ${r.name} | ${r.wasmBytes} | ${r.codeBytes} | ${r.firstMs.toFixed(0)} | ${r.bestMs.toFixed(0)} | ${r.frontendMs.toFixed(0)} | ${speed} | ${(r.outputBytes / r.codeBytes).toFixed(2)} | ${r.heapMB.toFixed(0)} |`,
    );
  } catch (error) {
    console.log(`| ${basename(path)} | ${(error as Error).message.split('\n')[0]} |`);
    process.exitCode = 1;
  }
}
