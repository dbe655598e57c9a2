// Checks an instruction table at load: each row against itself and all rows against each other. Takes rows, throws on
// the first fault. Knows no instruction.

import { InternalError } from '../../compiler/diagnostics.js';
import type { InstructionRow } from './types.js';

/** @throws InternalError naming the faulty row or pair of rows. */
export function validateTable(rows: readonly InstructionRow[]): void {
  const names = new Set<string>();
  for (const row of rows) {
    if (names.has(row.name)) throw new InternalError(`isa table: two rows named ${row.name}`);
    names.add(row.name);
    validateRow(row);
  }
  // Two rows clash when some word satisfies both: no bit fixed in both may then differ. Sizes never clash because
  // op0 is fixed in every row.
  for (let i = 0; i < rows.length; i++) {
    const a = rows[i] as InstructionRow;
    for (let j = 0; j < i; j++) {
      const b = rows[j] as InstructionRow;
      if (((a.match ^ b.match) & a.mask & b.mask) === 0) {
        throw new InternalError(`isa table: ${a.name} and ${b.name} match the same word`);
      }
    }
  }
}

function validateRow(row: InstructionRow): void {
  const all = row.size === 2 ? 0xffff : 0xffffff;
  if ((row.mask & 15) !== 15) throw new InternalError(`isa table: ${row.name} leaves op0 open`);
  if ((row.match & ~row.mask) !== 0) throw new InternalError(`isa table: ${row.name} fixes a bit that an operand owns`);
  let taken = row.mask;
  for (const operand of row.operands) {
    const bits = operand.field.wordMask;
    if ((taken & bits) !== 0) throw new InternalError(`isa table: ${row.name}: operand ${operand.name} overlaps`);
    taken |= bits;
  }
  if (taken !== all) throw new InternalError(`isa table: ${row.name} covers ${taken.toString(16)}, not every bit`);
}
