// The SPI1 registers as far as a flasher uses them: "user" commands to the flash chip (identification, status). Takes
// register accesses; gives what a 4 MB W25Q32 answers. Knows nothing of flash contents.

const BASE = 0x3ff42000;
const SIZE = 0x100;
const CMD = 0x00;
const USR2 = 0x24;
const W0 = 0x80;
const CMD_USR = 1 << 18;

const READ_ID = 0x9f;
const READ_STATUS = 0x05;
const READ_STATUS_2 = 0x35;
/** Manufacturer, memory type, capacity (2^22 bytes). */
const FLASH_ID = 0x1640ef;

export class SpiUserCommands {
  private readonly registers = new Map<number, number>();

  owns(address: number): boolean {
    return address >= BASE && address < BASE + SIZE;
  }

  read(address: number): number {
    return this.registers.get(address - BASE) ?? 0;
  }

  write(address: number, value: number): void {
    const offset = address - BASE;
    if (offset !== CMD) {
      this.registers.set(offset, value);
      return;
    }
    // The hardware clears the start bit when the command is done, which is at once here.
    if ((value & CMD_USR) !== 0) this.registers.set(W0, this.execute((this.registers.get(USR2) ?? 0) & 0xff));
  }

  private execute(command: number): number {
    if (command === READ_ID) return FLASH_ID;
    if (command === READ_STATUS || command === READ_STATUS_2) return 0;
    return 0;
  }
}
