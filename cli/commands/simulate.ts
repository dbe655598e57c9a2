// `wasm-aot simulate`: a simulated board with its UART0 on a TCP port. A client that connects finds the chip in the mask
// ROM's download mode, as after esptool's reset; when it leaves, the chip is reset and boots what is in its flash, the
// console on standard output. Knows sockets and time slices, not the protocol.
import { createServer, type Socket } from 'node:net';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { BOARDS, IMAGE_FLASH_OFFSET } from '../../compiler/abi/boards.js';
import { isFlashImage } from '../../linker/image/read.js';
import { Machine } from '../../simulator/machine.js';
import { DownloadMode } from '../../simulator/rom/download-protocol.js';
import { downloadTarget } from '../../simulator/rom/download-target.js';
import { LiveBoard } from '../live-board.js';
import { ExitCode } from '../exit-codes.js';
import { displayName, note, print, readInput } from '../io.js';
import { boardOf } from '../options.js';
import type { Command } from './command.js';

interface Args {
  readonly image: string | undefined;
  readonly board: string;
  readonly port: number;
  readonly once: boolean;
  readonly serial: boolean;
}

/** Instructions between two looks at the socket. */
const SLICE_INSTRUCTIONS = 2_000_000;

export const simulateCommand: Command<Args> = {
  name: 'simulate',
  positionals: '[image]',
  describe: 'a simulated board that esptool can flash through a TCP port',
  examples: [
    [
      '$0 simulate --port 3333',
      'waits for esptool --port socket://127.0.0.1:3333 --no-stub write_flash 0x1000 app.bin',
    ],
    ['$0 simulate app.bin', 'boots the image first'],
    ['$0 simulate app.bin --serial', 'the port is UART0 of the running chip, e.g. for thingspire edge --device'],
  ],
  epilogue: [
    'While a client is connected the chip is in download mode; when it disconnects, the chip is reset and boots. Stop with',
    'Ctrl-C. The port listens on 127.0.0.1 only. With --serial simulated time follows the clock on the wall.',
  ].join('\n'),
  options: (yargs) =>
    yargs
      .positional('image', { describe: 'flash image to start with', type: 'string' })
      .option('board', { describe: 'board to simulate', choices: [...BOARDS.keys()], default: 'esp32' })
      .option('port', { describe: 'TCP port, 0 for any free one', type: 'number', default: 3333, requiresArg: true })
      .option('once', {
        describe: 'end when the program that was booted after a download waits for its host',
        type: 'boolean',
        default: false,
      })
      .option('serial', {
        describe: 'the port is the serial line of the running program, not of the mask ROM',
        type: 'boolean',
        default: false,
      }) as never,
  run: (args) => (args.serial ? runLive(args) : new Simulation(args).run()),
};

async function runLive(args: Args): Promise<number> {
  if (args.image === undefined) throw new DiagnosticError('W605', '--serial needs an image to boot');
  let live: LiveBoard | null = null;
  const board = boardOf(args);
  const machine = new Machine({
    board,
    rebootOnReset: true,
    onConsole: (bytes) => live?.output(bytes),
    onRom: (text) => note(`${text.trimEnd()}\n`),
  });
  loadImage(machine, args.image);
  live = new LiveBoard(machine, board.cpuHz);
  const port = await live.start(args.port);
  note(`simulated ${args.board}, UART0 on tcp:127.0.0.1:${port}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await live.stop();
  return ExitCode.Ok;
}

function loadImage(machine: Machine, file: string): void {
  machine.flash.fill(0xff);
  const bytes = readInput(file);
  if (!isFlashImage(bytes)) throw new DiagnosticError('W702', 'not a flash image', { file: displayName(file) });
  machine.loadFlash(bytes, IMAGE_FLASH_OFFSET);
}

class Simulation {
  private readonly machine: Machine;
  private client: Socket | undefined;
  private running = false;
  private downloaded = false;

  constructor(private readonly args: Args) {
    this.machine = new Machine({
      board: boardOf(args),
      rebootOnReset: true,
      onConsole: (bytes) => print(bytes),
      onRom: (text) => note(`${text.trimEnd()}\n`),
    });
    if (args.image === undefined) this.machine.flash.fill(0xff);
    else loadImage(this.machine, args.image);
  }

  run(): Promise<number> {
    return new Promise((done, fail) => {
      const server = createServer((socket) => this.connect(socket));
      const stop = (): void => {
        this.running = false;
        this.client?.destroy();
        server.close(() => done(ExitCode.Ok));
      };
      this.finished = stop;
      server.on('error', (error) => fail(new DiagnosticError('W605', `cannot listen: ${error.message}`)));
      server.listen(this.args.port, '127.0.0.1', () => {
        const address = server.address();
        const port = typeof address === 'object' && address !== null ? address.port : this.args.port;
        note(`simulated ${this.args.board} on socket://127.0.0.1:${port}\n`);
        if (this.args.image !== undefined) this.boot();
      });
      process.once('SIGINT', stop);
      process.once('SIGTERM', stop);
    });
  }

  private finished: () => void = () => undefined;

  /** A chip has one serial line: a second client is turned away. */
  private connect(socket: Socket): void {
    if (this.client !== undefined) {
      socket.destroy();
      return;
    }
    this.client = socket;
    this.running = false;
    this.machine.reset();
    const rom = new DownloadMode(downloadTarget(this.machine));
    socket.on('data', (chunk) => {
      for (const answer of rom.push(new Uint8Array(chunk))) socket.write(answer);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.client = undefined;
      this.downloaded = true;
      this.boot();
    });
  }

  private boot(): void {
    try {
      this.machine.resetFromRom();
    } catch (error) {
      note(`the mask ROM finds nothing to boot: ${(error as Error).message}\n`);
      return;
    }
    this.running = true;
    this.slice();
  }

  private slice(): void {
    if (!this.running) return;
    const stop = this.machine.run({ maxInstructions: SLICE_INSTRUCTIONS });
    if (stop.reason === 'limit') {
      setImmediate(() => this.slice());
      return;
    }
    this.running = false;
    if (stop.reason !== 'halted') note(`the chip stopped: ${stop.message}\n`);
    if (this.args.once && this.downloaded) this.finished();
  }
}
