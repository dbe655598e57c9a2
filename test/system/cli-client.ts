// The test's side of cli-server.ts, and single real processes for what needs a standard input of its own.
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
// By address: the working folder of the tests is no place to resolve packages from.
const TSX = import.meta.resolve('tsx');
const MARKER = '\0done\0';

export class CliClient {
  private readonly child: ChildProcess;
  private out = Buffer.alloc(0);
  private err = Buffer.alloc(0);
  private wake: () => void = () => undefined;
  private code: number | null = null;
  private ended = false;

  constructor(
    cwd: string,
    private readonly program: 'wasm-aot' | 'thingspire' = 'wasm-aot',
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.child = spawn(process.execPath, ['--import', TSX, join(FOLDER, 'cli-server.ts')], {
      cwd,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child.stdout!.on('data', (data: Buffer) => {
      this.out = Buffer.concat([this.out, data]);
      this.wake();
    });
    this.child.stderr!.on('data', (data: Buffer) => {
      this.err = Buffer.concat([this.err, data]);
      this.wake();
    });
    this.child.on('message', (code: number) => {
      this.code = code;
      this.wake();
    });
    this.child.on('exit', () => {
      this.ended = true;
      this.wake();
    });
  }

  /** One command line; one at a time. */
  async run(...argv: readonly string[]): Promise<Result> {
    this.out = this.err = Buffer.alloc(0);
    this.code = null;
    if (!this.ended) this.child.send({ program: this.program, argv, marker: MARKER });
    while (this.code === null || !ends(this.out) || !ends(this.err)) {
      if (this.ended) throw new Error(`the CLI process ended: ${this.err.toString()}`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    const text = (bytes: Buffer): string => bytes.toString('latin1', 0, bytes.length - MARKER.length);
    return { code: this.code, stdout: decode(text(this.out)), stderr: decode(text(this.err)) };
  }

  close(): void {
    this.child.kill();
  }
}

function ends(bytes: Buffer): boolean {
  return bytes.length >= MARKER.length && bytes.toString('latin1', bytes.length - MARKER.length) === MARKER;
}

function decode(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

/** A process of its own with this standard input. Standard output comes as bytes. */
export function runProcess(
  cwd: string,
  argv: readonly string[],
  input: Uint8Array | string,
): { readonly code: number | null; readonly stdout: Buffer; readonly stderr: string } {
  const done = spawnSync(process.execPath, ['--import', TSX, join(FOLDER, 'wasm-aot.ts'), ...argv], {
    cwd,
    input,
    maxBuffer: 1 << 26,
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr.toString() };
}
