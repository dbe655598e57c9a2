import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assemble } from '../backend-xtensa/isa/assemble.js';
import { ESP32, ESP32_LARGE } from '../compiler/abi/boards.js';
import { SR } from './cpu/state.js';
import { ImageError } from './load/image.js';
import { Machine } from './machine.js';
import { semihosting } from './simcall.js';
import { DATA, ORIGIN, load } from './test-support.js';

/** An image as esptool makes it: header, segments, padding, checksum, SHA-256. */
function image(entry: number, segments: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const parts = [0xe9, segments.length, 2, 0x20];
  const word = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
  parts.push(...word(entry), 0xee, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
  let checksum = 0xef;
  for (const [address, data] of segments) {
    parts.push(...word(address), ...word(data.length), ...data);
    for (const byte of data) checksum ^= byte;
  }
  while (parts.length % 16 !== 15) parts.push(0);
  parts.push(checksum);
  const body = Uint8Array.from(parts);
  return Uint8Array.from([...body, ...createHash('sha256').update(body).digest()]);
}

const padded = (bytes: Uint8Array): Uint8Array => {
  const out = new Uint8Array((bytes.length + 3) & ~3);
  out.set(bytes);
  return out;
};

function boot(
  source: string,
  options: Partial<ConstructorParameters<typeof Machine>[0]> = {},
): { machine: Machine; console: () => string; rom: () => string } {
  let text = '';
  let rom = '';
  const machine = new Machine({
    board: ESP32,
    onConsole: (bytes) => (text += new TextDecoder().decode(bytes)),
    onRom: (line) => (rom += line),
    ...options,
  });
  const code = padded(assemble(source, { origin: 0x40080000 }).bytes);
  machine.loadFlash(image(0x40080000, [[0x40080000, code]]), 0x1000);
  return { machine, console: () => text, rom: () => rom };
}

const WATCHDOGS_OFF = `
  movi a2, 0; wsr a2, ps; rsync; movi a2, 0; wsr a2, windowbase; rsync; movi a2, 1; wsr a2, windowstart; rsync
  j 1f; .align 4; key: .word 0x50d83aa1; rtc: .word 0x3ff48000; tg: .word 0x3ff5f000
  uart: .word 0x3ff40000
  1: l32r a3, key; l32r a4, rtc; s32i a3, a4, 0xa4; movi a2, 0; s32i a2, a4, 0x8c
  l32r a4, tg; s32i a3, a4, 0x64; s32i a2, a4, 0x48
`;

describe('boot from the mask ROM', () => {
  it('loads an image, checks it and runs it', () => {
    const { machine, console, rom } = boot(
      `${WATCHDOGS_OFF} l32r a5, uart; movi a2, 72; s32i a2, a5, 0; movi a2, 105; s32i a2, a5, 0; waiti 0`,
    );
    machine.resetFromRom();
    expect(machine.run({ maxInstructions: 1000 }).reason).toBe('halted');
    expect(console()).toBe('Hi');
    expect(rom()).toContain('rst:0x1 (POWERON_RESET)');
    expect(rom()).toContain('entry 0x40080000');
  });
  it('leaves windowed state behind, as the ROM does', () => {
    const { machine } = boot('nop');
    machine.resetFromRom();
    expect(machine.getSpecial(SR.PS) & (1 << 18)).not.toBe(0);
    expect(machine.getSpecial(SR.WINDOWSTART)).not.toBe(1);
  });
  it.each([
    ['no image', (flash: Uint8Array) => flash.fill(0xff), 'invalid header'],
    [
      'a flipped bit',
      (flash: Uint8Array) => (flash[0x1000 + 33] = (flash[0x1000 + 33] as number) ^ 4),
      'checksum failed',
    ],
    ['a wrong digest', (flash: Uint8Array) => (flash[0x1000 + 10] = 1), 'SHA-256'],
    ['too many segments', (flash: Uint8Array) => (flash[0x1001] = 17), 'segment count'],
    ['another chip', (flash: Uint8Array) => (flash[0x100c] = 9), 'chip id 9'],
    ['a segment beyond the flash', (flash: Uint8Array) => (flash[0x101e] = 0x7f), 'past the end'],
  ])('refuses %s', (_name, damage, message) => {
    const { machine, rom } = boot('nop');
    damage(machine.flash);
    expect(() => machine.resetFromRom()).toThrow(ImageError);
    expect(rom()).toContain(message);
  });
  it('a segment outside RAM is refused', () => {
    const machine = new Machine({ board: ESP32 });
    machine.loadFlash(image(0x40080000, [[0x3ff00000, new Uint8Array(4)]]), 0x1000);
    expect(() => machine.resetFromRom()).toThrow('does not fit');
  });
  it('watchdogs that nobody stops reset the chip, and it can boot again', () => {
    const { machine } = boot('1: j 1b');
    machine.resetFromRom();
    const stop = machine.run({ maxCycles: 100_000_000 });
    expect([stop.reason, stop.resetCause]).toEqual(['reset', 7]);
    expect(stop.message).toContain('TG0WDT_SYS_RESET');
    // 26,000,000 APB ticks at 40 MHz.
    expect(stop.cycles).toBeGreaterThan(25_999_000);
    expect(stop.cycles).toBeLessThan(26_001_000);
    machine.resetFromRom(stop.resetCause);
    expect(machine.run({ maxInstructions: 10 }).reason).toBe('limit');
  });
  it('reboots by itself when asked', () => {
    const { machine, rom } = boot('1: j 1b', { rebootOnReset: true });
    machine.resetFromRom();
    machine.run({ maxCycles: 60_000_000 });
    expect(rom().match(/TG0WDT_SYS_RESET/g)?.length).toBe(2);
  });
  it('the RTC watchdog fires too', () => {
    const { machine } = boot(WATCHDOGS_OFF.replace('s32i a2, a4, 0x8c', 'nop') + '1: j 1b');
    machine.resetFromRom();
    const stop = machine.run({ maxCycles: 100_000_000 });
    expect([stop.reason, stop.resetCause]).toEqual(['reset', 16]);
  });
});

describe('limits', () => {
  const LOOP = 'movi a2, 0; loop: addi a2, a2, 1; addi a3, a3, 2; bnez a2, loop';
  it.each([1, 2, 3, 100, 999, 1000, 1001, 50_000, 50_001])('stops after exactly %i instructions', (count) => {
    const { machine } = load(LOOP);
    const stop = machine.run({ maxInstructions: count });
    expect([stop.reason, stop.instructions]).toEqual(['limit', count]);
  });
  it('any slicing gives the same state and counts', () => {
    const whole = load(LOOP).machine;
    whole.run({ maxInstructions: 30_000 });
    const sliced = load(LOOP).machine;
    for (let i = 0, step = 1; sliced.instructions < 30_000; i++, step = (step * 7 + i) % 500) {
      sliced.run({ maxInstructions: Math.min(step + 1, 30_000 - sliced.instructions) });
    }
    expect([sliced.pc, sliced.cycles, ...sliced.state.a]).toEqual([whole.pc, whole.cycles, ...whole.state.a]);
    expect(whole.translatedRegions).toBeGreaterThan(0);
  });
  it('stops at the first boundary at or after a cycle', () => {
    for (const cycles of [10, 11, 12, 13, 5000, 5001, 5002]) {
      const { machine } = load(LOOP);
      const stop = machine.run({ maxCycles: cycles });
      expect(stop.reason).toBe('limit');
      expect(stop.cycles - cycles).toBeGreaterThanOrEqual(0);
      expect(stop.cycles - cycles).toBeLessThan(4);
    }
  });
  it('single steps give the same as a run', () => {
    const a = load(LOOP).machine;
    const b = load(LOOP).machine;
    for (let i = 0; i < 500; i++) a.step();
    b.run({ maxInstructions: 500 });
    expect([a.pc, a.cycles, a.getRegister(3)]).toEqual([b.pc, b.cycles, b.getRegister(3)]);
  });
});

describe('breakpoints, injections, watches', () => {
  it('stops before the instruction and can go on', () => {
    const program = load('movi a2, 0; loop: addi a2, a2, 1; here: addi a3, a3, 1; j loop');
    const { machine } = program;
    machine.run({ maxInstructions: 5000 });
    for (let i = 0; i < 3; i++) {
      const before = machine.getRegister(2);
      const stop = machine.run({ until: program.label('here') });
      expect([stop.reason, machine.pc]).toEqual(['breakpoint', program.label('here')]);
      expect(machine.getRegister(2) - before).toBeLessThanOrEqual(1);
    }
    machine.addBreakpoint(program.label('loop'));
    expect(machine.run().pc).toBe(program.label('loop'));
  });
  it('flips a bit of memory at an exact instruction', () => {
    const program = load('movi a3, 0; loop: l32i a4, a2, 0; addi a3, a3, 1; beqz a4, loop\nend: nop');
    program.machine.setRegister(2, DATA);
    program.machine.injectBitFlip(3001, DATA + 1, 3);
    program.machine.run({ until: program.label('end') });
    expect([program.machine.getRegister(4), program.machine.getRegister(3)]).toEqual([0x800, 1001]);
  });
  it('a watched store stops with what it touched, after any amount of unwatched ones', () => {
    const program = load('loop: s32i a3, a2, 0; addi a2, a2, 4; j loop');
    program.machine.setRegister(2, DATA);
    program.machine.addWatch({ name: 'canary', start: DATA + 40_000, end: DATA + 40_001, loads: false, stores: true });
    const stop = program.machine.run({ maxInstructions: 1_000_000 });
    expect(stop.reason).toBe('watch');
    expect(stop.watch).toEqual({ name: 'canary', access: 'store', address: DATA + 40_000, bytes: 4 });
    expect(stop.instructions).toBe(30_001);
  });
  it('a watched load is not confused with a store', () => {
    const program = load('s32i a3, a2, 0; l32i a4, a2, 0\nend: nop');
    program.machine.setRegister(2, DATA);
    program.machine.addWatch({ name: 'secret', start: DATA, end: DATA + 4, loads: true, stores: false });
    const stop = program.machine.run();
    expect([stop.watch?.access, stop.pc]).toEqual(['load', program.label('end')]);
  });
  it('traces every instruction in order', () => {
    const program = load('movi a2, 1; j 1f; nop; 1: movi a3, 2\nend: nop');
    const seen: number[] = [];
    program.machine.setTrace((op) => seen.push(op.pc - ORIGIN));
    program.machine.run({ until: program.label('end') });
    expect(seen).toEqual([0, 3, 9]);
  });
});

describe('changing code', () => {
  it('a debugger write takes effect at once, translated or not', () => {
    const program = load('loop: addi a2, a2, 1; j loop');
    program.machine.run({ maxInstructions: 10_000 });
    const { bytes } = assemble('addi a2, a2, 2', { origin: ORIGIN });
    program.machine.writeMemory(ORIGIN, bytes);
    program.machine.setRegister(2, 0);
    program.machine.run({ maxInstructions: 1000 });
    expect(program.machine.getRegister(2)).toBe(1000);
  });
  it('so does a store of the program to its own loop', () => {
    // The loop counts to 2000, patches its own increment to 5, and goes on to 3000 in steps of 5.
    const program = load(`
      j start; .align 4
      target: addi a2, a2, 1; j back
      .align 4
      start: movi a2, 0
      again: j target
      back: addi a3, a3, -1; bnez a3, again
      s32i a5, a4, 0; mov a3, a6; movi a6, 0; bnez a3, again
      end: nop`);
    const { machine } = program;
    const at = program.label('target');
    const patched = machine.readMemory(at, 4);
    patched.set(assemble('addi a2, a2, 5', { origin: at }).bytes);
    machine.setRegister(3, 2000);
    machine.setRegister(4, at);
    machine.setRegister(5, new DataView(patched.buffer).getInt32(0, true));
    machine.setRegister(6, 200);
    const stop = machine.run({ until: program.label('end'), maxInstructions: 100_000 });
    expect([stop.reason, machine.getRegister(2)]).toEqual(['breakpoint', 3000]);
  });
  it('a literal folded into translated code can change', () => {
    const program = load(
      'j 1f; .align 4; value: .word 1; 1: loop: l32r a4, value; add a2, a2, a4; addi a3, a3, -1; bnez a3, loop\nend: nop',
    );
    const { machine } = program;
    machine.setRegister(3, 1000);
    machine.run({ until: program.label('end') });
    machine.writeWord(program.label('value'), 1000);
    machine.setRegister(2, 0);
    machine.setRegister(3, 1000);
    machine.pc = program.label('loop');
    machine.run({ until: program.label('end') });
    expect(machine.getRegister(2)).toBe(1_000_000);
  });
});

describe('calls', () => {
  it('runs a function and counts it', () => {
    const program = load('f: add a2, a2, a3; ret');
    const result = program.machine.call(program.label('f'), [20, 22]);
    expect([result.returned, result.results[0], result.instructions]).toEqual([true, 42, 2]);
  });
  it('recursion through translated calls and returns', () => {
    const source = `
      fib: blti a2, 2, leaf; addi a1, a1, -16; s32i a0, a1, 0; s32i a12, a1, 4; s32i a13, a1, 8; mov a12, a2
      addi a2, a12, -1; call0 fib; mov a13, a2; addi a2, a12, -2; call0 fib; add a2, a2, a13
      l32i a0, a1, 0; l32i a12, a1, 4; l32i a13, a1, 8; addi a1, a1, 16; leaf: ret`.replace('fib:', '.align 4; fib:');
    const results = [true, false].map((translate) => {
      const program = load(source, { translate });
      return program.machine.call(program.label('fib'), [18]);
    });
    expect(results[0]?.results[0]).toBe(2584);
    expect([results[0]?.instructions, results[0]?.cycles]).toEqual([results[1]?.instructions, results[1]?.cycles]);
  });
  it('a function that does not return gives the reason', () => {
    const program = load('f: j f');
    const result = program.machine.call(program.label('f'), [], { maxInstructions: 100 });
    expect([result.returned, result.stop.reason]).toEqual([false, 'limit']);
  });
});

describe('boards and options', () => {
  it('esp32-large has byte-addressable RAM in the PSRAM window, esp32 has not', () => {
    for (const board of [ESP32, ESP32_LARGE]) {
      const program = load('s8i a3, a2, 3; l32i a4, a2, 0\nend: nop', { board });
      program.machine.setRegister(2, 0x3fbffffc);
      program.machine.setRegister(3, 0x80);
      const stop = program.machine.run({ until: [program.label('end'), 0x40080300] });
      expect(stop.pc === program.label('end')).toBe(board === ESP32_LARGE);
      if (board === ESP32_LARGE) expect(program.machine.getRegister(4)).toBe(0x80000000 | 0);
    }
  });
  it('SIMCALL exits and writes for tools that ask for it', () => {
    let text = '';
    const program = load('movi a2, 4; movi a3, 1; mov a4, a6; movi a5, 3; simcall; movi a2, 1; movi a3, 9; simcall', {
      onSimcall: semihosting((bytes) => (text += new TextDecoder().decode(bytes))),
    });
    program.machine.setRegister(6, DATA);
    program.machine.writeMemory(DATA, new TextEncoder().encode('yes'));
    const stop = program.machine.run();
    expect([stop.reason, stop.exitCode, text]).toEqual(['exit', 9, 'yes']);
  });
});
