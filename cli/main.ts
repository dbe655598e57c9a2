// The command line `wasm-aot`: its commands. Refuses to know what any of them does.
import { runCommandLine } from './command-line.js';
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
export function main(argv: readonly string[]): Promise<number> {
  const describe = 'Compiles WebAssembly ahead of time for the ESP32 (Xtensa LX6).';
  return runCommandLine({ name: 'wasm-aot', describe, commands: COMMANDS, epilogue: EXIT_CODES }, argv);
}
