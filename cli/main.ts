// The command line `wasm-aot`: picks the command, turns errors into messages and exit codes. Refuses to know what any
// command does.
import yargs from 'yargs';
import { DIAGNOSTICS, DiagnosticError, DiagnosticErrors } from '../compiler/diagnostics.js';
import { normaliseArguments, restoreStandardStreams } from './argv.js';
import { buildCommand } from './commands/build.js';
import type { Command } from './commands/command.js';
import { compileCommand } from './commands/compile.js';
import { explainCommand } from './commands/explain.js';
import { flashCommand } from './commands/flash.js';
import { inspectCommand } from './commands/inspect.js';
import { keygenCommand } from './commands/keygen.js';
import { manifestCommand } from './commands/manifest.js';
import { objdumpCommand } from './commands/objdump.js';
import { packageCommand } from './commands/package.js';
import { runCommand } from './commands/run.js';
import { simulateCommand } from './commands/simulate.js';
import { sizeCommand } from './commands/size.js';
import { stubsCommand } from './commands/stubs.js';
import { verifyCommand } from './commands/verify.js';
import { ExitCode, exitCodeOf } from './exit-codes.js';
import { note, noteDiagnostic, print, printJson } from './io.js';
import { version } from './version.js';

// Each command reads its own arguments only; the list does not care which they are.
const COMMANDS = [
  compileCommand,
  buildCommand,
  runCommand,
  flashCommand,
  simulateCommand,
  objdumpCommand,
  sizeCommand,
  inspectCommand,
  verifyCommand,
  packageCommand,
  keygenCommand,
  manifestCommand,
  stubsCommand,
  explainCommand,
] as unknown as Command<object>[];

const EXIT_CODES =
  'Exit codes: 0 fine, 1 bad input, 2 bad usage, 3 trap, 4 deadline or limit, 70 internal error; run gives the ' +
  "program's own.";

/** Runs one command line (without node and script). Gives the exit code; never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  const { rest, invokeArgs } = normaliseArguments(argv);
  const json = rest.includes('--json');
  try {
    return await dispatch(rest, invokeArgs);
  } catch (error) {
    report(error, json);
    return exitCodeOf(error);
  }
}

async function dispatch(argv: readonly string[], invokeArgs: readonly string[]): Promise<number> {
  let selected: (() => number | Promise<number>) | undefined;
  const parser = yargs()
    .scriptName('wasm-aot')
    .usage('$0 <command> [options]\n\nCompiles WebAssembly ahead of time for the ESP32 (Xtensa LX6).')
    .parserConfiguration({
      'parse-positional-numbers': false,
      'parse-numbers': false,
      'duplicate-arguments-array': true,
    })
    .strict()
    .demandCommand(1, 'a command is needed')
    .recommendCommands()
    .exitProcess(false)
    .help()
    .alias('help', 'h')
    .version(version())
    .showHelpOnFail(false)
    .wrap(Math.min(110, process.stdout.columns ?? 100))
    .epilogue(EXIT_CODES);
  for (const command of COMMANDS) {
    parser.command(
      `${command.name} ${command.positionals}`,
      command.describe,
      (builder) => {
        const own = command.options(builder).usage(`$0 ${command.name} ${command.positionals}\n\n${command.describe}`);
        for (const [line, what] of command.examples) own.example(line, what);
        return own.epilogue(command.epilogue === undefined ? EXIT_CODES : `${command.epilogue}\n\n${EXIT_CODES}`);
      },
      (args) => {
        selected = () => command.run({ ...settle(args), invokeArgs });
      },
    );
  }
  let output = '';
  let failure: string | undefined;
  parser.fail((message: string | null, error: Error | undefined) => {
    // yargs gives its complaints as a message, and errors of handlers (there are none: they only select) as an error.
    if (message === null) throw error ?? new Error('yargs failed without a reason');
    failure = message;
  });
  await parser.parseAsync([...argv], {}, (_error: unknown, _args: unknown, text: string) => {
    output += text;
  });
  if (argv.length === 0) {
    note(`${await parser.getHelp()}\n`);
    return ExitCode.BadUsage;
  }
  if (failure !== undefined) throw new DiagnosticError('W605', `${failure.replace(/\s+/g, ' ')} (see wasm-aot --help)`);
  if (selected === undefined) {
    print(`${output}\n`);
    return ExitCode.Ok;
  }
  return selected();
}

/** Options that may be given several times; of the others the last one counts. */
const REPEATABLE: ReadonlySet<string> = new Set(['input', 'arg', 'env', 'without', 'executables', 'wasm']);

function settle(args: object): object {
  const entries = Object.entries(args as Record<string, unknown>);
  return Object.fromEntries(
    entries.map(([name, value]) => {
      const chosen: unknown = Array.isArray(value) && !REPEATABLE.has(name) ? value.at(-1) : value;
      return [name, restoreStandardStreams(chosen)];
    }),
  );
}

function report(error: unknown, json: boolean): void {
  if (error instanceof DiagnosticError) {
    const all = error instanceof DiagnosticErrors ? error.all : [error];
    if (json) {
      const errors = all.map(({ code, message, place }) => ({ code, class: DIAGNOSTICS[code], message, place }));
      printJson({ error: errors[0], ...(errors.length > 1 ? { errors } : {}) });
      return;
    }
    for (const one of all) noteDiagnostic(one, 'error');
    return;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (json) printJson({ error: { code: 'internal', message: error instanceof Error ? error.message : text } });
  note(`internal error: ${text}\nThis is a bug in wasm-aot. Please report it with the input that caused it.\n`);
}
