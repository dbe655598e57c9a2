// `wasm-aot build`: a things.json or Wasm files to a flash image, with its ELF, its map and the bill.
import { formatBill } from '../../linker/bill.js';
import { buildImage } from '../../linker/build.js';
import type { BuildOptions } from '../../linker/build.js';
import { writeElf } from '../../linker/elf-output.js';
import { formatMap } from '../../linker/map-file.js';
import { linkDescription } from '../../manifest/base.js';
import { formatDeviceBill } from '../../manifest/device-bill.js';
import { firmwareNotes } from '../../manifest/firmware.js';
import { ExitCode } from '../exit-codes.js';
import { note, noteDiagnostic, Outputs, printJson, Progress } from '../io.js';
import { compileOptions, jsonOption, layoutOptions, toBuildOptions } from '../options.js';
import type { CompileArgs, LayoutArgs } from '../options.js';
import { defaultOutput } from '../paths.js';
import { buildApplication, readBuildInput } from '../things.js';
import type { Application } from '../things.js';
import type { Command } from './command.js';

interface Args extends CompileArgs, LayoutArgs {
  readonly input: readonly string[];
  readonly output: string | undefined;
  readonly elf: string | undefined;
  readonly map: string | undefined;
  readonly quiet: boolean;
  readonly json: boolean;
}

export const buildCommand: Command<Args> = {
  name: 'build',
  positionals: '<input..>',
  describe: 'build a flash image for address 0x1000 from a things.json or one or more .wasm',
  examples: [
    ['$0 build app.wasm -o app.bin', 'then: esptool write_flash 0x1000 app.bin'],
    ['$0 build app.wasm -o app.bin --elf app.elf --map app.map', 'with symbols and a map'],
    ['$0 build lib.wasm app.wasm -o app.bin', 'app imports what lib exports, under the module name "lib"'],
    ['$0 build things.json -o app.bin', 'modules of the device OS, with what they provide, require and may use'],
    ['$0 build app.wasm --memory-limit 32K --json', 'a smaller memory; the bill as JSON'],
  ],
  options: (yargs) =>
    jsonOption(layoutOptions(compileOptions(yargs)))
      .positional('input', {
        describe: 'things.json, or Wasm files; - for standard input',
        type: 'string',
        array: true,
        demandOption: true,
      })
      .option('output', {
        alias: 'o',
        describe: 'flash image, - for standard output (default: last input with .bin)',
        type: 'string',
        requiresArg: true,
      })
      .option('elf', {
        describe: 'also write an ELF executable with symbols; an edge knows devices by it',
        type: 'string',
        requiresArg: true,
      })
      .option('map', { describe: 'also write a map for people', type: 'string', requiresArg: true })
      .option('quiet', { alias: 'q', describe: 'no bill', type: 'boolean', default: false }) as never,
  run: (args) => {
    const output = args.output ?? defaultOutput(args.input[args.input.length - 1]!, '.bin');
    const progress = new Progress();
    const options = { ...toBuildOptions(args), onProgress: (what: string) => progress.show(what) };
    const input = readBuildInput(args.input, args.name);
    if (input.kind === 'application') return writeApplication(input.application, args, output, options, progress);
    const { image, linked, bill } = buildImage(input.modules, options);
    progress.clear();
    const outputs = new Outputs();
    outputs.add(output, image);
    if (args.elf !== undefined) outputs.add(args.elf, writeElf(linked));
    if (args.map !== undefined) outputs.add(args.map, formatMap(linked, image.length));
    outputs.commit();
    if (args.json && output !== '-') printJson({ output, ...bill });
    else if (!args.quiet && !args.json) note(formatBill(bill));
    return ExitCode.Ok;
  },
};

function writeApplication(
  application: Application,
  args: Args,
  output: string,
  options: BuildOptions,
  progress: Progress,
): number {
  const { image, linked, bill, device, slots, warnings } = buildApplication(application, args, options);
  progress.clear();
  const outputs = new Outputs();
  outputs.add(output, image);
  const { loaded, publicKey } = application;
  if (args.elf !== undefined)
    outputs.add(args.elf, writeElf(linked, firmwareNotes(loaded.app, linked, slots, publicKey)));
  if (args.map !== undefined) outputs.add(args.map, formatMap(linked, image.length));
  if (slots.length > 0 && output !== '-')
    outputs.add(
      output.replace(/(\.bin)?$/, '.slots.json'),
      `${JSON.stringify(linkDescription(linked, slots), null, 1)}\n`,
    );
  outputs.commit();
  if (args.json && output !== '-') {
    const notes = warnings.map(({ code, message, place }) => ({ code, message, place }));
    printJson({ output, ...bill, device, warnings: notes });
    return ExitCode.Ok;
  }
  for (const warning of warnings) noteDiagnostic(warning, 'warning');
  if (!args.quiet && !args.json) note(formatDeviceBill(device, bill));
  return ExitCode.Ok;
}
