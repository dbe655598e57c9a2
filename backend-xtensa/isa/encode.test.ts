// Tests of what encoder and decoder refuse; what they accept is proved by test/oracle/isa.

import { describe, expect, it } from 'vitest';
import { InternalError } from '../../compiler/diagnostics.js';
import { decodeAt, decodeWord, opcodeOf } from './decode.js';
import { encode, fits, operandFits } from './encode.js';
import { INSTRUCTIONS, Op } from './table.js';

describe('encode', () => {
  const refused: [string, number, number[], number][] = [
    ['register 16', Op.ADD, [0, 1, 16], 0],
    ['a negative register', Op.ADD, [-1, 1, 2], 0],
    ['too few operands', Op.ADD, [0, 1], 0],
    ['too many operands', Op.RET, [0], 0],
    ['a fraction', Op.ADDI, [0, 1, 0.5], 0],
    ['NaN', Op.ADDI, [0, 1, NaN], 0],
    ['addi 128', Op.ADDI, [0, 1, 128], 0],
    ['addi -129', Op.ADDI, [0, 1, -129], 0],
    ['addi.n 0', Op.ADDI_N, [0, 1, 0], 0],
    ['addmi of no multiple', Op.ADDMI, [0, 1, 255], 0],
    ['movi 2048', Op.MOVI, [0, 2048], 0],
    ['movi.n 96', Op.MOVI_N, [0, 96], 0],
    ['an odd word offset', Op.L32I, [0, 1, 2], 0],
    ['a word offset of 1024', Op.L32I, [0, 1, 1024], 0],
    ['slli 0', Op.SLLI, [0, 1, 0], 0],
    ['slli 32', Op.SLLI, [0, 1, 32], 0],
    ['beqi 9', Op.BEQI, [0, 9, 4], 0],
    ['bltui 1', Op.BLTUI, [0, 1, 4], 0],
    ['a branch of 132', Op.BEQ, [0, 1, 132], 0],
    ['a branch of -125', Op.BEQ, [0, 1, -125], 0],
    ['a loop end before the body', Op.LOOP, [2, 3], 0],
    ['a forward literal', Op.L32R, [0, 4], 0],
    ['a literal at an odd address', Op.L32R, [0, -8], 1],
    ['a call of an odd address', Op.CALL0, [8], 1],
    ['a special register that is none', Op.RSR, [0, 5], 0],
    ['a write-only register read', Op.RSR, [0, 227], 0],
    ['a read-only register exchanged', Op.XSR, [0, 235], 0],
    ['any4 of b2', Op.ANY4, [0, 2], 0],
  ];
  it.each(refused)('refuses %s', (_, op, operands, pc) => {
    expect(fits(op, operands, pc)).toBe(false);
    expect(() => encode(op, operands, pc)).toThrow(InternalError);
  });

  it('refuses an opcode that is none', () => {
    expect(fits(INSTRUCTIONS.length, [], 0)).toBe(false);
    expect(() => encode(INSTRUCTIONS.length, [])).toThrow(/no instruction has opcode/);
  });

  it('says what it wanted', () => {
    expect(() => encode(Op.L32I, [2, 3, 1024])).toThrow(/l32i 2, 3, 1024 .* 0\.\.1020/);
  });

  it('answers for one operand', () => {
    expect(operandFits(Op.L32I, 2, 1020)).toBe(true);
    expect(operandFits(Op.L32I, 2, 1022)).toBe(false);
    expect(operandFits(Op.L32I, 3, 0)).toBe(false);
  });

  it('reaches exactly as far as the field says, from every alignment', () => {
    for (const row of INSTRUCTIONS) {
      row.operands.forEach(({ field, kind }, index) => {
        const at = (value: number, pc: number) => operandFits(row.opcode, index, value, pc);
        for (let pc = 0; pc < 4; pc++) {
          const [low, high] = [field.minimum(pc), field.maximum(pc)];
          const wrong = [];
          if (kind !== 'sr' && kind !== 'ur') wrong.push(...[low, high].filter((value) => !at(value, pc)));
          for (let past = 1; past <= 256; past++)
            wrong.push(...[low - past, high + past].filter((value) => at(value, pc)));
          expect(wrong, `${row.name} operand ${index} at ${pc}`).toEqual([]);
        }
      });
    }
  });
});

describe('decode', () => {
  it('refuses words that are no instruction', () => {
    expect(decodeWord(0x000010, 0)).toBeUndefined();
    expect(decodeWord(0x00000e, 0)).toBeUndefined();
    expect(opcodeOf(0x00000f)).toBe(-1);
    expect(opcodeOf(0x000010)).toBe(-1);
  });
  it('refuses reserved operand bits', () => {
    expect(opcodeOf(0x010000)).toBe(Op.SLLI);
    expect(decodeWord(0x010000, 0)).toBeUndefined(); // slli by 32
    expect(decodeWord(0x030500, 0)).toBeUndefined(); // rsr of LITBASE, which ESP32 has not
    expect(decodeWord(0x03e300, 0)).toBeUndefined(); // rsr of INTCLEAR, which is write-only
  });
  it('refuses bytes that end within the instruction, and offsets past the end', () => {
    expect(decodeAt(Uint8Array.of(0x80, 0x00), 0, 0)).toBeUndefined();
    expect(decodeAt(Uint8Array.of(0x0d), 0, 0)).toBeUndefined();
    expect(decodeAt(Uint8Array.of(0x0d, 0xf0), 2, 0)).toBeUndefined();
  });
  it('takes a 16-bit instruction at the very end', () => {
    expect(decodeAt(Uint8Array.of(0, 0, 0, 0x0d, 0xf0), 3, 0)?.row.name).toBe('ret.n');
  });
  it('looks at the low 16 bits of a density instruction only', () => {
    expect(decodeWord(0xabf00d, 0)?.opcode).toBe(Op.RET_N);
  });
  it('agrees with a plain search through the table on every word of a sample', () => {
    for (let word = 0; word < 1 << 24; word += 97) {
      const found = INSTRUCTIONS.find((row) => (word & row.mask) === row.match);
      if ((found?.opcode ?? -1) !== opcodeOf(word)) expect.fail(word.toString(16));
    }
  });
});
