// Decoded instructions in, assembly text out: one syntax for listings, traces and bug reports, which llvm-mc and
// parse.ts read back. Knows no bytes and no symbol table beyond the function it is given.

import { registerName } from './registers.js';
import { SPECIAL_REGISTERS, USER_REGISTERS, systemRegisterName } from './special-registers.js';
import type { SystemAccess } from './special-registers.js';
import type { DecodedInstruction, OperandRole, OperandSpec } from './types.js';

export interface FormatOptions {
  /** A name for a target address, e.g. `memcpy+0x4`; undefined prints the address. */
  readonly symbolize?: (address: number) => string | undefined;
  /** Print targets as `.+8`, which assemblers take back, instead of as addresses. */
  readonly relativeTargets?: boolean;
}

/**
 * One line without indentation or comment, e.g. `l32i a2, a3, 4` or `beqz a2, 0x40080010`.
 * @param pc address of the instruction, for targets
 */
export function formatInstruction(instruction: DecodedInstruction, pc: number, options: FormatOptions = {}): string {
  const specs = instruction.row.operands;
  let text = instruction.row.name;
  for (let i = 0; i < specs.length; i++) {
    text += i === 0 ? ' ' : ', ';
    text += formatOperand(specs[i] as OperandSpec, instruction.operands[i] as number, pc, options);
  }
  return text;
}

function formatOperand(spec: OperandSpec, value: number, pc: number, options: FormatOptions): string {
  switch (spec.kind) {
    case 'ar':
    case 'fr':
    case 'br':
    case 'mr':
      return registerName(spec.kind, value);
    case 'simm':
    case 'uimm':
      return String(value);
    case 'pcrel':
      return formatTarget(value, pc, options);
    case 'sr':
      return systemRegisterName(SPECIAL_REGISTERS, value, ACCESS_OF_ROLE[spec.role]) ?? String(value);
    case 'ur':
      return systemRegisterName(USER_REGISTERS, value, ACCESS_OF_ROLE[spec.role]) ?? String(value);
  }
}

/** How an instruction with this role on a system register accesses it; decides the name of shared numbers. */
export const ACCESS_OF_ROLE: { readonly [R in OperandRole]: SystemAccess } = { use: 'r', def: 'w', usedef: 'x' };

function formatTarget(displacement: number, pc: number, options: FormatOptions): string {
  if (options.relativeTargets === true) return displacement < 0 ? `.${displacement}` : `.+${displacement}`;
  const address = (pc + displacement) >>> 0;
  return options.symbolize?.(address) ?? `0x${address.toString(16)}`;
}
