// Takes C files; gives a linked native program for the chip, by LLVM 22 or by the lx106 gcc, in the CALL0 ABI. Both link
// the same helpers: the product's rt-stubs under the names that C compilers call. Knows no Wasm and runs nothing.
import { readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { ElfFile } from './elf.js';
import { readElf, sizesOf } from './elf.js';
import type { Command } from './tools.js';
import { BENCH_FOLDER, ROOT, make, requireTools } from './tools.js';

export type NativeCompiler = 'llvm' | 'gcc';

export interface NativeSource {
  /** Folder below build/bench. */
  readonly folder: string;
  /** The program itself: compiled by the compiler in question, counted in sizes and time. Absolute or in the folder. */
  readonly source: string;
  /** Support code, always by gcc and not counted. */
  readonly support: readonly string[];
  readonly includes: readonly string[];
  /** Functions the bench calls. */
  readonly entries: readonly string[];
  readonly inputs: readonly string[];
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

export interface NativeProgram {
  readonly elf: ElfFile;
  readonly codeBytes: number;
  readonly ramBytes: number;
  readonly compileMs: number;
}

const NATIVE = join(BENCH_FOLDER, 'native');
const LINK_SCRIPT = join(NATIVE, 'link.ld');
const BUILTINS = join(NATIVE, 'builtins.S');
const STUBS = join(ROOT, 'rt-stubs');
/** Operations on Wasm memories, tables and grant windows, which native code has no use for. */
const NOT_FOR_NATIVES: readonly string[] = ['memory.c', 'grants.c', 'window.S'];
const COMMON_FLAGS = ['-O2', '-ffreestanding', '-ffp-contract=off', '-fomit-frame-pointer'];

/** The options the product's runtime is built with, so that helpers cost the same in every column. */
const STUB_FLAGS = [
  '-Os',
  '-ffreestanding',
  '-fno-tree-loop-distribute-patterns',
  '-ffunction-sections',
  '-mtext-section-literals',
  '-Wa,--no-target-align',
];

function compileCommands(compiler: NativeCompiler, source: string, includes: readonly string[]): Command[] {
  const flags = [...COMMON_FLAGS, ...includes.map((folder) => `-I${folder}`)];
  if (compiler === 'gcc') {
    const args = [...flags, '-c', source, '-o', 'program.o'];
    return [{ tool: 'xtensa-lx106-elf-gcc', args, timed: true }];
  }
  const target = ['-mtriple=xtensa', '-mcpu=esp32', '-mattr=-windowed'];
  return [
    {
      tool: 'clang-22',
      args: ['--target=xtensa', ...flags, '-emit-llvm', '-c', source, '-o', 'program.bc'],
      timed: true,
    },
    {
      tool: 'llc-22',
      args: ['-O3', ...target, '-function-sections', 'program.bc', '-o', 'program.s'],
      timed: true,
    },
    // LLVM's direct object writer misplaces literals when a file has several functions: through its assembler.
    {
      tool: 'llvm-mc-22',
      args: ['-triple=xtensa', '-mcpu=esp32', '-mattr=-windowed', '-filetype=obj', 'program.s', '-o', 'program.o'],
      timed: true,
    },
  ];
}

/** The soft-double and similar helpers, compiled once. */
function buildStubs(): string[] {
  const names = readdirSync(join(STUBS, 'src')).filter(
    (name) => /\.[cS]$/.test(name) && !NOT_FOR_NATIVES.includes(name),
  );
  const sources = names.map((name) => join(STUBS, 'src', name));
  const headers = readdirSync(join(STUBS, 'include')).map((name) => join(STUBS, 'include', name));
  const objects = [...names, 'builtins.S'].map((name) => name.replace(/\.[cS]$/, '.o'));
  const { folder } = make({
    folder: 'support',
    inputs: [...sources, ...headers, BUILTINS],
    commands: [...sources, BUILTINS].map((source, i) => ({
      tool: 'xtensa-lx106-elf-gcc',
      args: [...STUB_FLAGS, `-I${join(STUBS, 'include')}`, '-c', source, '-o', objects[i] as string],
    })),
  });
  return objects.map((name) => join(folder, name));
}

function libgcc(): string {
  return execFileSync('xtensa-lx106-elf-gcc', ['-print-libgcc-file-name'], { encoding: 'utf8' }).trim();
}

/** @throws MissingTool, Error with the compiler's messages */
export function buildNative(compiler: NativeCompiler, what: NativeSource): NativeProgram {
  requireTools('xtensa-lx106-elf-gcc', 'xtensa-lx106-elf-ld');
  const stubs = buildStubs();
  const includes = what.includes.map((folder) => `-I${folder}`);
  const support = what.support.map((source, i): Command => {
    const args = [...COMMON_FLAGS, '-ffunction-sections', ...includes, '-c', source, '-o', `support${i}.o`];
    return { tool: 'xtensa-lx106-elf-gcc', args };
  });
  const { folder, milliseconds } = make({
    folder: what.folder,
    inputs: [...what.inputs, LINK_SCRIPT, ...stubs],
    ...(what.files === undefined ? {} : { files: what.files }),
    commands: [
      ...compileCommands(compiler, what.source, what.includes),
      ...support,
      {
        tool: 'xtensa-lx106-elf-ld',
        args: [
          ...['--no-relax', '--gc-sections', ...what.entries.map((name) => `--undefined=${name}`)],
          ...['-T', LINK_SCRIPT, 'program.o', ...support.map((_, i) => `support${i}.o`), ...stubs, libgcc()],
          ...['-o', 'program.elf'],
        ],
      },
    ],
  });
  const sizes = sizesOf(readElf(readFileSync(join(folder, 'program.o'))));
  return { elf: readElf(readFileSync(join(folder, 'program.elf'))), ...sizes, compileMs: milliseconds };
}
