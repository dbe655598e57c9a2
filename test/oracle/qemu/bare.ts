// Runs bare memory images in Debian's QEMU (machine `sim`, core de233_fpu) and in the simulator. Takes bytes at addresses,
// execution begins at the reset vector; gives what the program wrote through SIMCALL. Knows nothing of its contents.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoardDescription, BoardRegion } from '../../../compiler/abi/boards.js';
import { ESP32 } from '../../../compiler/abi/boards.js';
import { Machine } from '../../../simulator/machine.js';
import type { CpuProfile } from '../../../simulator/profiles.js';
import { DE233_FPU_CPU } from '../../../simulator/profiles.js';
import { semihosting } from '../../../simulator/simcall.js';

/** Where QEMU's Xtensa cores with an MMU start; there is RAM behind it, and below from 0 on. */
export const RESET_VECTOR = 0xfe000000;
const RESET_BYTES = 0x20000;

export interface MemoryPart {
  readonly address: number;
  readonly data: Uint8Array;
}

export interface BareProgram {
  /** One of them must lie at the reset vector. */
  readonly parts: readonly MemoryPart[];
  /** RAM of the simulated machine besides the reset vector's. QEMU's is there from 0 to `qemuMegabytes`. */
  readonly ram: readonly { readonly base: number; readonly size: number }[];
  /** Default 128. */
  readonly qemuMegabytes?: number;
}

/** The same program for each machine; they differ in what the reset code does before `begin`. */
export interface ProgramPair {
  readonly qemu: BareProgram;
  readonly simulator: BareProgram;
  /** Address where both are on the same way. */
  readonly begin: number;
}

export interface QemuOptions {
  /** Default `de233_fpu`. */
  readonly cpu?: string;
  /** Milliseconds; default 60,000. */
  readonly timeout?: number;
}

/** Arguments of QEMU for an ELF file. */
export function qemuArguments(file: string, megabytes = 128, cpu = 'de233_fpu'): string[] {
  const machine = ['-M', 'sim', '-cpu', cpu, '-m', String(megabytes)];
  return [...machine, '-semihosting', '-nographic', '-monitor', 'none', '-kernel', file];
}

/** True if QEMU is installed. */
export function qemuAvailable(): boolean {
  return spawnSync('qemu-system-xtensa', ['--version']).error === undefined;
}

/** Calls `action` with the path of a file that holds `bytes`, which is gone afterwards. */
export function withFile<T>(bytes: Uint8Array, action: (file: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'oracle-'));
  try {
    const file = join(directory, 'program.elf');
    writeFileSync(file, bytes);
    return action(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @throws Error when QEMU is missing or does not come to an end */
export function runInQemu(program: BareProgram, options: QemuOptions = {}): Uint8Array {
  return withFile(elfOf(program.parts), (file) => {
    const result = spawnSync('qemu-system-xtensa', qemuArguments(file, program.qemuMegabytes, options.cpu), {
      timeout: options.timeout ?? 60_000,
      maxBuffer: 1 << 28,
    });
    if (result.error !== undefined) throw result.error;
    if (result.stderr.length > 0) throw new Error(`qemu: ${result.stderr.toString().slice(0, 2000)}`);
    return result.stdout;
  });
}

/** A simulated machine with the program in its memory, at the reset vector. */
export function simulatedMachine(
  program: BareProgram,
  write: (bytes: Uint8Array) => void,
  translate = true,
  cpu: CpuProfile = DE233_FPU_CPU,
): Machine {
  const machine = new Machine({ board: boardOf(program.ram), cpu, translate, onSimcall: semihosting(write) });
  for (const part of program.parts) machine.writeMemory(part.address, part.data);
  machine.pc = RESET_VECTOR;
  return machine;
}

/** @throws Error when the program does not end with SIMCALL's exit */
export function runInSimulator(program: BareProgram, translate = true, cpu: CpuProfile = DE233_FPU_CPU): Uint8Array {
  const output: Uint8Array[] = [];
  const machine = simulatedMachine(program, (bytes) => output.push(Uint8Array.from(bytes)), translate, cpu);
  const stop = machine.run({ maxInstructions: 2_000_000_000 });
  if (stop.reason !== 'exit') throw new Error(`${stop.reason}: ${stop.message}\n${machine.describe()}`);
  return Buffer.concat(output);
}

/** QEMU's `sim` machine as far as a program uses it. */
function boardOf(ram: BareProgram['ram']): BoardDescription {
  const region = (base: number, size: number, i: number): BoardRegion => {
    return { name: `RAM${i}`, base, size, kind: 'ram', executable: true, wordOnly: false };
  };
  const regions = [...ram, { base: RESET_VECTOR, size: RESET_BYTES }].map(({ base, size }, i) => region(base, size, i));
  return { ...ESP32, name: 'sim', regions };
}

/** The smallest executable ELF file QEMU loads: a header, program headers, contents. */
export function elfOf(parts: readonly MemoryPart[]): Uint8Array {
  const header = 52 + 32 * parts.length;
  const total = parts.reduce((sum, part) => sum + part.data.length, header);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const halves: [number, number][] = [[16, 2], [18, 94], [40, 52], [42, 32], [44, parts.length], [46, 40]]; // prettier-ignore
  const words: [number, number][] = [[20, 1], [24, RESET_VECTOR], [28, 52], [36, 0x300]]; // prettier-ignore
  for (const [at, value] of halves) view.setUint16(at, value, true);
  for (const [at, value] of words) view.setUint32(at, value, true);
  let offset = header;
  parts.forEach((part, i) => {
    const size = part.data.length;
    [1, offset, part.address, part.address, size, size, 7, 4].forEach((value, field) =>
      view.setUint32(52 + 32 * i + 4 * field, value, true),
    );
    bytes.set(part.data, offset);
    offset += size;
  });
  return bytes;
}
