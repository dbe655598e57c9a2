// The wasm2c columns: the benchmark's Wasm module turned into C and compiled for the chip, checks on, as wasm2c ships.
// The runtime it needs is native/wasm-rt.c.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchProgram } from '../programs.js';
import type { Column, Inspect, Measurement } from './column.js';
import { NativeDevice } from './device.js';
import type { NativeCompiler } from './native.js';
import { buildNative } from './native.js';
import { BENCH_FOLDER, make } from './tools.js';
import { MEMORY_BYTES, buildWasm } from './wasm.js';

const NATIVE = join(BENCH_FOLDER, 'native');
const LIBC = join(NATIVE, 'libc');
export function wasm2cColumn(compiler: NativeCompiler): Column {
  const title = compiler === 'llvm' ? 'wasm2c, LLVM 22' : 'wasm2c, lx106 gcc';
  return { id: `wasm2c-${compiler}`, title, measure: (program, inspect) => measure(compiler, program, inspect) };
}

function libcHeaders(): string[] {
  return readdirSync(LIBC).map((name) => join(LIBC, name));
}

function measure(compiler: NativeCompiler, program: BenchProgram, inspect?: Inspect): Measurement {
  const wasm = buildWasm(program);
  const { folder } = make({
    folder: `${program.name}/wasm2c`,
    inputs: [wasm.path],
    commands: [{ tool: 'wasm2c', args: ['-n', 'bench', wasm.path, '-o', 'bench-module.c'] }],
  });
  const native = buildNative(compiler, {
    folder: `${program.name}/wasm2c-${compiler}`,
    source: join(folder, 'bench-module.c'),
    support: [join(NATIVE, 'wasm-rt.c')],
    includes: [folder, LIBC],
    entries: ['bench_setup', 'bench_instance', 'w2c_bench_run'],
    inputs: [join(folder, 'bench-module.c'), join(NATIVE, 'wasm-rt.c'), ...libcHeaders()],
  });
  const device = new NativeDevice(native.elf);
  device.call('bench_setup', []);
  const { checksum, instructions, cycles, stackBytes } = device.call(
    'w2c_bench_run',
    [device.address('bench_instance'), program.n],
    inspect,
  );
  const { codeBytes, ramBytes, compileMs } = native;
  return { checksum, instructions, cycles, codeBytes, ramBytes: ramBytes + MEMORY_BYTES + stackBytes, compileMs };
}
