// QEMU under the remote serial protocol of GDB: starts it stopped, steps it, reads its registers by name. Speaks over a
// socket file of its own, so nothing of it is reachable from outside. Knows nothing of Xtensa but what QEMU prints.

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { qemuArguments } from './bare.js';

/** How long QEMU may take to open its socket, in milliseconds. */
const START_TIMEOUT = 10_000;

export class Qemu {
  private buffer = '';
  private readonly packets: string[] = [];
  private waiting: ((packet: string | undefined) => void) | undefined;
  private closed = false;

  private constructor(
    private readonly directory: string,
    private readonly child: ChildProcess,
    private readonly socket: Socket,
  ) {
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.receive(text));
    const end = (): void => {
      this.closed = true;
      this.waiting?.(undefined);
    };
    socket.on('close', end);
    socket.on('error', end);
  }

  /** Starts QEMU with an ELF file's bytes; it stands before the first instruction. */
  static async start(elf: Uint8Array, megabytes: number | undefined): Promise<Qemu> {
    const directory = mkdtempSync(join(tmpdir(), 'oracle-'));
    const file = join(directory, 'program.elf');
    const path = join(directory, 'gdb');
    writeFileSync(file, elf);
    const gdb = ['-S', '-gdb', `unix:${path},server=on,wait=off`];
    const child = spawn('qemu-system-xtensa', [...qemuArguments(file, megabytes), ...gdb], { stdio: 'ignore' });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    for (let waited = 0; !existsSync(path); waited += 20) {
      if (waited > START_TIMEOUT || child.exitCode !== null) throw new Error('qemu did not start');
      await Promise.race([sleep(20), failed]);
    }
    const socket = connect(path);
    await Promise.race([new Promise<void>((resolve) => socket.once('connect', () => resolve())), failed]);
    const qemu = new Qemu(directory, child, socket);
    await qemu.command('QStartNoAckMode');
    socket.write('+');
    // The state as QEMU reports it needs the question what stopped it first.
    await qemu.command('?');
    return qemu;
  }

  /** One instruction, or the entry of an exception. False: the program has ended. */
  async step(): Promise<boolean> {
    const reply = await this.command('s');
    return reply !== undefined && !reply.startsWith('W') && !reply.startsWith('X');
  }

  /** Runs to an address. False: the program has ended before. */
  async runTo(address: number): Promise<boolean> {
    const where = `0,${address.toString(16)},2`;
    await this.command(`Z${where}`);
    const reply = await this.command('c');
    if (reply === undefined || reply.startsWith('W')) return false;
    await this.command(`z${where}`);
    return true;
  }

  /** All registers by the names QEMU gives them (`PC`, `A00`, `F00`, `SAR`). */
  async registers(): Promise<Map<string, number> | undefined> {
    const command = Buffer.from('info registers').toString('hex');
    let text = '';
    for (let reply = await this.command(`qRcmd,${command}`); ; reply = await this.next()) {
      if (reply === undefined) return undefined;
      if (reply === 'OK') break;
      if (reply.startsWith('O')) text += Buffer.from(reply.slice(1), 'hex').toString('latin1');
    }
    const registers = new Map<string, number>();
    // Float registers come as 32 and again as 64 bits.
    for (const [, name, value] of text.matchAll(/(\w+)=(?:[0-9a-f]{8})?([0-9a-f]{8})\b/g)) {
      registers.set(name as string, Number.parseInt(value as string, 16));
    }
    return registers;
  }

  async memory(address: number, length: number): Promise<Uint8Array> {
    const reply = await this.command(`m${address.toString(16)},${length.toString(16)}`);
    return new Uint8Array(Buffer.from(reply ?? '', 'hex'));
  }

  stop(): void {
    this.socket.destroy();
    this.child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private command(text: string): Promise<string | undefined> {
    let sum = 0;
    for (let i = 0; i < text.length; i++) sum = (sum + text.charCodeAt(i)) & 255;
    this.socket.write(`$${text}#${sum.toString(16).padStart(2, '0')}`);
    return this.next();
  }

  private next(): Promise<string | undefined> {
    const packet = this.packets.shift();
    if (packet !== undefined || this.closed) return Promise.resolve(packet);
    return new Promise((resolve) => {
      this.waiting = (value) => {
        this.waiting = undefined;
        resolve(value);
      };
    });
  }

  private receive(text: string): void {
    this.buffer += text;
    for (;;) {
      const start = this.buffer.indexOf('$');
      const end = this.buffer.indexOf('#', start);
      if (start < 0 || end < 0 || this.buffer.length < end + 3) return;
      const packet = this.buffer.slice(start + 1, end);
      this.buffer = this.buffer.slice(end + 3);
      if (this.waiting !== undefined) this.waiting(packet);
      else this.packets.push(packet);
    }
  }
}
