// `thingspire rm`, `start`, `stop`, `restart`: what users do with a module where it is. Takes names; the edge does it.
import type { RunAction } from '../../edge/fleet/types.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { findModule, modulePath, readFleet, type FleetModule } from './fleet-view.js';

interface Args extends EdgeArgs {
  readonly module: string;
  readonly json: boolean;
}

function moduleCommand(
  name: string,
  describe: string,
  past: string,
  change: (edge: EdgeClient, module: FleetModule) => Promise<unknown>,
): Command<Args> {
  return {
    name,
    positionals: '<module>',
    describe,
    examples: [[`$0 ${name} weather-station/filter`, '']],
    options: (yargs) =>
      edgeOptions(yargs)
        .positional('module', { describe: 'THING/MODULE', type: 'string', demandOption: true })
        .option('json', { describe: 'as JSON', type: 'boolean', default: false }) as never,
    run: async ({ module: wanted, json, ...at }) => {
      const edge = new EdgeClient(at);
      const found = findModule(await readFleet(edge), wanted);
      await change(edge, found);
      const { thing, module, place } = found;
      if (json) printJson({ thing, module, place, done: name });
      else print(`${thing}/${module} at ${place} ${past}\n`);
      return ExitCode.Ok;
    },
  };
}

const run = (action: RunAction, describe: string, past: string): Command<Args> =>
  moduleCommand(action, describe, past, (edge, module) => edge.post(`${modulePath(module)}/run`, { action }));

export const removeCommand = moduleCommand('rm', 'stop a module and forget it', 'is removed', (edge, module) =>
  edge.json(modulePath(module), { method: 'DELETE' }),
);
export const startCommand = run('start', 'start a module that was stopped', 'is started');
export const stopCommand = run('stop', 'stop a module; its services answer 5.03', 'is stopped');
export const restartCommand = run('restart', 'start a module from the beginning', 'is restarted');
