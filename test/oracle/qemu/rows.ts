// The instruction table, row by row, in QEMU and in the simulator. Takes how many operand sets each row gets and a seed,
// gives what was proved, what differs and what has no oracle. Prints nothing.

import { INSTRUCTIONS } from '../../../backend-xtensa/isa/table.js';
import { Random } from '../../../simulator/fuzz/random-program.js';
import { runInQemu, runInSimulator } from './bare.js';
import { BY_SEQUENCE, CaseMaker, WITHOUT_ORACLE } from './cases.js';
import type { Case } from './harness.js';
import { BLOCK_BYTES, describeBefore, differences, makeProgram } from './harness.js';

export interface RowDifference {
  readonly row: string;
  readonly text: string;
  readonly before: string;
  /** `register qemu / simulator` */
  readonly differences: readonly string[];
}

export interface RowReport {
  /** Rows judged on their own, and how many of all operand sets agreed. */
  readonly proved: readonly string[];
  readonly bySequence: readonly string[];
  readonly failed: readonly string[];
  readonly without: ReadonlyMap<string, string>;
  readonly operandSets: number;
  readonly differences: readonly RowDifference[];
}

/** Cases in one program: their code must be in reach of nothing but itself, their blocks in memory. */
const BATCH = 4000;

/**
 * @param sets operand sets of each row
 * @param only mnemonics to restrict the run to; empty: all
 */
export function proveRows(sets: number, seed: number, only: readonly string[] = [], translate = true): RowReport {
  const rows = INSTRUCTIONS.filter(
    ({ name }) => !WITHOUT_ORACLE.has(name) && (only.length === 0 || only.includes(name)),
  );
  const random = new Random(seed);
  const maker = new CaseMaker(random);
  const found: RowDifference[] = [];
  const queue = rows.flatMap((row) => Array.from({ length: sets }, () => row));
  for (let first = 0; first < queue.length; first += BATCH) {
    const cases: Case[] = queue.slice(first, first + BATCH).map((row, n) => maker.make(row, n));
    const program = makeProgram(cases);
    const theirs = runInQemu(program.qemu);
    const ours = runInSimulator(program.simulator, translate);
    for (const output of [theirs, ours]) {
      if (output.length !== cases.length * BLOCK_BYTES) throw new Error(`${output.length} bytes of results`);
    }
    cases.forEach((item, n) => {
      const block = (bytes: Uint8Array): Uint8Array => bytes.subarray(n * BLOCK_BYTES, (n + 1) * BLOCK_BYTES);
      const differing = differences(block(theirs), block(ours));
      if (differing.length === 0) return;
      found.push({ row: item.name, text: item.text, before: describeBefore(item), differences: differing });
    });
  }
  const failed = new Set(found.map(({ row }) => row));
  const good = rows.map(({ name }) => name).filter((name) => !failed.has(name));
  return {
    proved: good.filter((name) => !BY_SEQUENCE.has(name)),
    bySequence: good.filter((name) => BY_SEQUENCE.has(name)),
    failed: [...failed],
    without: WITHOUT_ORACLE,
    operandSets: queue.length,
    differences: found,
  };
}
