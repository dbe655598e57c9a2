// `thingspire ls`: things, modules and services that an edge knows. Takes an edge's URL, prints a table or JSON.
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { readFleet } from './fleet-view.js';
import { tableText } from './table.js';

interface Args extends EdgeArgs {
  readonly thing: string | undefined;
  readonly places: boolean;
  readonly json: boolean;
}

interface ServiceRow {
  readonly module: string;
  readonly method: string;
  readonly path: string;
  readonly observable: boolean;
  readonly attributes: string;
}

export const listCommand: Command<Args> = {
  name: 'ls',
  positionals: '[thing]',
  describe: 'modules of all things, or the services of one',
  examples: [
    ['$0 ls', 'what runs where'],
    ['$0 ls porch', 'what the thing "porch" offers'],
    ['$0 ls --places', 'edges and devices'],
  ],
  options: (yargs) =>
    edgeOptions(yargs)
      .positional('thing', { describe: 'its services', type: 'string' })
      .option('places', { describe: 'places instead of modules', type: 'boolean', default: false })
      .option('json', { describe: 'as JSON', type: 'boolean', default: false }) as never,
  run: async ({ thing, places, json, ...at }) => {
    const edge = new EdgeClient(at);
    if (thing !== undefined) {
      const services = await edge.json<readonly ServiceRow[]>(`/things/${encodeURIComponent(thing)}`);
      const rows = services.map(({ method, path, module, observable, attributes }) => {
        return [method, path, module, observable ? 'yes' : '', attributes];
      });
      if (json) printJson(services);
      else print(tableText(['METHOD', 'PATH', 'MODULE', 'OBSERVE', 'ATTRIBUTES'], rows));
      return ExitCode.Ok;
    }
    const fleet = await readFleet(edge);
    if (places) {
      const rows = fleet.places.map(({ name, edge: behind, details }) => {
        return [name, behind, Object.entries(details).map((entry) => entry.join('=')).join(' ')]; // prettier-ignore
      });
      if (json) printJson(fleet.places);
      else print(tableText(['PLACE', 'EDGE', 'DETAILS'], rows));
      return ExitCode.Ok;
    }
    const rows = fleet.modules.map(({ thing: name, module, version, place, stats }) => [
      name,
      module,
      version,
      place,
      stats?.state ?? (fleet.places.some((entry) => entry.name === place) ? '' : 'away'),
      String(stats?.calls ?? ''),
      String(stats?.faults ?? ''),
    ]);
    if (json) printJson(fleet.modules);
    else print(tableText(['THING', 'MODULE', 'VERSION', 'PLACE', 'STATE', 'CALLS', 'FAULTS'], rows, [5, 6]));
    return ExitCode.Ok;
  },
};
