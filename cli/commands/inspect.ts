// `wasm-aot inspect`: what a Wasm module is made of, which features it uses, and whether it fits on the board; what a
// package is for.
import { inspectModule } from '../../compiler/driver.js';
import { DiagnosticError, formatDiagnostic } from '../../compiler/diagnostics.js';
import { buildImage } from '../../linker/build.js';
import { formatBill } from '../../linker/bill.js';
import type { Bill } from '../../linker/bill.js';
import { readPublicKey } from '../../manifest/keys.js';
import { ExitCode } from '../exit-codes.js';
import { isPackage } from '../file-kind.js';
import { displayName, print, printJson, Progress, readInput } from '../io.js';
import { compileOptions, jsonOption, layoutOptions, toBuildOptions } from '../options.js';
import type { CompileArgs, LayoutArgs } from '../options.js';
import { formatPackageReport, reportPackage } from '../package-report.js';
import type { Command } from './command.js';

interface Args extends CompileArgs, LayoutArgs {
  readonly input: string;
  readonly key: string | undefined;
  readonly json: boolean;
}

type Fit = { readonly fits: true; readonly bill: Bill } | { readonly fits: false; readonly reason: DiagnosticError };

export const inspectCommand: Command<Args> = {
  name: 'inspect',
  positionals: '<input>',
  describe: 'show what a .wasm imports, exports, uses and needs, and whether it fits; what a package is for',
  examples: [
    ['$0 inspect app.wasm', 'for people'],
    ['$0 inspect app.wasm --json', 'for programs'],
    ['$0 inspect app.wasm --board esp32-large', 'would it fit there?'],
    ['$0 inspect filter.tsp --key key.pub.pem', 'what a package is for, and whether it is signed with that key'],
  ],
  options: (yargs) =>
    jsonOption(layoutOptions(compileOptions(yargs)))
      .positional('input', {
        describe: 'Wasm file or package, - for standard input',
        type: 'string',
        demandOption: true,
      })
      .option('key', {
        describe: 'PEM file with the public key that a package must be signed with',
        type: 'string',
        requiresArg: true,
      }) as never,
  run: (args) => {
    const bytes = readInput(args.input);
    const file = displayName(args.input);
    if (isPackage(bytes)) return inspectPackage(bytes, file, args);
    const report = inspectModule(bytes, { file });
    const progress = new Progress();
    progress.show(`compiling ${file}`);
    const fit = tryBuild(bytes, file, args);
    progress.clear();
    if (args.json) {
      const { fits } = fit;
      const { code, message } = fit.fits ? { code: undefined, message: undefined } : fit.reason;
      printJson({
        ...report,
        board: args.board,
        fits,
        ...(fit.fits ? { bill: fit.bill } : { reason: { code, message } }),
      });
    } else {
      print(format(report));
      print(
        fit.fits
          ? `\nFits on ${args.board}:\n${formatBill(fit.bill)}`
          : `\nNot on ${args.board}: ${formatDiagnostic(fit.reason)}\n`,
      );
    }
    return ExitCode.Ok;
  },
};

/** Building is the only honest answer to "does it fit". */
function inspectPackage(bytes: Uint8Array, file: string, { key, json }: Args): number {
  const report = reportPackage(bytes, file, key === undefined ? null : readPublicKey(readInput(key), displayName(key)));
  if (json) printJson(report);
  else print(formatPackageReport(report));
  return ExitCode.Ok;
}

function tryBuild(bytes: Uint8Array, file: string, args: Args): Fit {
  try {
    const name = args.name ?? (args.input === '-' ? 'stdin' : undefined);
    const input = { bytes, file, ...(name === undefined ? {} : { name }) };
    return { fits: true, bill: buildImage([input], toBuildOptions(args)).bill };
  } catch (error) {
    if (!(error instanceof DiagnosticError) || error.code === 'W605' || error.code === 'W606') throw error;
    return { fits: false, reason: error };
  }
}

function format(report: ReturnType<typeof inspectModule>): string {
  const lines: string[] = [];
  const list = (title: string, entries: readonly string[]): void => {
    if (entries.length > 0) lines.push(`${title}:`, ...entries.map((entry) => `  ${entry}`));
  };
  const { functions, codeBytes, dataSegments, dataBytes, tables, globals } = report;
  const named = report.name === null ? '' : ` "${report.name}"`;
  lines.push(`module${named}: ${report.bytes} bytes, ${functions} functions with ${codeBytes} bytes of code,`);
  lines.push(`  ${dataSegments} data segments with ${dataBytes} bytes, ${tables.length} tables, ${globals} globals`);
  lines.push(`features beyond WebAssembly 1.0: ${report.features.length === 0 ? 'none' : report.features.join(', ')}`);
  list(
    'imports',
    report.imports.map(({ kind, module, name, type }) => `${kind} ${module}.${name} ${type}`),
  );
  list(
    'exports',
    report.exports.map(({ kind, name, type }) => `${kind} ${name} ${type}`),
  );
  list('memories', report.memories.map(describeMemory));
  list(
    'tables',
    tables.map(({ index, type, imported }) => `${index}: ${type}${imported ? ' (imported)' : ''}`),
  );
  list(
    'largest functions',
    report.largestFunctions.map((func) => `${String(func.bytes).padStart(8)}  ${func.index} ${func.name}`),
  );
  list(
    'custom sections',
    report.customSections.map(({ name, bytes }) => `${name}, ${bytes} bytes`),
  );
  list('warnings', report.warnings);
  return `${lines.join('\n')}\n`;
}

function describeMemory(memory: ReturnType<typeof inspectModule>['memories'][number]): string {
  return Object.entries(memory)
    .filter(([, value]) => value !== null && value !== false)
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(', ');
}
