// Takes the live sections and a memory map, gives every section its address and the linker-defined symbols their
// values. Refuses to know instruction encodings and bytes.
import { FLASH_PAGE_BYTES } from '../compiler/abi/boards.js';
import type { AddressRange, BoardDescription } from '../compiler/abi/boards.js';
import { EXCEPTION_STACK_BYTES, LinkerSymbol, STACK_RESERVE_BYTES } from '../compiler/abi/linker-symbols.js';
import { MODULE_RAM_SYMBOLS, stackLimitSymbol } from '../compiler/abi/symbols.js';
import type { ModuleRam } from './linked.js';
import { placeMemories } from './memories.js';
import type { PlacedMemory } from './memories.js';
import type { InputObject, InputSection } from './object.js';
import { inOrder, Pick, placeBss, placeModules, Placer, refersTo } from './placer.js';
import type { LoadAddress, SizeOf } from './placer.js';
import { alignUp, Region } from './regions.js';

export type Placement = 'auto' | 'ram' | 'flash';

export interface LayoutOptions {
  /** Bytes of the stack that boot code, compiled code and runtime share. */
  readonly stackBytes: number;
  /** Reserve a shadow stack even if no object refers to it yet. */
  readonly shadowStack: boolean;
  /** Where compiled code goes: IRAM, flash, or IRAM if everything fits. */
  readonly code: Placement;
  /** Where the constants of modules (data segments, tables of the runtime) go. */
  readonly rodata: Placement;
  /** Upper limit in bytes for what a growable memory may reach; default: what is left. */
  readonly growthLimit: number | null;
}

export const DEFAULT_STACK_BYTES = 16 * 1024;
/** Constants up to this size stay in RAM even if a memory could grow into their place. */
const SMALL_RODATA_BYTES = 16 * 1024;

/** The segment begins with a word of zeros: tools take a first byte of 0x50 for ESP-IDF's bootloader description. */
export const NO_DESCRIPTION_BYTES = 4;

export interface Layout {
  readonly addresses: ReadonlyMap<InputSection, number>;
  readonly regionOf: ReadonlyMap<InputSection, Region>;
  readonly regions: readonly Region[];
  /** Values of linker-defined symbols, except flash page numbers. */
  readonly symbols: ReadonlyMap<string, number>;
  readonly memories: readonly PlacedMemory[];
  readonly stack: AddressRange | null;
  /** Sections whose bytes wait elsewhere and are copied to their addresses at run time. */
  readonly loadAddresses?: ReadonlyMap<InputSection, LoadAddress>;
  /** RAM of each module that has its own. */
  readonly modules?: readonly ModuleRam[];
}

/** Lays out a whole image on a board. Regions may overflow: the caller reports that with the bill. */
export function layoutBoard(
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  board: BoardDescription,
  options: LayoutOptions,
  sizeOf: SizeOf,
): Layout {
  const placer = new Placer(sizeOf);
  const pick = new Pick(inOrder(objects, live));
  const iram = new Region('IRAM', board.iram.base, board.iram.end);
  const irom = new Region('IROM', board.irom.base, board.irom.end);
  const drom = new Region('DROM', board.drom.base, board.drom.end);
  const dram = new Region('DRAM', board.dram.base, board.dram.end);
  const external = board.external === null ? null : new Region('PSRAM', board.external.base, board.external.end);

  placer.place(pick.of('vectors'), iram);
  placer.place(pick.of('code', 'runtime'), iram);
  const moduleCode = pick.of('code', 'module');
  const codeFits = iram.cursor + placer.total(moduleCode) <= iram.end;
  placer.place(moduleCode, options.code === 'flash' || (options.code === 'auto' && !codeFits) ? irom : iram);

  // The stack lies at the bottom of DRAM: what overflows it in spite of all checks leaves the RAM and faults.
  const exceptionStack = dram.take(EXCEPTION_STACK_BYTES, 16);
  placer.symbols.set(LinkerSymbol.ExceptionStackTop, exceptionStack + EXCEPTION_STACK_BYTES);
  const stackBytes = alignUp(options.stackBytes, 16);
  const stackRegion = external !== null && dram.cursor + stackBytes > board.dramLoadable.end ? external : dram;
  const stackBottom = stackRegion.take(stackBytes, 16);
  placer.symbols.set(LinkerSymbol.WasmStackBottom, stackBottom);
  placer.symbols.set(LinkerSymbol.WasmStackTop, stackBottom + stackBytes);
  // As large as the stack, so that one displacement serves every frame.
  if (options.shadowStack || refersTo(objects, LinkerSymbol.ShadowDisplacement))
    placer.symbols.set(LinkerSymbol.ShadowDisplacement, stackRegion.take(stackBytes, 16) - stackBottom);

  const bss = pick.of('bss');
  const bssBytes = placer.total(bss);
  const bssBelow = dram.cursor + bssBytes <= board.dramLoadable.base;
  if (bssBelow) placeBss(placer, bss, dram);

  const memories = pick.of('memory');
  const data = pick.of('data');
  const fixedRodata = [...pick.of('rodata', 'runtime'), ...pick.of('modules')];
  const moduleRodata = pick.of('rodata', 'module');
  const initialised =
    NO_DESCRIPTION_BYTES + placer.total(data) + placer.total(fixedRodata) + placer.total(moduleRodata);
  const start = Math.max(dram.cursor, board.dramLoadable.base);
  const afterBss = start + initialised + (bssBelow || external !== null ? 0 : bssBytes);
  const memoryBytes = external !== null ? 0 : placer.total(memories);
  const rodataFits = start + initialised <= board.dramLoadable.end && afterBss + memoryBytes + 64 <= dram.end;
  const crowds = external === null && isGrowable(memories) && placer.total(moduleRodata) > SMALL_RODATA_BYTES;
  const toFlash = options.rodata === 'flash' || (options.rodata === 'auto' && (!rodataFits || crowds));

  dram.cursor = start;
  const loaded = new Region('DRAM (loaded)', start, board.dramLoadable.end);
  loaded.take(NO_DESCRIPTION_BYTES, 4);
  placer.place(data, loaded);
  placeModules(placer, pick.of('modules'), loaded);
  placer.place(pick.of('rodata', 'runtime'), loaded);
  placer.place(moduleRodata, toFlash ? drom : loaded);
  dram.cursor = alignUp(loaded.cursor, 4);
  dram.taken += loaded.taken;

  if (!bssBelow) placeBss(placer, bss, external !== null && dram.cursor + bssBytes > dram.end ? external : dram);
  const placed = placeMemories(memories, external ?? dram, options.growthLimit, placer.symbols);
  for (const memory of placed) {
    placer.addresses.set(memory.section, memory.address);
    placer.regionOf.set(memory.section, external ?? dram);
  }
  setStackLimits(placer.symbols, objects, stackBottom + STACK_RESERVE_BYTES);
  placer.symbols.set(LinkerSymbol.IromVaddr, irom.base);
  placer.symbols.set(LinkerSymbol.IromPageCount, Math.ceil(irom.used / FLASH_PAGE_BYTES));
  placer.symbols.set(LinkerSymbol.DromVaddr, drom.base);
  placer.symbols.set(LinkerSymbol.DromPageCount, Math.ceil(drom.used / FLASH_PAGE_BYTES));
  const regions = [iram, irom, drom, loaded, dram, ...(external === null ? [] : [external])];
  const { addresses, regionOf, symbols } = placer;
  return {
    addresses,
    regionOf,
    regions,
    symbols,
    memories: placed,
    stack: { base: stackBottom, end: stackBottom + stackBytes },
  };
}

/** Where an additional module goes in a machine whose base image is already linked (D8: a module has its slot). */
export interface SlotRegions {
  readonly code: AddressRange;
  readonly data: AddressRange;
  /** Linear memories; default: what is left of `data`. */
  readonly memory?: AddressRange;
}

/** Lays out modules into explicit regions. `stackBottom` is the base image's. */
export function layoutSlot(
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  slot: SlotRegions,
  growthLimit: number | null,
  stackBottom: number,
  sizeOf: SizeOf,
): Layout {
  const placer = new Placer(sizeOf);
  const pick = new Pick(inOrder(objects, live));
  const code = new Region('slot code', slot.code.base, slot.code.end);
  const data = new Region('slot data', slot.data.base, slot.data.end);
  const memory = slot.memory === undefined ? data : new Region('slot memory', slot.memory.base, slot.memory.end);
  placer.place(pick.of('code'), code);
  placer.place(pick.of('data'), data);
  placer.place(pick.of('rodata'), data);
  placer.place(pick.of('modules'), data);
  placer.place(pick.of('bss'), data);
  const memories = placeMemories(pick.of('memory'), memory, growthLimit, placer.symbols);
  for (const placed of memories) {
    placer.addresses.set(placed.section, placed.address);
    placer.regionOf.set(placed.section, memory);
  }
  setStackLimits(placer.symbols, objects, stackBottom + STACK_RESERVE_BYTES);
  const regions = memory === data ? [code, data] : [code, data, memory];
  const { addresses, regionOf, symbols } = placer;
  return { addresses, regionOf, regions, symbols, memories, stack: null };
}

/** Names the layout defines. */
export function isLinkerDefined(name: string): boolean {
  return FIXED_NAMES.has(name) || MODULE_NAMES.test(name);
}
const MODULE_NAMES = new RegExp(`\\$(stack_limit|memory\\d+\\.capacity|${MODULE_RAM_SYMBOLS.join('|')})$`);
const FIXED_NAMES: ReadonlySet<string> = new Set(Object.values(LinkerSymbol));

function isGrowable(memories: readonly InputSection[]): boolean {
  return memories.some((section) => section.object.info?.memories.some((memory) => memory.growable) === true);
}

function setStackLimits(symbols: Map<string, number>, objects: readonly InputObject[], limit: number): void {
  for (const { info } of objects) if (info !== null) symbols.set(stackLimitSymbol(info.module), limit);
}
