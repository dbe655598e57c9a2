// `thingspire deploy`: brings the modules of a things.json, or one that carries its manifest, to a place.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { embedManifest } from '../../manifest/section.js';
import type { Placement } from '../../edge/fleet/types.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { print, printJson } from '../io.js';
import { readBuildInput } from '../things.js';
import { EdgeClient, edgeOptions, type EdgeArgs } from './client.js';
import { findPlace, readFleet } from './fleet-view.js';
import { ProgressBar } from './progress-bar.js';

interface Args extends EdgeArgs {
  readonly input: string;
  readonly thing: string | undefined;
  readonly to: string | undefined;
  readonly only: readonly string[];
  readonly dryRun: boolean;
  readonly json: boolean;
}

export const deployCommand: Command<Args> = {
  name: 'deploy',
  positionals: '<input>',
  describe: 'put modules at a place, instead of older versions',
  examples: [
    ['$0 deploy things.json', 'all modules, as the thing of the manifest’s name'],
    ['$0 deploy things.json --only filter --to device:porch', 'one of them, on a device'],
    ['$0 deploy filter.wasm --thing porch', 'one module that carries its manifest'],
  ],
  options: (yargs) =>
    edgeOptions(yargs)
      .positional('input', {
        describe: 'things.json, or a .wasm with a manifest section',
        type: 'string',
        demandOption: true,
      })
      .option('thing', { describe: 'name of the thing (default: the manifest’s)', type: 'string', requiresArg: true })
      .option('to', {
        describe: 'place (default: where the module runs, else the edge that is asked)',
        type: 'string',
        requiresArg: true,
      })
      .option('only', {
        describe: 'this module and no other (repeatable)',
        type: 'string',
        array: true,
        nargs: 1,
        default: [],
      })
      .option('dry-run', { describe: 'only find out whether it could be done', type: 'boolean', default: false })
      .option('json', { describe: 'placements as JSON', type: 'boolean', default: false }) as never,
  run: async ({ input, thing, to, only: wanted, dryRun, json, ...at }) => {
    const read = readBuildInput([input], undefined);
    if (read.kind !== 'application')
      throw new DiagnosticError('W814', 'the module carries no manifest', { file: input });
    const { loaded, inputs } = read.application;
    const models = loaded.app.modules.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
    const unknown = wanted.find((name) => !models.some((model) => model.name === name));
    if (unknown !== undefined) throw new DiagnosticError('W605', `--only: there is no "${unknown}"`, { file: input });
    const name = thing ?? loaded.app.name;
    const edge = new EdgeClient(at);
    const query = new URLSearchParams();
    if (to !== undefined) query.set('place', findPlace(await readFleet(edge), to));
    if (dryRun) query.set('dry', '1');
    const path = `/api/things/${encodeURIComponent(name)}/modules?${query.toString()}`;
    const placements: Placement[] = [];
    const bar = new ProgressBar('deploying', json);
    try {
      for (const [i, model] of models.entries()) {
        bar.show(i / models.length, model.name);
        const wasm = embedManifest(inputs.get(model.name)!.bytes, model.travelling);
        placements.push(await edge.json<Placement>(path, { method: 'PUT', body: wasm, type: 'application/wasm' }));
      }
    } finally {
      bar.end();
    }
    if (json) printJson(placements);
    else
      for (const { module, version, place } of placements)
        print(`${name}/${module} ${version} ${dryRun ? 'would run' : 'runs'} at ${place}\n`);
    return ExitCode.Ok;
  },
};
