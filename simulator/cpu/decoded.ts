// An instruction as the simulator keeps it: decoded once, with its address, its handler and its cost. Takes bytes through
// a fetch callback and the ISA table; knows no semantics.

import { decodeWord, sizeAt } from '../../backend-xtensa/isa/decode.js';
import type { DecodedInstruction, InstructionRow } from '../../backend-xtensa/isa/types.js';
import { TAKEN_PENALTY, cyclesOf } from '../timing.js';

export class DecodedOp {
  readonly row: InstructionRow;
  readonly pc: number;
  readonly next: number;
  /** pc + displacement for pc-relative operands, else 0. */
  readonly target: number;
  readonly o0: number;
  readonly o1: number;
  readonly o2: number;
  readonly o3: number;
  /** Cycles when it does not branch, and what a taken branch adds. */
  readonly cycles: number;
  readonly takenCycles: number;
  /** Control can reach `next` by going on: at LEND that is what loops back; a jump to LEND does not. */
  readonly fallsThrough: boolean;
  /** Window panes above the first that its AR operands reach into: 0 (a0-a3) to 3. */
  readonly panes: number;
  /** Runs it; gives the next pc. Set by the interpreter. */
  run: (op: DecodedOp) => number = unset;

  constructor(
    readonly instruction: DecodedInstruction,
    pc: number,
    follower: DecodedInstruction | undefined,
  ) {
    const { row, operands } = instruction;
    this.row = row;
    this.pc = pc;
    this.next = (pc + row.size) >>> 0;
    let target = 0;
    let highest = 0;
    for (let i = 0; i < operands.length; i++) {
      const kind = row.operands[i]?.kind;
      if (kind === 'pcrel') target = (pc + (operands[i] as number)) >>> 0;
      else if (kind === 'ar') highest = Math.max(highest, operands[i] as number);
    }
    this.target = target;
    this.o0 = operands[0] ?? 0;
    this.o1 = operands[1] ?? 0;
    this.o2 = operands[2] ?? 0;
    this.o3 = operands[3] ?? 0;
    this.cycles = cyclesOf(instruction, follower);
    this.takenCycles = row.flow === 'branch' || row.flow === 'loop' ? TAKEN_PENALTY : 0;
    this.fallsThrough = row.flow === 'next' || row.flow === 'branch' || row.flow === 'loop';
    this.panes = highest >> 2;
  }
}

function unset(): number {
  throw new Error('decoded instruction has no handler');
}

/** One byte of code, or -1 when the address cannot be fetched from. */
export type FetchByte = (address: number) => number;

/** @returns undefined when the bytes are no instruction; -1 when they cannot be fetched */
export function fetchInstruction(fetch: FetchByte, pc: number): DecodedInstruction | undefined | -1 {
  const first = fetch(pc);
  if (first < 0) return -1;
  const second = fetch((pc + 1) >>> 0);
  if (second < 0) return -1;
  if (sizeAt(first) === 2) return decodeWord(first | (second << 8), pc);
  const third = fetch((pc + 2) >>> 0);
  if (third < 0) return -1;
  return decodeWord(first | (second << 8) | (third << 16), pc);
}
