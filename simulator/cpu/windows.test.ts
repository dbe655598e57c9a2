import { describe, expect, it } from 'vitest';
import { DATA, VECTORS, load, setVector } from '../test-support.js';
import { PS, SR } from './state.js';

/**
 * Window vectors by the ABI's frame layout: a0-a3 of a caller are saved below its callee's stack pointer, the rest of
 * its registers in its own extra save area.
 */
function installWindowVectors(program: ReturnType<typeof load>): void {
  const { machine } = program;
  setVector(machine, 0x000, 's32e a0, a5, -16; s32e a1, a5, -12; s32e a2, a5, -8; s32e a3, a5, -4; rfwo');
  setVector(machine, 0x040, 'l32e a0, a5, -16; l32e a1, a5, -12; l32e a2, a5, -8; l32e a3, a5, -4; rfwu');
  setVector(
    machine,
    0x080,
    `s32e a0, a9, -16; l32e a0, a1, -12; s32e a1, a9, -12; s32e a2, a9, -8; s32e a3, a9, -4
     s32e a4, a0, -32; s32e a5, a0, -28; s32e a6, a0, -24; s32e a7, a0, -20; rfwo`,
  );
  setVector(
    machine,
    0x0c0,
    `l32e a0, a9, -16; l32e a1, a9, -12; l32e a2, a9, -8; l32e a7, a1, -12; l32e a3, a9, -4
     l32e a4, a7, -32; l32e a5, a7, -28; l32e a6, a7, -24; l32e a7, a7, -20; rfwu`,
  );
}

const enable = (program: ReturnType<typeof load>): void => {
  program.machine.setSpecial(SR.PS, PS.WOE | PS.UM);
  program.machine.setSpecial(SR.WINDOWSTART, 1);
  // The outermost frame's base save area: its caller's stack pointer.
  program.machine.writeWord(program.machine.getRegister(1) - 12, program.machine.getRegister(1) + 0x100);
};

describe('register windows', () => {
  it('call8, entry and retw pass arguments and rotate', () => {
    const program = load(`
      movi a10, 5; movi a11, 7; call8 f; mov a2, a10; j end
      .align 4
      f: entry a1, 32; add a2, a2, a3; retw
      end: nop`);
    enable(program);
    const before = program.machine.getRegister(1);
    program.machine.run({ until: program.label('end'), maxInstructions: 100 });
    const { machine } = program;
    expect(machine.getRegister(2)).toBe(12);
    expect(machine.getRegister(1)).toBe(before);
    expect([machine.getSpecial(SR.WINDOWBASE), machine.getSpecial(SR.WINDOWSTART)]).toEqual([0, 1]);
  });

  it.each([
    ['call4', 6, 6],
    ['call8', 10, 10],
  ])('deep recursion with %s spills and refills through the vectors', (call, argument, result) => {
    // sum(n) = n == 0 ? 0 : n + sum(n - 1); the argument is the callee's a2.
    const program = load(`
      movi a${argument}, 60; ${call} sum; mov a2, a${result}; j end
      .align 4
      sum: entry a1, 48; beqz a2, out; addi a${argument}, a2, -1; ${call} sum; add a2, a2, a${result}
      out: retw
      end: nop`);
    enable(program);
    installWindowVectors(program);
    const stop = program.machine.run({ until: program.label('end'), maxInstructions: 100_000 });
    expect(stop.message).toContain('reached');
    expect(program.machine.getRegister(2)).toBe((60 * 61) / 2);
    expect(program.machine.getSpecial(SR.WINDOWBASE)).toBe(0);
  });

  it('an instruction that reaches into a live frame overflows first', () => {
    const program = load('movi a4, 1\nend: nop');
    enable(program);
    program.machine.setSpecial(SR.WINDOWSTART, 0b11);
    program.machine.run({ until: VECTORS + 0x100 });
    const { machine } = program;
    // The frame at base 1 has no successor within three panes: it is a 12-register frame.
    expect([machine.getSpecial(SR.WINDOWBASE), (machine.getSpecial(SR.PS) & PS.OWB) >>> 8]).toEqual([1, 0]);
    expect(machine.getSpecial(SR.EPC1)).toBe(0x40080400);
  });
  it('a0-a3 need no check, and without WOE nothing does', () => {
    const program = load('movi a3, 1\nend: nop');
    enable(program);
    program.machine.setSpecial(SR.WINDOWSTART, 0b11);
    expect(program.machine.run({ until: program.label('end'), maxInstructions: 10 }).reason).toBe('breakpoint');
    const off = load('movi a15, 1\nend: nop');
    off.machine.setSpecial(SR.WINDOWSTART, 0b11);
    expect(off.machine.run({ until: off.label('end'), maxInstructions: 10 }).reason).toBe('breakpoint');
  });
  it('rotw moves the view, not the contents', () => {
    const program = load('movi a4, 44; rotw 1; mov a2, a0; rotw -1\nend: nop');
    program.machine.run({ until: program.label('end') });
    expect(program.machine.getRegister(6)).toBe(44);
  });
  it('movsp needs the caller in registers', () => {
    const program = load('movsp a1, a2\nend: nop');
    enable(program);
    program.machine.setRegister(2, DATA);
    program.machine.run({ until: [program.label('end'), VECTORS + 0x340] });
    expect(program.machine.getSpecial(SR.EXCCAUSE)).toBe(5);
    program.machine.setSpecial(SR.PS, PS.WOE);
    program.machine.setSpecial(SR.WINDOWSTART, 0x8001);
    program.machine.pc = 0x40080400;
    expect(program.machine.run({ until: program.label('end') }).reason).toBe('breakpoint');
    expect(program.machine.getRegister(1)).toBe(DATA);
  });
});
