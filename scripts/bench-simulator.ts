// Measures the simulator in millions of instructions per second, and QEMU on the same ELF beside it when the tools are
// there. `npx tsx scripts/bench-simulator.ts [ROUNDS]`. Times are CPU time of all threads (the JavaScript engine's compiler
// included), so that other work on the machine disturbs little. Prints one JSON line at the end.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readElf } from '../simulator/load/elf.js';
import { Machine } from '../simulator/machine.js';
import { QEMU_RESET_VECTOR, QEMU_SIM_BOARD } from '../simulator/profiles.js';
import { semihosting } from '../simulator/simcall.js';

const here = join(dirname(fileURLToPath(import.meta.url)), 'bench-simulator');

function build(rounds: number, output: string): boolean {
  const result = spawnSync(
    'xtensa-lx106-elf-gcc',
    [
      ...['-O2', '-ffreestanding', '-fno-builtin', '-mtext-section-literals', '-nostdlib', `-DROUNDS=${rounds}`],
      ...['-T', join(here, 'link.ld'), join(here, 'start.S'), join(here, 'workload.c'), '-lgcc', '-o', output],
    ],
    { encoding: 'utf8' },
  );
  if (result.error !== undefined) return false;
  if (result.status !== 0) throw new Error(result.stderr);
  return true;
}

function simulate(elf: string, translate: boolean): { instructions: number; seconds: number; output: string } {
  let output = '';
  const machine = new Machine({
    board: QEMU_SIM_BOARD,
    translate,
    onSimcall: semihosting((bytes) => (output += new TextDecoder().decode(bytes))),
  });
  for (const segment of readElf(readFileSync(elf)).segments) machine.writeMemory(segment.address, segment.data);
  machine.pc = QEMU_RESET_VECTOR;
  const start = process.cpuUsage();
  const stop = machine.run();
  const { user, system } = process.cpuUsage(start);
  if (stop.reason !== 'exit') throw new Error(`${stop.reason}: ${stop.message}\n${machine.describe()}`);
  return { instructions: stop.instructions, seconds: (user + system) / 1e6, output };
}

function qemu(elf: string): { seconds: number; output: string } | undefined {
  const command = [
    'qemu-system-xtensa',
    '-M',
    'sim',
    '-cpu',
    'de233_fpu',
    '-semihosting',
    '-nographic',
    '-monitor',
    'none',
  ];
  // The shell's `times` gives the CPU time of its children in its last line: 0m0.187s 0m0.001s.
  const result = spawnSync('sh', ['-c', '"$@"; status=$?; times >&2; exit $status', 'sh', ...command, '-kernel', elf], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (result.error !== undefined || result.status === 127) return undefined;
  const parts = [...(result.stderr.trim().split('\n').pop() ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  const seconds = parts.reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0);
  return { seconds, output: result.stdout };
}

const rounds = Number(process.argv[2] ?? 200);
const directory = mkdtempSync(join(tmpdir(), 'bench-simulator-'));
try {
  const elf = join(directory, 'workload.elf');
  if (!build(rounds, elf)) {
    console.error('xtensa-lx106-elf-gcc is not installed: nothing to measure with');
    process.exitCode = 1;
  } else {
    const ours = simulate(elf, true);
    const interpreted = simulate(elf, false);
    const theirs = qemu(elf);
    const mips = (seconds: number): number => Math.round(ours.instructions / seconds / 1e5) / 10;
    console.log(`instructions     ${ours.instructions}`);
    console.log(`translated       ${ours.seconds.toFixed(2)} s  ${mips(ours.seconds)} MIPS`);
    console.log(`interpreted      ${interpreted.seconds.toFixed(2)} s  ${mips(interpreted.seconds)} MIPS`);
    if (theirs !== undefined) {
      console.log(`qemu             ${theirs.seconds.toFixed(2)} s  ${mips(theirs.seconds)} MIPS (start included)`);
      console.log(`ratio to qemu    ${(theirs.seconds / ours.seconds).toFixed(2)}`);
    }
    const outputs = [interpreted.output, ...(theirs === undefined ? [] : [theirs.output])];
    const same = outputs.every((output) => output === ours.output);
    console.log(
      JSON.stringify({
        instructions: ours.instructions,
        translatedMips: mips(ours.seconds),
        interpretedMips: mips(interpreted.seconds),
        qemuMips: theirs === undefined ? null : mips(theirs.seconds),
        sameOutput: same,
      }),
    );
    if (!same) process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true });
}
