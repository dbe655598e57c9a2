// One line of assembly in, opcode and operand values out. Refuses unknown mnemonics, wrong operands and values that do
// not fit with an AssemblyError; chooses no density form and relaxes nothing: what is written is what is encoded.

import { registerNumber } from './registers.js';
import { ACCESS_OF_ROLE } from './print.js';
import { SPECIAL_REGISTERS, USER_REGISTERS } from './special-registers.js';
import type { SystemRegister } from './special-registers.js';
import { rowNamed } from './table.js';
import type { DecodedInstruction, InstructionRow, OperandSpec } from './types.js';

/** A fault in assembly text. */
export class AssemblyError extends Error {
  override readonly name = 'AssemblyError';
}

/** What symbols mean while a line is parsed. */
export interface ParseContext {
  /** Address of the instruction: `.` in expressions, and the base of displacements. */
  readonly pc: number;
  readonly resolve?: (symbol: string) => number | undefined;
}

/** A line taken apart: mnemonic, and operand texts with aliases already rewritten. */
export interface SplitInstruction {
  readonly row: InstructionRow;
  readonly operands: readonly string[];
}

/** Parses `mnemonic operand, ...` (no label, no comment). @throws AssemblyError */
export function parseInstruction(text: string, context: ParseContext = { pc: 0 }): DecodedInstruction {
  const split = splitInstruction(text);
  return { row: split.row, opcode: split.row.opcode, operands: parseOperands(split, context) };
}

/** The row and operand texts of a line; needs no addresses, so that an assembler can size instructions first. */
export function splitInstruction(text: string): SplitInstruction {
  const match = /^\s*_?([a-z][a-z0-9._]*)\s*(.*?)\s*$/i.exec(text);
  if (match === null) throw new AssemblyError(`not an instruction: ${text.trim()}`);
  const name = (match[1] as string).toLowerCase();
  const rest = match[2] as string;
  const operands = rest === '' ? [] : rest.split(',').map((operand) => operand.trim());
  const row = rowNamed(name);
  if (row !== undefined) return { row, operands };
  const alias = splitAlias(name, operands);
  if (alias === undefined) throw new AssemblyError(`unknown mnemonic ${name}`);
  return alias;
}

/** `mov`, `bbci.l`/`bbsi.l` (little-endian bit numbers: the same), and `rsr.sar a2` for `rsr a2, sar`. */
function splitAlias(name: string, operands: readonly string[]): SplitInstruction | undefined {
  if (name === 'mov' && operands.length === 2) {
    return { row: rowNamed('or') as InstructionRow, operands: [...operands, operands[1] as string] };
  }
  if (name === 'bbci.l' || name === 'bbsi.l') {
    return { row: rowNamed(name.slice(0, 4)) as InstructionRow, operands };
  }
  const access = /^(rsr|wsr|xsr|rur|wur)\.(.+)$/.exec(name);
  if (access === null || operands.length !== 1) return undefined;
  return { row: rowNamed(access[1] as string) as InstructionRow, operands: [...operands, access[2] as string] };
}

/** Operand values of a split line. @throws AssemblyError */
export function parseOperands({ row, operands }: SplitInstruction, context: ParseContext): number[] {
  if (operands.length !== row.operands.length) {
    throw new AssemblyError(`${row.name} takes ${row.operands.length} operands, not ${operands.length}`);
  }
  return operands.map((text, i) => {
    const spec = row.operands[i] as OperandSpec;
    const value = parseOperand(spec, text, context);
    if (!spec.field.fits(value, context.pc)) {
      const range = `${spec.field.minimum(context.pc)}..${spec.field.maximum(context.pc)}`;
      throw new AssemblyError(`${row.name}: operand ${i + 1} (${text}) is ${value}, must be within ${range}`);
    }
    return value;
  });
}

function parseOperand(spec: OperandSpec, text: string, context: ParseContext): number {
  switch (spec.kind) {
    case 'ar':
    case 'fr':
    case 'br':
    case 'mr': {
      // GNU as writes the groups of any4/any8 in full, `b4:b5:b6:b7`: the first one names the group.
      const name = spec.kind === 'br' ? text.replace(/(:b\d+)+$/i, '') : text;
      const number = registerNumber(spec.kind, name.toLowerCase());
      if (number === undefined) throw new AssemblyError(`${text} is no ${spec.kind} register`);
      return number;
    }
    case 'simm':
    case 'uimm':
      return evaluate(text, context);
    case 'pcrel':
      // Through 32 bits, so that code near the ends of the address space reaches around.
      return (evaluate(text, context) - context.pc) | 0;
    case 'sr':
      return systemNumber(SPECIAL_REGISTERS, spec, text);
    case 'ur':
      return systemNumber(USER_REGISTERS, spec, text);
  }
}

function systemNumber(file: readonly SystemRegister[], spec: OperandSpec, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const access = ACCESS_OF_ROLE[spec.role];
  const found = file.find((register) => register.name === text.toLowerCase() && register.access.includes(access));
  if (found === undefined) throw new AssemblyError(`${text} is no register this instruction can access`);
  return found.number;
}

/** Evaluates a sum of numbers, symbols and `.`: `label+4`, `.-8`, `-1`, `0x40080000`. @throws AssemblyError */
export function evaluate(text: string, context: ParseContext): number {
  let sum = 0;
  let position = 0;
  const term = /\s*([+-]?)\s*(0x[0-9a-f]+|\d+(?:[fb](?![\w.$]))?|[a-z_.$][\w.$!]*)\s*/iy;
  while (position < text.length) {
    term.lastIndex = position;
    const match = term.exec(text);
    if (match === null || (match[1] === '' && position > 0)) throw new AssemblyError(`bad expression: ${text}`);
    const value = termValue(match[2] as string, context);
    sum += match[1] === '-' ? -value : value;
    position = term.lastIndex;
  }
  if (position === 0) throw new AssemblyError('empty expression');
  return sum;
}

function termValue(term: string, context: ParseContext): number {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(term)) return Number(term);
  if (term === '.') return context.pc;
  const value = context.resolve?.(term);
  if (value === undefined) throw new AssemblyError(`undefined symbol ${term}`);
  return value;
}
