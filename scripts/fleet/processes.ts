// Programs that run beside the script: started, watched for a line, ended. Takes commands; knows none of them.
import { spawn, type ChildProcess } from 'node:child_process';

const LINES_KEPT = 40;
const KILL_AFTER_MS = 10_000;

export class Processes {
  private readonly running: { readonly name: string; readonly child: ChildProcess }[] = [];
  private ending = false;

  /** @param onLine every line of every program */
  constructor(private readonly onLine: (name: string, line: string) => void) {
    // A terminal interrupts all of them at once.
    process.once('SIGINT', () => (this.ending = true));
  }

  /**
   * Starts a program and waits until a line matches.
   * @returns what the expression has matched
   * @throws with the program's last lines if it ends before
   */
  start(name: string, command: string, args: readonly string[], ready: RegExp): Promise<RegExpExecArray> {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running.push({ name, child });
    const last: string[] = [];
    return new Promise((resolve, reject) => {
      const line = (text: string): void => {
        last.push(text);
        if (last.length > LINES_KEPT) last.shift();
        this.onLine(name, text);
        const match = ready.exec(text);
        if (match !== null) resolve(match);
      };
      for (const stream of [child.stdout, child.stderr]) splitLines(stream, line);
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        const text = `${name} has ended (${signal ?? `exit code ${code}`}):\n${last.join('\n')}`;
        if (!this.ending) process.stderr.write(`${text}\n`);
        reject(new Error(text));
      });
    });
  }

  /** Ends all, the last one first, and waits for them. */
  async end(): Promise<void> {
    this.ending = true;
    for (const { child } of this.running.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
      await exited;
      clearTimeout(timer);
    }
  }
}

function splitLines(stream: NodeJS.ReadableStream, line: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    lines.forEach(line);
  });
}
