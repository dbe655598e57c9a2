// The ESP32 application image (format 1) as the mask ROM reads it: header, segments, checksum, appended SHA-256. Takes
// flash bytes, gives segments or the complaint the ROM would make. Source: esptool documentation, firmware image format.

import { createHash } from 'node:crypto';

export interface ImageSegment {
  readonly address: number;
  readonly data: Uint8Array;
}

export interface Image {
  readonly entry: number;
  readonly segments: readonly ImageSegment[];
  /** Bytes from the magic to the end of the digest. */
  readonly length: number;
}

/** What is wrong with an image. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
}

const MAGIC = 0xe9;
const HEADER_BYTES = 24;
const MAX_SEGMENTS = 16;
const CHECKSUM_SEED = 0xef;
const ESP32_CHIP_ID = 0;
const DIGEST_BYTES = 32;

/** @throws ImageError */
export function parseImage(flash: Uint8Array, offset: number): Image {
  const view = new DataView(flash.buffer, flash.byteOffset, flash.byteLength);
  const need = (at: number, bytes: number): void => {
    if (at + bytes > flash.length) throw new ImageError(`image runs past the end of the flash at 0x${at.toString(16)}`);
  };
  need(offset, HEADER_BYTES);
  const magic = flash[offset] as number;
  if (magic !== MAGIC) throw new ImageError(`invalid header: 0x${view.getUint32(offset, true).toString(16)}`);
  const count = flash[offset + 1] as number;
  if (count === 0 || count > MAX_SEGMENTS) throw new ImageError(`invalid segment count ${count}`);
  const chip = view.getUint16(offset + 12, true);
  if (chip !== ESP32_CHIP_ID) throw new ImageError(`image is for chip id ${chip}, not for an ESP32`);
  const entry = view.getUint32(offset + 4, true);

  let at = offset + HEADER_BYTES;
  let checksum = CHECKSUM_SEED;
  const segments: ImageSegment[] = [];
  for (let i = 0; i < count; i++) {
    need(at, 8);
    const address = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    if (length % 4 !== 0) throw new ImageError(`segment ${i}: length ${length} is not a multiple of 4`);
    need(at + 8, length);
    const data = flash.slice(at + 8, at + 8 + length);
    for (const byte of data) checksum ^= byte;
    segments.push({ address, data });
    at += 8 + length;
  }
  // The checksum is the last byte of a 16-byte unit.
  at = offset + (((at - offset) | 15) + 1);
  need(at - 1, 1);
  const stored = flash[at - 1] as number;
  if (stored !== checksum) {
    throw new ImageError(`checksum failed. Calculated 0x${checksum.toString(16)} stored 0x${stored.toString(16)}`);
  }
  if (flash[offset + 23] === 1) {
    need(at, DIGEST_BYTES);
    const digest = createHash('sha256').update(flash.subarray(offset, at)).digest();
    const appended = flash.subarray(at, at + DIGEST_BYTES);
    if (!appended.every((byte, i) => byte === digest[i])) throw new ImageError('SHA-256 of the image does not match');
    at += DIGEST_BYTES;
  }
  return { entry, segments, length: at - offset };
}
