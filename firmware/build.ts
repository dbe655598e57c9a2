// Takes the C and assembly sources of rt-stubs/ and firmware/ and a cross compiler; gives relocatable objects and an
// index in dist/runtime/esp32, the prebuilt runtime of the npm package. Knows no linker and no image.
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DiagnosticError } from '../compiler/diagnostics.js';
import { MONOCYPHER_SOURCES, monocypherSource } from './monocypher.js';

/** `index.json` beside the objects. */
export interface RuntimeIndex {
  /** SHA-256 over sources, headers and compiler flags, hexadecimal: a prebuilt runtime with the same one is current. */
  readonly sources: string;
  readonly compiler: string;
  /** Object file names, in link order. */
  readonly objects: readonly string[];
  /** False: Monocypher could not be had; images with slots for installed modules cannot be linked. */
  readonly cryptography: boolean;
}

export interface BuildRuntimeOptions {
  /** Repository root; default: the one this file is in. */
  readonly root?: string;
  /** Default: `dist/runtime/esp32` in the root. */
  readonly outputDirectory?: string;
  /** Compile even if the objects are current. */
  readonly force?: boolean;
}

const SOURCE_DIRECTORIES = [
  'rt-stubs/src',
  'firmware/arch/xtensa',
  'firmware/platform/esp32',
  'firmware/core',
  'firmware/drivers',
  'firmware/remote',
] as const;
/** Compiled only together with Monocypher. */
const CRYPTOGRAPHY_DIRECTORY = 'firmware/crypto';
/** Where Monocypher's source is kept. */
const MONOCYPHER_FOLDER = 'build/monocypher';
const INCLUDE_DIRECTORIES = ['rt-stubs/include', 'firmware/include'] as const;

/** One section per function and object, so that the linker drops what is unused; literals right before their code. */
const FLAGS = [
  '-std=gnu11',
  '-Os',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-ffreestanding',
  '-fno-tree-loop-distribute-patterns',
  '-ffunction-sections',
  '-fdata-sections',
  '-mtext-section-literals',
  '-Wa,--no-target-align',
] as const;

/** Sections of GNU tools for their own relaxation and comments. */
const DROPPED_SECTIONS = ['.xt.prop', '.xt.lit', '.xtensa.info', '.comment', '.note.GNU-stack'] as const;

interface Toolchain {
  readonly gcc: string;
  readonly objcopy: string;
  readonly flags: readonly string[];
}

/** Both compile CALL0 code for the base instruction set; the first one found is taken. */
const TOOLCHAINS: readonly Toolchain[] = [
  { gcc: 'xtensa-lx106-elf-gcc', objcopy: 'xtensa-lx106-elf-objcopy', flags: [] },
  { gcc: 'xtensa-esp32-elf-gcc', objcopy: 'xtensa-esp32-elf-objcopy', flags: ['-mabi=call0'] },
];

function findToolchain(): { toolchain: Toolchain; version: string } | undefined {
  for (const toolchain of TOOLCHAINS) {
    const result = spawnSync(toolchain.gcc, ['-dumpfullversion'], { encoding: 'utf8' });
    if (result.status === 0) return { toolchain, version: `${toolchain.gcc} ${result.stdout.trim()}` };
  }
  return undefined;
}

function listFiles(root: string, directories: readonly string[], pattern: RegExp): string[] {
  return directories.flatMap((directory) =>
    readdirSync(join(root, directory))
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => join(directory, name)),
  );
}

function hashSources(root: string, files: readonly string[]): string {
  const hash = createHash('sha256').update(FLAGS.join(' '));
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** The index of an existing runtime directory, or undefined if there is none. */
export function readRuntimeIndex(directory: string): RuntimeIndex | undefined {
  const path = join(directory, 'index.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RuntimeIndex) : undefined;
}

/** Puts `fresh` in the place of `output`, which is missing for a moment only. */
function replaceDirectory(output: string, fresh: string, hash: string): void {
  const old = `${fresh}.old`;
  try {
    if (existsSync(output)) renameSync(output, old);
    renameSync(fresh, output);
  } catch (error) {
    // Another process built the same at the same time: then its objects are as good as ours.
    if (readRuntimeIndex(output)?.sources !== hash) throw error;
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

/**
 * Builds the runtime's objects unless they are current; gives their index.
 * Throws W606 if there is no cross compiler and no current prebuilt runtime, W606 with the compiler's messages if a
 * source does not compile.
 */
export async function buildRuntime(options: BuildRuntimeOptions = {}): Promise<RuntimeIndex> {
  const root = options.root ?? fileURLToPath(new URL('..', import.meta.url));
  const output = options.outputDirectory ?? join(root, 'dist/runtime/esp32');
  const own = listFiles(root, SOURCE_DIRECTORIES, /\.[cS]$/);
  const cryptography = listFiles(root, [CRYPTOGRAPHY_DIRECTORY], /\.c$/);
  const headers = listFiles(root, INCLUDE_DIRECTORIES, /\.h$/);
  const hash = hashSources(root, [...own, ...cryptography, 'firmware/monocypher.ts', ...headers]);
  const existing = readRuntimeIndex(output);
  const current = existing !== undefined && existing.sources === hash && options.force !== true;
  if (current && existing.cryptography) return existing;
  const monocypher = monocypherSource(join(root, MONOCYPHER_FOLDER));
  if (current && monocypher === undefined) return existing;
  const found = findToolchain();
  if (found === undefined) {
    const names = TOOLCHAINS.map((toolchain) => toolchain.gcc).join(' or ');
    throw new DiagnosticError('W606', `${names} is needed to build the runtime (Debian package gcc-xtensa-lx106)`);
  }
  const sources = [
    ...own.map((source) => join(root, source)),
    ...(monocypher === undefined
      ? []
      : [
          ...cryptography.map((source) => join(root, source)),
          ...MONOCYPHER_SOURCES.map((source) => join(monocypher, source)),
        ]),
  ];
  // Built beside and renamed at the end: a reader never sees half a runtime.
  const temporary = `${output}.${process.pid}.tmp`;
  mkdirSync(temporary, { recursive: true });
  try {
    const objects = sources.map((source) => `${basename(source).replace(/\.c$/, '')}.o`);
    if (new Set(objects).size !== objects.length) throw new DiagnosticError('W606', 'two sources of one name');
    const includes = [...INCLUDE_DIRECTORIES, MONOCYPHER_FOLDER].map((directory) => `-I${join(root, directory)}`);
    const run = promisify(execFile);
    const compile = async (index: number): Promise<void> => {
      const { gcc, objcopy, flags } = found.toolchain;
      const object = join(temporary, objects[index]!);
      await run(gcc, [...flags, ...FLAGS, ...includes, '-c', sources[index]!, '-o', object]);
      await run(objcopy, [...DROPPED_SECTIONS.map((section) => `--remove-section=${section}`), object]);
    };
    for (let first = 0; first < sources.length; first += 2) {
      await Promise.all([first, first + 1].filter((index) => index < sources.length).map(compile));
    }
    const index: RuntimeIndex = {
      sources: hash,
      compiler: found.version,
      objects,
      cryptography: monocypher !== undefined,
    };
    writeFileSync(join(temporary, 'index.json'), `${JSON.stringify(index, null, 2)}\n`);
    replaceDirectory(output, temporary, hash);
    return index;
  } catch (error) {
    if (error instanceof DiagnosticError) throw error;
    const text = (error as { stderr?: string }).stderr ?? String(error);
    throw new DiagnosticError('W606', `the runtime does not compile: ${text}`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
