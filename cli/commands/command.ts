// What a command of the CLI is: its yargs part and what it does. Knows no particular command.
import type { Argv } from 'yargs';

export interface Command<T> {
  readonly name: string;
  /** Positional syntax behind the name, e.g. `<input..>`. */
  readonly positionals: string;
  readonly describe: string;
  readonly examples: readonly (readonly [string, string])[];
  /** Text below the options in --help. */
  readonly epilogue?: string;
  readonly options: (yargs: Argv) => Argv<T>;
  /** Gives the exit code. Throws DiagnosticError for faults of the input. */
  readonly run: (args: T) => number | Promise<number>;
}
