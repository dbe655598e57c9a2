// Takes examples/ and the language tools that are there; gives build/examples/*.wasm and says what could not be built.
// Refuses to know wasm-aot: it makes its input.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { has, root } from './bootstrap.mjs';

const out = join(root, 'build/examples');

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}\n${result.stdout}${result.stderr}`);
}

/** The newest clang that can make wasm32-wasi programs, or undefined. */
export function findClang() {
  return ['clang-22', 'clang-21', 'clang-20', 'clang-19', 'clang-16', 'clang'].find(has);
}

/** A rustc that has a wasm32 target: Debian's (libstd-rust-dev-wasm32), else the one on the PATH. */
function findRustc() {
  return ['/usr/bin/rustc', 'rustc'].find((rustc) => {
    const sysroot = spawnSync(rustc, ['--print', 'sysroot'], { encoding: 'utf8' });
    return sysroot.status === 0 && existsSync(join(sysroot.stdout.trim(), 'lib/rustlib/wasm32-unknown-unknown'));
  });
}

const C_FLAGS = ['--target=wasm32-wasi', '-O2', '-Wall', '-Wextra', '-Werror', '-Wno-deprecated'];

/** Name -> how to build it; a builder gives a reason when its tools are missing. */
const EXAMPLES = {
  hello: (wasm) => {
    const clang = findClang();
    if (!clang) return 'clang (with lld and wasi-libc)';
    run(clang, [...C_FLAGS, '-Wl,-z,stack-size=4096', '-o', wasm, 'examples/hello-c/hello.c']);
    return undefined;
  },
  filter: (wasm) => {
    const clang = findClang();
    if (!clang) return 'clang (with lld)';
    const link = ['-nostdlib', '-Wl,--no-entry', '-Wl,-z,stack-size=1024', '-Wl,--export=__heap_base'];
    run(clang, [...C_FLAGS, ...link, '-o', wasm, 'examples/sensor-filter-c/filter.c']);
    return undefined;
  },
  histogram: (wasm) => {
    const asc = join(root, 'node_modules/.bin/asc');
    const options = ['-O2', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '-o', wasm];
    run(asc, ['examples/histogram-as/histogram.ts', ...options]);
    return undefined;
  },
  fibonacci: (wasm) => {
    run(join(root, 'node_modules/.bin/wat2wasm'), [
      '--debug-names',
      'examples/fibonacci-wat/fibonacci.wat',
      '-o',
      wasm,
    ]);
    return undefined;
  },
  parser: (wasm) => {
    const rustc = findRustc();
    if (!rustc) return 'rustc with a wasm32-unknown-unknown target (Debian: rustc libstd-rust-dev-wasm32 lld)';
    const linker = ['wasm-ld-22', 'wasm-ld-21', 'wasm-ld-20', 'wasm-ld-19', 'wasm-ld-16', 'wasm-ld'].find(has);
    if (!linker) return 'lld';
    const codegen = [`linker=${linker}`, 'linker-flavor=wasm-ld', 'opt-level=2', 'panic=abort', 'strip=debuginfo'];
    // Newer linkers warn about the metadata in older Rust libraries.
    const link = ['link-arg=-zstack-size=4096', 'link-arg=--export=__heap_base', 'link-arg=--no-fatal-warnings'];
    const options = [...codegen, ...link].flatMap((option) => ['-C', option]);
    run(rustc, ['--target', 'wasm32-unknown-unknown', ...options, '-o', wasm, 'examples/parser-rust/parser.rs']);
    return undefined;
  },
};

/** Builds all examples; gives [{name, wasm}] of the built ones and [{name, needs}] of the others. */
export function buildExamples() {
  mkdirSync(out, { recursive: true });
  const built = [];
  const skipped = [];
  for (const [name, build] of Object.entries(EXAMPLES)) {
    const wasm = join(out, `${name}.wasm`);
    const needs = build(wasm);
    if (needs === undefined) built.push({ name, wasm });
    else skipped.push({ name, needs });
  }
  return { built, skipped };
}

if (process.argv[1]?.endsWith('examples.mjs')) {
  const { built, skipped } = buildExamples();
  for (const e of built) console.log(`${e.name}: ${e.wasm}`);
  for (const e of skipped) console.log(`${e.name}: not built, needs ${e.needs}`);
}
