// Takes the bytes of a flash image file, gives its parts after checking everything the mask ROM checks and the note
// behind it. A fault is a W702. Refuses to know symbols and ELF.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FLASH_PAGE_BYTES, IMAGE_FLASH_OFFSET } from '../../compiler/abi/boards.js';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import {
  CHECKSUM_SEED,
  EXTENDED_HEADER_BYTES,
  FLASH_SIZES,
  HASH_BYTES,
  HEADER_BYTES,
  IMAGE_MAGIC,
  MAX_SEGMENTS,
  NOTE_BYTES,
  NOTE_FIELDS,
  NOTE_MAGIC,
  SEGMENT_HEADER_BYTES,
  SPI_MODES,
} from './format.js';
import type { ImageNote } from './format.js';

export interface ImageSegment {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export interface FlashImage {
  readonly entry: number;
  readonly spiMode: string;
  /** Flash size the header names, in bytes; 0 if the code is unknown. */
  readonly flashBytes: number;
  readonly chipId: number;
  /** What the mask ROM loads. */
  readonly segments: readonly ImageSegment[];
  /** What start-up code maps: address, bytes, first 64 KiB flash page. */
  readonly mapped: readonly (ImageSegment & { readonly page: number })[];
  /** SHA-256 as hexadecimal text, or null when the image carries none. */
  readonly sha256: string | null;
  /** Null for images of other tools. */
  readonly note: ImageNote | null;
  /** Bytes of the part that the mask ROM reads. */
  readonly romBytes: number;
}

/** True if the bytes begin like a flash image. */
export function isFlashImage(bytes: Uint8Array): boolean {
  return bytes[0] === IMAGE_MAGIC;
}

/**
 * Reads and checks an image file for flash offset 0x1000.
 * @throws DiagnosticError W702
 */
export function readFlashImage(bytes: Uint8Array, file?: string): FlashImage {
  const fail = (message: string, offset?: number): never => {
    throw new DiagnosticError('W702', message, {
      ...(file === undefined ? {} : { file }),
      ...(offset === undefined ? {} : { offset }),
    });
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== IMAGE_MAGIC) fail('not a flash image: the first byte is not 0xe9', 0);
  if (bytes.length < HEADER_BYTES + EXTENDED_HEADER_BYTES) fail('the header is incomplete');
  const count = bytes[1]!;
  if (count > MAX_SEGMENTS) fail(`${count} segments, the mask ROM takes at most ${MAX_SEGMENTS}`, 1);
  const segments: ImageSegment[] = [];
  let at = HEADER_BYTES + EXTENDED_HEADER_BYTES;
  let checksum = CHECKSUM_SEED;
  for (let i = 0; i < count; i++) {
    if (at + SEGMENT_HEADER_BYTES > bytes.length) fail(`segment ${i}: the header is incomplete`, at);
    const address = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    if (size % 4 !== 0) fail(`segment ${i}: ${size} bytes is not a multiple of 4`, at + 4);
    at += SEGMENT_HEADER_BYTES;
    if (at + size > bytes.length) fail(`segment ${i}: ${size} bytes reach beyond the end of the file`, at - 4);
    const data = bytes.subarray(at, at + size);
    for (let j = 0; j < size; j++) checksum ^= data[j]!;
    segments.push({ address, bytes: data });
    at += size;
  }
  const hashed = Math.ceil((at + 1) / 16) * 16;
  if (hashed > bytes.length) fail('the checksum is missing', at);
  if (bytes[hashed - 1] !== checksum)
    fail(`checksum 0x${hex2(bytes[hashed - 1]!)}, computed 0x${hex2(checksum)}`, hashed - 1);
  let sha256: string | null = null;
  let end = hashed;
  if (bytes[23] === 1) {
    if (hashed + HASH_BYTES > bytes.length) fail('the SHA-256 is incomplete', hashed);
    sha256 = createHash('sha256').update(bytes.subarray(0, hashed)).digest('hex');
    const stored = Buffer.from(bytes.subarray(hashed, hashed + HASH_BYTES)).toString('hex');
    if (stored !== sha256) fail('the SHA-256 does not match', hashed);
    end = hashed + HASH_BYTES;
  }
  const note = readNote(bytes, end, fail);
  return {
    entry: view.getUint32(4, true),
    spiMode: SPI_MODES[bytes[2]!] ?? `mode ${bytes[2]}`,
    flashBytes: FLASH_SIZES[bytes[3]! >> 4] ?? 0,
    chipId: view.getUint16(12, true),
    segments,
    mapped: note === null ? [] : readMapped(bytes, note, fail),
    sha256,
    note,
    romBytes: end,
  };
}

type Fail = (message: string, offset?: number) => never;

function readNote(bytes: Uint8Array, at: number, fail: Fail): ImageNote | null {
  if (at + NOTE_BYTES > bytes.length) return null;
  const raw = bytes.subarray(at, at + NOTE_BYTES);
  if (Buffer.from(raw.subarray(0, NOTE_MAGIC.length)).toString('latin1') !== NOTE_MAGIC) return null;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  if (crc32(raw.subarray(0, NOTE_BYTES - 4)) !== view.getUint32(NOTE_BYTES - 4, true))
    fail('the note behind the image is damaged', at);
  const note = {} as Record<keyof ImageNote, number>;
  NOTE_FIELDS.forEach((field, i) => (note[field] = view.getUint32(NOTE_MAGIC.length + 4 * i, true)));
  // A dump of the flash may be longer.
  if (note.fileBytes > bytes.length) fail(`the file has ${bytes.length} bytes, its note says ${note.fileBytes}`, at);
  if (crc32(bytes.subarray(at + NOTE_BYTES, note.fileBytes)) !== note.mappedCrc)
    fail('the flash-mapped pages are damaged', at + NOTE_BYTES);
  return note;
}

function readMapped(bytes: Uint8Array, note: ImageNote, fail: Fail): (ImageSegment & { page: number })[] {
  const mapped: (ImageSegment & { page: number })[] = [];
  const add = (address: number, page: number, size: number): void => {
    if (size === 0) return;
    const start = page * FLASH_PAGE_BYTES - IMAGE_FLASH_OFFSET;
    if (start < 0 || start + size > bytes.length) fail('a flash-mapped page lies outside the file');
    mapped.push({ address, bytes: bytes.subarray(start, start + size), page });
  };
  add(note.dromAddress, note.dromPage, note.dromBytes);
  add(note.iromAddress, note.iromPage, note.iromBytes);
  return mapped;
}

function hex2(value: number): string {
  return value.toString(16).padStart(2, '0');
}
