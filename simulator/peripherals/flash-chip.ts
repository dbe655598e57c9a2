// The SPI flash chip behind the controller: 3-byte-address commands of the W25Q family with their busy times. Takes
// command, address and data bytes, changes the flash array, gives what the chip answers; can lose power in the middle of
// an operation. Strict: what a real chip would silently ignore stops the machine. Knows no controller register.

import { MachineStop, hex32 } from '../stop.js';

const SECTOR_BYTES = 0x1000;
const BLOCK_BYTES = 0x10000;
const PAGE_BYTES = 0x100;

const Command = {
  PageProgram: 0x02,
  Read: 0x03,
  WriteDisable: 0x04,
  ReadStatus: 0x05,
  WriteEnable: 0x06,
  SectorErase: 0x20,
  ReadStatus2: 0x35,
  ReadId: 0x9f,
  BlockErase: 0xd8,
} as const;

/** Manufacturer, memory type, capacity (2^22 bytes), first byte lowest: a W25Q32. */
const ID = 0x1640ef;
const STATUS_BUSY = 1 << 0;
const STATUS_WRITE_ENABLED = 1 << 1;

/** Typical times of a W25Q32 in seconds; the worst are 400 ms, 2 s and 3 ms. */
export const SECTOR_ERASE_SECONDS = 45e-3;
export const BLOCK_ERASE_SECONDS = 150e-3;
export const PAGE_PROGRAM_SECONDS = 0.7e-3;

/** One change of the flash array. */
export interface FlashOperation {
  readonly kind: 'erase' | 'program';
  /** Flash offset of the first byte that changes. */
  readonly offset: number;
  readonly length: number;
}

export interface FlashChipHost {
  /** Contents, changed in place. */
  readonly array: Uint8Array;
  seconds(): number;
  /** The cache reads the flash at this moment: nothing else may. */
  cacheEnabled(): boolean;
  /** The array has changed: what the cache holds is stale. */
  changed(): void;
}

export class FlashChip {
  private writeEnabled = false;
  private busyUntil = 0;
  /** Operations since the machine was made. */
  operations = 0;
  /**
   * Called before each operation. Gives the share of it (0 to 1) that takes place before the power fails, or undefined
   * to let it finish; the caller stops the machine then.
   */
  onOperation: ((operation: FlashOperation, number: number) => number | undefined) | undefined = undefined;

  constructor(private readonly host: FlashChipHost) {}

  /** Power-on state; the array keeps its contents. */
  reset(): void {
    this.writeEnabled = false;
    this.busyUntil = 0;
  }

  private get busy(): boolean {
    return this.host.seconds() < this.busyUntil;
  }

  /**
   * Executes one command.
   * @param read number of bytes the controller clocks in
   * @throws MachineStop for what the chip does not know, would ignore, or must not be asked now
   */
  execute(command: number, address: number, data: Uint8Array, read: number): Uint8Array {
    const answer = new Uint8Array(read);
    if (command === Command.ReadStatus) {
      return answer.fill((this.busy ? STATUS_BUSY : 0) | (this.writeEnabled ? STATUS_WRITE_ENABLED : 0));
    }
    if (this.busy) throw refused(command, 'while the flash chip is busy, which ignores it');
    switch (command) {
      case Command.ReadStatus2:
        return answer;
      case Command.ReadId:
        return answer.map((_, i) => (i < 3 ? (ID >>> (8 * i)) & 0xff : 0));
      case Command.WriteEnable:
        this.writeEnabled = true;
        return answer;
      case Command.WriteDisable:
        this.writeEnabled = false;
        return answer;
      case Command.Read:
        this.checkCache(command);
        return answer.map((_, i) => this.host.array[(address + i) % this.host.array.length] as number);
      case Command.PageProgram:
        this.program(address, data);
        return answer;
      case Command.SectorErase:
        this.erase(command, address, SECTOR_BYTES, SECTOR_ERASE_SECONDS);
        return answer;
      case Command.BlockErase:
        this.erase(command, address, BLOCK_BYTES, BLOCK_ERASE_SECONDS);
        return answer;
      default:
        throw refused(command, 'which the flash chip model does not know');
    }
  }

  private checkCache(command: number): void {
    if (this.host.cacheEnabled())
      throw refused(command, 'while the cache is on, which reads the flash at the same time');
  }

  /** What every change needs: write enable, an address in the chip, the cache off. */
  private begin(command: number, operation: FlashOperation, seconds: number): number | undefined {
    this.checkCache(command);
    if (!this.writeEnabled) throw refused(command, 'without write enable, which the flash chip ignores');
    if (operation.offset + operation.length > this.host.array.length) {
      throw refused(command, `at ${hex32(operation.offset)}, beyond the flash chip`);
    }
    this.writeEnabled = false;
    this.busyUntil = this.host.seconds() + seconds;
    this.operations++;
    this.host.changed();
    return this.onOperation?.(operation, this.operations);
  }

  /** Programming clears bits; the address wraps within its page. */
  private program(address: number, data: Uint8Array): void {
    const page = address & -PAGE_BYTES;
    if (data.length > PAGE_BYTES || (address & (PAGE_BYTES - 1)) + data.length > PAGE_BYTES) {
      throw refused(Command.PageProgram, `of ${data.length} bytes at ${hex32(address)}, which wraps within the page`);
    }
    const operation = { kind: 'program', offset: address, length: data.length } as const;
    const share = this.begin(Command.PageProgram, operation, PAGE_PROGRAM_SECONDS) ?? 1;
    const bits = Math.floor(share * data.length * 8);
    const { array } = this.host;
    for (let i = 0; i < data.length; i++) {
      // A byte cut in the middle has lost some of its bits only.
      const done = Math.min(8, Math.max(0, bits - 8 * i));
      array[page + (address & (PAGE_BYTES - 1)) + i]! &= (data[i] as number) | (0xff >>> done);
    }
  }

  /** Erasing sets all bits; cut in the middle, a part of them. */
  private erase(command: number, address: number, bytes: number, seconds: number): void {
    const offset = address & -bytes;
    const share = this.begin(command, { kind: 'erase', offset, length: bytes }, seconds) ?? 1;
    const { array } = this.host;
    if (share >= 1) {
      array.fill(0xff, offset, offset + bytes);
      return;
    }
    // All cells of a sector go at the same time, some sooner than others: a pattern that differs from bit to bit.
    const threshold = Math.floor(share * 256);
    for (let i = 0; i < bytes; i++) {
      for (let bit = 0; bit < 8; bit++) {
        if (Math.imul(8 * i + bit + 1, 0x9e3779b1) >>> 24 < threshold) array[offset + i]! |= 1 << bit;
      }
    }
  }
}

function refused(command: number, why: string): MachineStop {
  return new MachineStop('unmodelled', `flash command 0x${command.toString(16).padStart(2, '0')} ${why}`);
}
