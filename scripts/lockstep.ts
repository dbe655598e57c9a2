// Runs an ELF for QEMU's `sim` machine in QEMU and in the simulator, one instruction at a time, and shows the first
// difference. `npx tsx scripts/lockstep.ts FILE.elf [LIMIT]`; scripts/bench-simulator.ts builds such a file.

import { readFileSync } from 'node:fs';
import { disassemble } from '../backend-xtensa/isa/disassemble.js';
import { lockstep } from '../simulator/debug/lockstep.js';
import { readElf } from '../simulator/load/elf.js';
import { Machine } from '../simulator/machine.js';
import { DE233_FPU_CPU, QEMU_SIM_BOARD } from '../simulator/profiles.js';
import { semihosting } from '../simulator/simcall.js';

const [file, limit] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: lockstep.ts FILE.elf [LIMIT]');
  process.exit(2);
}
const machine = new Machine({ board: QEMU_SIM_BOARD, cpu: DE233_FPU_CPU, onSimcall: semihosting(() => undefined) });
for (const segment of readElf(readFileSync(file)).segments) machine.writeMemory(segment.address, segment.data);
const result = await lockstep(file, machine, limit === undefined ? Infinity : Number(limit));
if (result.difference === undefined) {
  console.log(`${result.instructions} instructions agree`);
} else {
  const { instruction, pc, registers } = result.difference;
  console.log(`after instruction ${instruction}:`);
  console.log(disassemble(machine.readMemory(pc, 3), pc));
  for (const { name, qemu, simulator } of registers) {
    console.log(`  ${name}: qemu ${qemu.toString(16)}, simulator ${simulator.toString(16)}`);
  }
  process.exitCode = 1;
}
