import { describe, expect, it } from 'vitest';
import { load, setVector, VECTORS } from '../test-support.js';
import { PS, SR } from './state.js';

/** a2 after the program, interpreted and translated: both must agree in everything that can be seen. */
function both(source: string, count: number): { a2: number; a3: number; instructions: number; cycles: number } {
  const [translated, interpreted] = [true, false].map((translate) => {
    const program = load(`${source}\nend: nop`, { translate });
    program.machine.setRegister(4, count);
    const stop = program.machine.run({ until: program.label('end'), maxInstructions: 10_000_000 });
    expect(stop.reason).toBe('breakpoint');
    const { machine } = program;
    return {
      a2: machine.getRegister(2),
      a3: machine.getRegister(3),
      lcount: machine.getSpecial(SR.LCOUNT),
      instructions: stop.instructions,
      cycles: stop.cycles,
    };
  });
  expect(translated).toEqual(interpreted);
  return translated as { a2: number; a3: number; instructions: number; cycles: number };
}

describe('zero-overhead loops', () => {
  it.each([1, 2, 10, 1000, 50_000])('loop runs its body %i times', (count) => {
    const got = both('movi a2, 0; loop a4, out; addi a2, a2, 1; nop\nout:', count);
    expect([got.a2, got.instructions]).toEqual([count, 2 + 2 * count]);
  });
  it('loopnez with zero skips; loop with zero would run 2^32 times', () => {
    expect(both('movi a2, 7; loopnez a4, out; addi a2, a2, 1\nout:', 0).a2).toBe(7);
    const program = load('movi a2, 0; movi a3, 0; loop a3, out; addi a2, a2, 1\nout: nop');
    expect(program.machine.run({ until: program.label('out'), maxInstructions: 100_000 }).reason).toBe('limit');
    expect(program.machine.getRegister(2)).toBe(99_997);
  });
  it('loopgtz skips for zero and below', () => {
    expect(both('movi a2, 7; loopgtz a4, out; addi a2, a2, 1\nout:', -5).a2).toBe(7);
    expect(both('movi a2, 7; loopgtz a4, out; addi a2, a2, 1\nout:', 3000).a2).toBe(3007);
  });
  it('a branch out of the loop leaves LCOUNT, and LEND has no more effect once it is zero', () => {
    const got = both(
      'movi a2, 0; movi a5, 2000; loop a4, out; addi a2, a2, 1; beq a2, a5, far; nop\nout: nop; far: nop',
      100_000,
    );
    expect(got.a2).toBe(2000);
  });
  it('the last instruction may be a branch: untaken it loops, taken it leaves', () => {
    const got = both(
      'movi a2, 0; movi a5, 2000; loop a4, out; addi a2, a2, 1; beq a2, a5, far\nout: movi a3, 1; far: nop',
      100_000,
    );
    expect(got.a2).toBe(2000);
  });
  it('a branch to LEND does not loop back', () => {
    const got = both('movi a2, 0; loop a4, out; addi a2, a2, 1; j out; nop\nout: nop', 5);
    expect(got.a2).toBe(1);
  });
  it('loops that the body ends with a call keep their state', () => {
    const got = both(
      `mov a6, a0; movi a2, 0; j go; .align 4; f: addi a3, a2, 100; ret
       go: loop a4, out; addi a2, a2, 1; call0 f; nop\nout: mov a0, a6`,
      5000,
    );
    expect([got.a2, got.a3]).toEqual([5000, 5100]);
  });
  it('an inner software loop works', () => {
    const got = both(
      'movi a2, 0; loop a4, out; movi a5, 9; in: addi a2, a2, 1; addi a5, a5, -1; bnez a5, in; nop\nout:',
      700,
    );
    expect(got.a2).toBe(6300);
  });
  it('is not active in exception mode', () => {
    const program = load('movi a3, 3; loop a3, out; nop\nout: nop\nend: nop');
    program.machine.setSpecial(SR.PS, PS.EXCM);
    program.machine.run({ until: program.label('end') });
    expect(program.machine.getSpecial(SR.LCOUNT)).toBe(2);
    expect(program.machine.instructions).toBe(4);
  });
  it('an interrupt on the last instruction resumes the loop', () => {
    const program = load(
      'movi a5, 1; wsr a5, intenable; movi a2, 0; movi a4, 9; loop a4, out; addi a2, a2, 1\nout: nop\nend: nop',
    );
    setVector(program.machine, 0x300, 'movi a6, 0; wsr a6, intenable; rfe');
    program.machine.injectInterrupt(8, 0);
    program.machine.run({ until: program.label('end') });
    expect(program.machine.getRegister(2)).toBe(9);
    expect(program.machine.getSpecial(SR.EPC1)).toBe(program.label('out') - 3);
    expect(VECTORS).toBe(program.machine.getSpecial(SR.VECBASE));
  });
  it('LEND set by wsr works for code that was translated before', () => {
    const program = load(
      `
      movi a2, 0; movi a6, 300; again: addi a2, a2, 1; target: addi a6, a6, -1; bnez a6, again
      l32r a7, begin; wsr a7, lbeg; l32r a7, finish; wsr a7, lend; movi a7, 4; wsr a7, lcount; movi a6, 1; movi a2, 0; j again
      .align 4
      begin: .word again
      finish: .word target
      end: nop`
        .replace('l32r a7, begin', 'mov a7, a8')
        .replace('l32r a7, finish', 'mov a7, a9'),
    );
    program.machine.setRegister(8, program.label('again'));
    program.machine.setRegister(9, program.label('target'));
    program.machine.run({ maxInstructions: 902 });
    expect(program.machine.getRegister(6)).toBe(0);
    program.machine.run({ maxInstructions: 9 + 5 });
    expect(program.machine.getRegister(2)).toBe(5);
  });
});
