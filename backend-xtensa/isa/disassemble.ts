// Bytes in, a listing out (`wasm-aot objdump`, traces, goldens). Linear sweep: bytes that are no instruction are shown
// as data and skipped one at a time. Knows symbols only through the functions it is given.

import { decodeAt } from './decode.js';
import { formatInstruction } from './print.js';
import type { FormatOptions } from './print.js';

export interface DisassembleOptions extends FormatOptions {
  /** The name of the symbol that starts at exactly this address: gets a heading line. */
  readonly symbolAt?: (address: number) => string | undefined;
  /** Ranges [start, end) of addresses that hold data (literal pools): shown as words. In ascending order. */
  readonly data?: readonly (readonly [start: number, end: number])[];
}

/** One listed item: an instruction or a piece of data. */
export interface ListedItem {
  readonly address: number;
  readonly size: number;
  readonly text: string;
}

/** Takes code apart into items, in address order. */
export function disassembleItems(
  bytes: Uint8Array,
  baseAddress: number,
  options: DisassembleOptions = {},
): ListedItem[] {
  const items: ListedItem[] = [];
  const ranges = options.data ?? [];
  let range = 0;
  let offset = 0;
  while (offset < bytes.length) {
    const address = baseAddress + offset;
    while (range < ranges.length && (ranges[range] as readonly [number, number])[1] <= address) range++;
    const [start, end] = ranges[range] ?? [Infinity, Infinity];
    const limit =
      start > address ? Math.min(bytes.length, start - baseAddress) : Math.min(bytes.length, end - baseAddress);
    const item =
      start <= address ? dataItem(bytes, offset, limit, address) : codeItem(bytes, offset, limit, address, options);
    items.push(item);
    offset += item.size;
  }
  return items;
}

function codeItem(
  bytes: Uint8Array,
  offset: number,
  limit: number,
  address: number,
  options: FormatOptions,
): ListedItem {
  const decoded = decodeAt(bytes, offset, address);
  if (decoded === undefined || offset + decoded.row.size > limit) {
    return { address, size: 1, text: `.byte 0x${hex(bytes[offset] as number, 2)}` };
  }
  return { address, size: decoded.row.size, text: formatInstruction(decoded, address, options) };
}

function dataItem(bytes: Uint8Array, offset: number, limit: number, address: number): ListedItem {
  if (offset + 4 > limit || (address & 3) !== 0) {
    return { address, size: 1, text: `.byte 0x${hex(bytes[offset] as number, 2)}` };
  }
  let word = 0;
  for (let i = 3; i >= 0; i--) word = ((word << 8) | (bytes[offset + i] as number)) >>> 0;
  return { address, size: 4, text: `.word 0x${hex(word, 8)}` };
}

/** The listing: `address: bytes  text` a line, headings for symbols. Ends in a newline unless empty. */
export function disassemble(bytes: Uint8Array, baseAddress: number, options: DisassembleOptions = {}): string {
  const lines: string[] = [];
  for (const item of disassembleItems(bytes, baseAddress, options)) {
    const symbol = options.symbolAt?.(item.address);
    if (symbol !== undefined) lines.push(`${hex(item.address, 8)} <${symbol}>:`);
    const offset = item.address - baseAddress;
    const raw = Array.from(bytes.subarray(offset, offset + item.size), (byte) => hex(byte, 2)).join(' ');
    lines.push(`${hex(item.address, 8)}:  ${raw.padEnd(12)} ${item.text}`);
  }
  return lines.length === 0 ? '' : lines.join('\n') + '\n';
}

function hex(value: number, digits: number): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}
