// The I2C controllers as bus masters: FIFO, command list, and devices that a host attaches by address. Source: ESP32 TRM,
// chapter 11. A transfer takes its time at the programmed rate. Slave mode and clock stretching are not modelled.

import type { PeripheralHost } from '../bus/peripheral.js';
import { RegisterBlock } from '../bus/peripheral.js';
import { MachineStop } from '../stop.js';

/** What answers at an address of the bus. */
export interface I2cDevice {
  /** It has been addressed. */
  start(): void;
  /** The bytes of one write; false: the first one is not acknowledged. */
  write(bytes: Uint8Array): boolean;
  read(count: number): Uint8Array;
}

const FIFO_BYTES = 32;
const COMMANDS = 16;
const Op = { Restart: 0, Write: 1, Read: 2, Stop: 3, End: 4 } as const;
const CTR_MASTER = 1 << 4;
const CTR_START = 1 << 5;
const INT_DONE = 1 << 7;
const INT_NACK = 1 << 10;
const COMMAND_DONE = 1 << 31;
const CHECK_ACK = 1 << 8;
const BITS_PER_BYTE = 9;

export class I2c extends RegisterBlock {
  readonly name: string;
  readonly base: number;
  private readonly devices = new Map<number, I2cDevice>();
  private tx: number[] = [];
  private rx: number[] = [];
  private raw = 0;
  /** A fault on the bus: transfers never come to an end. */
  stuck = false;

  constructor(
    private readonly host: PeripheralHost,
    number: 0 | 1,
  ) {
    super();
    this.name = `I2C${number}`;
    this.base = number === 0 ? 0x3ff53000 : 0x3ff67000;
    const source = 49 + number;
    const update = (): void => host.setInterruptSource(source, (this.raw & this.value(0x28)) !== 0);
    this.define({
      0x00: { name: 'SCL_LOW_PERIOD' },
      0x04: { name: 'CTR', reset: 3, write: (value) => this.control(value) },
      0x0c: { name: 'TO' },
      0x1c: { name: 'DATA', read: () => this.rx.shift() ?? 0, write: (value) => this.push(value & 0xff) },
      0x20: { name: 'INT_RAW', writable: 0, read: () => this.raw },
      0x24: {
        name: 'INT_CLR',
        write: (value) => {
          this.raw &= ~value;
          update();
        },
      },
      0x28: { name: 'INT_ENA', write: update },
      0x2c: { name: 'INT_STATUS', writable: 0, read: () => this.raw & this.value(0x28) },
      0x38: { name: 'SCL_HIGH_PERIOD' },
    });
    for (let i = 0; i < COMMANDS; i++) this.define({ [0x58 + 4 * i]: { name: `COMD${i}` } });
    this.accept(0x30, 'SDA_HOLD');
    this.accept(0x34, 'SDA_SAMPLE');
    this.accept(0x40, 'SCL_START_HOLD');
    this.accept(0x44, 'SCL_RSTART_SETUP');
    this.accept(0x48, 'SCL_STOP_HOLD');
    this.accept(0x4c, 'SCL_STOP_SETUP');
    this.reset();
  }

  override reset(): void {
    super.reset();
    this.tx = [];
    this.rx = [];
    this.raw = 0;
    this.host.cancel(this.name);
  }

  /** Puts a device on the bus, or takes it off. */
  attach(address: number, device: I2cDevice | undefined): void {
    if (device === undefined) this.devices.delete(address);
    else this.devices.set(address, device);
  }

  private push(byte: number): void {
    if (this.tx.length >= FIFO_BYTES) throw new MachineStop('unmodelled', `${this.name}: transmit FIFO overflows`);
    this.tx.push(byte);
  }

  private control(value: number): void {
    if ((value & CTR_START) === 0) return;
    this.setValue(0x04, value & ~CTR_START);
    if ((value & CTR_MASTER) === 0) throw new MachineStop('unmodelled', `${this.name}: slave mode`);
    if (this.stuck) return;
    const { bytes, interrupts } = this.transfer();
    const period = (this.value(0x00) + this.value(0x38)) * (this.host.cpuHz() / this.host.apbHz());
    this.host.schedule(this.name, this.host.now() + Math.ceil(bytes * BITS_PER_BYTE * period), () => {
      this.raw |= interrupts;
      this.host.setInterruptSource(this.name === 'I2C0' ? 49 : 50, (this.raw & this.value(0x28)) !== 0);
    });
  }

  /** Executes the command list; how long it takes and how it ends. */
  private transfer(): { bytes: number; interrupts: number } {
    let device: I2cDevice | undefined;
    let addressed = false;
    let bytes = 1;
    let written: number[] = [];
    const flush = (): boolean => written.length === 0 || device === undefined || device.write(Uint8Array.from(written));
    for (let i = 0; i < COMMANDS; i++) {
      const at = 0x58 + 4 * i;
      const command = this.value(at);
      const count = command & 0xff;
      this.setValue(at, command | COMMAND_DONE);
      switch ((command >>> 11) & 7) {
        case Op.Restart:
          if (!flush()) return { bytes, interrupts: INT_NACK };
          written = [];
          addressed = false;
          break;
        case Op.Write: {
          if (this.tx.length < count) throw new MachineStop('unmodelled', `${this.name}: transmit FIFO is empty`);
          const data = this.tx.splice(0, count);
          bytes += count;
          if (!addressed) {
            device = this.devices.get((data.shift() as number) >> 1);
            addressed = true;
            device?.start();
          }
          if (device === undefined && (command & CHECK_ACK) !== 0) return { bytes: 2, interrupts: INT_NACK };
          written.push(...data);
          break;
        }
        case Op.Read:
          bytes += count;
          if (!flush()) return { bytes, interrupts: INT_NACK };
          written = [];
          if (this.rx.length + count > FIFO_BYTES)
            throw new MachineStop('unmodelled', `${this.name}: receive FIFO overflows`);
          this.rx.push(...(device?.read(count) ?? new Uint8Array(count).fill(0xff)));
          break;
        case Op.Stop:
          return { bytes, interrupts: flush() ? INT_DONE : INT_NACK };
        default:
          throw new MachineStop('unmodelled', `${this.name}: command ${(command >>> 11) & 7}`);
      }
    }
    throw new MachineStop('unmodelled', `${this.name}: command list without an end`);
  }
}

/** A TMP102 thermometer: register 0 is the temperature, 1/256 degree Celsius in 16 bits, high byte first. */
export class Thermometer implements I2cDevice {
  private pointer = 0;
  private at = 0;
  /** @param celsius asked at each reading */
  constructor(private readonly celsius: () => number) {}

  start(): void {
    this.at = 0;
  }

  write(bytes: Uint8Array): boolean {
    if (bytes.length > 0) this.pointer = bytes[0] as number;
    return this.pointer <= 3;
  }

  read(count: number): Uint8Array {
    // Twelve bits, the last four are zero.
    const word = this.pointer === 0 ? (Math.round(this.celsius() * 16) << 4) & 0xffff : 0;
    return Uint8Array.from({ length: count }, () => (this.at++ % 2 === 0 ? word >>> 8 : word & 0xff));
  }
}
