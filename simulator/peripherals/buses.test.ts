import { describe, expect, it } from 'vitest';
import { SR } from '../cpu/state.js';
import type { Machine } from '../machine.js';
import { VECTORS, load } from '../test-support.js';
import { Thermometer } from './i2c.js';

const I2C = 0x3ff53000;
const GPIO = 0x3ff44000;
const NACK = 1 << 10;
const DONE = 1 << 7;

const read = (machine: Machine, address: number): number => machine.bus.load32(address) >>> 0;
const write = (machine: Machine, address: number, value: number): void => machine.bus.store32(address, value | 0);
const idle = (): Machine => load('loop: addi a2, a2, 1; j loop').machine;

/** Bytes into the FIFO, commands, start; gives the cycles until an interrupt is raised, and which. */
function transfer(machine: Machine, fifo: readonly number[], commands: readonly number[]): [number, number] {
  write(machine, I2C, 200);
  write(machine, I2C + 0x38, 200);
  write(machine, I2C + 0x24, -1);
  for (const byte of fifo) write(machine, 0x6001301c, byte);
  commands.forEach((command, i) => write(machine, I2C + 0x58 + 4 * i, command));
  write(machine, I2C + 4, (1 << 5) | (1 << 4) | 3);
  const begin = machine.cycles;
  while (read(machine, I2C + 0x20) === 0 && machine.cycles - begin < 100_000) machine.run({ maxCycles: 10 });
  return [machine.cycles - begin, read(machine, I2C + 0x20)];
}

const RESTART = 0;
const WRITE = (n: number): number => (1 << 11) | (1 << 8) | n;
const READ = (n: number): number => (2 << 11) | n;
const STOP = 3 << 11;

describe('I2C', () => {
  it('reads a register of a thermometer with a repeated start, in the time of its bits', () => {
    const machine = idle();
    machine.i2c[0].attach(0x48, new Thermometer(() => -12.5));
    const commands = [RESTART, WRITE(2), RESTART, WRITE(1), READ(1), READ(1) | (1 << 10), STOP];
    const [cycles, raised] = transfer(machine, [0x90, 0, 0x91], commands);
    expect(raised).toBe(DONE);
    // Six bytes of nine bits at 100 kHz and 40 MHz.
    expect(Math.abs(cycles - 6 * 9 * 400)).toBeLessThan(20);
    expect([read(machine, I2C + 0x1c), read(machine, I2C + 0x1c)]).toEqual([0xf3, 0x80]);
  });
  it('nobody at the address: no acknowledge', () => {
    expect(transfer(idle(), [0x90, 0], [RESTART, WRITE(2), STOP])[1]).toBe(NACK);
  });
  it('a stuck bus never ends', () => {
    const machine = idle();
    machine.i2c[0].stuck = true;
    expect(transfer(machine, [0x90], [RESTART, WRITE(1), STOP])[1]).toBe(0);
  });
});

describe('GPIO', () => {
  it('reads back what it drives, and inputs elsewhere', () => {
    const machine = idle();
    machine.gpio.setInput(4, true);
    machine.gpio.setInput(5, true);
    write(machine, GPIO + 0x24, 1 << 5);
    expect(read(machine, GPIO + 0x3c)).toBe(1 << 4);
    write(machine, GPIO + 0x08, 1 << 5);
    expect(read(machine, GPIO + 0x3c)).toBe((1 << 4) | (1 << 5));
    expect(machine.gpio.output(5)).toBe(true);
  });
  it('an edge of the wanted kind interrupts until it is cleared', () => {
    const machine = idle();
    write(machine, 0x3ff00104 + 4 * 22, 12);
    write(machine, GPIO + 0x88 + 4 * 35, (1 << 7) | (4 << 13));
    machine.setSpecial(SR.INTENABLE, 1 << 12);
    machine.gpio.setInput(34, true);
    expect(machine.run({ maxInstructions: 10 }).reason).toBe('limit');
    machine.gpio.setInput(35, true);
    expect(machine.run({ until: VECTORS + 0x300, maxInstructions: 10 }).reason).toBe('breakpoint');
    expect(read(machine, GPIO + 0x50)).toBe(1 << 3);
    write(machine, GPIO + 0x58, 1 << 3);
    expect(machine.getSpecial(SR.INTERRUPT)).toBe(0);
    machine.gpio.setInput(35, false);
    expect(read(machine, GPIO + 0x50)).toBe(0);
  });
});
