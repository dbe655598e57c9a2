// esptool, unchanged, accepts our image, agrees with our ELF on the segments, and flashes the simulated chip through its
// ROM's serial protocol. Skipped where esptool is not installed.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ESP32 } from '../../compiler/abi/boards.js';
import { buildImage } from '../../linker/build.js';
import { writeElf } from '../../linker/elf-output.js';
import { wat } from '../support/wat.js';

const root = join(import.meta.dirname, '../..');
const command = [['esptool'], ['python3', '-m', 'esptool']].find(
  ([name, ...args]) => spawnSync(name!, [...args, 'version'], { stdio: 'ignore' }).status === 0,
);

function esptool(...args: string[]): string {
  const [name, ...prefix] = command!;
  const { status, stdout, stderr } = spawnSync(name!, [...prefix, ...args], { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`esptool ${args.join(' ')}: ${stdout}${stderr}`);
  return `${stdout}${stderr}`;
}

/** A WASI command that writes one line. */
const HELLO = `(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "flashed by esptool\\n")
  (data (i32.const 0) "\\10\\00\\00\\00\\13\\00\\00\\00")
  (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`;

interface Segment {
  readonly address: number;
  readonly length: number;
}

/** Rows of the segment table of `esptool image_info`. */
function segmentsIn(text: string): Segment[] {
  return [...text.matchAll(/^\s+\d+\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+0x[0-9a-f]+/gm)].map(([, length, address]) => ({
    address: parseInt(address!, 16),
    length: parseInt(length!, 16),
  }));
}

describe.skipIf(command === undefined)('esptool', () => {
  let folder: string;
  let bin: string;
  let elf: string;
  let device: ChildProcess | undefined;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wasm-aot-esptool-'));
    bin = join(folder, 'app.bin');
    elf = join(folder, 'app.elf');
    const bytes = await wat(HELLO);
    const { image, linked } = buildImage([{ bytes, file: 'hello.wasm' }], { board: ESP32, compile: {} });
    writeFileSync(bin, image);
    writeFileSync(elf, writeElf(linked));
  });
  afterAll(() => {
    device?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('accepts the image: checksum and SHA-256 are valid', () => {
    const text = esptool('--chip', 'esp32', 'image_info', bin);
    expect(text).toMatch(/Checksum: 0x[0-9a-f]{2} \(valid\)/);
    expect(text).toMatch(/Validation hash: [0-9a-f]{64} \(valid\)/);
  });

  it('elf2image makes the same segments of our ELF', () => {
    const other = join(folder, 'other.bin');
    esptool('--chip', 'esp32', 'elf2image', '--flash_size', '4MB', '-o', other, elf);
    const byAddress = (a: Segment, b: Segment): number => a.address - b.address;
    const ours = segmentsIn(esptool('--chip', 'esp32', 'image_info', bin)).sort(byAddress);
    const theirs = segmentsIn(esptool('--chip', 'esp32', 'image_info', other)).sort(byAddress);
    expect(ours.length).toBeGreaterThan(0);
    expect(theirs).toEqual(ours);
  });

  it('flashes the simulated chip, verifies, and the chip boots the image', async () => {
    const script = [join(root, 'node_modules/.bin/tsx'), join(root, 'test/support/simulate.ts')];
    device = spawn(script[0]!, [script[1]!], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let notes = '';
    device.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
    device.stderr!.on('data', (chunk: Buffer) => (notes += chunk.toString()));
    const until = async (condition: () => boolean): Promise<void> => {
      for (let i = 0; i < 600 && !condition(); i++) await new Promise((r) => setTimeout(r, 100));
      if (!condition()) throw new Error(`no answer from the simulated chip: ${output}${notes}`);
    };
    await until(() => /socket:\/\/127\.0\.0\.1:\d+/.test(notes));
    const port = /socket:\/\/127\.0\.0\.1:\d+/.exec(notes)![0];
    const common = ['--chip', 'esp32', '--port', port, '--no-stub'];
    const written = await spawnEsptool(...common, 'write_flash', '0x1000', bin);
    expect(written).toContain('Hash of data verified');
    const boots = (): number => output.split('flashed by esptool').length - 1;
    await until(() => boots() === 1);
    const verified = await spawnEsptool(...common, 'verify_flash', '0x1000', bin);
    expect(verified).toMatch(/[Vv]erification successful|-- verify OK/);
    await until(() => boots() === 2);
    expect(readFileSync(bin)[0]).toBe(0xe9);
  });
});

function spawnEsptool(...args: string[]): Promise<string> {
  const [name, ...prefix] = command!;
  return new Promise((done, fail) => {
    const child = spawn(name!, [...prefix, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('close', (code) => (code === 0 ? done(text) : fail(new Error(text))));
  });
}
