// PyPI's esptool as the judge of our images; skipped where it is not installed (`pip install esptool`).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import wabtModule from 'wabt';
import { ESP32 } from '../../compiler/abi/boards.js';
import { buildImage } from '../../linker/build.js';
import type { BuildResult } from '../../linker/build.js';
import { writeElf } from '../../linker/elf-output.js';
import { readFlashImage } from '../../linker/image/read.js';
import type { Placement } from '../../linker/layout.js';

function esptool(...args: string[]): { readonly code: number | null; readonly text: string } {
  const done = spawnSync('python3', ['-m', 'esptool', ...args], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '200' },
  });
  return { code: done.status, text: `${done.stdout}${done.stderr}` };
}

const SOURCE = `(module
  (memory (export "memory") 1)
  (data (i32.const 16) "some constants that need a place")
  (func (export "f") (param f64) (result f64) (f64.div (local.get 0) (f64.const 3))))`;

describe.skipIf(esptool('version').code !== 0)('esptool', () => {
  let folder = '';
  let wasm: Uint8Array;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'esptool-'));
    const parsed = (await wabtModule()).parseWat('judge.wat', SOURCE);
    wasm = parsed.toBinary({}).buffer;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function build(place: Placement): BuildResult {
    const link = { code: place, rodata: place };
    return buildImage([{ bytes: wasm, file: 'judge.wasm' }], { board: ESP32, compile: {}, link });
  }

  it.each([['ram'], ['flash']] as const)('accepts the image, code in %s', (place) => {
    const { image } = build(place);
    const file = join(folder, 'image.bin');
    writeFileSync(file, image);
    const { code, text } = esptool('image-info', file);
    expect(code, text).toBe(0);
    expect(text).toMatch(/Checksum: 0x[0-9a-f]{2} \(valid\)/);
    expect(text).toMatch(/Validation hash: [0-9a-f]{64} \(valid\)/);
    expect(text).toContain('Flash size: 4MB');
    expect(text).toContain('WP pin: 0xee (disabled)');
    expect(text).toContain(`Entry point: 0x${readFlashImage(image).entry.toString(16)}`);
  });

  it.each([['ram'], ['flash']] as const)('makes the same segments from our ELF, code in %s', (place) => {
    const { image, linked } = build(place);
    const elf = join(folder, 'program.elf');
    const made = join(folder, 'made.bin');
    writeFileSync(elf, writeElf(linked));
    const { code, text } = esptool('--chip', 'esp32', 'elf2image', '-o', made, elf);
    expect(code, text).toBe(0);
    const ours = readFlashImage(image);
    const theirs = readFlashImage(readFileSync(made));
    const mapped = new Set(ours.mapped.map(({ address }) => address));
    const hex = (segments: readonly { readonly address: number; readonly bytes: Uint8Array }[]) =>
      segments.map(({ address, bytes }) => [address, Buffer.from(bytes).toString('hex')]);
    // Segments at address 0 are esptool's padding before the mapped ones, which it keeps among the loaded.
    const real = theirs.segments.filter(({ address }) => address !== 0);
    expect(hex(real.filter(({ address }) => !mapped.has(address)))).toEqual(hex(ours.segments));
    expect(hex(real.filter(({ address }) => mapped.has(address)))).toEqual(hex(ours.mapped));
    expect(theirs.entry).toBe(ours.entry);
    expect(ours.mapped.length).toBe(place === 'flash' ? 2 : 0);
  });
});
