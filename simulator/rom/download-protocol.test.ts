// Tests of the mask ROM's download mode: framing, checksums, erasing, sequence numbers, compressed blocks, refusals.
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { DownloadMode } from './download-protocol.js';
import { SlipReader, slipFrame } from './slip.js';

const words = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((p) => [...p]));

describe('download mode', () => {
  let flash: Uint8Array;
  let rom: DownloadMode;
  const registers = new Map<number, number>();

  beforeEach(() => {
    flash = new Uint8Array(0x10000).fill(0x55);
    rom = new DownloadMode({
      flash,
      readRegister: (address) => registers.get(address) ?? 0,
      writeRegister: (address, value) => void registers.set(address, value),
      flashWritten: () => undefined,
    });
  });

  function request(command: number, data: Uint8Array, checksum = 0): Uint8Array {
    const head = Uint8Array.of(0, command, data.length & 0xff, data.length >> 8, checksum, 0, 0, 0);
    return slipFrame(join(head, data));
  }
  /** Answers with the frame taken off: value, data, status and error. */
  function send(command: number, data: Uint8Array, checksum = 0) {
    const answers = new SlipReader().push(join(...rom.push(request(command, data, checksum))));
    return answers.map((a) => {
      const value = new DataView(a.buffer).getUint32(4, true);
      return { command: a[1], value, data: a.slice(8, -4), status: a[a.length - 4], error: a[a.length - 3] };
    });
  }
  const block = (bytes: Uint8Array, sequence: number) =>
    [join(words(bytes.length, sequence, 0, 0), bytes), bytes.reduce((sum, b) => sum ^ b, 0xef)] as const;

  it('answers a sync eight times with a value that no stub sends', () => {
    const answers = send(0x08, Uint8Array.of(7, 7, 0x12, 0x20, ...new Array<number>(32).fill(0x55)));
    expect(answers).toHaveLength(8);
    expect(answers.every((a) => a.status === 0 && a.value !== 0)).toBe(true);
  });

  it('collects requests from any pieces and escapes', () => {
    const frame = request(0x0a, words(0xc0dbc0db));
    registers.set(0xc0dbc0db, 0x1234);
    const answers = [...frame].flatMap((byte) => rom.push(Uint8Array.of(byte)));
    expect(answers).toHaveLength(1);
  });

  it('erases whole sectors and writes blocks where their numbers say', () => {
    expect(send(0x02, words(0x600, 2, 0x300, 0x1000))[0]).toMatchObject({ status: 0 });
    expect(flash[0x0fff]).toBe(0x55);
    expect(flash[0x1fff]).toBe(0xff);
    const [second, sumOfSecond] = block(new Uint8Array(0x300).fill(2), 1);
    const [first, sumOfFirst] = block(new Uint8Array(0x300).fill(1), 0);
    expect(send(0x03, second, sumOfSecond)[0]).toMatchObject({ status: 0 });
    expect(send(0x03, first, sumOfFirst)[0]).toMatchObject({ status: 0 });
    expect([flash[0x1000], flash[0x12ff], flash[0x1300], flash[0x1600]]).toEqual([1, 1, 2, 0xff]);
  });

  it('refuses a block with a wrong checksum and leaves the flash as it was', () => {
    send(0x02, words(0x100, 1, 0x100, 0));
    const [data, sum] = block(new Uint8Array(0x100).fill(9), 0);
    expect(send(0x03, data, sum ^ 1)[0]).toMatchObject({ status: 1, error: 7 });
    expect(flash[0]).toBe(0xff);
  });

  it('inflates compressed downloads', () => {
    const content = new Uint8Array(5000).map((_, i) => i % 7);
    const packed = new Uint8Array(deflateSync(content));
    send(0x10, words(content.length, 1, packed.length, 0x2000));
    const [data, sum] = block(packed, 0);
    send(0x11, data, sum);
    expect(send(0x12, words(1))[0]).toMatchObject({ status: 0 });
    expect(flash.slice(0x2000, 0x2000 + 5000)).toEqual(content);
  });

  it('gives the MD5 of a range as hexadecimal text', () => {
    const [answer] = send(0x13, words(0x100, 0x200, 0, 0));
    const expected = createHash('md5').update(flash.subarray(0x100, 0x300)).digest('hex');
    expect(new TextDecoder().decode(answer!.data)).toBe(expected);
  });

  it('writes registers under a mask', () => {
    registers.set(0x3ff00000, 0xff00ff00);
    send(0x09, words(0x3ff00000, 0x12345678, 0x0000ffff, 0));
    expect(registers.get(0x3ff00000)).toBe(0xff005678);
  });

  it.each([
    ['a block outside of a download', 0x03, words(0, 0, 0, 0)],
    ['a download beyond the flash', 0x02, words(0x1000, 1, 0x1000, 0xfffff000)],
    ['a range beyond the flash', 0x13, words(0xffff, 2, 0, 0)],
    ['a command that the ROM does not have', 0xd0, new Uint8Array()],
    ['a program for RAM', 0x05, words(0, 0, 0, 0)],
    ['too little data', 0x0a, Uint8Array.of(1)],
  ])('refuses %s', (_, command, data) => {
    expect(send(command, data)[0]).toMatchObject({ status: 1 });
  });

  it('says nothing to noise', () => {
    expect(rom.push(Uint8Array.of(1, 2, 3, 0xc0, 9, 9, 0xc0))).toEqual([]);
  });
});
