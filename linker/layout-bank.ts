// Lays out one module for a slot: header, constants and load image, then code, in one stretch of flash that is mapped in
// both windows; stack, data and memories in the slot's RAM. Refuses to know what the header says.
import { FLASH_PAGE_BYTES } from '../compiler/abi/boards.js';
import { sectionsByModule, placeLoadImages, placeModuleRam } from './layout-device.js';
import type { ModulePlan } from './layout-device.js';
import type { Layout } from './layout.js';
import type { InputObject, InputSection } from './object.js';
import { inOrder, Pick, Placer } from './placer.js';
import type { SizeOf } from './placer.js';
import { alignUp, Region } from './regions.js';
import type { SlotPlace } from './slots.js';

/** Names of the regions, by which the segments of a bank are found. */
export const BANK_REGION = { rodata: 'slot rodata', code: 'slot code', ram: 'slot RAM' } as const;

const CODE_ALIGN = 16;

/** @param headerBytes kept free at the start of the bank */
export function layoutBank(
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  slot: SlotPlace,
  plan: ModulePlan,
  headerBytes: number,
  sizeOf: SizeOf,
): Layout {
  const placer = new Placer(sizeOf);
  const pick = new Pick(inOrder(objects, live));
  const bytes = slot.pages * FLASH_PAGE_BYTES;
  const rodata = new Region(BANK_REGION.rodata, slot.rodataBase, slot.rodataBase + bytes);
  const ram = new Region(BANK_REGION.ram, slot.ramBase, slot.ramBase + slot.ramBytes);
  rodata.take(headerBytes, 4);
  placer.place(pick.of('rodata'), rodata);
  const modules = sectionsByModule(pick, [plan], null);
  placeLoadImages(placer, modules, rodata);
  rodata.cursor = alignUp(rodata.cursor, CODE_ALIGN);
  const code = new Region(BANK_REGION.code, slot.codeBase + rodata.used, slot.codeBase + bytes);
  placer.place(pick.of('code'), code);
  const stack = ram.take(alignUp(plan.stackBytes, 16), 16);
  const { memories, ranges } = placeModuleRam(placer, modules, ram, new Map([[plan.module, stack]]));
  const { addresses, regionOf, symbols, loadAddresses } = placer;
  const regions = [rodata, code, ram];
  return { addresses, regionOf, regions, symbols, memories, stack: null, loadAddresses, modules: ranges };
}
