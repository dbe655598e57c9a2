// One program, one instruction at a time, in QEMU and in the simulator, until their registers differ. Takes a program for
// either machine; gives where and how they part, with the last instructions. Knows no file and no command line.

import { decodeAt } from '../../../backend-xtensa/isa/decode.js';
import { formatInstruction } from '../../../backend-xtensa/isa/print.js';
import { systemRegisterNumber, SPECIAL_REGISTERS } from '../../../backend-xtensa/isa/special-registers.js';
import type { DecodedInstruction } from '../../../backend-xtensa/isa/types.js';
import { SR, UR } from '../../../simulator/cpu/state.js';
import type { Machine } from '../../../simulator/machine.js';
import type { ProgramPair } from './bare.js';
import { elfOf, simulatedMachine } from './bare.js';
import { BY_SEQUENCE } from './cases.js';
import { Qemu } from './gdb.js';

export interface LockstepOptions {
  /** Address to run to before stepping begins; default the program's begin. */
  readonly from?: number;
  /** Default 100,000. */
  readonly maxInstructions?: number;
  readonly onProgress?: (instructions: number) => void;
}

export interface LockstepReport {
  readonly instructions: number;
  /** Why it stopped: nothing differs, or `difference`. */
  readonly ending: 'ended' | 'limit' | 'difference' | 'not reached';
  /** `register qemu / simulator` */
  readonly differences: readonly string[];
  /** The last instructions, newest last. */
  readonly trail: readonly string[];
  /** The simulator's state. */
  readonly state: string;
}

const VECTOR_OFFSETS = [0, 0x40, 0x80, 0xc0, 0x100, 0x140, 0x180, 0x1c0, 0x200, 0x240, 0x280, 0x2c0, 0x300, 0x340, 0x3c0]; // prettier-ignore
const TRAIL = 12;
const STACK_BYTES = 0x1000;
/** What one reply of QEMU's debugger port holds easily. */
const CHUNK = 512;
const SPECIALS: readonly (readonly [string, number])[] = [
  ...['sar', 'br', 'lbeg', 'lend', 'lcount', 'scompare1', 'acclo', 'acchi', 'm0', 'm1', 'm2', 'm3'],
  ...['ps', 'windowbase', 'windowstart', 'epc1', 'exccause', 'excvaddr', 'excsave1', 'excsave2', 'vecbase'],
].map((name) => [name, systemRegisterNumber(SPECIAL_REGISTERS, name) as number] as const);

/** Float registers whose contents the two reach by different ways (steps of a division), until they are written anew. */
class StepResults {
  private readonly tainted = new Set<number>();

  has(register: number): boolean {
    return this.tainted.has(register);
  }
  follow({ row, operands }: DecodedInstruction): void {
    const registers = (role: (role: string) => boolean): number[] =>
      row.operands.flatMap((spec, i) => (spec.kind === 'fr' && role(spec.role) ? [operands[i] as number] : []));
    const exact = row.name === 'divn.s';
    const inexact = BY_SEQUENCE.has(row.name) || registers((role) => role !== 'def').some((r) => this.tainted.has(r));
    for (const register of registers((role) => role !== 'use')) {
      if (inexact && !exact) this.tainted.add(register);
      else this.tainted.delete(register);
    }
  }
}

/** Instructions between two looks at all registers; the stretch with a difference is then gone through one by one. */
const STRIDE = 64;

export async function lockstep(programs: ProgramPair, options: LockstepOptions = {}): Promise<LockstepReport> {
  const coarse = await attempt(programs, options, 0, STRIDE);
  if (coarse.ending !== 'difference') return coarse;
  return attempt(programs, options, Math.max(0, coarse.instructions - 2 * STRIDE), 1);
}

async function attempt(
  programs: ProgramPair,
  options: LockstepOptions,
  quiet: number,
  stride: number,
): Promise<LockstepReport> {
  const qemu = await Qemu.start(elfOf(programs.qemu.parts), programs.qemu.qemuMegabytes);
  try {
    const machine = simulatedMachine(programs.simulator, () => undefined, false);
    return await run(qemu, machine, { ...options, from: options.from ?? programs.begin }, quiet, stride);
  } finally {
    qemu.stop();
  }
}

/** @param quiet instructions at the beginning that are compared as seldom as possible */
async function run(
  qemu: Qemu,
  machine: Machine,
  options: LockstepOptions & { readonly from: number },
  quiet: number,
  stride: number,
): Promise<LockstepReport> {
  const trail: string[] = [];
  const steps = new StepResults();
  const limit = options.maxInstructions ?? 100_000;
  const report = (count: number, ending: LockstepReport['ending'], differences: string[] = []): LockstepReport => {
    return { instructions: count, ending, differences, trail, state: machine.describe() };
  };
  if (!(await reach(qemu, machine, options.from))) return report(0, 'not reached');
  const start = await qemu.registers();
  if (start === undefined) return report(0, 'not reached');
  adopt(start, machine);
  await adoptStack(qemu, machine);
  for (let count = 1; count <= limit; count++) {
    if (count % 10_000 === 0) options.onProgress?.(count);
    const { pc } = machine;
    const instruction = decodeAt(machine.readMemory(pc, 3), 0, pc);
    const text = instruction === undefined ? 'no instruction' : formatInstruction(instruction, pc);
    if (trail.push(`${pc.toString(16).padStart(8, '0')}  ${text}`) > TRAIL) trail.shift();
    const vecbase = machine.getSpecial(SR.VECBASE) >>> 0;
    const stop = machine.run({ maxInstructions: 1, until: VECTOR_OFFSETS.map((offset) => (vecbase + offset) >>> 0) });
    const running = await qemu.step();
    if (stop.reason === 'exit' && !running) return report(count, 'ended');
    if (!running) return report(count, 'difference', ['qemu has ended']);
    if (stop.reason !== 'limit' && stop.reason !== 'breakpoint') {
      return report(count, 'difference', [`the simulator stopped: ${stop.message}`]);
    }
    const timed = instruction?.row.name === 'rsr' && instruction.operands[1] === SR.CCOUNT;
    if (instruction !== undefined) steps.follow(instruction);
    if (!timed && (count < quiet || count % stride !== 0)) continue;
    const theirs = await qemu.registers();
    if (theirs === undefined) return report(count, 'difference', ['qemu has ended']);
    if (timed) takeTime(instruction, theirs, machine);
    const differences = compare(theirs, machine, steps);
    if (differences.length > 0) return report(count, 'difference', differences);
  }
  return report(limit, 'limit');
}

/** Both machines at `from`. */
async function reach(qemu: Qemu, machine: Machine, from: number): Promise<boolean> {
  if (!(await qemu.runTo(from))) return false;
  const stop = machine.run({ until: from, maxInstructions: 1_000_000_000 });
  return stop.reason === 'breakpoint';
}

/** What is undefined after reset, and what the two reset codes leave behind, becomes QEMU's. */
function adopt(theirs: ReadonlyMap<string, number>, machine: Machine): void {
  for (const [name, number] of SPECIALS) machine.setSpecial(number, (theirs.get(name.toUpperCase()) as number) | 0);
  for (let i = 0; i < 16; i++) machine.setRegister(i, (theirs.get(numbered('A', i)) as number) | 0);
}

/** Frames above may hold times, which differ. */
async function adoptStack(qemu: Qemu, machine: Machine): Promise<void> {
  const top = machine.getRegister(1) >>> 0;
  for (let at = top; at < top + STACK_BYTES; at += CHUNK) {
    try {
      machine.readMemory(at, CHUNK);
    } catch (error) {
      // No memory from here on.
      if (error instanceof RangeError) return;
      throw error;
    }
    machine.writeMemory(at, await qemu.memory(at, CHUNK));
  }
}

/** Time passes differently: what RSR.CCOUNT reads of it, the simulator gets from QEMU. */
function takeTime({ operands }: DecodedInstruction, theirs: ReadonlyMap<string, number>, machine: Machine): void {
  const register = operands[0] as number;
  machine.setRegister(register, theirs.get(numbered('A', register)) as number);
}

const numbered = (file: string, i: number): string => `${file}${String(i).padStart(2, '0')}`;
const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, '0');

function compare(theirs: ReadonlyMap<string, number>, machine: Machine, steps: StepResults): string[] {
  const out: string[] = [];
  const check = (name: string, qemuName: string, ours: number): void => {
    const value = theirs.get(qemuName);
    if (value === undefined) throw new Error(`qemu shows no ${qemuName}`);
    if (value !== ours >>> 0) out.push(`${name} ${hex(value)} / ${hex(ours)}`);
  };
  check('pc', 'PC', machine.pc);
  for (let i = 0; i < 16; i++) check(`a${i}`, numbered('A', i), machine.getRegister(i));
  const { frBits, ur } = machine.core.state;
  for (let i = 0; i < 16; i++) if (!steps.has(i)) check(`f${i}`, numbered('F', i), frBits[i] as number);
  for (const [name, number] of SPECIALS) check(name, name.toUpperCase(), machine.getSpecial(number));
  check('fcr', 'FCR', ur[UR.FCR] as number);
  check('threadptr', 'THREADPTR', ur[UR.THREADPTR] as number);
  return out;
}
