// `wasm-aot manifest`: puts manifest entries into the modules they are of, shows what modules carry, checks a things.json.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { embedManifest, readManifestSection } from '../../manifest/section.js';
import { ExitCode } from '../exit-codes.js';
import { isWasm } from '../file-kind.js';
import { displayName, note, noteDiagnostic, Outputs, print, printJson, readInput } from '../io.js';
import { jsonOption } from '../options.js';
import { readThings } from '../things.js';
import type { Command } from './command.js';

interface Args {
  readonly action: 'embed' | 'show' | 'check';
  readonly input: string;
  readonly module: string | undefined;
  readonly output: string | undefined;
  readonly json: boolean;
}

export const manifestCommand: Command<Args> = {
  name: 'manifest',
  positionals: '<action> <input>',
  describe: 'embed the entries of a things.json in their modules, show what a module carries, or check a things.json',
  examples: [
    ['$0 manifest embed things.json', 'each .wasm then carries its entry: build and package take it alone'],
    ['$0 manifest show filter.wasm', 'what it carries'],
    ['$0 manifest check things.json', 'all faults of the manifest, without building'],
  ],
  options: (yargs) =>
    jsonOption(yargs)
      .positional('action', { describe: 'what to do', choices: ['embed', 'show', 'check'], demandOption: true })
      .positional('input', { describe: 'things.json; for show a .wasm', type: 'string', demandOption: true })
      .option('module', { describe: 'embed: only this one', type: 'string', requiresArg: true })
      .option('output', {
        alias: 'o',
        describe: 'embed: where the module goes (default: into the .wasm itself)',
        type: 'string',
        requiresArg: true,
      }) as never,
  run: (args) => {
    switch (args.action) {
      case 'show':
        return show(args);
      case 'check':
        return check(args);
      case 'embed':
        return embed(args);
    }
  },
};

function show({ input, json }: Args): number {
  const file = displayName(input);
  const bytes = readInput(input);
  if (!isWasm(bytes)) throw new DiagnosticError('W107', 'show takes a .wasm', { file });
  const section = readManifestSection(bytes, file);
  if (section === null) throw new DiagnosticError('W814', 'carries no manifest', { file });
  if (json) printJson(section);
  else print(`${JSON.stringify(section, null, 2)}\n`);
  return ExitCode.Ok;
}

function check({ input, json }: Args): number {
  const { app, findings } = readThings(input).loaded;
  const warnings = findings.warnings.map(({ code, message, place }) => ({ code, message, place }));
  if (json) printJson({ name: app.name, version: app.version, modules: app.modules.length, warnings });
  else for (const warning of findings.warnings) noteDiagnostic(warning, 'warning');
  return ExitCode.Ok;
}

function embed({ input, module: wanted, output }: Args): number {
  const { loaded, inputs } = readThings(input);
  const modules = loaded.app.modules.filter(({ name }) => wanted === undefined || name === wanted);
  if (modules.length === 0) throw new DiagnosticError('W605', `--module ${wanted}: the manifest has no such module`);
  if (output !== undefined && modules.length > 1)
    throw new DiagnosticError('W605', '-o is for one module: say which with --module');
  const outputs = new Outputs();
  for (const { name, travelling } of modules) {
    const { bytes, file } = inputs.get(name)!;
    const target = output ?? file;
    outputs.add(target, embedManifest(bytes, travelling));
    note(`${name}: ${target}\n`);
  }
  outputs.commit();
  return ExitCode.Ok;
}
