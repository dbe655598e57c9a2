// The windows of grants in one module's thread: copies of the granted bytes under addresses from 0x80000000 on. Takes
// accesses of compiled code, gives values or traps. Knows no message: who fetches and writes back is told by a callback.
/// <reference lib="dom" />
import { GrantRight } from '../../compiler/abi/os-layout.js';
import { ACCESS_WIDTH as WIDTH } from '../module/body-rewriter.js';
import type { HostImplementation } from '../module/interface.js';

/** Bits of a window address below index and generation: a window has at most 256 KiB. */
const OFFSET_BITS = 18;
export const MAX_WINDOW_BYTES = 1 << OFFSET_BITS;
const INDEX_COUNT = 64;
/** Indices from here on are call windows, made by the thread; those below are grants, made by the host. */
export const FIRST_CALL_INDEX = 32;
const GENERATIONS = 128;

/** Address of the first byte of a window, as i32. */
export function windowAddress(index: number, generation: number): number {
  return 0x80000000 | ((generation % GENERATIONS) << 24) | (index << OFFSET_BITS) | 0;
}

interface OpenWindow {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly rights: number;
  /** Written ranges of a grant of another module, to be sent back. */
  dirty: { from: number; to: number }[] | null;
}

/** Where the contents of other modules' grants come from. Both are synchronous; null or false: not valid (any more). */
export interface WindowSource {
  fetch(window: number): { readonly bytes: Uint8Array; readonly rights: number } | null;
  writeBack(window: number, data: readonly { readonly offset: number; readonly data: Uint8Array }[]): boolean;
}

function trap(): never {
  throw new WebAssembly.RuntimeError('memory access out of bounds');
}

export class Windows {
  private readonly open = new Map<number, OpenWindow>();
  private readonly generations = new Uint8Array(INDEX_COUNT);

  constructor(
    private readonly source: WindowSource,
    /** The module's own memory, as much as it may use. */
    private readonly memory: () => Uint8Array,
    private readonly segment: (index: number) => Uint8Array,
  ) {}

  /** Opens a call window on `bytes`; 0 if there is nothing to see or no window left. */
  openCall(bytes: Uint8Array, rights: number): number {
    if (bytes.length === 0 || bytes.length > MAX_WINDOW_BYTES) return 0;
    for (let index = FIRST_CALL_INDEX; index < INDEX_COUNT; index++) {
      const address = windowAddress(index, this.generations[index]!);
      if (this.open.has(address >>> OFFSET_BITS)) continue;
      this.open.set(address >>> OFFSET_BITS, makeWindow(bytes, rights, false));
      return address;
    }
    return 0;
  }

  closeCall(address: number): void {
    if (address === 0) return;
    this.open.delete(address >>> OFFSET_BITS);
    const index = (address >>> OFFSET_BITS) % INDEX_COUNT;
    this.generations[index] = (this.generations[index]! + 1) % GENERATIONS;
  }

  /** Sends what was written to other modules' memory back; their contents are fetched anew afterwards. */
  flush(): void {
    for (const [key, window] of this.open) {
      if (window.dirty === null) continue;
      this.open.delete(key);
      if (window.dirty.length === 0) continue;
      const data = window.dirty.map(({ from, to }) => ({ offset: from, data: window.bytes.slice(from, to) }));
      this.source.writeBack((key << OFFSET_BITS) | 0, data);
    }
  }

  /**
   * Bytes behind an address of the module, own or window, to read or write in place. Null if that is not allowed.
   * A caller that writes into a window of a grant gets it sent back by the next flush.
   */
  bytesAt(address: number, length: number, rights: number): Uint8Array | null {
    if (address >= 0) {
      const memory = this.memory();
      return address + length <= memory.length ? memory.subarray(address, address + length) : null;
    }
    const window = this.find(address, 0, length, rights);
    if (window === null) return null;
    const offset = address & (MAX_WINDOW_BYTES - 1);
    if (rights & GrantRight.Write) window.dirty?.push({ from: offset, to: offset + length });
    return window.bytes.subarray(offset, offset + length);
  }

  /** The functions for a rewritten module. */
  readonly host: Omit<HostImplementation, 'interrupt'> = {
    load_i32: (address: number, offset: number, opcode: number) => this.loadInteger(address, offset, opcode),
    load_i64: (address: number, offset: number, opcode: number) => this.loadLong(address, offset, opcode),
    load_f32: (address: number, offset: number) => this.at(address, offset, 4).getFloat32(this.offset, true),
    load_f64: (address: number, offset: number) => this.at(address, offset, 8).getFloat64(this.offset, true),
    store_i32: (address: number, value: number, offset: number, opcode: number) => {
      const width = WIDTH[opcode]!;
      const view = this.at(address, offset, width, true);
      if (width === 1) view.setUint8(this.offset, value);
      else if (width === 2) view.setUint16(this.offset, value, true);
      else view.setInt32(this.offset, value, true);
    },
    store_i64: (address: number, value: bigint, offset: number, opcode: number) => {
      const width = WIDTH[opcode]!;
      const view = this.at(address, offset, width, true);
      const low = Number(BigInt.asUintN(32, value));
      if (width === 1) view.setUint8(this.offset, low);
      else if (width === 2) view.setUint16(this.offset, low, true);
      else if (width === 4) view.setUint32(this.offset, low, true);
      else view.setBigInt64(this.offset, value, true);
    },
    store_f32: (address: number, value: number, offset: number) =>
      this.at(address, offset, 4, true).setFloat32(this.offset, value, true),
    store_f64: (address: number, value: number, offset: number) =>
      this.at(address, offset, 8, true).setFloat64(this.offset, value, true),
    copy: (to: number, from: number, length: number) => {
      const source = this.bytesAt(from, length >>> 0, GrantRight.Read) ?? trap();
      (this.bytesAt(to, length >>> 0, GrantRight.Write) ?? trap()).set(source);
    },
    fill: (to: number, value: number, length: number) => {
      (this.bytesAt(to, length >>> 0, GrantRight.Write) ?? trap()).fill(value);
    },
    init: (to: number, from: number, length: number, segment: number) => {
      const data = this.segment(segment);
      if ((from >>> 0) + (length >>> 0) > data.length) trap();
      (this.bytesAt(to, length >>> 0, GrantRight.Write) ?? trap()).set(data.subarray(from, from + length));
    },
  };

  /** Offset in the view that `at` gave last. */
  private offset = 0;

  private at(address: number, offset: number, width: number, write = false): DataView {
    const from = (address & (MAX_WINDOW_BYTES - 1)) + (offset >>> 0);
    const window = this.find(address, offset >>> 0, width, write ? GrantRight.Write : GrantRight.Read) ?? trap();
    if (write) window.dirty?.push({ from, to: from + width });
    this.offset = from;
    return window.view;
  }

  private find(address: number, offset: number, length: number, rights: number): OpenWindow | null {
    // Beyond the end of a memory that ends within a page.
    if (address >= 0) return null;
    const key = address >>> OFFSET_BITS;
    let window = this.open.get(key);
    if (window === undefined) {
      if (key % INDEX_COUNT >= FIRST_CALL_INDEX) return null;
      const fetched = this.source.fetch((key << OFFSET_BITS) | 0);
      if (fetched === null) return null;
      window = makeWindow(fetched.bytes, fetched.rights, true);
      this.open.set(key, window);
    }
    const end = (address & (MAX_WINDOW_BYTES - 1)) + offset + length;
    return end <= window.bytes.length && (window.rights & rights) === rights ? window : null;
  }

  private loadInteger(address: number, offset: number, opcode: number): number {
    const view = this.at(address, offset, WIDTH[opcode]!);
    switch (opcode) {
      case 0x2c:
        return view.getInt8(this.offset);
      case 0x2d:
        return view.getUint8(this.offset);
      case 0x2e:
        return view.getInt16(this.offset, true);
      case 0x2f:
        return view.getUint16(this.offset, true);
      default:
        return view.getInt32(this.offset, true);
    }
  }

  private loadLong(address: number, offset: number, opcode: number): bigint {
    const view = this.at(address, offset, WIDTH[opcode]!);
    switch (opcode) {
      case 0x30:
        return BigInt(view.getInt8(this.offset));
      case 0x31:
        return BigInt(view.getUint8(this.offset));
      case 0x32:
        return BigInt(view.getInt16(this.offset, true));
      case 0x33:
        return BigInt(view.getUint16(this.offset, true));
      case 0x34:
        return BigInt(view.getInt32(this.offset, true));
      case 0x35:
        return BigInt(view.getUint32(this.offset, true));
      default:
        return view.getBigInt64(this.offset, true);
    }
  }
}

function makeWindow(bytes: Uint8Array, rights: number, remote: boolean): OpenWindow {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { bytes, view, rights, dirty: remote ? [] : null };
}
