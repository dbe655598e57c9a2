// Flash images written, read back, and damaged byte by byte.
import { describe, expect, it } from 'vitest';
import { ESP32 } from '../../compiler/abi/boards.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { LinkedImage, LinkedSegment } from '../linked.js';
import { NOTE_BYTES } from './format.js';
import { romImageBytes, writeFlashImage } from './flash.js';
import { readFlashImage } from './read.js';

function segment(name: string, address: number, size: number, flashPage: number | null): LinkedSegment {
  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) & 0xff);
  return { name, address, bytes, size, executable: false, writable: false, flashPage };
}

function image(segments: readonly LinkedSegment[]): LinkedImage {
  const symbol = (name: string, address: number) =>
    [name, { name, address, size: 0, type: 'none', binding: 'global', relative: true }] as const;
  return {
    board: ESP32,
    entry: 0x40080404,
    segments,
    sections: [],
    symbols: new Map([
      symbol('rt_mailbox', 0x3ffb0010),
      symbol('rt_run_mailbox', 0x40080500),
      symbol('rt_idle', 0x40080600),
    ]),
    symbolList: [],
    memories: [],
    modules: [],
    regions: [],
    stack: null,
    moduleRam: [],
    veneers: 0,
  };
}

const RAM = [segment('DRAM', 0x3ffb0000, 20, null), segment('IRAM', 0x40080000, 1028, null)];
const MAPPED = [segment('DROM', 0x3f400000, 100, 1), segment('IROM', 0x400d0000, 70000, 2)];

function failure(bytes: Uint8Array): string {
  try {
    readFlashImage(bytes);
  } catch (error) {
    if (error instanceof DiagnosticError && error.code === 'W702') return error.message;
    throw error;
  }
  return 'none';
}

describe('flash image', () => {
  it('reads back what was written', () => {
    const file = writeFlashImage(image([...RAM, ...MAPPED]));
    const read = readFlashImage(file);
    expect(read.entry).toBe(0x40080404);
    expect(read.spiMode).toBe('dio');
    expect(read.flashBytes).toBe(4 * 1024 * 1024);
    expect(read.segments.map(({ address, bytes }) => [address, bytes])).toEqual(RAM.map((s) => [s.address, s.bytes]));
    expect(read.mapped.map(({ address, bytes, page }) => [address, bytes, page])).toEqual(
      MAPPED.map((s) => [s.address, s.bytes, s.flashPage]),
    );
    expect(read.note).toMatchObject({ mailbox: 0x3ffb0010, runMailbox: 0x40080500, idle: 0x40080600 });
    // The file lies at flash 0x1000, so page 2 begins at file offset 0x1f000.
    expect(file.subarray(0x1f000, 0x1f000 + 70000)).toEqual(MAPPED[1]!.bytes);
  });

  it('has the layout of esptool images', () => {
    const file = writeFlashImage(image(RAM));
    expect([...file.subarray(0, 4)]).toEqual([0xe9, 2, 2, 0x20]);
    expect(file[8]).toBe(0xee);
    expect(file[23]).toBe(1);
    const { romBytes } = readFlashImage(file);
    expect((romBytes - 32) % 16).toBe(0);
    expect(file.length).toBe(romBytes + NOTE_BYTES);
    expect(romImageBytes(RAM.map((s) => s.size))).toBe(file.length);
    // XOR of all segment bytes and the seed, in the last byte before the hash.
    const checksum = RAM.flatMap((s) => [...s.bytes!]).reduce((sum, byte) => sum ^ byte, 0xef);
    expect(file[romBytes - 33]).toBe(checksum);
  });

  it('notices every changed byte and every truncation of the part the ROM reads', () => {
    const file = writeFlashImage(image([segment('DRAM', 0x3ffb0000, 12, null)]));
    for (let i = 0; i < file.length; i++) {
      const damaged = file.slice();
      damaged[i]! ^= 0x10;
      // A damaged magic of the note makes the image one of other tools, which is what it then is.
      if (failure(damaged) === 'none') expect(readFlashImage(damaged).note).toBeNull();
    }
    for (let length = 0; length < file.length - NOTE_BYTES; length++)
      expect(failure(file.slice(0, length))).not.toBe('none');
  });

  it('notices damage in mapped pages', () => {
    const file = writeFlashImage(image([...RAM, ...MAPPED]));
    file[0x1f000 + 1234]! ^= 1;
    expect(failure(file)).toBe('the flash-mapped pages are damaged');
    expect(failure(file.slice(0, file.length - 1))).toContain('its note says');
  });

  it('says what is wrong', () => {
    const file = writeFlashImage(image(RAM));
    expect(failure(Uint8Array.of(1, 2, 3))).toContain('not a flash image');
    const many = file.slice();
    many[1] = 17;
    expect(failure(many)).toContain('17 segments');
    const odd = file.slice();
    odd[28] = 3;
    expect(failure(odd)).toContain('multiple of 4');
  });
});
