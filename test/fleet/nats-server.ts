// A nats-server of a test's own: with JetStream, a store directory and a port that nobody else has; can be stopped, killed
// and started again on the same port and store. Knows nothing of what is in it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COMMAND = 'nats-server';

/** Null: it is not installed; say so and do without. */
export function natsVersion(): string | null {
  const { status, stdout } = spawnSync(COMMAND, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** For `describe.skipIf`: says once why nothing is tested. */
export function withoutNats(): boolean {
  const missing = natsVersion() === null;
  if (missing) console.warn('skipped: nats-server is not installed (Debian: apt-get install nats-server)');
  return missing;
}

export class NatsServer {
  private child: ChildProcess | null = null;
  private port = -1;
  private readonly directory = mkdtempSync(join(tmpdir(), 'thingspire-nats-'));

  /** @param args further arguments, as of `--tls` */
  constructor(private readonly args: readonly string[] = []) {}

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Resident bytes of the server. */
  get processId(): number | null {
    return this.child?.pid ?? null;
  }

  /** Starts it, after the first time on the same port. */
  async start(): Promise<void> {
    const { port, directory } = this;
    const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', directory, ...this.args];
    const child = spawn(COMMAND, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      let text = '';
      child.stderr.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        const found = /client connections on .*:(\d+)/.exec(text);
        if (found !== null) this.port = Number(found[1]);
        if (/Server is ready/.test(text)) {
          text = '';
          child.stderr.removeAllListeners('data').resume();
          resolve();
        }
      });
      child.on('error', reject);
      child.on('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${text}`)));
    });
  }

  /** SIGKILL is a power cut, SIGTERM an orderly end. */
  async stop(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** Ends it and forgets all. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
