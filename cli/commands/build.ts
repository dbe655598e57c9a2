// `wasm-aot build`: Wasm files to a flash image, with its ELF, its map and the bill.
import { formatBill } from '../../linker/bill.js';
import { buildImage } from '../../linker/build.js';
import { writeElf } from '../../linker/elf-output.js';
import { formatMap } from '../../linker/map-file.js';
import { ExitCode } from '../exit-codes.js';
import { note, Outputs, printJson, Progress } from '../io.js';
import { compileOptions, jsonOption, layoutOptions, toBuildOptions } from '../options.js';
import type { CompileArgs, LayoutArgs } from '../options.js';
import { defaultOutput } from '../paths.js';
import { readModules } from '../inputs.js';
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
  describe: 'build a flash image for address 0x1000 from one or more .wasm',
  examples: [
    ['$0 build app.wasm -o app.bin', 'then: esptool write_flash 0x1000 app.bin'],
    ['$0 build app.wasm -o app.bin --elf app.elf --map app.map', 'with symbols and a map'],
    ['$0 build lib.wasm app.wasm -o app.bin', 'app imports what lib exports, under the module name "lib"'],
    ['$0 build app.wasm --memory-limit 32K --json', 'a smaller memory; the bill as JSON'],
  ],
  options: (yargs) =>
    jsonOption(layoutOptions(compileOptions(yargs)))
      .positional('input', {
        describe: 'Wasm files, - for standard input',
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
      .option('elf', { describe: 'also write an ELF executable with symbols', type: 'string', requiresArg: true })
      .option('map', { describe: 'also write a map for people', type: 'string', requiresArg: true })
      .option('quiet', { alias: 'q', describe: 'no bill', type: 'boolean', default: false }) as never,
  run: (args) => {
    const output = args.output ?? defaultOutput(args.input[args.input.length - 1]!, '.bin');
    const progress = new Progress();
    const { image, linked, bill } = buildImage(readModules(args.input, args.name), {
      ...toBuildOptions(args),
      onProgress: (what) => progress.show(what),
    });
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
