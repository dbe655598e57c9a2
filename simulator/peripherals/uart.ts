// UART0 of the ESP32: FIFOs, status, interrupts, baud divider. TX bytes go to the console, RX bytes come from a queue
// the host fills. Source: ESP32 TRM, chapter 13 (register names are the TRM's). Knows no pins and no parity errors.

import type { PeripheralHost } from '../bus/peripheral.js';
import { RegisterBlock } from '../bus/peripheral.js';

const FIFO_BYTES = 128;
export const UART0_INTERRUPT_SOURCE = 34;

const INT_RXFIFO_FULL = 1 << 0;
const INT_TXFIFO_EMPTY = 1 << 1;
const INT_RXFIFO_OVF = 1 << 4;
const INT_RXFIFO_TOUT = 1 << 8;
const INT_TX_DONE = 1 << 14;

const CONF0_TXFIFO_RST = 1 << 18;
const CONF0_RXFIFO_RST = 1 << 17;

/** So many looks at the status in a row, with nothing to see, are a program that waits for input. */
const STARVING_POLLS = 16;

/**
 * `instant`: a written byte leaves at once; `wire`: it takes its time at the programmed baud rate, so software sees the
 * FIFO fill up.
 */
export type UartTiming = 'instant' | 'wire';

export class Uart extends RegisterBlock {
  private tx: number[] = [];
  private rx: number[] = [];
  /** Bytes from the host that have not come over the wire yet. */
  private readonly incoming: number[] = [];
  private raw = 0;
  private sending = false;
  private idlePolls = 0;
  /** Called while software polls an empty receiver; may `push`. A host with blocking input reads it then. */
  onStarved: (() => void) | undefined = undefined;

  constructor(
    private readonly host: PeripheralHost,
    private readonly console: (byte: number) => void,
    private readonly timing: UartTiming,
    readonly name = 'UART0',
    readonly base = 0x3ff40000,
    private readonly source = UART0_INTERRUPT_SOURCE,
  ) {
    super();
    this.define({
      0x00: { name: 'FIFO', read: () => this.receive(), write: (value) => this.send(value & 0xff) },
      0x04: { name: 'INT_RAW', writable: 0, read: () => this.raw },
      0x08: { name: 'INT_ST', writable: 0, read: () => this.raw & this.value(0x0c) },
      0x0c: { name: 'INT_ENA', write: () => this.update() },
      0x10: { name: 'INT_CLR', write: (value) => this.clear(value) },
      // 115200 baud from the 40 MHz crystal, as the mask ROM leaves it.
      0x14: { name: 'CLKDIV', reset: 347 | (3 << 20) },
      0x1c: { name: 'STATUS', writable: 0, read: () => this.status() },
      0x20: { name: 'CONF0', reset: 0x800001c, write: (value) => this.configure(value) },
      0x24: { name: 'CONF1', reset: 0x6060, write: () => this.update() },
    });
    this.accept(0x18, 'AUTOBAUD');
    this.accept(0x28, 'LOWPULSE');
    this.accept(0x2c, 'HIGHPULSE');
    this.accept(0x30, 'RXD_CNT');
    this.accept(0x34, 'FLOW_CONF');
    this.accept(0x38, 'SLEEP_CONF');
    this.accept(0x3c, 'SWFC_CONF');
    this.accept(0x40, 'IDLE_CONF');
    this.accept(0x44, 'RS485_CONF');
    this.accept(0x48, 'AT_CMD_PRECNT');
    this.accept(0x4c, 'AT_CMD_POSTCNT');
    this.accept(0x50, 'AT_CMD_GAPTOUT');
    this.accept(0x54, 'AT_CMD_CHAR');
    this.accept(0x58, 'MEM_CONF', 1, 0x88);
    this.accept(0x5c, 'MEM_TX_STATUS');
    this.accept(0x60, 'MEM_RX_STATUS');
    this.accept(0x78, 'DATE', 1, 0x15122500);
    this.reset();
  }

  override reset(): void {
    super.reset();
    this.tx = [];
    this.rx = [];
    this.raw = 0;
    this.sending = false;
    this.host.cancel(`${this.name}.tx`);
    this.host.setInterruptSource(this.source, false);
  }

  /** CPU cycles of one 8N1 character at the programmed baud rate. */
  private characterCycles(): number {
    const divider = this.value(0x14);
    const sixteenths = (divider & 0xfffff) * 16 + ((divider >>> 20) & 15);
    const ticks = (10 * Math.max(sixteenths, 16)) / 16;
    return Math.max(1, Math.round((ticks * this.host.cpuHz()) / this.host.apbHz()));
  }

  private status(): number {
    if (this.rx.length === 0 && this.tx.length === 0 && this.incoming.length === 0) {
      if (++this.idlePolls >= STARVING_POLLS) {
        this.idlePolls = 0;
        this.onStarved?.();
      }
    } else {
      this.idlePolls = 0;
    }
    return this.rx.length | (this.tx.length << 16);
  }

  private send(byte: number): void {
    this.idlePolls = 0;
    if (this.timing === 'instant') {
      this.console(byte);
      this.raw |= INT_TX_DONE;
      this.update();
      return;
    }
    // A write into a full FIFO is lost, as on the chip.
    if (this.tx.length < FIFO_BYTES) this.tx.push(byte);
    if (!this.sending) this.startCharacter();
    this.update();
  }

  private startCharacter(): void {
    this.sending = true;
    this.host.schedule(`${this.name}.tx`, this.host.now() + this.characterCycles(), () => this.characterSent());
  }

  private characterSent(): void {
    const byte = this.tx.shift();
    if (byte !== undefined) this.console(byte);
    if (this.tx.length > 0) {
      this.startCharacter();
    } else {
      this.sending = false;
      this.raw |= INT_TX_DONE;
    }
    this.update();
  }

  /** Bytes from the host: they arrive one character time apart, and wait for room in the FIFO without being lost. */
  push(bytes: Uint8Array): void {
    for (const byte of bytes) this.incoming.push(byte);
    if (this.timing === 'instant') this.fill();
    else if (this.incoming.length > 0) this.scheduleArrival();
  }

  private scheduleArrival(): void {
    this.host.schedule(`${this.name}.rx`, this.host.now() + this.characterCycles(), () => {
      const byte = this.incoming.shift();
      if (byte !== undefined) this.arrive(byte);
      if (this.incoming.length > 0) this.scheduleArrival();
    });
  }

  /** Instant mode: the sender stops while the FIFO is full. */
  private fill(): void {
    while (this.incoming.length > 0 && this.rx.length < FIFO_BYTES - 1) this.rx.push(this.incoming.shift() as number);
    if (this.rx.length > 0) this.raw |= INT_RXFIFO_TOUT;
    this.update();
  }

  private arrive(byte: number): void {
    if (this.rx.length < FIFO_BYTES) this.rx.push(byte);
    else this.raw |= INT_RXFIFO_OVF;
    // The chip waits CONF1.RX_TOUT_THRHD bit times of silence; here silence is the queue being empty.
    if (this.incoming.length === 0) this.raw |= INT_RXFIFO_TOUT;
    this.update();
  }

  private receive(): number {
    const byte = this.rx.shift() ?? 0;
    if (this.timing === 'instant') this.fill();
    this.update();
    return byte;
  }

  private configure(value: number): void {
    if ((value & CONF0_RXFIFO_RST) !== 0) this.rx = [];
    if ((value & CONF0_TXFIFO_RST) !== 0) this.tx = [];
    this.update();
  }

  private clear(value: number): void {
    this.raw &= ~value;
    this.update();
  }

  /** Recomputes the level conditions and the interrupt line. */
  private update(): void {
    const conf1 = this.value(0x24);
    if (this.rx.length > 0 && this.rx.length >= (conf1 & 0x7f)) this.raw |= INT_RXFIFO_FULL;
    if (this.tx.length < Math.max((conf1 >>> 8) & 0x7f, 1)) this.raw |= INT_TXFIFO_EMPTY;
    this.host.setInterruptSource(this.source, (this.raw & this.value(0x0c)) !== 0);
  }

  /** Bytes still on their way to the console (wire timing). */
  get pendingOutput(): number {
    return this.tx.length;
  }
}
