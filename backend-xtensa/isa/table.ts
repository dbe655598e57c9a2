// The one table of ESP32's LX6 instructions (decision D4): families concatenated, numbered, validated. Gives
// INSTRUCTIONS, Op and lookups by opcode and name; knows no bytes (encode.ts, decode.ts) and no text (print.ts).
// Encodings: Xtensa ISA reference, proved row by row against outside tools (test/oracle/isa).

import { InternalError } from '../../compiler/diagnostics.js';
import { CONTROL_ROWS } from './rows/control.js';
import { CORE_ROWS } from './rows/core.js';
import { FLOAT_ROWS } from './rows/float.js';
import { MAC16_ROWS } from './rows/mac16.js';
import { MEMORY_ROWS } from './rows/memory.js';
import { SYSTEM_ROWS } from './rows/system.js';
import type { InstructionRow } from './types.js';
import { validateTable } from './validate.js';

const FAMILIES = [...CORE_ROWS, ...MEMORY_ROWS, ...CONTROL_ROWS, ...FLOAT_ROWS, ...MAC16_ROWS, ...SYSTEM_ROWS] as const;

/** Mnemonics the table knows, as literal types. */
export type Mnemonic = (typeof FAMILIES)[number]['name'];

type OpName<N extends string> = N extends `${infer Head}.${infer Tail}`
  ? `${Uppercase<Head>}_${OpName<Tail>}`
  : Uppercase<N>;

/** All rows; a row's index is its opcode. Every row has the same property order, so readers stay monomorphic. */
export const INSTRUCTIONS: readonly InstructionRow[] = FAMILIES.map((spec, opcode) => ({ opcode, ...spec }));
validateTable(INSTRUCTIONS);

/** Opcode by mnemonic in upper case with `_` for `.`: Op.ADD, Op.L32I_N, Op.MADD_S. */
export const Op = Object.freeze(
  Object.fromEntries(INSTRUCTIONS.map((row) => [row.name.toUpperCase().replaceAll('.', '_'), row.opcode])),
) as { readonly [N in Mnemonic as OpName<N>]: number };

const BY_NAME: ReadonlyMap<string, InstructionRow> = new Map(INSTRUCTIONS.map((row) => [row.name, row]));

/** The row of an opcode. @throws InternalError on a number that is no opcode. */
export function rowOf(op: number): InstructionRow {
  const row = INSTRUCTIONS[op];
  if (row === undefined) throw new InternalError(`no instruction has opcode ${op}`);
  return row;
}

/** The row of a mnemonic, or undefined. */
export function rowNamed(name: string): InstructionRow | undefined {
  return BY_NAME.get(name);
}
