import { describe, expect, it } from 'vitest';
import { SR } from '../cpu/state.js';
import type { Machine } from '../machine.js';
import { VECTORS, load, setVector } from '../test-support.js';

const UART = 0x3ff40000;
const TIMG = 0x3ff5f000;
const RTC = 0x3ff48000;
const DPORT = 0x3ff00000;

/** Register access through the bus, as the program would make it. */
const read = (machine: Machine, address: number): number => machine.bus.load32(address) >>> 0;
const write = (machine: Machine, address: number, value: number): void => machine.bus.store32(address, value | 0);

/** A machine that only counts: `run` makes time pass. */
const idle = (options = {}): Machine => load('loop: addi a2, a2, 1; j loop', options).machine;

describe('UART0', () => {
  it('instant timing sends at once', () => {
    let text = '';
    const machine = idle({ onConsole: (bytes: Uint8Array) => (text += String.fromCharCode(...bytes)) });
    for (const char of 'abc') write(machine, UART, char.charCodeAt(0));
    expect(text).toBe('abc');
    expect((read(machine, UART + 0x1c) >>> 16) & 255).toBe(0);
  });
  it('wire timing takes ten bit times a byte and loses what does not fit', () => {
    let text = '';
    const machine = idle({
      uartTiming: 'wire',
      onConsole: (bytes: Uint8Array) => (text += String.fromCharCode(...bytes)),
    });
    write(machine, UART + 0x14, 100 | (8 << 20));
    for (let i = 0; i < 200; i++) write(machine, UART, 65 + (i % 26));
    expect((read(machine, UART + 0x1c) >>> 16) & 255).toBe(128);
    // 40 MHz CPU and APB: a divider of 100.5 makes 1005 cycles a byte.
    machine.run({ maxCycles: 1004 });
    expect(text).toBe('');
    machine.run({ maxCycles: 2 });
    expect(text).toBe('A');
    machine.run({ maxCycles: 1005 * 200 });
    expect(text.length).toBe(128);
    expect(read(machine, UART + 0x04) & (1 << 14)).not.toBe(0);
  });
  it('receives from the host in order, and interrupts through the matrix', () => {
    const machine = idle();
    write(machine, DPORT + 0x104 + 4 * 34, 5);
    write(machine, UART + 0x0c, 1 << 8);
    machine.setSpecial(SR.INTENABLE, 1 << 5);
    machine.sendConsole(new TextEncoder().encode('ok'));
    expect(machine.run({ until: VECTORS + 0x300, maxInstructions: 100 }).reason).toBe('breakpoint');
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(1 << 5);
    expect(read(machine, DPORT + 0xf0)).toBe(4);
    expect(read(machine, UART + 0x1c) & 255).toBe(2);
    expect([read(machine, UART), read(machine, UART)]).toEqual([111, 107]);
    write(machine, UART + 0x10, 1 << 8);
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(0);
  });
  it('answers on the AHB alias too', () => {
    let text = '';
    const machine = idle({ onConsole: (bytes: Uint8Array) => (text += String.fromCharCode(...bytes)) });
    write(machine, 0x60000000, 33);
    expect(text).toBe('!');
  });
});

describe('timer groups', () => {
  it('counts APB ticks through the divider, latched by UPDATE', () => {
    const machine = idle();
    write(machine, TIMG, (1 << 31) | (1 << 30) | (4 << 13));
    machine.run({ maxCycles: 4000 });
    write(machine, TIMG + 0xc, 1);
    expect(Math.abs(read(machine, TIMG + 4) - 1000)).toBeLessThanOrEqual(1);
    expect(read(machine, TIMG + 8)).toBe(0);
  });
  it('loads 64 bits and counts down', () => {
    const machine = idle();
    write(machine, TIMG + 0x18, 5);
    write(machine, TIMG + 0x1c, 1);
    write(machine, TIMG, (1 << 31) | (2 << 13));
    write(machine, TIMG + 0x20, 0);
    machine.run({ maxCycles: 40 });
    write(machine, TIMG + 0xc, 1);
    expect([read(machine, TIMG + 4), read(machine, TIMG + 8)]).toEqual([0xffffffff - 14, 0]);
  });
  it('the prescaler runs on when only the alarm is switched', () => {
    const machine = idle();
    const config = (1 << 31) | (1 << 30) | (40 << 13);
    write(machine, TIMG, config);
    const start = machine.cycles;
    for (let i = 0; i < 50; i++) {
      machine.run({ maxCycles: 27 });
      write(machine, TIMG, config | ((i & 1) << 10));
    }
    write(machine, TIMG + 0xc, 1);
    expect(Math.abs(read(machine, TIMG + 4) - (machine.cycles - start) / 40)).toBeLessThanOrEqual(1);
  });

  it('an alarm raises its source once and reloads', () => {
    const machine = idle();
    write(machine, DPORT + 0x104 + 4 * 14, 3);
    write(machine, TIMG + 0x98, 1);
    write(machine, TIMG + 0x10, 500);
    write(machine, TIMG, (1 << 31) | (1 << 30) | (1 << 29) | (2 << 13) | (1 << 11) | (1 << 10));
    machine.setSpecial(SR.INTENABLE, 1 << 3);
    const stop = machine.run({ until: VECTORS + 0x300, maxInstructions: 10_000 });
    expect(stop.reason).toBe('breakpoint');
    expect(stop.cycles).toBeGreaterThanOrEqual(1000);
    expect(stop.cycles).toBeLessThan(1020);
    expect(read(machine, TIMG) & (1 << 10)).toBe(0);
    write(machine, TIMG + 0xa4, 1);
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(0);
  });
  it('ignores watchdog writes while locked', () => {
    const machine = idle();
    write(machine, TIMG + 0x64, 0);
    write(machine, TIMG + 0x48, -1);
    expect(read(machine, TIMG + 0x48)).toBe(0x48000);
  });
  it('stages with a timeout of zero neither hang nor hold up the reset', () => {
    const machine = idle();
    for (const offset of [0x50, 0x54, 0x58, 0x5c]) write(machine, TIMG + offset, 0);
    write(machine, TIMG + 0x48, (1 << 31) | (3 << 25));
    expect(machine.run({ maxCycles: 100 }).reason).toBe('reset');
  });
  it('the watchdog walks its stages: interrupt, then reset; feeding keeps it quiet', () => {
    const machine = idle();
    write(machine, TIMG + 0x50, 1000);
    write(machine, TIMG + 0x54, 2000);
    write(machine, TIMG + 0x48, (1 << 31) | (1 << 29) | (3 << 27) | (1 << 21));
    for (let i = 0; i < 5; i++) {
      expect(machine.run({ maxCycles: 800 }).reason).toBe('limit');
      write(machine, TIMG + 0x60, 1);
    }
    machine.run({ maxCycles: 1100 });
    expect(read(machine, TIMG + 0x9c)).toBe(4);
    const stop = machine.run({ maxCycles: 3000 });
    expect([stop.reason, stop.resetCause]).toEqual(['reset', 7]);
  });
});

describe('RTC', () => {
  it('keeps time and resets on request', () => {
    const machine = idle();
    machine.run({ maxCycles: 4_000_000 });
    write(machine, RTC + 0xc, 1 << 31);
    expect(Math.abs(read(machine, RTC + 0x10) - 15_000)).toBeLessThanOrEqual(1);
    write(machine, RTC, 1 << 31);
    expect(machine.run({ maxInstructions: 5 }).reason).toBe('reset');
  });
  it('clock selection changes what a second is', () => {
    const machine = idle();
    write(machine, DPORT + 0x3c, 2);
    write(machine, RTC + 0x70, 1 << 27);
    expect([machine.clock.cpuHz, machine.clock.apbHz]).toEqual([240e6, 80e6]);
    const before = machine.clock.seconds();
    machine.run({ maxCycles: 24_000_000 });
    expect(machine.clock.seconds() - before).toBeCloseTo(0.1, 5);
  });
});

describe('DPORT', () => {
  it('maps flash pages for data and code, and unmaps them', () => {
    const program = load('l8ui a3, a2, 1\nend: nop');
    const { machine } = program;
    machine.loadFlash(Uint8Array.of(11, 22, 33, 44), 0x50000);
    write(machine, DPORT + 0x10000 + 4 * 3, 5);
    write(machine, DPORT + 0x10000 + 4 * 77, 5);
    const go = (): string => {
      machine.setRegister(2, 0x3f430000);
      machine.setSpecial(SR.PS, 0);
      machine.pc = 0x40080400;
      return machine.run({ until: [program.label('end'), VECTORS + 0x300] }).pc === program.label('end')
        ? 'ok'
        : 'fault';
    };
    expect(go()).toBe('fault');
    write(machine, DPORT + 0x44, 0x8ff & ~0x11);
    expect(go()).toBe('fault');
    write(machine, DPORT + 0x40, 0x18);
    expect(go()).toBe('ok');
    expect(machine.getRegister(3)).toBe(22);
    expect(machine.readWord(0x400d0000)).toBe(0x2c21160b);
    write(machine, DPORT + 0x10000 + 4 * 3, 0x100);
    expect(go()).toBe('fault');
  });
  it('code runs from mapped flash, and remapping changes what runs', () => {
    const { machine } = load('nop');
    machine.loadFlash(Uint8Array.of(0x22, 0xa0, 0x01, 0x80, 0x00, 0x00), 0x10000); // movi a2, 1; ret
    machine.loadFlash(Uint8Array.of(0x22, 0xa0, 0x02, 0x80, 0x00, 0x00), 0x20000);
    write(machine, DPORT + 0x44, 0);
    write(machine, DPORT + 0x40, 8);
    for (const page of [1, 2]) {
      write(machine, DPORT + 0x10000 + 4 * 77, page);
      for (let i = 0; i < 100; i++) expect(machine.call(0x400d0000, []).results[0]).toBe(page);
    }
  });
  it('flush reports done', () => {
    const { machine } = load('nop');
    write(machine, DPORT + 0x40, 0);
    expect(read(machine, DPORT + 0x40) & 0x20).toBe(0);
    write(machine, DPORT + 0x40, 0x10);
    expect(read(machine, DPORT + 0x40) & 0x20).toBe(0x20);
  });
  it('cross-core interrupts reach their CPU interrupt, edges latch', () => {
    const { machine } = load('nop');
    write(machine, DPORT + 0x104 + 4 * 24, 10);
    write(machine, DPORT + 0xdc, 1);
    write(machine, DPORT + 0xdc, 0);
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(1 << 10);
    machine.setSpecial(SR.INTCLEAR, 1 << 10);
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(0);
  });
  it('peripherals cannot drive internal interrupts', () => {
    const { machine } = load('nop');
    write(machine, DPORT + 0x104 + 4 * 24, 6);
    write(machine, DPORT + 0xdc, 1);
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(0);
  });
  it('starting the APP CPU is refused', () => {
    const { machine } = load('s32i a3, a2, 0x30');
    machine.setRegister(2, DPORT);
    machine.setRegister(3, 1);
    expect(machine.run().message).toContain('APP CPU');
  });
});

describe('small blocks', () => {
  it('GPIO latches set and clear', () => {
    const { machine } = load('nop');
    write(machine, 0x3ff44000 + 0x24, 1 << 2);
    write(machine, 0x3ff44000 + 0x08, (1 << 2) | (1 << 5));
    expect([machine.gpio.output(2), machine.gpio.output(5)]).toEqual([true, undefined]);
    write(machine, 0x3ff44000 + 0x0c, 1 << 2);
    expect(machine.gpio.output(2)).toBe(false);
    machine.gpio.setInput(33, true);
    expect(read(machine, 0x3ff44000 + 0x40)).toBe(2);
  });
  it('random numbers repeat with the seed and differ with another', () => {
    const draw = (seed: number): number[] => {
      const { machine } = load('nop', { seed });
      return [0, 1, 2].map(() => read(machine, 0x3ff75144));
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(3));
    expect(new Set(draw(1)).size).toBe(3);
  });
});

describe('a handler for a real interrupt', () => {
  it('counts alarms while the main program spins', () => {
    const program = load(`
      movi a5, 8; wsr a5, intenable; movi a2, 0; movi a6, 0
      spin: addi a2, a2, 1; blti a6, 5, spin
      end: nop`);
    const { machine } = program;
    setVector(
      machine,
      0x300,
      `l32i a8, a7, 0; movi a9, 1; s32i a9, a7, 0xa4; s32i a8, a7, 0; extui a8, a8, 0, 1; addi a6, a6, 1
       l32i a8, a7, 0; slli a9, a9, 10; or a8, a8, a9; s32i a8, a7, 0; rfe`,
    );
    write(machine, DPORT + 0x104 + 4 * 14, 3);
    write(machine, TIMG + 0x98, 1);
    write(machine, TIMG + 0x10, 1000);
    write(machine, TIMG, (1 << 31) | (1 << 30) | (1 << 29) | (2 << 13) | (1 << 11) | (1 << 10));
    machine.setRegister(7, TIMG);
    const stop = machine.run({ until: program.label('end'), maxInstructions: 1_000_000 });
    expect(stop.reason).toBe('breakpoint');
    expect(stop.cycles).toBeGreaterThan(5 * 2000);
    expect(stop.cycles).toBeLessThan(5 * 2100);
  });
});
