// The command line's side of the file system and the terminal: reads inputs (`-` is standard input), writes outputs so
// that nothing half-written is left, shows progress on a terminal only. Refuses to know what is in the files.
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import colors from 'picocolors';
import { DiagnosticError, formatDiagnostic } from '../compiler/diagnostics.js';
import { ExitCode } from './exit-codes.js';

/** No module near this size runs on the chip; reading more would only exhaust the host. */
const MAX_INPUT_BYTES = 64 * 1024 * 1024;

const STDIN = 0;
const STDOUT = 1;
const END_OF_TRANSMISSION = 4;
const PAUSE_MILLISECONDS = 20;

/** Reads a whole file or, for `-`, standard input. @throws DiagnosticError W601, W501 */
export function readInput(path: string): Uint8Array {
  try {
    const fd = path === '-' ? STDIN : openSync(path, 'r');
    try {
      const stat = fstatSync(fd);
      if (stat.isFile() && stat.size > MAX_INPUT_BYTES) throw tooLarge(path, stat.size);
      const bytes = readFileSync(fd);
      if (bytes.length > MAX_INPUT_BYTES) throw tooLarge(path, bytes.length);
      return bytes;
    } finally {
      if (fd !== STDIN) closeSync(fd);
    }
  } catch (error) {
    if (error instanceof DiagnosticError) throw error;
    throw new DiagnosticError('W601', reason(error), { file: displayName(path) });
  }
}

function tooLarge(path: string, size: number): DiagnosticError {
  const message = `an input of ${size} bytes; at most ${MAX_INPUT_BYTES} are read`;
  return new DiagnosticError('W501', message, { file: displayName(path) });
}

/** How a path is named in messages. */
export function displayName(path: string): string {
  return path === '-' ? '<stdin>' : path;
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'no such file or folder';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'is a folder';
    case 'ENOSPC':
      return 'no space left on the device';
    default:
      return message;
  }
}

/** Output files of one command: all appear together, or none does. */
export class Outputs {
  private readonly pending: { readonly path: string; readonly bytes: Uint8Array | string; readonly mode: number }[] =
    [];

  /** @param mode permissions of the file, before the process's mask */
  add(path: string, bytes: Uint8Array | string, mode = 0o666): void {
    this.pending.push({ path, bytes, mode });
  }

  /**
   * Writes everything: first all temporary files beside their targets, then the renames.
   * @throws DiagnosticError W602
   */
  commit(): void {
    const temporaries: { readonly from: string; readonly to: string; readonly path: string }[] = [];
    let current = '';
    try {
      for (const [index, { path, bytes, mode }] of this.pending.entries()) {
        current = path;
        if (path === '-') {
          print(bytes);
          continue;
        }
        const target = resolveTarget(path);
        if (target === null) {
          writeFileSync(path, bytes);
          continue;
        }
        const from = join(dirname(target), `.wasm-aot-${process.pid}-${index}.tmp`);
        temporaries.push({ from, to: target, path });
        writeFileSync(from, bytes, { mode });
      }
      for (const { from, to, path } of temporaries) {
        current = path;
        renameSync(from, to);
      }
    } catch (error) {
      for (const { from } of temporaries) rmSync(from, { force: true });
      throw new DiagnosticError('W602', reason(error), { file: displayName(current) });
    }
  }
}

/** The file that a rename may replace, links followed; null for devices and pipes, which are written directly. */
function resolveTarget(path: string): string | null {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return stat.isFile() ? realpathSync(path) : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    throw error;
  }
}

const isTerminal = process.stderr.isTTY === true;
const useColors = isTerminal && process.env['NO_COLOR'] === undefined;
/** Colours for standard error; plain text when it is no terminal. */
export const paint = colors.createColors(useColors);

/** One line on the terminal that each step replaces; silent elsewhere. */
export class Progress {
  private shown = false;

  show(what: string): void {
    if (!isTerminal) return;
    process.stderr.write(`\r\x1b[K${paint.dim(what)}`);
    this.shown = true;
  }

  clear(): void {
    if (this.shown) process.stderr.write('\r\x1b[K');
    this.shown = false;
  }
}

/** Writes to standard output at once, so that a console is seen while the program runs. */
export function print(text: string | Uint8Array): void {
  writeAll(STDOUT, typeof text === 'string' ? Buffer.from(text) : text);
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The reader has left (`| head`): nobody is there to be told anything.
      if (code === 'EPIPE') process.exit(ExitCode.Ok);
      // A full pipe in non-blocking mode.
      if (code !== 'EAGAIN') throw new DiagnosticError('W602', reason(error), { file: '<stdout>' });
      pause();
    }
  }
}

/** Waits a moment without giving up the thread: the simulator is in the middle of an instruction. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MILLISECONDS);
}

/** One JSON value on one line of standard output. */
export function printJson(value: unknown): void {
  print(`${JSON.stringify(value)}\n`);
}

export function note(text: string): void {
  process.stderr.write(text);
}

/** A diagnostic on standard error, its number in colour. */
export function noteDiagnostic(diagnostic: DiagnosticError, severity: 'error' | 'warning'): void {
  const text = formatDiagnostic(diagnostic, severity);
  const colon = text.indexOf(':') + 1;
  const colour = severity === 'error' ? paint.red : paint.yellow;
  note(`${colour(paint.bold(text.slice(0, colon)))}${text.slice(colon)}\n`);
}

/**
 * Standard input as the board's serial line reads it: blocking, in pieces, and at its end a single END OF TRANSMISSION
 * (what a terminal sends for Ctrl-D). Nothing is read before the program asks.
 */
export class StandardInput {
  private ended = false;
  private readonly buffer = new Uint8Array(4096);

  /** The next bytes; null when the end has been told already. */
  read(): Uint8Array | null {
    if (this.ended) return null;
    for (;;) {
      try {
        const length = readSync(STDIN, this.buffer);
        if (length > 0) return this.buffer.slice(0, length);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        // A terminal in non-blocking mode: nothing typed yet.
        if (code === 'EAGAIN') {
          pause();
          continue;
        }
        if (code !== 'EOF') throw new DiagnosticError('W601', reason(error), { file: '<stdin>' });
      }
      this.ended = true;
      return Uint8Array.of(END_OF_TRANSMISSION);
    }
  }
}
