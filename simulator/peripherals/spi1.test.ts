import { describe, expect, it } from 'vitest';
import type { Machine } from '../machine.js';
import { load } from '../test-support.js';
import { PAGE_PROGRAM_SECONDS, SECTOR_ERASE_SECONDS } from './flash-chip.js';

const SPI1 = 0x3ff42000;
const CACHE_CTRL = 0x3ff00040;

const read = (machine: Machine, address: number): number => machine.bus.load32(address) >>> 0;
const write = (machine: Machine, address: number, value: number): void => machine.bus.store32(address, value | 0);

/** A machine that only counts. */
const idle = (): Machine => load('loop: addi a2, a2, 1; j loop').machine;

/** One user command as a driver would give it; gives the first answer word. */
function command(machine: Machine, code: number, address?: number, data: readonly number[] = [], answer = 0): number {
  const phases = (address === undefined ? 0 : 1 << 30) | (data.length > 0 ? 1 << 27 : 0) | (answer > 0 ? 1 << 28 : 0);
  write(machine, SPI1 + 0x1c, (1 << 31) | phases);
  write(machine, SPI1 + 0x20, 23 << 26);
  write(machine, SPI1 + 0x24, (7 << 28) | code);
  write(machine, SPI1 + 0x04, (address ?? 0) << 8);
  write(machine, SPI1 + 0x28, 8 * data.length - 1);
  write(machine, SPI1 + 0x2c, 8 * answer - 1);
  data.forEach((byte, i) => {
    const word = SPI1 + 0x80 + (i & ~3);
    write(machine, word, (read(machine, word) & ~(0xff << (8 * (i & 3)))) | (byte << (8 * (i & 3))));
  });
  write(machine, SPI1, 1 << 18);
  return answer > 0 ? read(machine, SPI1 + 0x80) : 0;
}

const WREN = 0x06;
const PROGRAM = 0x02;
const ERASE = 0x20;
const status = (machine: Machine): number => command(machine, 0x05, undefined, [], 1) & 0xff;

/** Lets the chip finish. */
function wait(machine: Machine, seconds: number): void {
  machine.run({ maxCycles: Math.ceil(seconds * 40e6) + 1 });
}

describe('the flash chip at SPI1', () => {
  it('identifies itself', () => {
    expect(command(idle(), 0x9f, undefined, [], 3)).toBe(0x1640ef);
  });

  it('programs by clearing bits, erases sectors, and is busy meanwhile', () => {
    const machine = idle();
    machine.flash.set([0xf0, 0x0f], 0x2100);
    command(machine, WREN);
    expect(status(machine)).toBe(2);
    command(machine, PROGRAM, 0x2100, [0xaa, 0xaa, 0x12]);
    expect([...machine.flash.subarray(0x2100, 0x2104)]).toEqual([0xa0, 0x0a, 0x12, 0xff]);
    expect(status(machine)).toBe(1);
    expect(() => command(machine, WREN)).toThrow(/busy/);
    wait(machine, PAGE_PROGRAM_SECONDS);
    expect(status(machine)).toBe(0);
    expect(command(machine, 0x03, 0x2100, [], 4)).toBe(0xff120aa0);
    machine.flash.fill(0, 0x1000, 0x4000);
    command(machine, WREN);
    command(machine, ERASE, 0x2100);
    expect([0x1fff, 0x2000, 0x2fff, 0x3000].map((at) => machine.flash[at])).toEqual([0, 0xff, 0xff, 0]);
    wait(machine, SECTOR_ERASE_SECONDS / 2);
    expect(status(machine)).toBe(1);
    wait(machine, SECTOR_ERASE_SECONDS / 2);
    expect(status(machine)).toBe(0);
  });

  it('refuses what the chip would ignore or what breaks the cache', () => {
    const machine = idle();
    expect(() => command(machine, PROGRAM, 0, [1])).toThrow(/without write enable/);
    command(machine, WREN);
    expect(() => command(machine, PROGRAM, 0xff, [1, 2])).toThrow(/wraps/);
    expect(() => command(machine, ERASE, 0x500000)).toThrow(/beyond/);
    expect(() => command(machine, 0x77)).toThrow(/does not know/);
    write(machine, CACHE_CTRL, 1 << 3);
    expect(() => command(machine, ERASE, 0)).toThrow(/cache is on/);
    write(machine, CACHE_CTRL, 0);
    command(machine, ERASE, 0);
    expect(() => write(machine, CACHE_CTRL, 1 << 3)).toThrow(/without a flush/);
    write(machine, CACHE_CTRL, 0);
    write(machine, CACHE_CTRL, 1 << 4);
    write(machine, CACHE_CTRL, 1 << 3);
  });

  it('loses power in the middle of a page and of an erase', () => {
    const machine = idle();
    const seen: string[] = [];
    machine.flashChip.onOperation = ({ kind, offset, length }, number) => {
      seen.push(`${number} ${kind} ${offset} ${length}`);
      return number < 3 ? 0.5 : undefined;
    };
    command(machine, WREN);
    command(machine, PROGRAM, 0x2000, [0, 0, 0]);
    // 12 of 24 bits, the highest of a byte first.
    expect([...machine.flash.subarray(0x2000, 0x2003)]).toEqual([0, 0x0f, 0xff]);
    wait(machine, PAGE_PROGRAM_SECONDS);
    machine.flash.fill(0, 0x2000, 0x3000);
    command(machine, WREN);
    command(machine, ERASE, 0x2000);
    const set = machine.flash
      .subarray(0x2000, 0x3000)
      .reduce((n, byte) => n + byte.toString(2).replaceAll('0', '').length, 0);
    expect(set / 0x8000).toBeGreaterThan(0.45);
    expect(set / 0x8000).toBeLessThan(0.55);
    expect(seen).toEqual(['1 program 8192 3', '2 erase 8192 4096']);
  });
});
