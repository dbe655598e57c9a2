// `thingspire deploy`: brings the modules of a things.json, or one that carries its manifest, to an edge.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { embedManifest } from '../../manifest/section.js';
import type { Command } from '../commands/command.js';
import { ExitCode } from '../exit-codes.js';
import { note, print, printJson } from '../io.js';
import { readBuildInput } from '../things.js';
import { askEdge, edgeOption, errorText } from './client.js';

interface Args {
  readonly input: string;
  readonly thing: string | undefined;
  readonly edge: string;
  readonly json: boolean;
}

export const deployCommand: Command<Args> = {
  name: 'deploy',
  positionals: '<input>',
  describe: 'put modules on an edge, in the place of older versions',
  examples: [
    ['$0 deploy things.json', 'all modules, as the thing of the manifest’s name'],
    ['$0 deploy filter.wasm --thing porch', 'one module that carries its manifest'],
  ],
  options: (yargs) =>
    edgeOption(yargs)
      .positional('input', {
        describe: 'things.json, or a .wasm with a manifest section',
        type: 'string',
        demandOption: true,
      })
      .option('thing', { describe: 'name of the thing (default: the manifest’s)', type: 'string', requiresArg: true })
      .option('json', { describe: 'placements as JSON', type: 'boolean', default: false }) as never,
  run: async ({ input, thing, edge, json }) => {
    const read = readBuildInput([input], undefined);
    if (read.kind !== 'application')
      throw new DiagnosticError('W814', 'the module carries no manifest', { file: input });
    const { loaded, inputs } = read.application;
    const name = thing ?? loaded.app.name;
    const placements: unknown[] = [];
    for (const model of loaded.app.modules) {
      if (!json) note(`deploying ${model.name}\n`);
      const wasm = embedManifest(inputs.get(model.name)!.bytes, model.travelling);
      const path = `/api/things/${encodeURIComponent(name)}/modules`;
      const answer = await askEdge(edge, path, { method: 'PUT', body: wasm, type: 'application/wasm' });
      if (answer.status !== 200) throw new DiagnosticError('W901', `${model.name}: ${errorText(answer)}`);
      placements.push(JSON.parse(answer.body.toString('utf8')));
    }
    if (json) printJson(placements);
    else print(`${placements.length} modules of ${name}\n`);
    return ExitCode.Ok;
  },
};
