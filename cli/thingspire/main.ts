// The command line `thingspire`: its commands. Refuses to know what any of them does.
import { runCommandLine } from '../command-line.js';
import type { Command } from '../commands/command.js';
import { callCommand } from './call.js';
import { completeNames } from './completion.js';
import { deployCommand } from './deploy.js';
import { edgeCommand } from './edge.js';
import { enrolCommand, fleetCommand } from './enrol.js';
import { listCommand } from './list.js';
import { logsCommand } from './logs.js';
import { migrateCommand } from './migrate.js';
import { removeCommand, restartCommand, startCommand, stopCommand } from './remove.js';
import { tokenCommand } from './token.js';
import { topCommand } from './top.js';

const COMMANDS = [
  edgeCommand,
  listCommand,
  callCommand,
  deployCommand,
  migrateCommand,
  logsCommand,
  topCommand,
  startCommand,
  stopCommand,
  restartCommand,
  removeCommand,
  tokenCommand,
  fleetCommand,
  enrolCommand,
] as unknown as Command<object>[];

/** Runs one command line (without node and script). Gives the exit code; never throws. */
export function main(argv: readonly string[]): Promise<number> {
  const describe = 'Runs, calls and moves WebAssembly modules of things on devices and edges.';
  const epilogue = 'Exit codes: 0 fine, 1 bad input or an error answer, 2 bad usage, 70 internal error.';
  return runCommandLine({ name: 'thingspire', describe, commands: COMMANDS, epilogue, complete: completeNames }, argv);
}
