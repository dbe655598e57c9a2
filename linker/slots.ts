// Where the slots of a board are (D8): the last pages of the flash windows and of the flash, the end of the RAM. They do
// not move when the base image grows. Knows no contents.
import { FLASH_PAGE_BYTES } from '../compiler/abi/boards.js';
import type { BoardDescription } from '../compiler/abi/boards.js';
import { alignUp } from './regions.js';

export interface SlotRequest {
  readonly name: string;
  /** 64 KiB pages of each bank. */
  readonly pages: number;
  readonly ramBytes: number;
}

/** Addresses and flash offsets of one slot: struct ts_slot. */
export interface SlotPlace extends SlotRequest {
  readonly codeBase: number;
  readonly rodataBase: number;
  readonly flashA: number;
  readonly flashB: number;
  readonly ramBase: number;
}

const RAM_ALIGN = 16;

/** First slot last: going down from the ends of windows, flash and RAM. */
export function planSlots(board: BoardDescription, slots: readonly SlotRequest[]): SlotPlace[] {
  let code = board.irom.end;
  let rodata = board.drom.end - FLASH_PAGE_BYTES; // the last page is the module manager's view of the flash
  let flash = journalFlash(board);
  let ram = board.dram.end;
  return slots.map(({ name, pages, ramBytes: wanted }) => {
    const bytes = pages * FLASH_PAGE_BYTES;
    const ramBytes = alignUp(wanted, RAM_ALIGN);
    code -= bytes;
    rodata -= bytes;
    flash -= 2 * bytes;
    ram -= ramBytes;
    const place = { codeBase: code, rodataBase: rodata, flashA: flash, flashB: flash + bytes, ramBase: ram };
    return { name, pages, ramBytes, ...place };
  });
}

/** Flash offset of the slot journal: the first two sectors of the last page. */
export function journalFlash(board: BoardDescription): number {
  return board.flashBytes - FLASH_PAGE_BYTES;
}

/** What the base image must stay below. */
export function slotsBottom(
  board: BoardDescription,
  slots: readonly SlotPlace[],
): { readonly code: number; readonly rodata: number; readonly flash: number; readonly ram: number } {
  const last = slots[slots.length - 1];
  if (last === undefined)
    return { code: board.irom.end, rodata: board.drom.end, flash: board.flashBytes, ram: board.dram.end };
  return { code: last.codeBase, rodata: last.rodataBase, flash: last.flashA, ram: last.ramBase };
}

/** What the slots take more of than the board has, or null. */
export function slotsExceed(board: BoardDescription, slots: readonly SlotPlace[]): string | null {
  const { code, rodata, flash, ram } = slotsBottom(board, slots);
  if (flash < FLASH_PAGE_BYTES) return 'flash';
  if (code < board.irom.base || rodata < board.drom.base) return 'windows on the flash';
  return ram < board.dramLoadable.base ? 'RAM' : null;
}
