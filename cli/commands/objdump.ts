// `wasm-aot objdump`: the code of an object, an ELF executable or a flash image as a listing.
import { disassembleItems } from '../../backend-xtensa/isa/disassemble.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { BOARDS } from '../../compiler/abi/boards.js';
import { isFlashImage, readFlashImage } from '../../linker/image/read.js';
import { readExecutable } from '../../linker/read-executable.js';
import type { Executable } from '../../linker/read-executable.js';
import { readObject } from '../../linker/read-object.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, print, readInput } from '../io.js';
import { hex, listObject } from '../listing.js';
import { isElf, isExecutableElf } from '../file-kind.js';
import type { Command } from './command.js';

interface Args {
  readonly file: string;
  readonly headers: boolean;
}

export const objdumpCommand: Command<Args> = {
  name: 'objdump',
  positionals: '<file>',
  describe: 'disassemble an object, an ELF executable or a flash image',
  examples: [
    ['$0 objdump app.o', 'code with symbols and relocations'],
    ['$0 objdump app.elf', 'the linked program'],
    ['$0 objdump app.bin --headers', 'header and segments of a flash image only'],
  ],
  options: (yargs) =>
    yargs
      .positional('file', { describe: '.o, .elf or .bin; - for standard input', type: 'string', demandOption: true })
      .option('headers', { describe: 'sections or segments only', type: 'boolean', default: false }) as never,
  run: ({ file, headers }) => {
    const bytes = readInput(file);
    const name = displayName(file);
    if (isFlashImage(bytes)) print(listImage(bytes, name, headers));
    else if (!isElf(bytes)) throw new DiagnosticError('W701', 'neither ELF nor a flash image', { file: name });
    else if (isExecutableElf(bytes)) print(listExecutable(readExecutable(bytes, name), headers));
    else {
      const object = readObject(bytes, name, 'module');
      const lines = object.sections.map(
        ({ name: section, kind, size, align, relocations }) =>
          `${section.padEnd(32)} ${kind.padEnd(8)} ${String(size).padStart(8)} bytes, align ${align}, ${relocations.count} relocations`,
      );
      print(headers ? `${lines.join('\n')}\n` : listObject(object));
    }
    return ExitCode.Ok;
  },
};

function listExecutable({ segments, symbols, entry }: Executable, headers: boolean): string {
  const lines = [`entry 0x${hex(entry, 8)}`];
  for (const { address, bytes, size, executable } of segments) {
    lines.push(
      '',
      `segment 0x${hex(address, 8)} ${size} bytes${executable ? ', code' : ''}${bytes === null ? ', zero' : ''}`,
    );
    if (headers || !executable || bytes === null) continue;
    const inside = symbols.filter((symbol) => symbol.address >= address && symbol.address < address + size);
    const headings = new Map<number, string[]>();
    for (const symbol of inside) headings.set(symbol.address, [...(headings.get(symbol.address) ?? []), symbol.name]);
    // What no function covers is literals and padding.
    const data: [number, number][] = [];
    let covered = address;
    for (const symbol of inside.filter((s) => s.isFunction && s.size > 0)) {
      if (symbol.address > covered) data.push([covered, symbol.address]);
      covered = Math.max(covered, symbol.address + symbol.size);
    }
    if (covered < address + size) data.push([covered, address + size]);
    list(bytes, address, data, headings, lines);
  }
  return `${lines.join('\n')}\n`;
}

function listImage(bytes: Uint8Array, name: string, headers: boolean): string {
  const image = readFlashImage(bytes, name);
  const lines = [
    `entry 0x${hex(image.entry, 8)}, SPI mode ${image.spiMode}, flash ${image.flashBytes / 1024 / 1024} MiB, ` +
      `SHA-256 ${image.sha256 ?? 'none'}`,
  ];
  const segments = [...image.segments.map((segment) => ({ ...segment, page: -1 })), ...image.mapped];
  const regions = BOARDS.get('esp32')!.regions;
  for (const { address, bytes: data, page } of segments) {
    const executable = regions.some((r) => r.executable && address >= r.base && address < r.base + r.size);
    const place = page < 0 ? 'loaded into RAM' : `mapped from flash page ${page}`;
    lines.push('', `segment 0x${hex(address, 8)} ${data.length} bytes, ${place}${executable ? ', code' : ''}`);
    if (!headers && executable) list(data, address, [], new Map(), lines);
  }
  return `${lines.join('\n')}\n`;
}

function list(
  bytes: Uint8Array,
  base: number,
  data: readonly (readonly [number, number])[],
  headings: ReadonlyMap<number, readonly string[]>,
  lines: string[],
): void {
  for (const { address, size, text } of disassembleItems(bytes, base, { data })) {
    for (const heading of headings.get(address) ?? []) lines.push(`${hex(address, 8)} <${heading}>:`);
    const raw = Array.from(bytes.subarray(address - base, address - base + size), (byte) => hex(byte, 2)).join(' ');
    lines.push(`${hex(address, 8)}:  ${raw.padEnd(12)} ${text}`);
  }
}
