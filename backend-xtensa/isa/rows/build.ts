// Builders that turn one line of an instruction family into a table row. Takes mnemonic, fixed bits and operands,
// gives a RowSpec. Knows no family and does no cross-row checks (validate.ts).

import type {
  FieldCodec,
  FlowKind,
  InstructionRow,
  IsaFeature,
  MemoryAccess,
  OperandRole,
  OperandSpec,
} from '../types.js';
import type { OperandKind } from '../types.js';
import * as F from '../fields.js';

/** A row before it has its place (opcode) in the table. The name's literal type makes `Op` fully typed. */
export interface RowSpec<N extends string = string> extends Omit<InstructionRow, 'opcode' | 'name'> {
  readonly name: N;
}

export interface RowExtras {
  readonly flow?: FlowKind;
  readonly access?: MemoryAccess;
  readonly uses?: readonly string[];
  readonly defs?: readonly string[];
  readonly privileged?: boolean;
}

const NOTHING: readonly string[] = [];

/** Bits of a word that a density (16-bit) or a normal (24-bit) instruction has; op0 8..13 is density. */
export function sizeOfOp0(word: number): 2 | 3 {
  const op0 = word & 15;
  return op0 >= 8 && op0 <= 13 ? 2 : 3;
}

/** One row. `word` holds all fixed bits; every bit no operand occupies is fixed. */
export function row<const N extends string>(
  name: N,
  word: number,
  operands: readonly OperandSpec[],
  feature: IsaFeature,
  extras: RowExtras = {},
): RowSpec<N> {
  const size = sizeOfOp0(word);
  let mask = size === 2 ? 0xffff : 0xffffff;
  for (const operand of operands) mask &= ~operand.field.wordMask;
  return {
    name,
    size,
    match: word,
    mask,
    operands,
    feature,
    flow: extras.flow ?? 'next',
    access: extras.access,
    implicitUses: extras.uses ?? NOTHING,
    implicitDefs: extras.defs ?? NOTHING,
    privileged: extras.privileged ?? false,
  };
}

const operand = (name: string, kind: OperandKind, role: OperandRole, field: FieldCodec): OperandSpec => ({
  name,
  kind,
  role,
  field,
});

/** The three roles of one register field: d(efined), u(sed), m(odified). */
interface Roles {
  readonly d: OperandSpec;
  readonly u: OperandSpec;
  readonly m: OperandSpec;
}
const roles = (name: string, kind: OperandKind, field: FieldCodec): Roles => ({
  d: operand(name, kind, 'def', field),
  u: operand(name, kind, 'use', field),
  m: operand(name, kind, 'usedef', field),
});

/** Address registers by format nibble: `AR.r.d` is "defines the AR named in nibble r". */
export const AR = { r: roles('ar', 'ar', F.R), s: roles('as', 'ar', F.S), t: roles('at', 'ar', F.T) };
/** Floating-point registers. */
export const FR = { r: roles('fr', 'fr', F.R), s: roles('fs', 'fr', F.S), t: roles('ft', 'fr', F.T) };
/** Boolean registers, and the first of a group of four or eight. */
export const BR = { r: roles('br', 'br', F.R), s: roles('bs', 'br', F.S), t: roles('bt', 'br', F.T) };
export const BR4 = operand('bs', 'br', 'use', F.BS4);
export const BR8 = operand('bs', 'br', 'use', F.BS8);
/** MAC16 registers: x in {m0, m1}, y in {m2, m3}, w any. */
export const MR = { x: roles('mx', 'mr', F.MX), y: roles('my', 'mr', F.MY), w: roles('mw', 'mr', F.MW) };

/** Unsigned immediate, signed immediate, pc-relative target. */
export const uimm = (field: FieldCodec): OperandSpec => operand('imm', 'uimm', 'use', field);
export const simm = (field: FieldCodec): OperandSpec => operand('imm', 'simm', 'use', field);
export const label = (field: FieldCodec): OperandSpec => operand('label', 'pcrel', 'use', field);
/** Special and user register numbers; the role says what the instruction does to that register. */
export const special = (role: OperandRole, field: FieldCodec): OperandSpec => operand('sr', 'sr', role, field);
export const user = (role: OperandRole, field: FieldCodec): OperandSpec => operand('ur', 'ur', role, field);

export const load = (bytes: 1 | 2 | 4): MemoryAccess => ({ kind: 'load', bytes });
export const store = (bytes: 1 | 2 | 4): MemoryAccess => ({ kind: 'store', bytes });
