// What a peripheral is to the bus, and the register bookkeeping they share: names for messages, plain storage for
// registers that only hold a value, and the strict stop for registers that no model knows.

import { MachineStop, hex32 } from '../stop.js';

export interface Peripheral {
  readonly name: string;
  readonly base: number;
  /** In bytes, a multiple of 4 KiB pages. */
  readonly size: number;
  /** Aligned word access; `offset` in bytes from `base`. */
  read(offset: number): number;
  write(offset: number, value: number): void;
  /** State after a system reset. */
  reset(): void;
}

/** What a peripheral may ask of the machine around it. */
export interface PeripheralHost {
  /** Cycles of the CPU clock so far; exact within an instruction's access. */
  now(): number;
  /** CPU clock in Hz at the moment. */
  cpuHz(): number;
  /** APB clock in Hz at the moment. */
  apbHz(): number;
  /** Sets the level of a peripheral interrupt source (interrupt matrix source number). */
  setInterruptSource(source: number, active: boolean): void;
  /** Asks to be called when the cycle counter reaches `cycle`; replaces an earlier request with the same key. */
  schedule(key: string, cycle: number, action: () => void): void;
  cancel(key: string): void;
  /** A watchdog or software reset: the machine stops or reboots after this instruction. */
  requestReset(cause: number, what: string): void;
}

/** Behaviour of one register; what is left out is storage: reads give back what was written. */
export interface RegisterSpec {
  readonly name: string;
  /** Value after reset; 0 when left out. */
  readonly reset?: number;
  /** Bits that a write can change; all when left out. */
  readonly writable?: number;
  readonly read?: () => number;
  readonly write?: (value: number) => void;
}

/** A register file with names: storage where nothing else is said, and a stop where nothing is said at all. */
export abstract class RegisterBlock implements Peripheral {
  abstract readonly name: string;
  abstract readonly base: number;
  readonly size: number;
  protected readonly values: Int32Array;
  private readonly specs: (RegisterSpec | undefined)[];

  constructor(size = 0x1000) {
    this.size = size;
    this.values = new Int32Array(size / 4);
    this.specs = new Array<RegisterSpec | undefined>(size / 4);
  }

  /** Declares registers by offset. */
  protected define(registers: Readonly<Record<number, RegisterSpec>>): void {
    for (const [offset, spec] of Object.entries(registers)) this.specs[Number(offset) / 4] = spec;
  }

  /** Names of the registers declared with `accept`. */
  readonly accepted: string[] = [];

  /** Declares `count` plain storage registers that the model accepts and otherwise ignores. */
  protected accept(offset: number, name: string, count = 1, reset = 0): void {
    this.accepted.push(count === 1 ? name : `${name}0-${count - 1}`);
    for (let i = 0; i < count; i++) {
      this.specs[offset / 4 + i] = { name: count === 1 ? name : `${name}${i}`, reset };
    }
  }

  protected value(offset: number): number {
    return this.values[offset / 4] as number;
  }

  protected setValue(offset: number, value: number): void {
    this.values[offset / 4] = value;
  }

  read(offset: number): number {
    const spec = this.spec(offset, 'read');
    return (spec.read === undefined ? (this.values[offset / 4] as number) : spec.read()) | 0;
  }

  write(offset: number, value: number): void {
    const spec = this.spec(offset, 'write');
    const mask = spec.writable ?? -1;
    const index = offset / 4;
    this.values[index] = ((this.values[index] as number) & ~mask) | (value & mask);
    spec.write?.(value >>> 0);
  }

  private spec(offset: number, access: string): RegisterSpec {
    const spec = this.specs[offset / 4];
    if (spec === undefined) {
      const address = this.base + offset;
      throw new MachineStop(
        'unmodelled',
        `${access} of unmodelled register ${this.name}+0x${offset.toString(16)} (${hex32(address)})`,
        address,
      );
    }
    return spec;
  }

  reset(): void {
    for (let i = 0; i < this.specs.length; i++) this.values[i] = this.specs[i]?.reset ?? 0;
  }
}
