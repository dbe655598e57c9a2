// A module's snapshot stream between device and edge, only the blocks that differ: check sums of blocks say which. Takes
// the device's functions; gives and takes whole streams. Knows no contents beyond the header's lengths.
import { crc32 } from 'node:zlib';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import type { DeviceApi } from './device-api.js';
import type { StateLayout } from './state-layout.js';
import { readHeader, STREAM_HEADER_BYTES, streamBytes } from './state-translation.js';

const BLOCK_BYTES = 256;
/** Most bytes in one message. */
const PIECE_BYTES = 1024;
/** Requests at a time. A device has one buffer for long answers; of what it is sent it takes the next while it works. */
const READS_AT_ONCE = 1;
const WRITES_AT_ONCE = 2;
/** Rounds until check sums agree: of a running module they may never. */
const ROUNDS = 4;

type Api = Pick<DeviceApi, 'digest' | 'stateBlock' | 'writeState'>;

export interface Fetched {
  readonly stream: Buffer;
  /** Bytes that travelled. */
  readonly bytes: number;
}

const blockOf = (stream: Buffer, index: number): Buffer =>
  stream.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);

/** Blocks of `stream` whose check sum is not that of the digest. */
function differing(stream: Buffer, digest: readonly number[]): number[] {
  return digest.flatMap((sum, i) => (crc32(blockOf(stream, i)) === sum ? [] : [i]));
}

async function each<T>(atOnce: number, items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await run(items[next++]!);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}

/**
 * Fetches a snapshot.
 * @param known what it was before, or null; what has not changed since is not fetched, nor what is zero
 * @param still true: it cannot change, so the check sums must agree in the end
 */
export async function fetchState(
  api: Api,
  layout: StateLayout,
  known: Buffer | null,
  still: boolean,
): Promise<Fetched> {
  const { module } = layout;
  let bytes = 0;
  let stream = known ?? Buffer.alloc(0);
  for (let round = 0; round < ROUNDS; round++) {
    const digest = await api.digest(module, BLOCK_BYTES);
    bytes += 4 * digest.length;
    // A header that is as before says the same lengths.
    const isKnown = stream.length > 0 && crc32(blockOf(stream, 0)) === digest[0];
    const head = isKnown ? blockOf(stream, 0) : await api.stateBlock(module, 0, BLOCK_BYTES);
    const length = streamBytes(readHeader(head, layout));
    if (digest.length !== Math.ceil(length / BLOCK_BYTES)) continue;
    const next = Buffer.alloc(length);
    stream.copy(next);
    next.set(head);
    stream = next;
    const missing = differing(stream, digest);
    const zero = Buffer.alloc(BLOCK_BYTES);
    const wanted = missing.filter((i) => {
      const block = blockOf(stream, i);
      if (crc32(zero.subarray(0, block.length)) !== digest[i]) return true;
      block.fill(0);
      return false;
    });
    await each(READS_AT_ONCE, runs(wanted), async ({ first, count }) => {
      const piece = await api.stateBlock(module, first / count, count * BLOCK_BYTES);
      bytes += piece.length;
      piece.copy(stream, first * BLOCK_BYTES);
    });
    if (!still || differing(stream, digest).length === 0) return { stream, bytes };
  }
  throw new DiagnosticError('W904', `state of ${module}: what arrives is not what the device has`);
}

/** Groups blocks as one message can bring them: aligned, four, two or one. */
function runs(blocks: readonly number[]): { readonly first: number; readonly count: number }[] {
  const left = new Set(blocks);
  const most = PIECE_BYTES / BLOCK_BYTES;
  const found: { first: number; count: number }[] = [];
  for (const block of blocks) {
    if (!left.has(block)) continue;
    for (let count = most; ; count /= 2) {
      const first = Math.floor(block / count) * count;
      const group = Array.from({ length: count }, (_, i) => first + i);
      if (!group.every((member) => left.has(member))) continue;
      group.forEach((member) => left.delete(member));
      found.push({ first, count });
      break;
    }
  }
  return found;
}

/**
 * Makes the state of a held module that of `stream`; gives the bytes that travelled.
 * @param have what the module was given last, or null: only a guess at where to begin, as the check sums have the last word
 */
export async function storeState(api: Api, layout: StateLayout, stream: Buffer, have: Buffer | null): Promise<number> {
  const { module } = layout;
  let bytes = 0;
  const put = async (offset: number, end: number): Promise<void> => {
    await api.writeState(module, offset, stream.subarray(offset, end));
    bytes += end - offset;
  };
  const blocks = Math.ceil(stream.length / BLOCK_BYTES);
  const all = Array.from({ length: blocks }, (_, i) => i);
  const missing = async (): Promise<number[]> => {
    const digest = await api.digest(module, BLOCK_BYTES);
    bytes += 4 * digest.length;
    return digest.length === blocks ? differing(stream, digest) : all;
  };
  const changed = (before: Buffer): number[] => all.filter((i) => blockOf(before, i).compare(blockOf(stream, i)) !== 0);
  for (let round = 0; round < ROUNDS; round++) {
    // The header says how long everything is: what the device sums up afterwards has the same blocks.
    await put(0, STREAM_HEADER_BYTES);
    const known = round === 0 && have?.length === stream.length;
    const wanted = known ? changed(have) : await missing();
    if (wanted.length === 0 && !known) return bytes;
    await each(WRITES_AT_ONCE, neighbours(wanted), ({ first, count }) =>
      put(first * BLOCK_BYTES, Math.min(stream.length, (first + count) * BLOCK_BYTES)),
    );
    if ((await missing()).length === 0) return bytes;
  }
  throw new DiagnosticError('W904', `state of ${module}: the device does not have what was sent`);
}

/** Groups blocks that follow each other, as many as fit into a message. */
function neighbours(blocks: readonly number[]): { first: number; count: number }[] {
  const found: { first: number; count: number }[] = [];
  for (const block of blocks) {
    const last = found[found.length - 1];
    if (last !== undefined && last.first + last.count === block && last.count < PIECE_BYTES / BLOCK_BYTES) last.count++;
    else found.push({ first: block, count: 1 });
  }
  return found;
}
