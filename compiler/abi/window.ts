// Grant windows (D10) as data: how a window address is put together, the grant table's layout, the rights, the descriptor
// behind a call of rt_window. Takes nothing; knows no pass, no instruction and no policy of who is granted what.
import { type FieldSpec, layout, ptr, u32 } from './layout.js';

/** First window address. Linear memories never reach it: no board has that much memory. */
export const WINDOW_BASE = 0x80000000;
/** `WINDOW_BASE | generation << 24 | index << 18 | offset`. */
export const WINDOW_OFFSET_BITS = 18;
export const WINDOW_INDEX_BITS = 6;
export const WINDOW_GENERATION_BITS = 7;
export const MAX_GRANTS = 2 ** WINDOW_INDEX_BITS;
/** Most bytes one window can show, and so the largest extent that a check can ask a window for. */
export const MAX_WINDOW_BYTES = 2 ** WINDOW_OFFSET_BITS;

const u8 = (doc: string): FieldSpec => ({ kind: 'u8', c: 'uint8_t', doc });

/** The fields up to `rights`, and `used_by`, are read by compiled code's runtime function; the others are the kernel's own. */
export const TS_GRANT = layout('ts_grant', 'A granted region, the entry of its index in ts_grants.', {
  base: ptr('uint8_t *', 'native address of its first byte'),
  length: u32('bytes'),
  key: u32('window address of its first byte >> 18; 0: free'),
  holder: u8('index of the module that may use it'),
  owner: u8('index of the module that gave it'),
  rights: u8('GrantRight, or-ed'),
  flags: u8('for the kernel'),
  used_by: u32('ts_current_frame of the last translation: who breaks if the window goes'),
  expires_low: u32('for the kernel: microseconds since the start, 64 bits; 0: no deadline'),
  expires_high: u32('of an entry for calls: the key of its next grant'),
  parent: u8('for the kernel: index of the grant it was made from, plus 1; 0: none'),
  child: u8('for the kernel: likewise, the newest grant made from it'),
  sibling: u8('for the kernel: likewise, the next grant of the same parent; of a free entry: the next free one'),
  generation: u8("for the kernel: of the entry's last grant"),
});

export const WindowSymbol = {
  /** `struct ts_grant ts_grants[MAX_GRANTS]`. */
  Grants: 'ts_grants',
  /** `uint32_t`: index of the module that runs. */
  CurrentModule: 'ts_current_module',
  /** `uint32_t`: serial number of the invocation that runs; what a translation notes in `used_by`. */
  CurrentFrame: 'ts_current_frame',
  /** Called out of line by a bounds check that failed; see rt-stubs/src/window.S. */
  Translate: 'rt_window',
} as const;

/**
 * The three bytes behind the call of rt_window: `(rights << 18 | extent - 1) << 4 | 1`. They look like an L32R, so that
 * tools that read code from one instruction to the next stay in step; nothing ever executes them.
 */
export const WINDOW_DESCRIPTOR_OPCODE = 1;

/** Descriptor of a check of `extent` bytes, 1 to MAX_WINDOW_BYTES. */
export function windowDescriptor(extent: number, rights: number): number {
  return (((rights << WINDOW_OFFSET_BITS) | (extent - 1)) << 4) | WINDOW_DESCRIPTOR_OPCODE;
}

/** Extent and rights of a descriptor, null if it is none. */
export function readWindowDescriptor(word: number): { readonly extent: number; readonly rights: number } | null {
  const rights = (word >>> 22) & 3;
  if ((word & 15) !== WINDOW_DESCRIPTOR_OPCODE || rights === 0) return null;
  return { extent: ((word >>> 4) & (MAX_WINDOW_BYTES - 1)) + 1, rights };
}

/** Can a window satisfy a check of so many bytes at all? */
export const fitsWindow = (extent: number): boolean => extent >= 1 && extent <= MAX_WINDOW_BYTES;
