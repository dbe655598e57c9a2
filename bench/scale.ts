// Compile speed over the size of real modules, from npm packages unless files are given, and what gcc -O2 takes for wasm2c's
// C of the smaller ones. Takes paths; gives a table. Measures CPU time of all threads, which a busy machine disturbs less than
// wall time; numbers depend on the machine all the same.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { compileModule } from '../backend-xtensa/compile-module.js';
import { frontend } from '../compiler/driver.js';
import { BENCH_FOLDER, ROOT, make, toolVersion } from './rivals/tools.js';
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
/** Compilations before the first one measured. */
const WARM_UP = 3;
/** Larger modules would take gcc minutes. */
const GCC_CODE_LIMIT = 50_000;

interface Row {
  readonly codeBytes: number;
  readonly firstMs: number;
  readonly bestMs: number;
  readonly frontendMs: number;
  readonly outputBytes: number;
  /** The same at -Os. */
  readonly smallBytes: number;
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
  const small = compileModule(frontend(bytes, { file: basename(path) }), { level: 's' });
  return {
    codeBytes: codeSectionBytes(bytes),
    firstMs: totals[0] as number,
    bestMs: Math.min(...totals),
    frontendMs,
    outputBytes,
    smallBytes: small.stats.codeBytes,
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

/** Of the given files, or of the modules from npm packages. As a Markdown table. */
export function compileSpeedTable(files: readonly string[], onProgress: (text: string) => void): string {
  const paths =
    files.length > 0
      ? files.map((file) => resolve(file))
      : MODULES.map((name) => join(ROOT, 'node_modules', name)).filter(existsSync);
  // The engine's warm-up is not what the table is about.
  for (let i = 0; i < WARM_UP; i++) compileModule(frontend(readFileSync(paths.at(-1)!), { file: 'warm-up' }));
  const rows = paths.map((path) => {
    onProgress(path);
    const row = measure(path);
    const gcc =
      row.codeBytes <= GCC_CODE_LIMIT && toolVersion('xtensa-lx106-elf-gcc') !== undefined ? gccMs(path) : null;
    const cells = [
      basename(path),
      ...[row.codeBytes, row.firstMs, row.bestMs, row.frontendMs, row.codeBytes / row.bestMs].map((value) =>
        value.toFixed(0),
      ),
      (row.outputBytes / row.codeBytes).toFixed(2),
      (row.smallBytes / row.codeBytes).toFixed(2),
      row.heapMB.toFixed(0),
      gcc === null ? '-' : gcc.toFixed(0),
      gcc === null ? '-' : (gcc / row.bestMs).toFixed(0),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| module | code section, bytes | first, ms | best, ms | of it front end | KB/s | code out / in | at -Os | heap, MB | gcc on wasm2c, ms | times |',
    `|---|${'--:|'.repeat(10)}`,
    ...rows,
  ].join('\n');
}
