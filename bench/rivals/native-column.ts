// The native columns: the same C source compiled for the chip, by LLVM 22 (what ratios are against) and by gcc.
import type { BenchProgram } from '../programs.js';
import type { Column, Inspect, Measurement } from './column.js';
import { NativeDevice } from './device.js';
import type { NativeCompiler } from './native.js';
import { buildNative } from './native.js';
import { INCLUDE, includeInputs, sourceOf } from './sources.js';

export function nativeColumn(compiler: NativeCompiler): Column {
  const title = compiler === 'llvm' ? 'native, LLVM 22' : 'native, lx106 gcc';
  return { id: compiler, title, measure: (program, inspect) => measure(compiler, program, inspect) };
}

function measure(compiler: NativeCompiler, program: BenchProgram, inspect?: Inspect): Measurement {
  const native = buildNative(compiler, {
    folder: `${program.name}/${compiler}`,
    source: sourceOf(program),
    support: [],
    includes: [INCLUDE],
    entries: ['run'],
    inputs: includeInputs(program),
  });
  const { checksum, instructions, cycles, stackBytes } = new NativeDevice(native.elf).call('run', [program.n], inspect);
  const { codeBytes, ramBytes, compileMs } = native;
  return { checksum, instructions, cycles, codeBytes, ramBytes: ramBytes + stackBytes, compileMs };
}
