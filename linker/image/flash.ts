// Takes a linked image, gives the bytes for flash address 0x1000: an image v1 for the mask ROM, a note for hosts, and
// behind them the flash-mapped pages. Refuses to know symbols beyond the runtime's entry points.
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FLASH_PAGE_BYTES, IMAGE_FLASH_OFFSET } from '../../compiler/abi/boards.js';
import { RuntimeSymbol } from '../../compiler/abi/linker-symbols.js';
import { InternalError } from '../../compiler/diagnostics.js';
import type { LinkedImage, LinkedSegment } from '../linked.js';
import { alignUp } from '../regions.js';
import {
  CHECKSUM_SEED,
  CHIP_ID_ESP32,
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
  SPI_40_MHZ,
  SPI_MODES,
  WP_PIN_DISABLED,
} from './format.js';
import type { ImageNote } from './format.js';

/** Bytes of the part the mask ROM reads plus the note, for RAM segments of these sizes. */
export function romImageBytes(segmentBytes: readonly number[]): number {
  return hashedBytes(segmentBytes) + HASH_BYTES + NOTE_BYTES;
}

/** Headers, segments, padding and checksum byte. */
function hashedBytes(segmentBytes: readonly number[]): number {
  let bytes = HEADER_BYTES + EXTENDED_HEADER_BYTES;
  for (const size of segmentBytes) if (size > 0) bytes += SEGMENT_HEADER_BYTES + alignUp(size, 4);
  return alignUp(bytes + 1, 16);
}

/** The image file, to be written at flash offset 0x1000. */
export function writeFlashImage(image: LinkedImage): Uint8Array {
  const withBytes = image.segments.filter((segment) => segment.bytes !== null && segment.copied !== true);
  const loaded = withBytes.filter((segment) => segment.flashPage === null);
  const mapped = withBytes.filter((segment) => segment.flashPage !== null);
  if (loaded.length > MAX_SEGMENTS) throw new InternalError(`${loaded.length} RAM segments`);
  const sizes = loaded.map((segment) => segment.bytes!.length);
  let fileBytes = romImageBytes(sizes);
  for (const segment of mapped) fileBytes = Math.max(fileBytes, fileOffset(segment) + segment.bytes!.length);
  const file = new Uint8Array(fileBytes).fill(0xff);
  const hashed = hashedBytes(sizes);
  writeRomImage(file.subarray(0, hashed + HASH_BYTES), loaded, image);
  for (const segment of mapped) {
    if (fileOffset(segment) < hashed + HASH_BYTES + NOTE_BYTES)
      throw new InternalError('a mapped page overlaps the image');
    file.set(segment.bytes!, fileOffset(segment));
  }
  const note = noteOf(image, mapped, file, hashed + HASH_BYTES + NOTE_BYTES);
  writeNote(file.subarray(hashed + HASH_BYTES, hashed + HASH_BYTES + NOTE_BYTES), note);
  return file;
}

function fileOffset(segment: LinkedSegment): number {
  return segment.flashPage! * FLASH_PAGE_BYTES - IMAGE_FLASH_OFFSET;
}

function writeRomImage(out: Uint8Array, segments: readonly LinkedSegment[], image: LinkedImage): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  const hashed = out.length - HASH_BYTES;
  out.fill(0);
  const sizeCode = FLASH_SIZES.indexOf(image.board.flashBytes);
  if (sizeCode < 0) throw new InternalError(`no code for a flash of ${image.board.flashBytes} bytes`);
  out[0] = IMAGE_MAGIC;
  out[1] = segments.length;
  out[2] = SPI_MODES.indexOf('dio');
  out[3] = (sizeCode << 4) | SPI_40_MHZ;
  view.setUint32(4, image.entry, true);
  // Extended header: wp_pin, 3 bytes of pin drive, chip id, minimum revisions, maximum revision, reserved, hash flag.
  out[8] = WP_PIN_DISABLED;
  view.setUint16(12, CHIP_ID_ESP32, true);
  view.setUint16(17, 0xffff, true);
  out[23] = 1;
  let at = HEADER_BYTES + EXTENDED_HEADER_BYTES;
  let checksum = CHECKSUM_SEED;
  for (const { address, bytes } of segments) {
    const size = alignUp(bytes!.length, 4);
    view.setUint32(at, address, true);
    view.setUint32(at + 4, size, true);
    at += SEGMENT_HEADER_BYTES;
    out.set(bytes!, at);
    for (let i = 0; i < bytes!.length; i++) checksum ^= bytes![i]!;
    at += size;
  }
  out[hashed - 1] = checksum;
  out.set(createHash('sha256').update(out.subarray(0, hashed)).digest(), hashed);
}

function noteOf(
  image: LinkedImage,
  mapped: readonly LinkedSegment[],
  file: Uint8Array,
  mappedStart: number,
): ImageNote {
  const address = (name: string): number => image.symbols.get(name)?.address ?? 0;
  const drom = mapped.find((segment) => segment.name === 'DROM');
  const irom = mapped.find((segment) => segment.name === 'IROM');
  return {
    mailbox: address(RuntimeSymbol.Mailbox),
    runMailbox: address(RuntimeSymbol.RunMailbox),
    idle: address(RuntimeSymbol.Idle),
    dromAddress: drom?.address ?? 0,
    dromPage: drom?.flashPage ?? 0,
    dromBytes: drom?.size ?? 0,
    iromAddress: irom?.address ?? 0,
    iromPage: irom?.flashPage ?? 0,
    iromBytes: irom?.size ?? 0,
    fileBytes: file.length,
    mappedCrc: crc32(file.subarray(mappedStart)),
    reserved0: 0,
    reserved1: 0,
  };
}

function writeNote(out: Uint8Array, note: ImageNote): void {
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  for (let i = 0; i < NOTE_MAGIC.length; i++) out[i] = NOTE_MAGIC.charCodeAt(i);
  NOTE_FIELDS.forEach((field, i) => view.setUint32(NOTE_MAGIC.length + 4 * i, note[field], true));
  view.setUint32(NOTE_BYTES - 4, crc32(out.subarray(0, NOTE_BYTES - 4)), true);
}
