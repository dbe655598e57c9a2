// A simulated board in real time, its UART0 on a TCP port: what a gateway or a terminal connects to. Takes a machine that
// can boot; knows no download protocol.
import { createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { Machine } from '../simulator/machine.js';
import { note } from './io.js';

/** Milliseconds between two looks at clock and line. */
const TICK_MS = 5;
/** Longest simulated time that is caught up at once, in milliseconds: a host that slept does not run the chip for hours. */
const MAX_CATCH_UP_MS = 200;

export class LiveBoard {
  private client: Socket | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Simulated time follows the host's from here: cycles and milliseconds. */
  private since = { cycles: 0, time: 0 };
  private server: Server | null = null;

  /** @param clockHz of the simulated CPU */
  constructor(
    private readonly machine: Machine,
    private readonly clockHz: number,
  ) {}

  /** What the chip sends; to be called by the machine's console hook. */
  output(bytes: Uint8Array): void {
    this.client?.write(bytes);
  }

  /** Listens on 127.0.0.1 and boots. @throws DiagnosticError W605 if the port is taken */
  start(port: number): Promise<number> {
    const server = createServer((socket) => this.connect(socket));
    this.server = server;
    return new Promise((resolve, reject) => {
      server.on('error', (error) => reject(new DiagnosticError('W605', `cannot listen: ${error.message}`)));
      server.listen(port, '127.0.0.1', () => {
        this.machine.resetFromRom();
        this.follow();
        this.timer = setInterval(() => this.tick(), TICK_MS);
        resolve((server.address() as { port: number }).port);
      });
    });
  }

  stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.client?.destroy();
    return new Promise((resolve) => (this.server === null ? resolve() : this.server.close(() => resolve())));
  }

  /** A chip has one serial line: a second client is turned away. */
  private connect(socket: Socket): void {
    if (this.client !== null) {
      socket.destroy();
      return;
    }
    this.client = socket;
    socket.on('data', (chunk) => {
      this.machine.sendConsole(new Uint8Array(chunk));
      this.tick();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => (this.client = null));
  }

  private follow(): void {
    this.since = { cycles: this.machine.cycles, time: performance.now() };
  }

  private tick(): void {
    const { cycles, time } = this.since;
    const due = cycles + ((performance.now() - time) / 1000) * this.clockHz - this.machine.cycles;
    if (due <= 0) return;
    const most = (MAX_CATCH_UP_MS / 1000) * this.clockHz;
    const stop = this.machine.run({ maxCycles: Math.ceil(Math.min(due, most)) });
    if (stop.reason === 'limit') {
      if (due > most) this.follow();
      return;
    }
    // A chip that only a byte on the line can wake: its clock stands still until then.
    this.follow();
    if (stop.reason === 'halted') return;
    note(`the chip stopped: ${stop.message}\n`);
    if (this.timer !== null) clearInterval(this.timer);
  }
}
