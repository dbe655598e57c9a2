// Register names of LX6 and what the CALL0 convention uses each address register for. Takes and gives numbers within a
// file; knows no allocation order and no windowed roles.

import type { RegisterFile } from './types.js';

/** Register files: name prefix and number of registers an instruction can name. */
export const REGISTER_FILES: { readonly [F in RegisterFile]: { readonly prefix: string; readonly size: number } } = {
  ar: { prefix: 'a', size: 16 },
  fr: { prefix: 'f', size: 16 },
  br: { prefix: 'b', size: 16 },
  mr: { prefix: 'm', size: 4 },
};

/** The assembler name, e.g. `a1`. */
export function registerName(file: RegisterFile, number: number): string {
  return REGISTER_FILES[file].prefix + number;
}

/** The number of a register by assembler name (`a3`; `sp` is a1), or undefined when the file has no such register. */
export function registerNumber(file: RegisterFile, name: string): number | undefined {
  if (file === 'ar' && name === 'sp') return 1;
  const { prefix, size } = REGISTER_FILES[file];
  if (!name.startsWith(prefix) || !/^(0|[1-9]\d?)$/.test(name.slice(prefix.length))) return undefined;
  const number = Number(name.slice(prefix.length));
  return number < size ? number : undefined;
}

export type Call0Role = 'return-address' | 'stack-pointer' | 'argument' | 'scratch' | 'callee-saved';

/** CALL0: a0 return address, a1 stack pointer, a2-a7 arguments (a2-a5 also results), a8-a11 scratch, a12-a15 saved. */
export function call0Role(register: number): Call0Role {
  if (register === 0) return 'return-address';
  if (register === 1) return 'stack-pointer';
  if (register <= 7) return 'argument';
  return register <= 11 ? 'scratch' : 'callee-saved';
}
