// `wasm-aot size`: how large the parts of a .wasm, an object, an executable or a flash image are.
import { inspectModule } from '../../compiler/driver.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { isFlashImage, readFlashImage } from '../../linker/image/read.js';
import { readExecutable } from '../../linker/read-executable.js';
import { readObject } from '../../linker/read-object.js';
import { isElf, isExecutableElf, isWasm } from '../file-kind.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, print, printJson, readInput } from '../io.js';
import { jsonOption } from '../options.js';
import type { Command } from './command.js';

interface Args {
  readonly file: string;
  readonly json: boolean;
}

interface Sizes {
  readonly kind: 'wasm' | 'object' | 'executable' | 'image';
  /** Bytes by part. */
  readonly parts: Readonly<Record<string, number>>;
  /** Largest functions first. */
  readonly functions: readonly { readonly name: string; readonly bytes: number }[];
}

const LARGEST = 20;

export const sizeCommand: Command<Args> = {
  name: 'size',
  positionals: '<file>',
  describe: 'show the size of the parts of a .wasm, .o, .elf or .bin and its largest functions',
  examples: [
    ['$0 size app.elf', 'segments and largest functions'],
    ['$0 size app.o --json', 'for programs'],
  ],
  options: (yargs) =>
    jsonOption(yargs).positional('file', {
      describe: 'file, - for standard input',
      type: 'string',
      demandOption: true,
    }) as never,
  run: ({ file, json }) => {
    const bytes = readInput(file);
    const sizes = measure(bytes, displayName(file));
    if (json) printJson(sizes);
    else {
      const line = (bytes: number, what: string): string => `${String(bytes).padStart(9)}  ${what}\n`;
      for (const [part, size] of Object.entries(sizes.parts)) print(line(size, part));
      if (sizes.functions.length > 0) print('\nlargest functions\n');
      for (const { name, bytes: size } of sizes.functions) print(line(size, name));
    }
    return ExitCode.Ok;
  },
};

function measure(bytes: Uint8Array, name: string): Sizes {
  if (isWasm(bytes)) {
    const { codeBytes, dataBytes, customSections, largestFunctions } = inspectModule(bytes, { file: name });
    const custom = customSections.reduce((sum, section) => sum + section.bytes, 0);
    const functions = largestFunctions.map((func) => ({ name: `${func.index} ${func.name}`, bytes: func.bytes }));
    return { kind: 'wasm', parts: { file: bytes.length, code: codeBytes, data: dataBytes, custom }, functions };
  }
  if (isFlashImage(bytes)) {
    const image = readFlashImage(bytes, name);
    const parts: Record<string, number> = { file: bytes.length, 'loaded by the mask ROM': image.romBytes };
    for (const segment of [...image.segments, ...image.mapped])
      parts[`segment 0x${segment.address.toString(16)}`] = segment.bytes.length;
    return { kind: 'image', parts, functions: [] };
  }
  if (!isElf(bytes)) throw new DiagnosticError('W701', 'neither Wasm, ELF nor a flash image', { file: name });
  if (isExecutableElf(bytes)) {
    const { segments, symbols } = readExecutable(bytes, name);
    const parts: Record<string, number> = { file: bytes.length };
    for (const { address, size, executable } of segments)
      parts[`${executable ? 'code' : 'data'} 0x${address.toString(16)}`] = size;
    const functions = new Map<number, { name: string; bytes: number }>();
    for (const { name: symbol, address, size, isFunction } of symbols)
      if (isFunction && !functions.has(address)) functions.set(address, { name: symbol, bytes: size });
    return { kind: 'executable', parts, functions: largest([...functions.values()]) };
  }
  const object = readObject(bytes, name, 'module');
  const parts: Record<string, number> = { file: bytes.length };
  for (const { kind, size } of object.sections) parts[kind] = (parts[kind] ?? 0) + size;
  const seen = new Set<string>();
  const functions = object.symbols.flatMap(({ name: symbol, type, section, value, size }) => {
    const place = `${section?.index}:${value}`;
    if (type !== 'function' || section === null || seen.has(place)) return [];
    seen.add(place);
    return [{ name: symbol, bytes: size }];
  });
  return { kind: 'object', parts, functions: largest(functions) };
}

function largest(functions: { readonly name: string; readonly bytes: number }[]) {
  return functions.sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST);
}
