// The command `npx tsx bench/scale.ts [--gcc] [FILE.wasm...]`: compile speed over the size of real modules, from npm packages
// unless files are given; with --gcc also what gcc -O2 takes for wasm2c's C of the same module. Measures CPU time of all
// threads, which a busy machine does not disturb; numbers depend on the machine all the same.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { compileModule } from '../backend-xtensa/compile-module.js';
import { frontend } from '../compiler/driver.js';
import { BENCH_FOLDER, ROOT, make } from './rivals/tools.js';
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
const RUNS = 5;

interface Row {
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
    codeBytes: codeSectionBytes(bytes),
    firstMs: totals[0] as number,
    bestMs: Math.min(...totals),
    frontendMs,
    outputBytes,
    heapMB,
  };
}

/** What gcc takes for the C that wasm2c makes of the module. Declarations it lacks are taken as implicit. */
function gccMs(path: string): number {
  const output = ['-c', 'module.c', '-o', 'module.o'];
  return make({
    folder: `scale/${basename(path)}`,
    inputs: [path],
    commands: [
      { tool: 'wasm2c', args: ['-n', 'module', path, '-o', 'module.c'] },
      {
        tool: 'xtensa-lx106-elf-gcc',
        args: ['-O2', '-w', '-ffreestanding', `-I${join(BENCH_FOLDER, 'native', 'libc')}`, ...output],
        timed: true,
      },
    ],
  }).milliseconds;
}

const args = process.argv.slice(2);
const withGcc = args.includes('--gcc');
const given = args.filter((arg) => arg !== '--gcc');
const paths = given.length > 0 ? given : MODULES.map((name) => join(ROOT, 'node_modules', name)).filter(existsSync);
const gccColumns = withGcc ? ' gcc on wasm2c, ms | times |' : '';
console.log(
  `| module | code section | first, ms | best | of it front end | KB/s | code out / in | heap MB |${gccColumns}`,
);
console.log(`|---|--:|--:|--:|--:|--:|--:|--:|${withGcc ? '--:|--:|' : ''}`);
for (const path of paths) {
  try {
    const row = measure(path);
    const cells = [
      basename(path),
      String(row.codeBytes),
      ...[row.firstMs, row.bestMs, row.frontendMs, row.codeBytes / row.bestMs].map((value) => value.toFixed(0)),
      (row.outputBytes / row.codeBytes).toFixed(2),
      row.heapMB.toFixed(0),
    ];
    if (withGcc) {
      const gcc = gccMs(path);
      cells.push(gcc.toFixed(0), (gcc / row.bestMs).toFixed(0));
    }
    console.log(`| ${cells.join(' | ')} |`);
  } catch (error) {
    console.log(`| ${basename(path)} | ${(error as Error).message.split('\n').slice(0, 3).join(' ')} |`);
    process.exitCode = 1;
  }
}
