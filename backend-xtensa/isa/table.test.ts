// Tests of the table's own shape, of validation, and of the facts that no vector shows: roles, flow, privilege.

import { describe, expect, it } from 'vitest';
import { AR, row, uimm } from './rows/build.js';
import type { RowSpec } from './rows/build.js';
import { S, UIMM8, UIMM_S } from './fields.js';
import { decodeWord } from './decode.js';
import { isPrivileged } from './special-registers.js';
import { INSTRUCTIONS, Op, rowNamed, rowOf } from './table.js';
import { validateTable } from './validate.js';

const numbered = (...specs: RowSpec[]) => specs.map((spec, opcode) => ({ opcode, ...spec }));

describe('the table', () => {
  it('numbers rows by their place and names them in Op', () => {
    INSTRUCTIONS.forEach((instruction, index) => expect(instruction.opcode).toBe(index));
    expect(Object.keys(Op)).toHaveLength(INSTRUCTIONS.length);
    expect(rowOf(Op.L32I_N).name).toBe('l32i.n');
    expect(rowOf(Op.MULA_DA_LL_LDDEC).name).toBe('mula.da.ll.lddec');
    expect(rowNamed('muluh')?.opcode).toBe(Op.MULUH);
    expect(rowNamed('mulhu')).toBeUndefined();
    expect(() => rowOf(INSTRUCTIONS.length)).toThrow(/no instruction has opcode/);
  });

  it('has a target on every branch, jump, direct call and loop, and on l32r only besides', () => {
    const direct = new Set(['branch', 'jump', 'call', 'loop']);
    for (const instruction of INSTRUCTIONS) {
      const targets = instruction.operands.filter(({ kind }) => kind === 'pcrel').length;
      expect(targets, instruction.name).toBe(direct.has(instruction.flow) || instruction.name === 'l32r' ? 1 : 0);
    }
  });

  it('knows which operands are written', () => {
    const written = (op: number) => rowOf(op).operands.map(({ role }) => role);
    expect(written(Op.ADD)).toEqual(['def', 'use', 'use']);
    expect(written(Op.MOVEQZ)).toEqual(['usedef', 'use', 'use']);
    expect(written(Op.MADD_S)).toEqual(['usedef', 'use', 'use']);
    expect(written(Op.S32I)).toEqual(['use', 'use', 'use']);
    expect(written(Op.LSIP)).toEqual(['def', 'usedef', 'use']);
    expect(written(Op.S32C1I)).toEqual(['usedef', 'use', 'use']);
    expect(written(Op.XSR)).toEqual(['usedef', 'usedef']);
    expect(written(Op.WSR)).toEqual(['use', 'def']);
  });

  it('marks what only ring 0 may execute, special registers by number', () => {
    const privileged = (word: number) => isPrivileged(decodeWord(word, 0) ?? expect.fail('no instruction'));
    expect(privileged(0x130320)).toBe(false); // wsr a2, sar
    expect(privileged(0x130020)).toBe(false); // wsr a2, lbeg
    expect(privileged(0x13e620)).toBe(true); // wsr a2, ps
    expect(privileged(0x03ea20)).toBe(true); // rsr a2, ccount
    expect(privileged(0xe32e70)).toBe(false); // rur a2, threadptr
    expect(privileged(0x003000)).toBe(true); // rfe
    expect(privileged(0x006120)).toBe(true); // rsil a2, 1
    expect(privileged(0x800000)).toBe(false); // add a0, a0, a0
  });
});

describe('validation', () => {
  it('refuses an operand over a fixed bit', () => {
    expect(() => validateTable(numbered(row('x', 0x000302, [AR.s.d], 'core')))).toThrow(/fixes a bit/);
  });
  it('refuses two operands in one place', () => {
    const overlapping = [AR.s.d, uimm(UIMM_S)];
    expect(() => validateTable(numbered(row('x', 0x000002, overlapping, 'core')))).toThrow(/overlaps/);
  });
  it('refuses rows that match one word', () => {
    const one = row('one', 0x001002, [AR.t.d, AR.s.u, uimm(UIMM8)], 'core');
    const two = row('two', 0x001002, [AR.t.d, uimm(S), uimm(UIMM8)], 'core');
    expect(() => validateTable(numbered(one, two))).toThrow(/two and one match the same word/);
  });
  it('refuses a name twice, open bits and an open op0', () => {
    const spec = row('x', 0x001002, [AR.t.d, AR.s.u, uimm(UIMM8)], 'core');
    expect(() => validateTable(numbered(spec, spec))).toThrow(/two rows named x/);
    expect(() => validateTable(numbered({ ...spec, mask: spec.mask & ~0x1000, match: 2 }))).toThrow(/not every bit/);
    expect(() => validateTable(numbered({ ...spec, mask: spec.mask & ~1 }))).toThrow(/op0 open/);
  });
});
