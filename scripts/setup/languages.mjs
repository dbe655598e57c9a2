// Takes sources in C, AssemblyScript, Rust or WebAssembly text and the compilers that are there; gives .wasm files.
// Plain JavaScript, as bootstrap.mjs. Refuses to know what the modules are for.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { has, root } from './bootstrap.mjs';

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
const RUST_FLAGS = ['--target', 'wasm32-unknown-unknown', '--edition', '2021'];

/** A program with wasi-libc and `main`. */
export function compileCProgram(source, wasm) {
  const clang = findClang();
  if (!clang) return 'clang (with lld and wasi-libc)';
  run(clang, [...C_FLAGS, '-Wl,-z,stack-size=4096', '-o', wasm, source]);
  return undefined;
}

/** A library of exported functions without libc; finds <thingspire.h>. Stack in bytes. */
export function compileC(source, wasm, { stack = 1024, flags = [] } = {}) {
  const clang = findClang();
  if (!clang) return 'clang (with lld)';
  const link = ['-nostdlib', '-Wl,--no-entry', `-Wl,-z,stack-size=${stack}`, '-Wl,--export=__heap_base'];
  run(clang, [...C_FLAGS, '-mbulk-memory', '-Isdk/c', ...link, ...flags, '-o', wasm, source]);
  return undefined;
}

/** AssemblyScript; finds "thingspire". `runtime` is stub, minimal or incremental. */
export function compileAssemblyScript(
  source,
  wasm,
  { runtime = 'stub', flags = ['--noAssert', '--use', 'abort='] } = {},
) {
  const asc = join(root, 'node_modules/.bin/asc');
  run(asc, [source, '--path', 'sdk/assemblyscript', '-O2', '--runtime', runtime, ...flags, '-o', wasm]);
  return undefined;
}

/** AssemblyScript whose failing assertions are said on the module's console. */
export function compileAssemblyScriptModule(source, wasm) {
  return compileAssemblyScript(source, wasm, { flags: ['--use', 'abort=~lib/thingspire/index/abort'] });
}

function findWasmLinker() {
  return ['wasm-ld-22', 'wasm-ld-21', 'wasm-ld-20', 'wasm-ld-19', 'wasm-ld-16', 'wasm-ld'].find(has);
}

/** Rust; `library` makes sdk/rust available as crate `thingspire` to a crate without std. Stack in bytes. */
export function compileRust(source, wasm, { stack = 4096, library = false } = {}) {
  const rustc = findRustc();
  if (!rustc) return 'rustc with a wasm32-unknown-unknown target (Debian: rustc libstd-rust-dev-wasm32 lld)';
  const linker = findWasmLinker();
  if (!linker) return 'lld';
  const codegen = [`linker=${linker}`, 'linker-flavor=wasm-ld', 'opt-level=2', 'panic=abort', 'strip=debuginfo'];
  // Newer linkers warn about the metadata in older Rust libraries.
  const link = [`link-arg=-zstack-size=${stack}`, 'link-arg=--export=__heap_base', 'link-arg=--no-fatal-warnings'];
  const forLibrary = library ? ['lto', 'codegen-units=1', 'target-feature=+bulk-memory'] : [];
  const options = [...codegen, ...link, ...forLibrary].flatMap((option) => ['-C', option]);
  const crates = library ? ['--extern', `thingspire=${rustLibrary(rustc)}`] : [];
  run(rustc, [...RUST_FLAGS, ...options, ...crates, '-o', wasm, source]);
  return undefined;
}

/** sdk/rust as an rlib, made again when its sources are newer. */
function rustLibrary(rustc) {
  const sources = join(root, 'sdk/rust/src');
  const library = join(root, 'build/sdk/libthingspire.rlib');
  const changed = Math.max(...readdirSync(sources).map((file) => statSync(join(sources, file)).mtimeMs));
  if (!existsSync(library) || statSync(library).mtimeMs < changed) {
    mkdirSync(dirname(library), { recursive: true });
    const crate = ['--crate-type', 'rlib', '--crate-name', 'thingspire', '--cfg', 'feature="panic-handler"'];
    const codegen = ['-C', 'opt-level=2', '-C', 'panic=abort', '-C', 'target-feature=+bulk-memory'];
    run(rustc, [...RUST_FLAGS, ...crate, ...codegen, 'sdk/rust/src/lib.rs', '-o', library]);
  }
  return library;
}

/** WebAssembly text. */
export function compileWat(source, wasm) {
  run(join(root, 'node_modules/.bin/wat2wasm'), ['--debug-names', source, '-o', wasm]);
  return undefined;
}
