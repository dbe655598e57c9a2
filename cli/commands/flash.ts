// `wasm-aot flash`: writes an image to a board with esptool, which it finds or says how to get. Checks the image first;
// refuses to know the serial protocol.
import { spawn, spawnSync } from 'node:child_process';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { readFlashImage } from '../../linker/image/read.js';
import { displayName, note, readInput } from '../io.js';
import type { Command } from './command.js';

interface Args {
  readonly image: string;
  readonly port: string | undefined;
  readonly baud: number;
  readonly stub: boolean;
  readonly verify: boolean;
  readonly esptool: string | undefined;
}

/** How esptool may be called, newest name first. */
const CANDIDATES: readonly (readonly string[])[] = [['esptool'], ['esptool.py'], ['python3', '-m', 'esptool']];
/** Where the mask ROM looks for the image. */
const OFFSET = '0x1000';

export const flashCommand: Command<Args> = {
  name: 'flash',
  positionals: '<image>',
  describe: 'write a flash image to a board with esptool',
  examples: [
    ['$0 flash app.bin', 'esptool looks for the port'],
    ['$0 flash app.bin --port /dev/ttyUSB0 --baud 921600', 'a real board'],
    ['$0 flash app.bin --port socket://127.0.0.1:3333 --no-stub --verify', 'the simulated board of `simulate`'],
  ],
  options: (yargs) =>
    yargs
      .positional('image', { describe: 'image made by build', type: 'string', demandOption: true })
      .option('port', { describe: 'serial port or socket:// address', type: 'string', requiresArg: true })
      .option('baud', { describe: 'speed of the serial line', type: 'number', default: 460800, requiresArg: true })
      .option('stub', { describe: "use esptool's flasher stub (faster)", type: 'boolean', default: true })
      .option('verify', { describe: 'read back and compare afterwards', type: 'boolean', default: false })
      .option('esptool', { describe: 'esptool to use', type: 'string', requiresArg: true }) as never,
  run: async (args) => {
    readFlashImage(readInput(args.image), displayName(args.image));
    const [command, ...prefix] = findEsptool(args.esptool);
    const common = [
      ...prefix,
      ...['--chip', 'esp32', '--baud', String(args.baud)],
      ...(args.port === undefined ? [] : ['--port', args.port]),
      ...(args.stub ? [] : ['--no-stub']),
    ];
    const status = await run(command!, [...common, 'write_flash', OFFSET, args.image]);
    if (status !== 0 || !args.verify) return status;
    return run(command!, [...common, 'verify_flash', OFFSET, args.image]);
  },
};

function findEsptool(given: string | undefined): readonly string[] {
  const candidates = given === undefined ? CANDIDATES : [[given]];
  for (const candidate of candidates) {
    const { status } = spawnSync(candidate[0]!, [...candidate.slice(1), 'version'], { stdio: 'ignore' });
    if (status === 0) return candidate;
  }
  throw new DiagnosticError(
    'W606',
    'esptool is not there: install it with "pip install esptool" or "pipx install esptool"',
  );
}

/** Runs esptool with its own progress on our terminal; gives our exit code. */
function run(command: string, args: readonly string[]): Promise<number> {
  note(`${command} ${args.join(' ')}\n`);
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', fail);
    child.on('close', (code) => done(code === 0 ? 0 : 1));
  });
}
