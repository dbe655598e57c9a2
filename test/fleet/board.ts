// A simulated board with slots as a device of an edge: its serial line can be cut, garbled and plugged in again, the chip
// reset and switched off. Takes an image, runs while the event loop turns. Knows no message.
import { Duplex } from 'node:stream';
import { ESP32, IMAGE_FLASH_OFFSET } from '../../compiler/abi/boards.js';
import { Machine } from '../../simulator/machine.js';
import type { UartTiming } from '../../simulator/peripherals/uart.js';

const TURN_MS = 2;
const CYCLES_PER_MS = 40_000;

export interface BoardOptions {
  /** Simulated time in one turn of the event loop, in milliseconds. */
  readonly turnMs?: number;
  /** `wire`: bytes take their time at 115,200 baud. */
  readonly uartTiming?: UartTiming;
}

/** One end of the line to a board; ends when it is cut. */
class Line extends Duplex {
  constructor(private readonly board: Board) {
    super();
  }
  override _read(): void {
    // Pushed as it comes.
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.board.receive(chunk);
    done();
  }
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.board.cut(this);
    done(error);
  }
}

export class Board {
  readonly machine: Machine;
  console = '';
  /** The line can be opened. */
  plugged = true;
  /** The chip runs. */
  powered = true;
  /** What becomes of bytes on their way. */
  toChip: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  fromChip: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes;
  private line: Line | null = null;
  private timer: NodeJS.Timeout | null = null;
  private readonly out: Uint8Array[] = [];

  private readonly turnMs: number;

  constructor(image: Uint8Array, { turnMs = TURN_MS, uartTiming = 'instant' }: BoardOptions = {}) {
    this.turnMs = turnMs;
    const onConsole = (bytes: Uint8Array): void => void this.out.push(Uint8Array.from(bytes));
    this.machine = new Machine({ board: ESP32, uartTiming, onConsole });
    this.machine.loadFlash(image, IMAGE_FLASH_OFFSET);
    this.machine.resetFromRom();
    this.turn();
  }

  /** Milliseconds since the chip was first switched on. */
  get simulatedMs(): number {
    return this.machine.cycles / CYCLES_PER_MS;
  }

  readonly open = async (): Promise<Duplex> => {
    if (!this.plugged) throw new Error('no such port');
    if (this.line !== null) throw new Error('the port is open already');
    this.line = new Line(this);
    return this.line;
  };

  receive(bytes: Uint8Array): void {
    if (this.powered) this.machine.sendConsole(this.toChip(bytes));
  }

  /** The cable is pulled; `plug` puts it back. */
  unplug(): void {
    this.plugged = false;
    this.line?.destroy();
  }
  plug(): void {
    this.plugged = true;
  }
  cut(line: Line): void {
    if (this.line === line) this.line = null;
  }

  /** As by the reset button, or after a power cut: what is not in flash is gone. */
  reset(): void {
    this.machine.resetFromRom();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.powered = false;
    this.unplug();
  }

  private turn(): void {
    if (this.powered) {
      const stop = this.machine.run({ maxCycles: this.turnMs * CYCLES_PER_MS });
      // Asleep until a byte comes: time goes on for the others.
      if (stop.reason !== 'limit' && stop.reason !== 'halted') throw new Error(`the chip stopped: ${stop.message}`);
      const bytes = this.fromChip(Buffer.concat(this.out.splice(0)));
      if (bytes.length > 0) {
        this.console += Buffer.from(bytes).toString('latin1');
        this.line?.push(bytes);
      }
    }
    this.timer = setTimeout(() => this.turn(), 0);
  }
}
