// SPI1, the controller by which software talks to the flash chip: "user" commands of command, address and data phases on
// one line. Source: ESP32 TRM, chapter 7. Takes register accesses, gives commands to the chip. The dedicated command
// bits and the other line modes are not modelled: using them stops the machine.

import { RegisterBlock } from '../bus/peripheral.js';
import { MachineStop, hex32 } from '../stop.js';
import type { FlashChip } from './flash-chip.js';

const CMD_USR = 1 << 18;
const CTRL = 0x08;
/** FREAD_DUAL, FREAD_QUAD, FREAD_DIO, FREAD_QIO. */
const CTRL_LINES = (1 << 14) | (1 << 20) | (1 << 23) | (1 << 24);
const ADDR = 0x04;
const USER = 0x1c;
const USER_COMMAND = 1 << 31;
const USER_ADDR = 1 << 30;
const USER_DUMMY = 1 << 29;
const USER_MISO = 1 << 28;
const USER_MOSI = 1 << 27;
/** FWRITE_DUAL, FWRITE_QUAD, FWRITE_DIO, FWRITE_QIO. */
const USER_LINES = 0xf << 12;
const USER1 = 0x20;
const USER2 = 0x24;
const MOSI_DLEN = 0x28;
const MISO_DLEN = 0x2c;
const W0 = 0x80;
const BUFFER_BYTES = 64;
const COMMAND_BITS = 8;
const ADDRESS_BITS = 24;

export class Spi1 extends RegisterBlock {
  readonly name = 'SPI1';
  readonly base = 0x3ff42000;

  constructor(private readonly chip: FlashChip) {
    super();
    this.define({
      0x00: { name: 'CMD', read: () => 0, write: (value) => this.command(value) },
      [ADDR]: { name: 'ADDR' },
      [CTRL]: { name: 'CTRL', reset: 0x0020a000 },
      [USER]: { name: 'USER' },
      [USER1]: { name: 'USER1', reset: 0x5c000007 },
      [USER2]: { name: 'USER2', reset: 0x70000000 },
      [MOSI_DLEN]: { name: 'MOSI_DLEN' },
      [MISO_DLEN]: { name: 'MISO_DLEN' },
      0xf8: { name: 'EXT2', writable: 0 },
    });
    for (let i = 0; i < BUFFER_BYTES / 4; i++) this.define({ [W0 + 4 * i]: { name: `W${i}` } });
    this.accept(0x0c, 'CTRL1');
    this.accept(0x10, 'RD_STATUS');
    this.accept(0x14, 'CTRL2');
    this.accept(0x18, 'CLOCK', 1, 0x80003043 | 0);
    this.accept(0x34, 'PIN');
    this.accept(0x38, 'SLAVE');
    this.reset();
  }

  override reset(): void {
    super.reset();
    this.chip.reset();
  }

  private command(value: number): void {
    if (value === 0) return;
    if (value !== CMD_USR) throw new MachineStop('unmodelled', `SPI1 command bits ${hex32(value)} are not modelled`);
    const user = this.value(USER);
    const has = (bit: number): boolean => (user & bit) !== 0;
    if (!has(USER_COMMAND)) throw new MachineStop('unmodelled', 'SPI1 transfer without a command phase');
    if ((user & USER_LINES) !== 0 || (has(USER_MISO) && (this.value(CTRL) & CTRL_LINES) !== 0)) {
      throw new MachineStop('unmodelled', 'SPI1 transfer on more than one line');
    }
    const commandBits = ((this.value(USER2) >>> 28) & 15) + 1;
    const addressBits = ((this.value(USER1) >>> 26) & 63) + 1;
    if (commandBits !== COMMAND_BITS || (has(USER_ADDR) && addressBits !== ADDRESS_BITS) || has(USER_DUMMY)) {
      throw new MachineStop('unmodelled', 'SPI1 transfer with other than 8 command bits, 24 address bits, no dummy');
    }
    const address = has(USER_ADDR) ? this.value(ADDR) >>> (32 - ADDRESS_BITS) : 0;
    const out = has(USER_MOSI) ? this.buffer(this.length(MOSI_DLEN)) : new Uint8Array();
    const wanted = has(USER_MISO) ? this.length(MISO_DLEN) : 0;
    const answer = this.chip.execute(this.value(USER2) & 0xff, address, out, wanted);
    for (let i = 0; i < answer.length; i += 4) {
      let word = 0;
      for (let k = 3; k >= 0; k--) word = (word << 8) | (answer[i + k] ?? 0);
      this.setValue(W0 + i, word);
    }
  }

  /** Bytes of a data phase. */
  private length(register: number): number {
    const bits = (this.value(register) & 0xffffff) + 1;
    if (bits % 8 !== 0 || bits > 8 * BUFFER_BYTES) {
      throw new MachineStop('unmodelled', `SPI1 transfer of ${bits} data bits`);
    }
    return bits / 8;
  }

  private buffer(length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, i) => (this.value(W0 + (i & ~3)) >>> (8 * (i & 3))) & 0xff);
  }
}
