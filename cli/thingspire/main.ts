// The command line `thingspire`: its commands. Refuses to know what any of them does.
import { runCommandLine } from '../command-line.js';
import type { Command } from '../commands/command.js';
import { callCommand } from './call.js';
import { deployCommand } from './deploy.js';
import { edgeCommand } from './edge.js';
import { listCommand } from './list.js';

const COMMANDS = [edgeCommand, listCommand, callCommand, deployCommand] as unknown as Command<object>[];

/** Runs one command line (without node and script). Gives the exit code; never throws. */
export function main(argv: readonly string[]): Promise<number> {
  const describe = 'Runs and calls WebAssembly modules of things on devices and edges.';
  const epilogue = 'Exit codes: 0 fine, 1 bad input or an error answer, 2 bad usage, 70 internal error.';
  return runCommandLine({ name: 'thingspire', describe, commands: COMMANDS, epilogue }, argv);
}
