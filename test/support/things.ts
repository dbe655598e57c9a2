// For tests of the device OS's host side: an object that stands in for runtime and kernel, and a reader of linked structs.
import type { Layout } from '../../compiler/abi/layout.js';
import { RuntimeSymbol } from '../../compiler/abi/linker-symbols.js';
import { KERNEL_HOOKS_SYMBOL, SYS_SYMBOL, SYS_WITH_SLOTS_SYMBOL } from '../../compiler/abi/os-layout.js';
import type { LinkedImage } from '../../linker/linked.js';
import type { InputObject } from '../../linker/object.js';
import { readObject } from '../../linker/read-object.js';
import { LINK_INTERFACE } from '../../manifest/build.js';
import { makeObject } from './make-object.js';

const STT_FUNC = 2;
/** Names that modules and tables need of the runtime. */
const RUNTIME_NAMES = [RuntimeSymbol.Entry, KERNEL_HOOKS_SYMBOL, SYS_SYMBOL, SYS_WITH_SLOTS_SYMBOL, ...LINK_INTERFACE];
/** A `ret` and padding for each. */
const RETURNS = RUNTIME_NAMES.flatMap(() => [0x0d, 0xf0, 0, 0]);
export const STAND_IN_RUNTIME: readonly InputObject[] = [
  readObject(
    makeObject(
      [{ name: '.text.runtime', content: Uint8Array.from(RETURNS), flags: 6 }],
      RUNTIME_NAMES.map((name, i) => ({ name, section: '.text.runtime', value: 4 * i, type: STT_FUNC })),
    ),
    'runtime.o',
    'runtime',
  ),
];

/** Words and strings at addresses of an image. */
export class LinkedMemory {
  constructor(private readonly linked: LinkedImage) {}
  view(address: number, size: number): DataView {
    for (const { address: base, bytes, copied } of this.linked.segments)
      if (bytes !== null && copied !== true && address >= base && address + size <= base + bytes.length)
        return new DataView(bytes.buffer, bytes.byteOffset + address - base, size);
    throw new Error(`nothing at 0x${address.toString(16)}`);
  }
  struct(layout: Layout, address: number): Record<string, number> {
    const view = this.view(address, layout.size);
    const read = { u8: 'getUint8', u16: 'getUint16', i16: 'getInt16', u32: 'getUint32', ptr: 'getUint32' } as const;
    return Object.fromEntries(
      layout.fields.map(({ name, offset, kind }) => [
        name,
        (view[read[kind as 'u8']] as (at: number, little: boolean) => number).call(view, offset, true),
      ]),
    );
  }
  array(layout: Layout, address: number, count: number): Record<string, number>[] {
    return Array.from({ length: count }, (_, i) => this.struct(layout, address + i * layout.size));
  }
  text(address: number): string {
    let text = '';
    for (let at = address; ; at++) {
      const byte = this.view(at, 1).getUint8(0);
      if (byte === 0) return text;
      text += String.fromCharCode(byte);
    }
  }
}
