// Tests of parser, assembler and disassembler: labels, directives, errors, listings.

import { describe, expect, it } from 'vitest';
import { assemble } from './assemble.js';
import { disassemble } from './disassemble.js';
import { AssemblyError, evaluate, parseInstruction } from './parse.js';
import { formatInstruction } from './print.js';
import { Op } from './table.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('parseInstruction', () => {
  it('takes the spellings of other assemblers', () => {
    const same = (a: string, b: string) => expect(parseInstruction(a)).toEqual(parseInstruction(b));
    same('mov a2, a3', 'or a2, a3, a3');
    same('l32i a2, sp, 0x10', 'l32i a2, a1, 16');
    same('rsr.sar a2', 'rsr a2, sar');
    same('wsr.intset a2', 'wsr a2, 226');
    same('rur.fcr a2', 'rur a2, fcr');
    same('_ADD A2, a3,a4', 'add a2, a3, a4');
    same('bbci.l a2, 3, .+8', 'bbci a2, 3, .+8');
    same('any4 b1, b4:b5:b6:b7', 'any4 b1, b4');
  });

  it.each([
    ['addd a2, a3, a4', /unknown mnemonic addd/],
    ['add a2, a3', /takes 3 operands, not 2/],
    ['add a2, a3, f4', /f4 is no ar register/],
    ['add a2, a3, a16', /a16 is no ar register/],
    ['add a2, a3, a04', /a04 is no ar register/],
    ['mul.dd.ll m2, m0', /must be within/],
    ['addi a2, a3, 128', /must be within -128\.\.127/],
    ['wsr a2, interrupt', /no register this instruction can access/],
    ['rsr a2, nothing', /no register/],
    ['j nowhere', /undefined symbol nowhere/],
    ['addi a2, a3, 1 2', /bad expression/],
    ['addi a2, a3,', /empty expression/],
    ['!', /not an instruction/],
  ])('refuses %s', (text, message) => {
    expect(() => parseInstruction(text)).toThrow(AssemblyError);
    expect(() => parseInstruction(text)).toThrow(message);
  });

  it('wraps targets at the ends of the address space', () => {
    expect(parseInstruction('j 0x10', { pc: 0xfffffff0 })).toMatchObject({ opcode: Op.J, operands: [0x20] });
    const back = parseInstruction('j 0xfffffff0', { pc: 0x10 });
    expect(back.operands).toEqual([-0x20]);
    expect(formatInstruction(back, 0x10)).toBe('j 0xfffffff0');
  });

  it('evaluates sums', () => {
    const context = { pc: 100, resolve: (name: string) => (name === 'x' ? 7 : undefined) };
    expect(evaluate('x+4', context)).toBe(11);
    expect(evaluate('.-x', context)).toBe(93);
    expect(evaluate('-0x10 + x - 1', context)).toBe(-10);
  });
});

describe('assemble', () => {
  it('resolves labels forward and back, named and numeric', () => {
    const { bytes, labels } = assemble(
      `
      start:  movi.n a2, 10      # count
      1:      addi a2, a2, -1
              beqz a2, 1f        // out
              j 1b
      1:      ret.n; nop.n
      end:`,
      { origin: 0x40080400 },
    );
    // Checked against llvm-mc.
    expect(hex(bytes)).toBe('0ca222c2ff16220086fdff0df03df0');
    expect(labels.get('start')).toBe(0x40080400);
    expect(labels.get('end')).toBe(0x4008040f);
  });

  it('lays out data and padding', () => {
    const { bytes, labels } = assemble(`
      .set answer, 6 + 36
      .byte 1, -1, answer
      .align 4
      .word table, 0xffffffff
      .short 0x1234
      .align 8
      table: .space 2, 0xee`);
    expect(hex(bytes)).toBe('01ff2a00' + '10000000' + 'ffffffff' + '3412' + '3df0' + 'eeee');
    expect(labels.get('table')).toBe(16);
  });

  it('pads with instructions wherever there is room for one', () => {
    for (let used = 1; used <= 8; used++) {
      const { bytes } = assemble(`.space ${used}\n.align 8\nret`);
      const listing = disassemble(bytes.subarray(used), used);
      expect(bytes.length).toBe(8 + 3);
      if (used !== 7) expect(listing).not.toContain('.byte');
    }
  });

  it.each([
    ['nop\nbogus', /line 2: unknown mnemonic bogus/],
    ['a: nop\na: nop', /line 2: symbol a is defined twice/],
    ['beqz a2, far\n.space 3000\nfar:', /line 1: .*must be within/],
    ['.byte 256', /line 1: 256 does not fit 1 bytes/],
    ['.align 3', /\.align 3/],
    ['.space -1', /\.space of -1/],
    ['.quad 1', /unknown directive \.quad/],
    ['j 1b', /undefined symbol 1b/],
  ])('refuses %j', (text, message) => {
    expect(() => assemble(text)).toThrow(AssemblyError);
    expect(() => assemble(text)).toThrow(message);
  });

  it('takes symbols from outside', () => {
    const { bytes } = assemble('call0 memcpy', { origin: 0x40080000, symbols: new Map([['memcpy', 0x40080100]]) });
    expect(hex(bytes)).toBe('c50f00');
  });
});

describe('disassemble', () => {
  it('lists code, data ranges, symbols and bytes that are nothing', () => {
    const { bytes } = assemble('.word 0x12345678\nf: l32r a2, 0x40080000\ncall0 f+4\nret.n\n.byte 0x10, 0, 0', {
      origin: 0x40080000,
    });
    const names = new Map([
      [0x40080004, 'f'],
      [0x40080008, 'f+0x4'],
    ]);
    expect(
      disassemble(bytes, 0x40080000, {
        data: [[0x40080000, 0x40080004]],
        symbolAt: (address) => (address === 0x40080004 ? 'f' : undefined),
        symbolize: (address) => names.get(address),
      }),
    ).toBe(
      [
        '40080000:  78 56 34 12  .word 0x12345678',
        '40080004 <f>:',
        '40080004:  21 ff ff     l32r a2, 0x40080000',
        '40080007:  05 00 00     call0 f+0x4',
        '4008000a:  0d f0        ret.n',
        '4008000c:  10           .byte 0x10',
        '4008000d:  00           .byte 0x00',
        '4008000e:  00           .byte 0x00',
        '',
      ].join('\n'),
    );
  });

  it('does not let code run into data', () => {
    const listing = disassemble(Uint8Array.of(0x21, 1, 2, 3), 0, { data: [[2, 4]] });
    expect(listing.match(/\.byte/g)).toHaveLength(4);
  });
});
