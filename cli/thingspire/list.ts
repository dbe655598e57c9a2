// `thingspire ls`: things, modules and services that an edge knows. Takes an edge's URL, prints a table or JSON.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { askEdge, edgeOption, errorText } from './client.js';

interface Args {
  readonly thing: string | undefined;
  readonly edge: string;
  readonly json: boolean;
}

interface ModuleRow {
  readonly thing: string;
  readonly module: string;
  readonly version: string;
  readonly place: string;
  readonly status?: { readonly state: string; readonly calls: number; readonly faults: number };
}

interface ServiceRow {
  readonly module: string;
  readonly method: string;
  readonly path: string;
  readonly attributes: string;
}

export const listCommand: Command<Args> = {
  name: 'ls',
  positionals: '[thing]',
  describe: 'modules of all things, or the services of one',
  examples: [
    ['$0 ls', 'what runs where'],
    ['$0 ls porch', 'what the thing "porch" offers'],
  ],
  options: (yargs) =>
    edgeOption(yargs)
      .positional('thing', { describe: 'its services', type: 'string' })
      .option('json', { describe: 'as JSON', type: 'boolean', default: false }) as never,
  run: async ({ thing, edge, json }) => {
    const path = thing === undefined ? '/api/modules' : `/things/${encodeURIComponent(thing)}`;
    const answer = await askEdge(edge, path);
    if (answer.status !== 200) throw new DiagnosticError('W902', errorText(answer));
    const value = JSON.parse(answer.body.toString('utf8')) as unknown;
    if (json) printJson(value);
    else if (thing === undefined) {
      const rows = value as readonly ModuleRow[];
      table(
        ['THING', 'MODULE', 'VERSION', 'PLACE', 'STATE', 'CALLS', 'FAULTS'],
        rows.map(({ thing: name, module, version, place, status }) => [
          name,
          module,
          version,
          place,
          status?.state ?? '',
          String(status?.calls ?? ''),
          String(status?.faults ?? ''),
        ]),
      );
    } else {
      const rows = value as readonly ServiceRow[];
      table(
        ['METHOD', 'PATH', 'MODULE', 'ATTRIBUTES'],
        rows.map((row) => [row.method, row.path, row.module, row.attributes]),
      );
    }
    return ExitCode.Ok;
  },
};

function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  for (const row of [head, ...rows])
    print(
      `${row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd()}\n`,
    );
}
