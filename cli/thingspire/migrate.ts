// `thingspire migrate`: moves a module with its state to another place while it is being called. Takes names, shows the
// steps; the edge does the work.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { MoveEvent } from '../../edge/fleet/events.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { findModule, findPlace, modulePath, readFleet } from './fleet-view.js';
import { ProgressBar } from './progress-bar.js';
import { bytesText } from './table.js';

interface Args extends EdgeArgs {
  readonly module: string;
  readonly to: string;
  readonly json: boolean;
}

export const migrateCommand: Command<Args> = {
  name: 'migrate',
  positionals: '<module>',
  describe: 'move a module with its state to another place; callers wait a moment',
  examples: [
    ['$0 migrate weather-station/filter --to device:porch', 'from wherever it is to a device'],
    ['$0 migrate filter --to edge:attic', 'the thing may be left out where only one has such a module'],
  ],
  options: (yargs) =>
    edgeOptions(yargs)
      .positional('module', { describe: 'THING/MODULE', type: 'string', demandOption: true })
      .option('to', { describe: 'edge:NAME or device:NAME', type: 'string', demandOption: true, requiresArg: true })
      .option('json', { describe: 'the last step as JSON', type: 'boolean', default: false }) as never,
  run: async ({ module: name, to: place, json, ...at }) => {
    const edge = new EdgeClient(at);
    const fleet = await readFleet(edge);
    const module = findModule(fleet, name);
    const to = findPlace(fleet, place);
    const bar = new ProgressBar(`${module.thing}/${module.module}`, json);
    let last: MoveEvent | null = null;
    try {
      for await (const line of edge.lines(`${modulePath(module)}/move`, { to })) {
        last = line as MoveEvent;
        bar.show(last.progress, last.step);
      }
    } finally {
      bar.end();
    }
    if (last === null || (last.step !== 'done' && last.step !== 'failed'))
      throw new DiagnosticError('W902', `the edge has left in the middle of the move; see thingspire ls`);
    if (last.step === 'failed')
      throw new DiagnosticError('W905', `${name} stays at ${last.from}: ${last.reason ?? 'for no reason given'}`);
    if (json) printJson(last);
    else {
      const { from, pauseMs = 0, stateBytes = 0 } = last;
      print(`${name}: ${from} -> ${to}, paused ${pauseMs.toFixed(1)} ms, ${bytesText(stateBytes)} of state\n`);
    }
    return ExitCode.Ok;
  },
};
