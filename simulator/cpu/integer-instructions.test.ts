import { describe, expect, it } from 'vitest';
import { INSTRUCTIONS } from '../../backend-xtensa/isa/table.js';
import { DATA, execute, load } from '../test-support.js';
import { HANDLERS } from './handlers.js';
import { TEMPLATES } from './templates.js';

/** a2, a3, ... -> a2 after the instruction. */
function result(source: string, ...args: number[]): number {
  const { machine, stop } = execute(source, args);
  expect(stop.reason).toBe('breakpoint');
  return machine.getRegister(2);
}

const MIN = -0x80000000;
const MAX = 0x7fffffff;

describe('coverage', () => {
  it('every row of the instruction table has semantics, and no semantics lack a row', () => {
    const known = new Set([
      ...Object.keys(TEMPLATES.plain),
      ...Object.keys(TEMPLATES.branch),
      ...Object.keys(HANDLERS),
    ]);
    const rows = new Set(INSTRUCTIONS.map((row) => row.name));
    expect([...rows].filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !rows.has(name))).toEqual([]);
  });
  it('no instruction has two semantics', () => {
    const twice = Object.keys(TEMPLATES.plain).filter((name) => name in HANDLERS || name in TEMPLATES.branch);
    expect(twice).toEqual([]);
  });
});

describe('arithmetic', () => {
  it.each([
    ['add a2, a2, a3', [MAX, 1], MIN],
    ['add.n a2, a2, a3', [5, -7], -2],
    ['addx2 a2, a2, a3', [0x40000001, 1], MIN + 3],
    ['addx4 a2, a2, a3', [3, 5], 17],
    ['addx8 a2, a2, a3', [-1, 9], 1],
    ['sub a2, a2, a3', [MIN, 1], MAX],
    ['subx2 a2, a2, a3', [3, 10], -4],
    ['subx4 a2, a2, a3', [3, 10], 2],
    ['subx8 a2, a2, a3', [3, 10], 14],
    ['addi a2, a2, -128', [0], -128],
    ['addi.n a2, a2, -1', [MIN], MAX],
    ['addmi a2, a2, -32768', [1], -32767],
    ['neg a2, a2', [MIN], MIN],
    ['abs a2, a2', [MIN], MIN],
    ['abs a2, a2', [-5], 5],
    ['movi a2, -2048', [], -2048],
    ['movi.n a2, 95', [], 95],
    ['moveqz a2, a3, a4', [1, 2, 0], 2],
    ['movnez a2, a3, a4', [1, 2, 0], 1],
    ['movltz a2, a3, a4', [1, 2, -1], 2],
    ['movgez a2, a3, a4', [1, 2, -1], 1],
    ['slli a2, a2, 31', [3], MIN],
    ['slli a2, a2, 1', [MIN], 0],
    ['srai a2, a2, 31', [MIN], -1],
    ['srli a2, a2, 15', [-1], 0x1ffff],
    ['extui a2, a2, 4, 16', [0x12345678], 0x4567],
    ['extui a2, a2, 31, 1', [MIN], 1],
    ['ssl a3; sll a2, a2', [1, 31], MIN],
    ['ssl a3; sll a2, a2', [0x1234, 32], 0x1234],
    ['ssl a3; sll a2, a2', [0x1234, 0], 0x1234],
    ['ssr a3; srl a2, a2', [-1, 31], 1],
    ['ssr a3; sra a2, a2', [MIN, 33], MIN >> 1],
    ['ssai 8; src a2, a2, a3', [0x12345678, 0x9abcdef0 | 0], 0x789abcde],
    ['ssai 0; src a2, a2, a3', [1, 0x55], 0x55],
    ['ssl a4; src a2, a2, a3', [0x12345678, -1, 0], 0x12345678],
    ['ssa8l a4; src a2, a2, a3', [0x11223344, 0x55667788, 3], 0x22334455],
    ['ssa8b a4; src a2, a2, a3', [0x11223344, 0x55667788, 1], 0x22334455],
    ['movi a4, 32; wsr a4, sar; srl a2, a2', [-1], 0],
    ['movi a4, 63; wsr a4, sar; sra a2, a2', [MIN], -1],
    ['movi a4, 0; wsr a4, sar; sll a2, a2', [7], 0],
    ['nsa a2, a2', [0], 31],
    ['nsa a2, a2', [-1], 31],
    ['nsa a2, a2', [MIN], 0],
    ['nsa a2, a2', [0x0000ffff], 15],
    ['nsau a2, a2', [0], 32],
    ['nsau a2, a2', [1], 31],
    ['sext a2, a2, 7', [0x80], -128],
    ['sext a2, a2, 22', [0x00400000], -0x400000],
    ['clamps a2, a2, 7', [1000], 127],
    ['clamps a2, a2, 7', [-1000], -128],
    ['clamps a2, a2, 22', [-5], -5],
    ['min a2, a2, a3', [-1, 1], -1],
    ['minu a2, a2, a3', [-1, 1], 1],
    ['max a2, a2, a3', [-1, 1], 1],
    ['maxu a2, a2, a3', [-1, 1], -1],
    ['mul16u a2, a2, a3', [-1, -1], 0xfffe0001 | 0],
    ['mul16s a2, a2, a3', [0x8000, 0x7fff], -0x3fff8000],
    ['mull a2, a2, a3', [0x12345678, 0x9abcdef0 | 0], 0x242d2080],
    ['muluh a2, a2, a3', [-1, -1], -2],
    ['muluh a2, a2, a3', [0x12345678, 0x9abcdef0 | 0], 0x0b00ea4e],
    ['mulsh a2, a2, a3', [-1, -1], 0],
    ['mulsh a2, a2, a3', [MIN, MIN], 0x40000000],
    ['mulsh a2, a2, a3', [MIN, 1], -1],
    ['quou a2, a2, a3', [-1, 2], MAX],
    ['quos a2, a2, a3', [-7, 2], -3],
    ['quos a2, a2, a3', [MIN, -1], MIN],
    ['remu a2, a2, a3', [-1, 10], 5],
    ['rems a2, a2, a3', [-7, 2], -1],
    ['rems a2, a2, a3', [MIN, -1], 0],
    ['rems a2, a2, a3', [6, -3], 0],
    ['and a2, a2, a3', [0xff0, 0x0ff], 0x0f0],
    ['or a2, a2, a3', [0xff0, 0x0ff], 0xfff],
    ['xor a2, a2, a3', [0xff0, 0x0ff], 0xf0f],
  ] as [string, number[], number][])('%s of %j', (source, args, expected) => {
    expect(result(source, ...args)).toBe(expected);
  });

  it('MULUH and MULSH agree with 64-bit arithmetic on extremes', () => {
    const values = [0, 1, 2, 0xffff, 0x10000, 0x10001, 0xffff0000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
    for (const a of values) {
      for (const b of values) {
        const unsigned = Number(BigInt.asIntN(32, (BigInt(a) * BigInt(b)) >> 32n));
        const signed = Number(BigInt.asIntN(32, (BigInt(a | 0) * BigInt(b | 0)) >> 32n));
        expect(result('muluh a2, a2, a3', a, b)).toBe(unsigned);
        expect(result('mulsh a2, a2, a3', a, b)).toBe(signed);
      }
    }
  });
});

describe('booleans', () => {
  it.each([
    ['andb b0, b1, b2', 0b110, 1],
    ['andbc b0, b1, b2', 0b010, 1],
    ['andbc b0, b1, b2', 0b110, 0],
    ['orb b0, b1, b2', 0b100, 1],
    ['orbc b0, b1, b2', 0b000, 1],
    ['xorb b0, b1, b2', 0b110, 0],
    ['any4 b0, b4', 0b0010_0000, 1],
    ['all4 b0, b4', 0b0111_0000, 0],
    ['all4 b0, b4', 0b1111_0000, 1],
    ['any8 b0, b8', 0x8000, 1],
    ['all8 b0, b8', 0xff00, 1],
  ] as [string, number, number][])('%s with BR %#x', (source, br, expected) => {
    expect(result(`wsr a2, br; ${source}; rsr a2, br; extui a2, a2, 0, 1`, br)).toBe(expected);
  });
  it('movt, movf, bt and bf look at their bit', () => {
    expect(result('wsr a2, br; movi a2, 1; movi a3, 2; movt a2, a3, b3', 8)).toBe(2);
    expect(result('wsr a2, br; movi a2, 1; movi a3, 2; movf a2, a3, b3', 8)).toBe(1);
    expect(result('wsr a2, br; movi a2, 1; bt b3, 1f; movi a2, 2; 1: nop', 8)).toBe(1);
    expect(result('wsr a2, br; movi a2, 1; bf b3, 1f; movi a2, 2; 1: nop', 8)).toBe(2);
  });
});

describe('branches', () => {
  it.each([
    ['beq a2, a3', [5, 5], true],
    ['bne a2, a3', [5, 5], false],
    ['blt a2, a3', [-1, 0], true],
    ['bge a2, a3', [-1, 0], false],
    ['bltu a2, a3', [-1, 0], false],
    ['bgeu a2, a3', [-1, 0], true],
    ['bany a2, a3', [6, 9], false],
    ['bnone a2, a3', [6, 9], true],
    ['ball a2, a3', [7, 5], true],
    ['bnall a2, a3', [7, 8], true],
    ['bbc a2, a3', [8, 35], false],
    ['bbs a2, a3', [8, 3], true],
    ['bbci a2, 31', [MIN], false],
    ['bbsi a2, 0', [1], true],
    ['beqz a2', [0], true],
    ['bnez a2', [0], false],
    ['bltz a2', [MIN], true],
    ['bgez a2', [0], true],
    ['beqz.n a2', [1], false],
    ['bnez.n a2', [1], true],
    ['beqi a2, -1', [-1], true],
    ['bnei a2, 256', [256], false],
    ['blti a2, 5', [-3], true],
    ['bgei a2, 128', [127], false],
    ['bltui a2, 65536', [65535], true],
    ['bgeui a2, 32768', [-1], true],
  ] as [string, number[], boolean][])('%s with %j', (source, args, taken) => {
    const out = result(`${source}, 1f; movi a2, 100; j 2f; 1: movi a2, 200; 2: nop`, ...args);
    expect(out).toBe(taken ? 200 : 100);
  });
});

describe('memory', () => {
  it('loads extend as their names say', () => {
    const program = load(
      'l8ui a3, a2, 3; l16ui a4, a2, 2; l16si a5, a2, 2; l32i a6, a2, 0; l32i.n a7, a2, 0\nend: nop',
    );
    program.machine.writeWord(DATA, 0x87654321 | 0);
    program.machine.setRegister(2, DATA);
    program.machine.run({ until: program.label('end') });
    expect([3, 4, 5, 6, 7].map((i) => program.machine.getRegister(i))).toEqual([
      0x87,
      0x8765,
      -0x789b,
      0x87654321 | 0,
      0x87654321 | 0,
    ]);
  });
  it('stores write only their bytes', () => {
    const { machine } = execute('s32i a3, a2, 0; s8i a4, a2, 1; s16i a4, a2, 2', [DATA, -1, 0x1234]);
    expect(machine.readWord(DATA)).toBe(0x123434ff);
  });
  it('s32c1i stores only on a match with SCOMPARE1 and returns the old value', () => {
    const source = 'wsr a4, scompare1; s32c1i a3, a2, 0';
    const { machine } = execute(source, [DATA, 7, 0]);
    expect([machine.getRegister(3), machine.readWord(DATA)]).toEqual([0, 7]);
    const other = execute(source, [DATA, 7, 9]).machine;
    expect([other.getRegister(3), other.readWord(DATA)]).toEqual([0, 0]);
  });
  it('l32r reads its literal', () => {
    expect(result('j 1f; .align 4; lit: .word 0xdeadbeef; 1: l32r a2, lit')).toBe(0xdeadbeef | 0);
  });
});

describe('MAC16', () => {
  const accumulate = (source: string, ...args: number[]): [number, number] => {
    const { machine } = execute(`${source}; rsr a2, acclo; rsr a3, acchi`, args);
    return [machine.getRegister(2), machine.getRegister(3)];
  };
  it('multiplies signed and unsigned halves', () => {
    expect(accumulate('mul.aa.ll a2, a3', 0xffff, 2)).toEqual([-2, -1]);
    expect(accumulate('umul.aa.ll a2, a3', 0xffff, 0xffff)).toEqual([0xfffe0001 | 0, 0]);
    expect(accumulate('mul.aa.hl a2, a3', 0x00030000, 5)).toEqual([15, 0]);
    expect(accumulate('mul.aa.lh a2, a3', 3, 0x00050000)).toEqual([15, 0]);
  });
  it('accumulates and subtracts in 40 bits', () => {
    const big = 'movi a4, -1; wsr a4, acclo; movi a4, 0; wsr a4, acchi';
    expect(accumulate(`${big}; mula.aa.ll a2, a3`, 1, 1)).toEqual([0, 1]);
    expect(accumulate('muls.aa.ll a2, a3', 1, 1)).toEqual([-1, -1]);
    const wrap = 'movi a4, -1; wsr a4, acclo; movi a4, 127; wsr a4, acchi';
    expect(accumulate(`${wrap}; mula.aa.ll a2, a3`, 1, 1)).toEqual([0, -128]);
  });
  it('loads the next operand while it multiplies the old one', () => {
    const program = load(
      'wsr a3, m0; wsr a3, m1; mula.da.ll.ldinc m0, a2, m1, a4; rsr a5, m0; rsr a6, acclo\nend: nop',
    );
    program.machine.writeWord(DATA + 4, 77);
    [DATA, 6, 7].forEach((value, i) => program.machine.setRegister(2 + i, value));
    program.machine.run({ until: program.label('end') });
    expect([2, 5, 6].map((i) => program.machine.getRegister(i))).toEqual([DATA + 4, 77, 42]);
  });
});
