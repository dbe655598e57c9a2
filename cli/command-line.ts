// A command line of several commands: picks the command, turns errors into messages and exit codes. Takes a list of
// commands; refuses to know what any of them does.
import yargs from 'yargs';
import { DIAGNOSTICS, DiagnosticError, DiagnosticErrors } from '../compiler/diagnostics.js';
import { normaliseArguments, restoreStandardStreams } from './argv.js';
import type { Command } from './commands/command.js';
import { ExitCode, exitCodeOf } from './exit-codes.js';
import { note, noteDiagnostic, print, printJson } from './io.js';
import { version } from './version.js';

export interface CommandLine {
  readonly name: string;
  readonly describe: string;
  // Each command reads its own arguments only; the list does not care which they are.
  readonly commands: readonly Command<object>[];
  /** Below every --help. */
  readonly epilogue: string;
  /**
   * What the shell may complete the last of `words` with, besides commands and options.
   * @param words behind the name of the command line
   * @returns null: only commands, options and files
   */
  readonly complete?: (words: readonly string[]) => Promise<readonly string[] | null>;
}

/** What the script that yargs writes for a shell asks with. */
const COMPLETIONS = '--get-yargs-completions';

/** Runs one command line (without node and script). Gives the exit code; never throws. */
export async function runCommandLine(line: CommandLine, argv: readonly string[]): Promise<number> {
  const { rest, invokeArgs } = normaliseArguments(argv);
  const json = rest.includes('--json');
  try {
    return await dispatch(line, rest, invokeArgs);
  } catch (error) {
    report(error, json);
    return exitCodeOf(error);
  }
}

async function dispatch(line: CommandLine, argv: readonly string[], invokeArgs: readonly string[]): Promise<number> {
  const { name, describe, commands, epilogue } = line;
  let selected: (() => number | Promise<number>) | undefined;
  const parser = yargs()
    .scriptName(name)
    .usage(`$0 <command> [options]\n\n${describe}`)
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
    .completion('completion', 'a script for the shell: bash, or zsh if that asks')
    .epilogue(epilogue);
  for (const command of commands) {
    parser.command(
      `${command.name} ${command.positionals}`.trimEnd(),
      command.describe,
      (builder) => {
        const own = command
          .options(builder)
          .usage(`$0 ${`${command.name} ${command.positionals}`.trimEnd()}\n\n${command.describe}`);
        for (const [text, what] of command.examples) own.example(text, what);
        return own.epilogue(command.epilogue === undefined ? epilogue : `${command.epilogue}\n\n${epilogue}`);
      },
      (args) => {
        selected = () => command.run({ ...settle(args), invokeArgs });
      },
    );
  }
  if (argv[0] === COMPLETIONS) {
    // `--get-yargs-completions NAME WORD...`: yargs knows commands and options, the command line knows names.
    const words = argv.slice(2);
    const names = (await line.complete?.(words)) ?? (await parser.getCompletion(words));
    print(names.map((word) => `${word}\n`).join(''));
    return ExitCode.Ok;
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
  if (failure !== undefined) throw new DiagnosticError('W605', `${failure.replace(/\s+/g, ' ')} (see ${name} --help)`);
  if (selected === undefined) {
    print(`${output}\n`);
    return ExitCode.Ok;
  }
  return selected();
}

/** Options that may be given several times; of the others the last one counts. */
const REPEATABLE: ReadonlySet<string> = new Set([
  'input',
  'arg',
  'env',
  'without',
  'executables',
  'wasm',
  'device',
  'only',
  'firmware',
]);

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
  note(`internal error: ${text}\nThis is a bug in ThingSpire. Please report it with the input that caused it.\n`);
}
