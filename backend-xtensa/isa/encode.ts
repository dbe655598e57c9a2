// Opcode and operand values in, instruction word out. Refuses values that do not fit (our bug, not the user's); knows
// no labels, no relaxation and no byte buffer.

import { InternalError } from '../../compiler/diagnostics.js';
import { INSTRUCTIONS } from './table.js';
import type { InstructionRow } from './types.js';

/**
 * The instruction's little-endian word of `rowOf(op).size` bytes.
 * @param operands semantic values in assembler order (types.ts, OperandKind); targets are target - pc
 * @param pc address of the instruction; only its low two bits matter, and only for L32R and CALLn
 * @throws InternalError when a value does not fit or the operand count is wrong
 */
export function encode(op: number, operands: readonly number[], pc = 0): number {
  const row = INSTRUCTIONS[op];
  if (row === undefined) throw new InternalError(`no instruction has opcode ${op}`);
  const specs = row.operands;
  if (operands.length !== specs.length) throw misfit(row, operands, pc);
  let word = row.match;
  for (let i = 0; i < specs.length; i++) {
    const field = (specs[i] as (typeof specs)[number]).field;
    const value = operands[i] as number;
    if (!field.fits(value, pc)) throw misfit(row, operands, pc);
    word |= field.place(field.toRaw(value, pc));
  }
  return word;
}

/** True when `encode` would accept these operands. */
export function fits(op: number, operands: readonly number[], pc = 0): boolean {
  const row = INSTRUCTIONS[op];
  if (row === undefined || operands.length !== row.operands.length) return false;
  for (let i = 0; i < operands.length; i++) {
    if (!operandFits(op, i, operands[i] as number, pc)) return false;
  }
  return true;
}

/** True when `value` can be operand `index` of `op`. */
export function operandFits(op: number, index: number, value: number, pc = 0): boolean {
  return INSTRUCTIONS[op]?.operands[index]?.field.fits(value, pc) ?? false;
}

function misfit(row: InstructionRow, operands: readonly number[], pc: number): InternalError {
  const wanted = row.operands.map(
    ({ name, field }) => `${name} ${field.minimum(pc)}..${field.maximum(pc)} (${field.name})`,
  );
  return new InternalError(`cannot encode ${row.name} ${operands.join(', ')} at pc ${pc}: wants ${wanted.join(', ')}`);
}
