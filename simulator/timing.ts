// The cycle model: what each instruction costs, as integers. It is a model and never claims to be the chip: no cache
// misses, no bus contention, no fetch-word crossing. Counts of instructions are exact; cycles are only as good as this.
//
// Sources: 5-stage and 7-stage pipeline data collected in public measurements of the ESP32 at 240 MHz (taken branch
// about 4 cycles, integer division about 2 cycles per quotient in a stream, single-precision add/mul/madd 1 per cycle),
// GCC's xtensa.md latencies (load 2, multiply 2, float multiply-add 4, conversions 2).

import type { DecodedInstruction, InstructionRow } from '../backend-xtensa/isa/types.js';

/** Extra cycles of every taken branch, jump, call and return (pipeline bubbles). */
export const TAKEN_PENALTY = 2;
/** Extra cycle when the very next instruction uses what a load or multiply just produced. */
export const USE_PENALTY = 1;
/** Cycles to enter an exception or interrupt vector. */
export const EXCEPTION_ENTRY = 6;
/** Cycles that a core asleep in `waiti` is charged for the instruction itself. */
export const WAITI = 1;

const EXTRA: ReadonlyMap<string, number> = new Map([
  ['quos', 1],
  ['quou', 1],
  ['rems', 1],
  ['remu', 1],
  ['rsr', 1],
  ['wsr', 1],
  ['xsr', 1],
  ['isync', 6],
  ['rsync', 2],
  ['rfe', 4],
  ['rfi', 4],
  ['rfde', 4],
  ['s32c1i', 6],
]);

/** Cycles of one instruction when it does not branch. */
export function baseCycles(row: InstructionRow): number {
  let cycles = 1 + (EXTRA.get(row.name) ?? 0);
  const { flow } = row;
  if (flow === 'jump' || flow === 'jumpreg' || flow === 'call' || flow === 'callreg' || flow === 'return') {
    cycles += TAKEN_PENALTY;
  }
  return cycles;
}

/** True when the result of `row` comes one cycle too late for the instruction right behind it. */
function isLate(row: InstructionRow): boolean {
  return (
    row.access?.kind === 'load' ||
    row.access?.kind === 'load-store' ||
    row.feature === 'mul32' ||
    row.feature === 'mul32high' ||
    row.feature === 'mul16' ||
    row.feature === 'fp'
  );
}

/**
 * Cycles charged to `instruction`, the stall of a dependent successor included. The successor is the one behind it in
 * memory, so the cost belongs to the address and does not depend on the path taken.
 */
export function cyclesOf(instruction: DecodedInstruction, next: DecodedInstruction | undefined): number {
  let cycles = baseCycles(instruction.row);
  if (next !== undefined && isLate(instruction.row) && usesResult(instruction, next)) cycles += USE_PENALTY;
  return cycles;
}

function usesResult(producer: DecodedInstruction, consumer: DecodedInstruction): boolean {
  const produced = producer.row.operands;
  const consumed = consumer.row.operands;
  for (let i = 0; i < produced.length; i++) {
    const result = produced[i] as (typeof produced)[number];
    if (result.role === 'use' || (result.kind !== 'ar' && result.kind !== 'fr')) continue;
    for (let j = 0; j < consumed.length; j++) {
      const operand = consumed[j] as (typeof consumed)[number];
      if (operand.role !== 'def' && operand.kind === result.kind && consumer.operands[j] === producer.operands[i]) {
        return true;
      }
    }
  }
  return false;
}
