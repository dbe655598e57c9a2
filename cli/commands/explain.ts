// `wasm-aot explain`: a device's console text with the names and source lines of what its fault reports say in numbers.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { readLineTable } from '../../compiler/wasm/debug-line.js';
import type { LineTable } from '../../compiler/wasm/debug-line.js';
import { modulesOf, nativeName } from '../../linker/elf-modules.js';
import { explain } from '../../linker/explain.js';
import type { Knowledge } from '../../linker/explain.js';
import { readExecutable } from '../../linker/read-executable.js';
import type { Executable } from '../../linker/read-executable.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, note, print, printJson, readInput } from '../io.js';
import { jsonOption } from '../options.js';
import { readNamedModules } from '../things.js';
import type { Command } from './command.js';

interface Args {
  readonly report: string;
  readonly executables: readonly string[];
  readonly wasm: readonly string[] | undefined;
  readonly json: boolean;
}

export const explainCommand: Command<Args> = {
  name: 'explain',
  positionals: '<report> <executables..>',
  describe: "give names and source lines to the fault reports in a device's console text",
  examples: [
    ['$0 explain console.txt app.elf', 'names of functions'],
    ['$0 explain console.txt app.elf --wasm things.json', 'source lines too, where modules have DWARF (clang -g)'],
    ['cat /dev/ttyUSB0 | $0 explain - app.elf filter.elf --wasm filter.wasm', 'an installed module has its own ELF'],
  ],
  options: (yargs) =>
    jsonOption(yargs)
      .positional('report', { describe: 'text with reports, - for standard input', type: 'string', demandOption: true })
      .positional('executables', {
        describe: '.elf of build, and of package for installed modules',
        type: 'string',
        array: true,
        demandOption: true,
      })
      .option('wasm', {
        describe:
          'a .wasm as it was compiled (NAME=FILE if it is not named as its module), or a things.json (repeatable)',
        type: 'string',
        array: true,
        nargs: 1,
      }) as never,
  run: ({ report, executables: paths, wasm, json }) => {
    const text = Buffer.from(readInput(report)).toString('utf8');
    const executables = paths.map((path) => readExecutable(readInput(path), displayName(path)));
    const { text: explained, reports } = explain(text, knowledge(executables, lineTables(wasm ?? [])));
    if (reports.length === 0)
      throw new DiagnosticError('W816', 'there is no fault report in it', { file: displayName(report) });
    if (json) printJson({ reports });
    else print(explained.endsWith('\n') ? explained : `${explained}\n`);
    return ExitCode.Ok;
  },
};

function lineTables(paths: readonly string[]): Map<string, LineTable> {
  const tables = new Map<string, LineTable>();
  for (const { name, file, bytes } of paths.flatMap(readNamedModules)) {
    const table = readLineTable(bytes);
    if (table === null) note(`${file} has no DWARF: compile with -g for source lines\n`);
    else tables.set(name, table);
  }
  return tables;
}

function knowledge(executables: readonly Executable[], tables: ReadonlyMap<string, LineTable>): Knowledge {
  const modules = new Map(executables.flatMap(modulesOf).map(({ name, functions }) => [name, functions]));
  return {
    modules: [...modules.keys()],
    functionName: (module, index) => modules.get(module)?.get(index) ?? null,
    sourceLine: (module, offset) => tables.get(module)?.lookup(offset) ?? null,
    nativeName: (address) => {
      for (const executable of executables) {
        const name = nativeName(executable, address);
        if (name !== null) return name;
      }
      return null;
    },
  };
}
