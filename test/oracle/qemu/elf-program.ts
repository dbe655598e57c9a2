// A linked ELF file as a program for both machines: one of our images is driven through its mailbox by the supervisor, a
// bare one starts at its entry point. Takes bytes and calls; knows no command line.

import { assemble } from '../../../backend-xtensa/isa/assemble.js';
import { exportSymbol } from '../../../compiler/abi/symbols.js';
import { RuntimeSymbol } from '../../../compiler/abi/linker-symbols.js';
import type { ElfFile } from '../../../simulator/load/elf.js';
import { readElf } from '../../../simulator/load/elf.js';
import type { MemoryPart, ProgramPair } from './bare.js';
import { RESET_VECTOR } from './bare.js';
import { supervise } from './supervisor.js';

/** A call of an export: `module.function`, argument words. */
export interface ElfCall {
  readonly symbol: string;
  readonly args: readonly number[];
}

/** @throws Error for a file that is no linked Xtensa ELF or lacks a called symbol */
export function programOfElf(bytes: Uint8Array, calls: readonly ElfCall[]): ProgramPair {
  const elf = readElf(bytes);
  // Zeros are there anyway.
  const parts = elf.segments.flatMap(({ address, data }) =>
    data.some((byte) => byte !== 0) ? [{ address, data }] : [],
  );
  return elf.symbols.has(RuntimeSymbol.RunMailbox) ? supervised(elf, parts, calls) : bare(elf, parts);
}

function supervised(elf: ElfFile, parts: readonly MemoryPart[], calls: readonly ElfCall[]): ProgramPair {
  const address = (symbol: string): number => {
    const found = elf.symbols.get(symbol);
    if (found === undefined) throw new Error(`the file has no symbol ${symbol}`);
    return found;
  };
  const inits = [...elf.symbols.keys()]
    .filter((name) => name.endsWith('$init'))
    .map((symbol) => ({ symbol, args: [] }));
  const all = [...inits, ...calls].map(({ symbol, args }) => ({ entry: address(symbol), args, resultWords: 4 }));
  return supervise({ parts, address }, all, []);
}

function bare(elf: ElfFile, parts: readonly MemoryPart[]): ProgramPair {
  const start = parts.some(({ address }) => address === RESET_VECTOR)
    ? []
    : [{ address: RESET_VECTOR, data: assemble(`j 1f; .align 4; entry: .word ${elf.entry}; 1: l32r a0, entry; jx a0`, { origin: RESET_VECTOR }).bytes }]; // prettier-ignore
  const ram = [{ base: 0, size: 0x8000000 }];
  const program = { parts: [...start, ...parts], ram };
  return { qemu: program, simulator: program, begin: elf.entry };
}

/** Symbol of an export named `module.function`. */
export function exportOf(name: string): string {
  const dot = name.indexOf('.');
  return exportSymbol(name.slice(0, dot), name.slice(dot + 1));
}
