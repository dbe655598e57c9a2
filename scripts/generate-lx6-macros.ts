// Takes the instruction table, writes rt-stubs/include/lx6-insns.h: GNU assembler macros, named like the mnemonics, for
// those LX6 instructions that an assembler configured for lx106 (Debian's xtensa-lx106-elf-as) refuses. Refuses to
// guess: an operand that is no linear function of its field bits stops the generator.
//
//   npx tsx scripts/generate-lx6-macros.ts [--check]      --check compares instead of writing, exit code 1 on drift

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { INSTRUCTIONS } from '../backend-xtensa/isa/table.js';
import { SPECIAL_REGISTERS, USER_REGISTERS } from '../backend-xtensa/isa/special-registers.js';
import type { SystemRegister } from '../backend-xtensa/isa/special-registers.js';
import type { FieldCodec, InstructionRow, IsaFeature, OperandSpec } from '../backend-xtensa/isa/types.js';

const OUTPUT = resolve(fileURLToPath(import.meta.url), '../../rt-stubs/include/lx6-insns.h');

/** Options LX6 has and lx106 has not; `windowed` without its direct calls, which need a relocation. */
const MISSING_FEATURES: ReadonlySet<IsaFeature> = new Set<IsaFeature>([
  'windowed',
  'loop',
  'mul32high',
  'div32',
  'mac16',
  'minmax',
  'sext',
  'clamps',
  'boolean',
  'fp',
  'fpstep',
  's32c1i',
  'sync',
  'externalregs',
]);
const NEEDS_RELOCATION: ReadonlySet<string> = new Set(['call4', 'call8', 'call12']);

/** Special registers lx106 has, so that its assembler takes `rsr.NAME` and friends itself. */
// prettier-ignore
const LX106_REGISTERS: ReadonlySet<string> = new Set([
  'sar', 'ddr', 'epc1', 'epc2', 'epc3', 'depc', 'eps2', 'eps3', 'excsave1', 'excsave2', 'excsave3', 'interrupt',
  'intset', 'intclear', 'intenable', 'ps', 'vecbase', 'exccause', 'debugcause', 'ccount', 'prid', 'icount',
  'icountlevel', 'excvaddr', 'ccompare0', 'ibreakenable', 'ibreaka0', 'dbreaka0', 'dbreakc0',
]);

/** The rows that get a macro under their own mnemonic. */
export function rowsWithMacro(): InstructionRow[] {
  return INSTRUCTIONS.filter((row) => MISSING_FEATURES.has(row.feature) && !NEEDS_RELOCATION.has(row.name));
}

/** `value = scale * unit + bias`, or an error for a field that is not of this kind. */
function linear(field: FieldCodec): { scale: number; bias: number } {
  const bias = field.fromRaw(0, 0);
  const scale = field.fromRaw(1, 0) - bias;
  const width = field.spans.reduce((bits, [high, low]) => bits + high - low + 1, 0);
  for (let raw = 0; raw < 1 << width; raw++) {
    if (field.toRaw(field.fromRaw(raw, 0), 0) !== raw || field.toRaw(bias + scale * raw, 0) !== raw) {
      throw new Error(`field ${field.name} is not linear: no macro can encode it`);
    }
  }
  return { scale, bias };
}

/** The assembler expression that puts `value` into the field's place in the instruction word. */
function placed(value: string, operand: OperandSpec): string {
  const { scale, bias } = linear(operand.field);
  let unit = bias === 0 ? value : `(${value}-(${bias}))`;
  if (scale !== 1) unit = `(${unit}/${scale})`;
  let rest = 0;
  const parts: string[] = [];
  for (const [high, low] of [...operand.field.spans].reverse()) {
    const mask = (1 << (high - low + 1)) - 1;
    parts.push(`(((${unit}>>${rest})&${mask})<<${low})`);
    rest += high - low + 1;
  }
  return parts.join('|');
}

/** One macro. Parameters are named by position; registers become numbers through the `.Llx6_` symbols. */
function macro(row: InstructionRow): string[] {
  const parameters = row.operands.map((_, i) => `x${i}`);
  const lines = [`.macro ${row.name}${parameters.length > 0 ? ' ' + parameters.join(', ') : ''}`];
  const word: string[] = [`0x${row.match.toString(16)}`];
  let target: string | undefined;
  row.operands.forEach((operand, i) => {
    const argument = `\\x${i}`;
    if (operand.kind === 'pcrel') {
      if (operand.field.wordMask !== 0xff0000) throw new Error(`${row.name}: target is not the third byte`);
      target = `(${argument}) - .Llx6_pc\\@ - 4`;
    } else if (operand.kind === 'simm' || operand.kind === 'uimm') {
      const [low, high] = [operand.field.minimum(0), operand.field.maximum(0)];
      const { scale } = linear(operand.field);
      const misaligned = scale > 1 ? ` || (((${argument}) % ${scale}) != 0)` : '';
      lines.push(`.if ((${argument}) < ${low}) || ((${argument}) > ${high})${misaligned}`);
      lines.push(
        `.error "${row.name}: operand ${i + 1} must be ${low}..${high}${scale > 1 ? `, a multiple of ${scale}` : ''}"`,
      );
      lines.push('.endif');
      word.push(placed(`(${argument})`, operand));
    } else {
      word.push(placed(`.Llx6_${operand.kind}_${argument}`, operand));
    }
  });
  const value = word.join('|');
  const bytes = [0, 8, 16].slice(0, row.size).map((shift) => `((${value})>>${shift})&0xff`);
  if (target !== undefined) {
    lines.push('.Llx6_pc\\@:');
    bytes[2] = target;
  }
  lines.push(`.byte ${bytes.join(', ')}`, '.endm');
  return lines;
}

/** `rsr.lbeg a2` and the like: a register access with the register in the mnemonic. */
function accessMacro(name: string, row: InstructionRow, register: SystemRegister): string[] {
  const [ar, number] = row.operands as [OperandSpec, OperandSpec];
  const fixed = row.match | number.field.place(register.number);
  const value = `0x${fixed.toString(16)}|${placed('.Llx6_ar_\\x0', ar)}`;
  const bytes = [0, 8, 16].map((shift) => `((${value})>>${shift})&0xff`);
  return [`.macro ${name}.${register.name} x0`, `.byte ${bytes.join(', ')}`, '.endm'];
}

function registerSymbols(): string[] {
  const lines: string[] = [];
  for (let i = 0; i < 16; i++) {
    for (const [kind, letter] of [
      ['ar', 'a'],
      ['fr', 'f'],
      ['br', 'b'],
    ] as const) {
      lines.push(`.set .Llx6_${kind}_${letter}${i}, ${i}`);
    }
  }
  lines.push('.set .Llx6_ar_sp, 1');
  for (let i = 0; i < 4; i++) lines.push(`.set .Llx6_mr_m${i}, ${i}`);
  return lines;
}

/** The assembler lines of the whole header. */
export function macroLines(): string[] {
  const lines = registerSymbols();
  for (const row of rowsWithMacro()) lines.push(...macro(row));
  for (const row of INSTRUCTIONS) {
    if (row.name === 'rur' || row.name === 'wur') {
      for (const register of USER_REGISTERS) lines.push(...accessMacro(row.name, row, register));
    } else if (row.name === 'rsr' || row.name === 'wsr' || row.name === 'xsr') {
      for (const register of SPECIAL_REGISTERS) {
        if (LX106_REGISTERS.has(register.name) || !register.access.includes(row.name.charAt(0))) continue;
        lines.push(...accessMacro(row.name, row, register));
      }
    }
  }
  return lines;
}

/** The header's text: raw lines for .S files, one top-level asm for C. */
export function header(): string {
  const lines = macroLines();
  return `/* GNU assembler macros for the LX6 instructions that an lx106 assembler refuses: takes the mnemonics with a0-a15 (sp),
 * f0-f15, b0-b15, m0-m3, gives their bytes; knows no register allocation. Works in .S files and, included once per
 * translation unit, in C inline assembly: __asm__("muluh %0, %1, %2" : "=a"(hi) : "a"(x), "a"(y)).
 * Targets of loops and of bt/bf are labels; \`.\` within a target is not the instruction's own address.
 * Generated by scripts/generate-lx6-macros.ts from backend-xtensa/isa: do not edit. */
#ifndef LX6_INSNS_H
#define LX6_INSNS_H
#if defined(__XTENSA__)
#if defined(__ASSEMBLER__)
${lines.join('\n')}
#else
__asm__(
${lines.map((line) => `"${line.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}\\n"`).join('\n')}
);
#endif
#endif
#endif
`;
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const text = header();
  if (process.argv.includes('--check')) {
    if (readFileSync(OUTPUT, 'utf8') !== text) {
      console.error('rt-stubs/include/lx6-insns.h is not what scripts/generate-lx6-macros.ts writes');
      process.exitCode = 1;
    }
  } else {
    writeFileSync(OUTPUT, text);
  }
}
