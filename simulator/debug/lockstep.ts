// Runs an ELF in Debian's QEMU one instruction at a time beside the simulator and stops at the first difference. Takes a
// machine that has the ELF loaded, gives where and how the two differ. Needs qemu-system-xtensa 7 or later; understands
// its `-d cpu,fpu` log and nothing else of it.

import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { SR } from '../cpu/state.js';
import type { Machine } from '../machine.js';

export interface LockstepDifference {
  /** Instructions that agreed before. */
  readonly instruction: number;
  /** Address of the instruction after which the states differ. */
  readonly pc: number;
  readonly registers: readonly { readonly name: string; readonly qemu: number; readonly simulator: number }[];
}

export interface LockstepResult {
  readonly instructions: number;
  readonly difference: LockstepDifference | undefined;
}

/** The special registers that both sides keep alike, by QEMU's name. */
const SPECIAL: Readonly<Record<string, number>> = {
  SAR: SR.SAR,
  BR: SR.BR,
  LBEG: SR.LBEG,
  LEND: SR.LEND,
  LCOUNT: SR.LCOUNT,
  ACCLO: SR.ACCLO,
};

/** One state out of QEMU's log: name -> value. */
type QemuState = Map<string, number>;

/** Splits the log into states; each begins with a PC line. */
async function* states(log: Readable): AsyncGenerator<QemuState> {
  let current: QemuState | undefined;
  for await (const line of createInterface({ input: log })) {
    if (line.startsWith('PC=')) {
      if (current !== undefined) yield current;
      current = new Map();
    }
    // AR00.. are physical registers and F00=bits (value) carries text: both fit the pattern by name.
    for (const [, name, value] of line.matchAll(/\b([A-Z][A-Z0-9]*)=([0-9a-f]{8})\b/g)) {
      current?.set(name as string, parseInt(value as string, 16) | 0);
    }
  }
  if (current !== undefined) yield current;
}

function compare(qemu: QemuState, machine: Machine): LockstepDifference['registers'] {
  const differing: LockstepDifference['registers'][number][] = [];
  const check = (name: string, ours: number): void => {
    const theirs = qemu.get(name);
    if (theirs !== undefined && theirs !== ours) {
      differing.push({ name, qemu: theirs >>> 0, simulator: ours >>> 0 });
    }
  };
  const two = (i: number): string => String(i).padStart(2, '0');
  check('PC', machine.pc | 0);
  for (let i = 0; i < 16; i++) {
    check(`A${two(i)}`, machine.getRegister(i));
    check(`F${two(i)}`, machine.state.frBits[i] as number);
  }
  for (const [name, number] of Object.entries(SPECIAL)) check(name, machine.getSpecial(number));
  return differing;
}

/**
 * @param elf path of the file QEMU loads; the machine must have it in memory, with the CPU as after a reset
 * @param limit instructions to compare at most
 * @throws Error when QEMU cannot be started
 */
export async function lockstep(elf: string, machine: Machine, limit = Infinity): Promise<LockstepResult> {
  const qemu = spawn(
    'qemu-system-xtensa',
    [
      ...['-M', 'sim', '-cpu', 'de233_fpu', '-semihosting', '-nographic', '-monitor', 'none', '-kernel', elf],
      ...['-singlestep', '-d', 'cpu,fpu,nochain'],
    ],
    // Its log goes to the error stream.
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const failed = new Promise<never>((_, reject) => qemu.once('error', reject));
  const walk = async (): Promise<LockstepResult> => {
    let instructions = 0;
    let pc = 0;
    let first = true;
    for await (const state of states(qemu.stderr)) {
      if (first) {
        machine.pc = (state.get('PC') ?? 0) >>> 0;
        first = false;
      } else {
        const stop = machine.run({ maxInstructions: 1 });
        if (stop.reason !== 'limit') return { instructions, difference: undefined };
        instructions++;
      }
      const registers = compare(state, machine);
      if (registers.length > 0) return { instructions, difference: { instruction: instructions - 1, pc, registers } };
      if (instructions >= limit) break;
      pc = machine.pc;
    }
    return { instructions, difference: undefined };
  };
  try {
    return await Promise.race([walk(), failed]);
  } finally {
    qemu.kill('SIGKILL');
  }
}
