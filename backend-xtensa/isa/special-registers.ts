// Names and numbers of the ESP32's special registers (rsr/wsr/xsr) and user registers (rur/wur), and who may touch
// them. Knows nothing of their contents or of what writing one does.

import type { DecodedInstruction } from './types.js';

export interface SystemRegister {
  readonly name: string;
  readonly number: number;
  /** Which of rsr/rur, wsr/wur and xsr exist: letters out of `rwx`. */
  readonly access: string;
}

const sr = (number: number, name: string, access = 'rwx'): SystemRegister => ({ name, number, access });

/**
 * The special registers of ESP32's LX6. One number may have two names (226 reads as INTERRUPT and writes as INTSET).
 * Source: Xtensa ISA reference, section 5.3; the subset is what LLVM's `esp32` accepts.
 */
export const SPECIAL_REGISTERS: readonly SystemRegister[] = [
  sr(0, 'lbeg'),
  sr(1, 'lend'),
  sr(2, 'lcount'),
  sr(3, 'sar'),
  sr(4, 'br'),
  sr(12, 'scompare1'),
  sr(16, 'acclo'),
  sr(17, 'acchi'),
  sr(32, 'm0'),
  sr(33, 'm1'),
  sr(34, 'm2'),
  sr(35, 'm3'),
  sr(72, 'windowbase'),
  sr(73, 'windowstart'),
  sr(96, 'ibreakenable'),
  sr(97, 'memctl'),
  sr(99, 'atomctl'),
  sr(104, 'ddr'),
  sr(128, 'ibreaka0'),
  sr(129, 'ibreaka1'),
  sr(144, 'dbreaka0'),
  sr(145, 'dbreaka1'),
  sr(160, 'dbreakc0'),
  sr(161, 'dbreakc1'),
  sr(176, 'configid0', 'rw'),
  sr(177, 'epc1'),
  sr(178, 'epc2'),
  sr(179, 'epc3'),
  sr(180, 'epc4'),
  sr(181, 'epc5'),
  sr(182, 'epc6'),
  sr(183, 'epc7'),
  sr(192, 'depc'),
  sr(194, 'eps2'),
  sr(195, 'eps3'),
  sr(196, 'eps4'),
  sr(197, 'eps5'),
  sr(198, 'eps6'),
  sr(199, 'eps7'),
  sr(208, 'configid1', 'r'),
  sr(209, 'excsave1'),
  sr(210, 'excsave2'),
  sr(211, 'excsave3'),
  sr(212, 'excsave4'),
  sr(213, 'excsave5'),
  sr(214, 'excsave6'),
  sr(215, 'excsave7'),
  sr(224, 'cpenable'),
  sr(226, 'interrupt', 'r'),
  sr(226, 'intset', 'w'),
  sr(227, 'intclear', 'w'),
  sr(228, 'intenable'),
  sr(230, 'ps'),
  sr(231, 'vecbase'),
  sr(232, 'exccause'),
  sr(233, 'debugcause', 'r'),
  sr(234, 'ccount'),
  sr(235, 'prid', 'r'),
  sr(236, 'icount'),
  sr(237, 'icountlevel'),
  sr(238, 'excvaddr'),
  sr(240, 'ccompare0'),
  sr(241, 'ccompare1'),
  sr(242, 'ccompare2'),
  sr(244, 'misc0'),
  sr(245, 'misc1'),
  sr(246, 'misc2'),
  sr(247, 'misc3'),
];

/** User registers of ESP32's LX6: the thread pointer, FPU control and status, and the double accelerator's state. */
export const USER_REGISTERS: readonly SystemRegister[] = [
  sr(231, 'threadptr', 'rw'),
  sr(232, 'fcr', 'rw'),
  sr(233, 'fsr', 'rw'),
  sr(234, 'f64r_lo', 'rw'),
  sr(235, 'f64r_hi', 'rw'),
  sr(236, 'f64s', 'rw'),
];

/** What an instruction does with the register: read (rsr, rur), write (wsr, wur) or exchange (xsr). */
export type SystemAccess = 'r' | 'w' | 'x';

/** The numbers of a file that allow `access`. */
export function numbersWith(file: readonly SystemRegister[], access: SystemAccess): number[] {
  return file.filter((register) => register.access.includes(access)).map((register) => register.number);
}

/** The register's name under `access`, or undefined when that access does not exist. */
export function systemRegisterName(
  file: readonly SystemRegister[],
  number: number,
  access: SystemAccess,
): string | undefined {
  return file.find((register) => register.number === number && register.access.includes(access))?.name;
}

/** The register's number by name (any access), or undefined. */
export function systemRegisterNumber(file: readonly SystemRegister[], name: string): number | undefined {
  return file.find((register) => register.name === name)?.number;
}

/** Special registers from 64 on are reserved to ring 0 (ISA reference, RSR: PrivilegedCause if sr >= 64). */
export const FIRST_PRIVILEGED_SR = 64;

/** True when only ring 0 may execute this very instruction, special register operand included. */
export function isPrivileged(instruction: DecodedInstruction): boolean {
  const { row, operands } = instruction;
  for (let i = 0; i < operands.length; i++) {
    if (row.operands[i]?.kind === 'sr') return (operands[i] as number) >= FIRST_PRIVILEGED_SR;
  }
  return row.privileged;
}
