// `wasm-aot package`: a module linked for a slot of an image and signed, for installation on a running device.
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { writeElf } from '../../linker/elf-output.js';
import { readLinkDescription, type BaseImage } from '../../manifest/base.js';
import { isElf, readFirmware } from '../../manifest/firmware.js';
import { readPrivateKey } from '../../manifest/keys.js';
import { buildPackage } from '../../manifest/package.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, note, noteDiagnostic, Outputs, printJson, Progress, readInput } from '../io.js';
import { compileOptions, jsonOption, toCompileOptions } from '../options.js';
import type { CompileArgs } from '../options.js';
import { readModuleOf } from '../things.js';
import type { Command } from './command.js';

interface Args extends CompileArgs {
  readonly input: string;
  readonly module: string | undefined;
  readonly slot: string | undefined;
  readonly base: string;
  readonly key: string;
  readonly output: string | undefined;
  readonly elf: string | undefined;
  readonly json: boolean;
}

export const packageCommand: Command<Args> = {
  name: 'package',
  positionals: '<input>',
  describe: 'link a module for a slot of an image and sign it, for installation while the device runs',
  examples: [
    [
      '$0 package things.json --module filter --slot spare --base app.slots.json --key key.pem',
      'makes filter.tsp; build wrote app.slots.json beside app.bin',
    ],
    ['$0 package filter.wasm --base app.slots.json --key key.pem', 'a module that carries its manifest'],
  ],
  epilogue: 'A package fits the image it was linked for and no other; keygen makes keys.',
  options: (yargs) =>
    jsonOption(compileOptions(yargs))
      .positional('input', {
        describe: 'things.json, or a .wasm that carries its manifest',
        type: 'string',
        demandOption: true,
      })
      .option('module', { describe: 'which one (default: the only one)', type: 'string', requiresArg: true })
      .option('slot', { describe: 'where it goes (default: the only slot)', type: 'string', requiresArg: true })
      .option('base', {
        describe: '.slots.json or .elf of the image',
        type: 'string',
        requiresArg: true,
        demandOption: true,
      })
      .option('key', {
        describe: 'PEM file with the private Ed25519 key',
        type: 'string',
        requiresArg: true,
        demandOption: true,
      })
      .option('output', {
        alias: 'o',
        describe: 'package, - for standard output (default: module name with .tsp)',
        type: 'string',
        requiresArg: true,
      })
      .option('elf', { describe: 'also write an ELF with symbols', type: 'string', requiresArg: true }) as never,
  run: (args) => {
    const base = readBase(readInput(args.base), displayName(args.base));
    const key = readPrivateKey(readInput(args.key), displayName(args.key));
    const { loaded, name, input } = readModuleOf(args.input, args.module);
    const slot = args.slot ?? onlySlot(base.slots.map((candidate) => candidate.name));
    const output = args.output ?? `${name}.tsp`;
    const progress = new Progress();
    const built = buildPackage(loaded, name, input, base, slot, key, {
      compile: toCompileOptions(args),
      onProgress: (what) => progress.show(what),
    });
    progress.clear();
    const outputs = new Outputs();
    outputs.add(output, built.bytes);
    if (args.elf !== undefined) outputs.add(args.elf, writeElf(built.linked));
    outputs.commit();
    const { contents, ramBytes, needs, bytes } = built;
    const bill = { bytes: bytes.length, bankBytes: contents.length, ramBytes };
    if (args.json && output !== '-') printJson({ output, module: name, slot, ...bill, needs });
    else if (!args.json) {
      for (const warning of loaded.findings.warnings) noteDiagnostic(warning, 'warning');
      note(`${name} for slot ${slot}: ${bill.bytes} bytes, ${bill.bankBytes} of flash, ${ramBytes} of RAM\n`);
    }
    return ExitCode.Ok;
  },
};

function readBase(bytes: Uint8Array, file: string): BaseImage {
  return isElf(bytes) ? readFirmware(bytes, file).image : readLinkDescription(bytes, file);
}

function onlySlot(names: readonly string[]): string {
  const [name] = names;
  if (name === undefined || names.length > 1)
    throw new DiagnosticError('W605', `--slot is needed: the image has ${names.join(', ') || 'none'}`);
  return name;
}
