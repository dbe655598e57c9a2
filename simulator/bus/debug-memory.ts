// Memory with a debugger's eyes and hands: RAM and mapped flash without the bus's strictness. Takes addresses, gives and
// takes bytes, and throws away code decoded from what it changes. Knows no peripheral: reading one has effects.

import type { CodeCache } from '../cpu/code-cache.js';
import { hex32 } from '../stop.js';
import type { Memory } from './memory.js';
import { PAGE_BYTES, PAGE_SHIFT } from './memory.js';

export class DebugMemory {
  constructor(
    private readonly memory: Memory,
    private readonly cache: CodeCache,
  ) {}

  /** @throws RangeError where no memory is */
  read(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    this.eachRun(address, length, (offset, at, size) => {
      out.set(this.memory.bytes.subarray(offset, offset + size), at);
    });
    return out;
  }

  /** @throws RangeError where no memory is; what lies before has been written then */
  write(address: number, bytes: Uint8Array): void {
    this.eachRun(address, bytes.length, (offset, at, size) => {
      this.memory.bytes.set(bytes.subarray(at, at + size), offset);
      if (offset >= this.memory.flashOffset) this.cache.clear();
      else if (this.memory.hasCode(offset >>> PAGE_SHIFT)) this.cache.invalidatePhysical(offset, size);
    });
  }

  /** Splits an address range into runs that lie in one page and are contiguous in the backing store. */
  private eachRun(address: number, length: number, visit: (offset: number, at: number, size: number) => void): void {
    for (let at = 0; at < length;) {
      const start = address + at;
      const offset = this.locate(start);
      const inPage = Math.min(length - at, PAGE_BYTES - (start & (PAGE_BYTES - 1)));
      // In the word-reversed alias neighbours lie apart: byte by byte there.
      const last = this.locate(start + inPage - 1);
      const contiguous = last - offset === inPage - 1 && offset >>> PAGE_SHIFT === last >>> PAGE_SHIFT;
      const size = contiguous ? inPage : 1;
      visit(offset, at, size);
      at += size;
    }
  }

  private locate(address: number): number {
    const offset = this.memory.locate(address >>> 0);
    if (offset < 0) throw new RangeError(`no memory at ${hex32(address)}`);
    return offset;
  }
}
