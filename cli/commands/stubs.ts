// `wasm-aot stubs`: a module's types, calls and handlers as source text, from the manifest.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { loadManifest } from '../../manifest/load.js';
import { STUB_LANGUAGES } from '../../manifest/stubs/languages.js';
import { planStubs } from '../../manifest/stubs/plan.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, note, Outputs, print, printJson, readInput } from '../io.js';
import { jsonOption } from '../options.js';
import type { Command } from './command.js';

interface Args {
  readonly input: string;
  readonly module: string | undefined;
  readonly lang: string;
  readonly output: string;
  readonly json: boolean;
}

export const stubsCommand: Command<Args> = {
  name: 'stubs',
  positionals: '<input>',
  describe: 'write typed stubs of a module: structs, calls with structs, handler prototypes',
  examples: [
    ['$0 stubs things.json --module alarm --lang c -o src', 'src/alarm_things.h, on top of sdk/c/thingspire.h'],
    ['$0 stubs things.json --lang assemblyscript -o src', 'one file for each module'],
    ['$0 stubs things.json --module alarm --lang rust -o -', 'to standard output'],
  ],
  options: (yargs) =>
    jsonOption(yargs)
      .positional('input', { describe: 'things.json', type: 'string', demandOption: true })
      .option('module', { describe: 'only this one', type: 'string', requiresArg: true })
      .option('lang', {
        describe: 'language',
        choices: Object.keys(STUB_LANGUAGES),
        demandOption: true,
        requiresArg: true,
      })
      .option('output', {
        alias: 'o',
        describe: 'folder, - for standard output',
        type: 'string',
        default: '.',
        requiresArg: true,
      }) as never,
  run: ({ input, module, lang, output, json }) => {
    const { app } = loadManifest(readInput(input), displayName(input));
    const { text, file } = STUB_LANGUAGES[lang]!;
    const names = module === undefined ? app.modules.map(({ name }) => name) : [module];
    if (output === '-') {
      if (names.length > 1) throw new DiagnosticError('W605', 'say which with --module');
      print(text(planStubs(app, names[0]!)));
      return ExitCode.Ok;
    }
    const outputs = new Outputs();
    const files = names.map((name) => {
      const path = join(output, file(name));
      outputs.add(path, text(planStubs(app, name)));
      return path;
    });
    mkdirSync(output, { recursive: true });
    outputs.commit();
    if (json) printJson({ files });
    else note(`${files.join('\n')}\n`);
    return ExitCode.Ok;
  },
};
