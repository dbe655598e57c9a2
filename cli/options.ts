// Options that several commands share, each defined once, and their way into the compiler's and linker's options.
// Refuses to know commands.
import type { Argv } from 'yargs';
import { BOARDS } from '../compiler/abi/boards.js';
import type { BoardDescription } from '../compiler/abi/boards.js';
import type { CompileOptions } from '../backend-xtensa/compile-module.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { BuildOptions } from '../linker/build.js';
import type { Placement } from '../linker/layout.js';

export const DEFAULT_BOARD = 'esp32';

export interface CompileArgs {
  readonly O: string;
  readonly cfi: string;
  readonly windows: boolean;
  readonly name: string | undefined;
  readonly without: readonly string[] | undefined;
  readonly names: boolean | undefined;
}

export interface LayoutArgs {
  readonly board: string;
  readonly stackSize: string | undefined;
  readonly code: string;
  readonly rodata: string;
  readonly memoryLimit: string | undefined;
  readonly trimMemory: boolean;
  readonly arg: readonly string[] | undefined;
  readonly env: readonly string[] | undefined;
}

export function compileOptions<T>(yargs: Argv<T>): Argv<T & CompileArgs> {
  return yargs
    .option('O', {
      describe: 'optimisation level: 0 none, 1 fast to compile, 2 fast code, s small code',
      choices: ['0', '1', '2', 's'],
      default: '2',
      requiresArg: true,
      group: 'Compiler:',
    })
    .option('cfi', {
      describe: 'control-flow integrity: indirect calls checked (forward), return addresses too (full), none (unsafe)',
      choices: ['none', 'forward', 'full'],
      default: 'forward',
      group: 'Compiler:',
    })
    .option('windows', {
      describe: 'let the module use memory that others grant it: bounds checks that fail ask the grant table',
      type: 'boolean',
      default: false,
      group: 'Compiler:',
    })
    .option('name', {
      describe: 'module name, the prefix of its symbols (default: the file name)',
      type: 'string',
      requiresArg: true,
      group: 'Compiler:',
    })
    .option('names', {
      describe:
        "put function names into the image, for the device's own trap reports (default: only `run` without --invoke)",
      type: 'boolean',
      group: 'Compiler:',
    })
    .option('without', {
      describe: 'leave out an optimisation pass, to see what it brings (repeatable)',
      type: 'string',
      array: true,
      nargs: 1,
      group: 'Compiler:',
    }) as unknown as Argv<T & CompileArgs>;
}

export function layoutOptions<T>(yargs: Argv<T>): Argv<T & LayoutArgs> {
  const group = 'Image:';
  return yargs
    .option('board', { describe: 'memory map to link for', choices: [...BOARDS.keys()], default: DEFAULT_BOARD, group })
    .option('stack-size', {
      describe: 'native stack, e.g. 16K (the default)',
      type: 'string',
      requiresArg: true,
      group,
    })
    .option('code', {
      describe: 'where compiled code goes: internal RAM, flash, or RAM if it fits',
      choices: ['auto', 'ram', 'flash'],
      default: 'auto',
      group,
    })
    .option('rodata', {
      describe: 'where constants of modules go',
      choices: ['auto', 'ram', 'flash'],
      default: 'auto',
      group,
    })
    .option('memory-limit', {
      describe: 'most bytes a linear memory gets, e.g. 32K: trims one that never grows, caps the growth of others',
      type: 'string',
      requiresArg: true,
      group,
    })
    .option('trim-memory', {
      describe: 'give memories that provably never need their whole pages only what they use',
      type: 'boolean',
      default: true,
      group,
    })
    .option('arg', {
      describe: 'argument of the program, its name first (repeatable)',
      type: 'string',
      array: true,
      nargs: 1,
      group,
    })
    .option('env', {
      describe: 'NAME=VALUE in its environment (repeatable)',
      type: 'string',
      array: true,
      nargs: 1,
      group,
    }) as unknown as Argv<T & LayoutArgs>;
}

export function jsonOption<T>(yargs: Argv<T>): Argv<T & { readonly json: boolean }> {
  return yargs.option('json', {
    describe: 'print JSON for programs',
    type: 'boolean',
    default: false,
  }) as unknown as Argv<T & { readonly json: boolean }>;
}

export function toCompileOptions(args: CompileArgs): CompileOptions {
  return {
    level: args.O as NonNullable<CompileOptions['level']>,
    cfi: args.cfi as NonNullable<CompileOptions['cfi']>,
    ...(args.windows ? { windows: true } : {}),
    ...(args.without === undefined ? {} : { without: new Set(args.without) }),
    ...(args.names === undefined ? {} : { deviceNames: args.names }),
  };
}

export function boardOf(args: { readonly board: string }): BoardDescription {
  return BOARDS.get(args.board)!;
}

export function toBuildOptions(args: CompileArgs & LayoutArgs): BuildOptions {
  const limit = args.memoryLimit === undefined ? undefined : parseBytes(args.memoryLimit, '--memory-limit');
  const env = args.env ?? [];
  for (const entry of env)
    if (entry.indexOf('=') < 1) throw new DiagnosticError('W605', `--env ${entry}: expected NAME=VALUE`);
  return {
    board: boardOf(args),
    compile: toCompileOptions(args),
    link: {
      code: args.code as Placement,
      rodata: args.rodata as Placement,
      ...(args.stackSize === undefined ? {} : { stackBytes: parseBytes(args.stackSize, '--stack-size') }),
    },
    memory: { trim: args.trimMemory, ...(limit === undefined ? {} : { limit }) },
    strings: { args: args.arg ?? [], env },
  };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 * 1024 };

/** `4096`, `0x1000`, `16K`, `1MiB`. @throws DiagnosticError W605 */
export function parseBytes(text: string, option: string): number {
  const match = /^(0x[0-9a-f]+|\d+)(?:(k|m)(?:i?b)?)?$/i.exec(text);
  const value = match === null ? NaN : Number(match[1]) * UNITS[(match[2] ?? '').toLowerCase()]!;
  if (!Number.isSafeInteger(value) || value > 0xffffffff)
    throw new DiagnosticError('W605', `${option} ${text}: expected a size like 4096, 0x1000 or 16K`);
  return value;
}
