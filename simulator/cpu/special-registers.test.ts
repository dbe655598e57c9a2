import { describe, expect, it } from 'vitest';
import { SPECIAL_REGISTERS, USER_REGISTERS, systemRegisterNumber } from '../../backend-xtensa/isa/special-registers.js';
import { load } from '../test-support.js';
import { SR, UR } from './state.js';

describe('special registers', () => {
  it('have the numbers of the instruction table', () => {
    for (const [name, number] of Object.entries(SR)) {
      expect(systemRegisterNumber(SPECIAL_REGISTERS, name.toLowerCase()), name).toBe(number);
    }
    for (const [name, number] of Object.entries(UR)) {
      expect(systemRegisterNumber(USER_REGISTERS, name.toLowerCase()), name).toBe(number);
    }
  });
  it.each([
    ['sar', -1, 63],
    ['br', -1, 0xffff],
    ['acchi', 0x1ff, -1],
    ['vecbase', -1, ~0x3ff],
    ['windowstart', -1, 0xffff],
    ['cpenable', -1, 0xff],
    ['excsave1', 0x12345678, 0x12345678],
    ['misc3', -5, -5],
    ['scompare1', 77, 77],
  ] as [string, number, number][])('%s keeps its bits', (name, written, kept) => {
    const program = load(`wsr a2, ${name}; rsr a3, ${name}\nend: nop`);
    program.machine.setRegister(2, written);
    program.machine.run({ until: program.label('end') });
    expect(program.machine.getRegister(3)).toBe(kept);
  });
  it('xsr exchanges', () => {
    const program = load('wsr a2, sar; xsr a3, sar; rsr a4, sar\nend: nop');
    program.machine.setRegister(2, 5);
    program.machine.setRegister(3, 9);
    program.machine.run({ until: program.label('end') });
    expect([3, 4].map((i) => program.machine.getRegister(i))).toEqual([5, 9]);
  });
  it('ccount counts cycles and can be set', () => {
    const program = load('rsr a2, ccount; nop; nop; rsr a3, ccount; wsr a4, ccount; rsr a5, ccount\nend: nop');
    program.machine.setRegister(4, 1000);
    program.machine.run({ until: program.label('end') });
    expect(program.machine.getRegister(3) - program.machine.getRegister(2)).toBe(4);
    expect(program.machine.getRegister(5)).toBeLessThan(1010);
  });
  it('THREADPTR and FCR are user registers', () => {
    const program = load('wur a2, threadptr; rur a3, threadptr; wur a2, fcr; rur a4, fcr\nend: nop');
    program.machine.setRegister(2, -1);
    program.machine.run({ until: program.label('end') });
    expect([3, 4].map((i) => program.machine.getRegister(i))).toEqual([-1, 0x7f]);
  });
  it('hardware breakpoints are refused, switching them off is not', () => {
    const program = load('movi a2, 0; wsr a2, ibreakenable; movi a2, 1; wsr a2, ibreakenable');
    const stop = program.machine.run();
    expect([stop.reason, stop.fault?.kind, stop.instructions]).toEqual(['fault', 'unmodelled', 3]);
  });
});
