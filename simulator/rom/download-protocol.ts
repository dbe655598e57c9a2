// The mask ROM's serial download mode: takes bytes of the serial line, changes flash and registers, gives the answering
// bytes. Source: Espressif's esptool documentation, "Serial Protocol". Knows neither sockets nor the CPU.
import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { SlipReader, slipFrame } from './slip.js';

/** What download mode may touch. */
export interface DownloadTarget {
  /** Contents of the flash chip. */
  readonly flash: Uint8Array;
  readRegister(address: number): number;
  writeRegister(address: number, value: number): void;
  /** Told after flash contents changed. */
  flashWritten(): void;
}

const Command = {
  FlashBegin: 0x02,
  FlashData: 0x03,
  FlashEnd: 0x04,
  MemBegin: 0x05,
  MemEnd: 0x06,
  MemData: 0x07,
  Sync: 0x08,
  WriteReg: 0x09,
  ReadReg: 0x0a,
  SpiSetParams: 0x0b,
  SpiAttach: 0x0d,
  ReadFlashSlow: 0x0e,
  ChangeBaudrate: 0x0f,
  FlashDeflBegin: 0x10,
  FlashDeflData: 0x11,
  FlashDeflEnd: 0x12,
  SpiFlashMd5: 0x13,
} as const;

/** Error codes of the ROM. */
const ROM_INVALID_MESSAGE = 0x05;
const ROM_FAILED_TO_ACT = 0x06;
const ROM_INVALID_CRC = 0x07;
const ROM_FLASH_WRITE_ERROR = 0x08;

const CHECKSUM_SEED = 0xef;
const SECTOR = 0x1000;
/** The ROM answers a sync eight times, with a value that is not zero (the flasher stub's is). */
const SYNC_ANSWERS = 8;
const SYNC_VALUE = 0x20120707;
const READ_FLASH_BYTES = 64;

class RomError extends Error {
  constructor(readonly code: number) {
    super(`ROM error ${code}`);
  }
}

interface Answer {
  readonly value?: number;
  readonly data?: Uint8Array;
}

export class DownloadMode {
  private readonly reader = new SlipReader();
  /** Where the next block of a flash download goes, or undefined outside of one. */
  private writeAt: number | undefined;
  private blockBytes = 0;
  private packed: Uint8Array[] | undefined;

  constructor(private readonly target: DownloadTarget) {}

  /** Answers to the requests completed by `chunk`, to be sent in order. */
  push(chunk: Uint8Array): Uint8Array[] {
    return this.reader.push(chunk).flatMap((frame) => this.request(frame));
  }

  private request(frame: Uint8Array): Uint8Array[] {
    // Anything that is no request is noise on the line to the ROM.
    if (frame.length < 8 || frame[0] !== 0) return [];
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const command = frame[1]!;
    const size = view.getUint16(2, true);
    const checksum = view.getUint32(4, true);
    const data = frame.subarray(8);
    let answer: Answer = {};
    let error = 0;
    try {
      if (data.length !== size) throw new RomError(ROM_INVALID_MESSAGE);
      answer = this.execute(command, data, checksum);
    } catch (failure) {
      if (!(failure instanceof RomError)) throw failure;
      error = failure.code;
    }
    const reply = this.reply(command, answer, error);
    return command === Command.Sync ? Array.from({ length: SYNC_ANSWERS }, () => reply) : [reply];
  }

  private reply(command: number, { value, data }: Answer, error: number): Uint8Array {
    const body = data ?? new Uint8Array();
    // The ESP32's ROM ends its answers with four status bytes.
    const out = new Uint8Array(8 + body.length + 4);
    const view = new DataView(out.buffer);
    out[0] = 1;
    out[1] = command;
    view.setUint16(2, body.length + 4, true);
    view.setUint32(4, (value ?? 0) >>> 0, true);
    out.set(body, 8);
    out[8 + body.length] = error === 0 ? 0 : 1;
    out[9 + body.length] = error;
    return slipFrame(out);
  }

  private execute(command: number, data: Uint8Array, checksum: number): Answer {
    switch (command) {
      case Command.Sync:
        return { value: SYNC_VALUE };
      case Command.ReadReg:
        return { value: this.target.readRegister(word(data, 0)) };
      case Command.WriteReg: {
        const [address, value, mask] = [0, 1, 2].map((i) => word(data, i)) as [number, number, number];
        const old = mask === 0xffffffff ? 0 : this.target.readRegister(address);
        this.target.writeRegister(address, ((old & ~mask) | (value & mask)) >>> 0);
        return {};
      }
      case Command.SpiAttach:
      case Command.SpiSetParams:
      case Command.ChangeBaudrate:
        return {};
      case Command.FlashBegin:
      case Command.FlashDeflBegin:
        return this.begin(data, command === Command.FlashDeflBegin);
      case Command.FlashData:
      case Command.FlashDeflData:
        return this.data(data, checksum);
      case Command.FlashEnd:
      case Command.FlashDeflEnd:
        return this.end();
      case Command.SpiFlashMd5: {
        const bytes = this.range(word(data, 0), word(data, 1));
        return { data: new TextEncoder().encode(createHash('md5').update(bytes).digest('hex')) };
      }
      case Command.ReadFlashSlow: {
        const length = word(data, 1);
        if (length > READ_FLASH_BYTES) throw new RomError(ROM_INVALID_MESSAGE);
        const out = new Uint8Array(READ_FLASH_BYTES);
        out.set(this.range(word(data, 0), length));
        return { data: out };
      }
      default:
        // Programs in RAM (MEM_*) are not run: this ROM model executes no code. Others the ROM does not know either.
        throw new RomError(ROM_INVALID_MESSAGE);
    }
  }

  private range(offset: number, length: number): Uint8Array {
    if (offset + length > this.target.flash.length) throw new RomError(ROM_FAILED_TO_ACT);
    return this.target.flash.subarray(offset, offset + length);
  }

  /** (erase size or uncompressed size, blocks, block size, offset): erases whole sectors. */
  private begin(data: Uint8Array, compressed: boolean): Answer {
    const [size, , blockBytes, offset] = [0, 1, 2, 3].map((i) => word(data, i)) as [number, number, number, number];
    const start = offset - (offset % SECTOR);
    const end = Math.ceil((offset + size) / SECTOR) * SECTOR;
    if (end > this.target.flash.length || blockBytes > 0x10000) throw new RomError(ROM_FAILED_TO_ACT);
    if (size > 0) this.target.flash.fill(0xff, start, end);
    this.writeAt = offset;
    this.blockBytes = blockBytes;
    this.packed = compressed ? [] : undefined;
    this.target.flashWritten();
    return {};
  }

  /** (length, sequence number, 0, 0) and the block, whose bytes the checksum covers. */
  private data(data: Uint8Array, checksum: number): Answer {
    const length = word(data, 0);
    const sequence = word(data, 1);
    const block = data.subarray(16);
    if (this.writeAt === undefined || block.length !== length) throw new RomError(ROM_INVALID_MESSAGE);
    if (block.reduce((sum, b) => sum ^ b, CHECKSUM_SEED) !== (checksum & 0xff)) throw new RomError(ROM_INVALID_CRC);
    if (this.packed !== undefined) {
      this.packed[sequence] = block.slice();
      return {};
    }
    // The sequence number says where: a block that is sent again does not move the rest.
    const at = this.writeAt + sequence * this.blockBytes;
    const room = this.range(at, length);
    // Flash bits can only be cleared by writing: what was not erased stays.
    for (let i = 0; i < length; i++) room[i] = room[i]! & block[i]!;
    this.target.flashWritten();
    return {};
  }

  private end(): Answer {
    if (this.packed !== undefined && this.packed.length > 0 && this.writeAt !== undefined) {
      let bytes: Uint8Array;
      try {
        bytes = inflateSync(Buffer.concat(this.packed));
      } catch {
        throw new RomError(ROM_FLASH_WRITE_ERROR);
      }
      this.range(this.writeAt, bytes.length).set(bytes);
      this.target.flashWritten();
    }
    this.writeAt = undefined;
    this.packed = undefined;
    return {};
  }
}

function word(data: Uint8Array, index: number): number {
  if (data.length < 4 * index + 4) throw new RomError(ROM_INVALID_MESSAGE);
  return new DataView(data.buffer, data.byteOffset).getUint32(4 * index, true);
}
