// Lays out an image of the device OS: as layoutBoard, but each module has a stack and a stretch of RAM of its own with a
// load image in read-only memory, so that it can be restarted, and slots have their fixed places at the end. Refuses to
// know what the kernel does with them.
import { FLASH_PAGE_BYTES } from '../compiler/abi/boards.js';
import type { BoardDescription } from '../compiler/abi/boards.js';
import { EXCEPTION_STACK_BYTES, LinkerSymbol, STACK_RESERVE_BYTES } from '../compiler/abi/linker-symbols.js';
import { moduleRamSymbol, stackLimitSymbol } from '../compiler/abi/symbols.js';
import { NO_DESCRIPTION_BYTES } from './layout.js';
import type { Layout, LayoutOptions } from './layout.js';
import type { ModuleRam } from './linked.js';
import { claimMemories, placeClaims, shareRoom } from './memories.js';
import type { MemoryClaim, PlacedMemory } from './memories.js';
import type { InputObject, InputSection } from './object.js';
import { inOrder, Pick, placeBss, placeModules, Placer, refersTo } from './placer.js';
import type { SizeOf } from './placer.js';
import { alignUp, Region } from './regions.js';
import { slotsBottom } from './slots.js';
import type { SlotPlace } from './slots.js';

/**
 * Stack of start-up and of requests that a host makes through the mailbox: modules, drivers and the system module have
 * their own. Under 512 bytes of it were ever seen in use.
 */
export const SYSTEM_STACK_BYTES = 1024;

/** What a module was promised. */
export interface ModulePlan {
  readonly module: string;
  readonly stackBytes: number;
  /** Code of modules with a higher one goes to internal RAM first. */
  readonly priority: number;
  /** Capacity in bytes that a growable memory gets; null: a share of what is left. */
  readonly memoryMax: number | null;
}

export interface DevicePlan {
  readonly modules: readonly ModulePlan[];
  readonly slots: readonly SlotPlace[];
}

/** Constants of modules up to this size stay in RAM, where they are read faster. */
const SMALL_RODATA_BYTES = 16 * 1024;
const RAM_ALIGN = 16;

/** The RAM of one module, in placing order. */
export interface ModuleSections {
  readonly plan: ModulePlan;
  readonly data: readonly InputSection[];
  readonly bss: readonly InputSection[];
  readonly claims: readonly MemoryClaim[];
}

/** Lays out a whole image on a board. Regions may overflow: the caller reports that with the bill. */
export function layoutDevice(
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  board: BoardDescription,
  options: LayoutOptions,
  device: DevicePlan,
  sizeOf: SizeOf,
): Layout {
  const placer = new Placer(sizeOf);
  const pick = new Pick(inOrder(objects, live));
  const below = slotsBottom(board, device.slots);
  const iram = new Region('IRAM', board.iram.base, board.iram.end);
  const irom = new Region('IROM', board.irom.base, below.code);
  const drom = new Region('DROM', board.drom.base, below.rodata);
  const dram = new Region('DRAM', board.dram.base, below.ram);
  const external = board.external === null ? null : new Region('PSRAM', board.external.base, board.external.end);
  const ram = external ?? dram;

  placer.place(pick.of('vectors'), iram);
  placer.place(pick.of('code', 'runtime'), iram);
  placeCode(placer, pick.of('code', 'module'), device.modules, options, iram, irom);

  const exceptionStack = dram.take(EXCEPTION_STACK_BYTES, 16);
  placer.symbols.set(LinkerSymbol.ExceptionStackTop, exceptionStack + EXCEPTION_STACK_BYTES);
  const systemStack = alignUp(options.stackBytes, 16);
  const stackBottom = dram.take(systemStack, 16);
  placer.symbols.set(LinkerSymbol.WasmStackBottom, stackBottom);
  placer.symbols.set(LinkerSymbol.WasmStackTop, stackBottom + systemStack);
  const stacks = new Map<string, number>();
  for (const { module, stackBytes } of device.modules) stacks.set(module, dram.take(alignUp(stackBytes, 16), 16));
  // All stacks lie side by side, so that one displacement serves the frames of every one.
  if (options.shadowStack || refersTo(objects, LinkerSymbol.ShadowDisplacement)) {
    const bytes = dram.cursor - stackBottom;
    placer.symbols.set(LinkerSymbol.ShadowDisplacement, dram.take(bytes, 16) - stackBottom);
  }

  const modules = sectionsByModule(pick, device.modules, options.growthLimit);
  const loadBytes = modules.reduce((sum, { data }) => sum + alignUp(placer.total(data), 4), 0);
  const moduleRodata = pick.of('rodata', 'module');
  const kernelData = [...pick.of('data', 'runtime'), ...pick.of('modules'), ...pick.of('rodata', 'runtime')];
  const rodataBytes = placer.total(moduleRodata) + loadBytes;
  const start = Math.max(dram.cursor, board.dramLoadable.base);
  const fits = start + NO_DESCRIPTION_BYTES + placer.total(kernelData) + rodataBytes <= board.dramLoadable.end;
  const toFlash =
    options.rodata === 'flash' || (options.rodata === 'auto' && (!fits || rodataBytes > SMALL_RODATA_BYTES));
  const loaded = new Region('DRAM (loaded)', start, Math.min(board.dramLoadable.end, dram.end));
  // As in layoutBoard: the segment must not begin with 0x50.
  loaded.take(NO_DESCRIPTION_BYTES, 4);
  dram.cursor = start;
  placer.place(pick.of('data', 'runtime'), loaded);
  placeModules(placer, pick.of('modules'), loaded);
  placer.place(pick.of('rodata', 'runtime'), loaded);
  const rodataRegion = toFlash ? drom : loaded;
  placer.place(moduleRodata, rodataRegion);
  placeLoadImages(placer, modules, rodataRegion);
  dram.cursor = alignUp(loaded.cursor, 4);
  dram.taken += loaded.taken;
  placeBss(placer, pick.of('bss', 'runtime'), dram);

  const { memories, ranges } = placeModuleRam(placer, modules, ram, stacks);
  placer.symbols.set(LinkerSymbol.FreeRam, Math.max(0, dram.end - dram.cursor));
  placer.symbols.set(LinkerSymbol.IromVaddr, irom.base);
  placer.symbols.set(LinkerSymbol.IromPageCount, Math.ceil(irom.used / FLASH_PAGE_BYTES));
  placer.symbols.set(LinkerSymbol.DromVaddr, drom.base);
  placer.symbols.set(LinkerSymbol.DromPageCount, Math.ceil(drom.used / FLASH_PAGE_BYTES));
  const regions = [iram, irom, drom, loaded, dram, ...(external === null ? [] : [external])];
  const { addresses, regionOf, symbols, loadAddresses } = placer;
  const stack = { base: stackBottom, end: stackBottom + systemStack };
  return { addresses, regionOf, regions, symbols, memories, stack, loadAddresses, modules: ranges };
}

/** Whole modules, by priority, into internal RAM as long as they fit; the others run from flash. */
function placeCode(
  placer: Placer,
  code: readonly InputSection[],
  plans: readonly ModulePlan[],
  options: LayoutOptions,
  iram: Region,
  irom: Region,
): void {
  const byModule = groupByModule(code);
  for (const { module } of [...plans].sort((a, b) => b.priority - a.priority)) {
    const sections = byModule.get(module) ?? [];
    const fits = iram.cursor + placer.total(sections) <= iram.end;
    placer.place(sections, options.code === 'ram' || (options.code === 'auto' && fits) ? iram : irom);
  }
}

function groupByModule(sections: readonly InputSection[]): Map<string, InputSection[]> {
  const groups = new Map<string, InputSection[]>();
  for (const section of sections) {
    const name = section.object.info?.module ?? '';
    const list = groups.get(name);
    if (list === undefined) groups.set(name, [section]);
    else list.push(section);
  }
  return groups;
}

/**
 * The RAM sections of each planned module.
 * @param growthLimit of memories without a maximum of their own
 */
export function sectionsByModule(
  pick: Pick,
  plans: readonly ModulePlan[],
  growthLimit: number | null,
): ModuleSections[] {
  const data = groupByModule(pick.of('data', 'module'));
  const bss = groupByModule(pick.of('bss', 'module'));
  const memories = groupByModule(pick.of('memory', 'module'));
  return plans.map((plan) => ({
    plan,
    data: data.get(plan.module) ?? [],
    bss: bss.get(plan.module) ?? [],
    claims: claimMemories(memories.get(plan.module) ?? [], () =>
      plan.memoryMax === null ? { bytes: growthLimit, firm: false } : { bytes: plan.memoryMax, firm: true },
    ),
  }));
}

/** Gives the initialised data of each module its place in read-only memory, in the order and with the gaps of its RAM. */
export function placeLoadImages(placer: Placer, modules: readonly ModuleSections[], region: Region): void {
  for (const { plan, data } of modules) {
    region.cursor = alignUp(region.cursor, RAM_ALIGN);
    const start = region.cursor;
    for (const section of data)
      placer.loadAddresses.set(section, { address: region.take(section.size, section.align), region });
    region.cursor = alignUp(region.cursor, 4);
    placer.symbols.set(moduleRamSymbol(plan.module, 'data_load'), start);
    placer.symbols.set(moduleRamSymbol(plan.module, 'data_bytes'), region.cursor - start);
  }
}

/**
 * Places data, zero-initialised data and memories of each module side by side, and defines its symbols.
 * @param stacks bottom of each module's stack
 */
export function placeModuleRam(
  placer: Placer,
  modules: readonly ModuleSections[],
  ram: Region,
  stacks: ReadonlyMap<string, number>,
): { memories: PlacedMemory[]; ranges: ModuleRam[] } {
  let room = ram.end - alignUp(ram.cursor, RAM_ALIGN);
  for (const { data, bss } of modules)
    room -= alignUp(placer.total(data), RAM_ALIGN) + alignUp(placer.total(bss), RAM_ALIGN);
  shareRoom(
    modules.flatMap(({ claims }) => claims),
    room,
  );
  const memories: PlacedMemory[] = [];
  const ranges: ModuleRam[] = [];
  for (const { plan, data, bss, claims } of modules) {
    const { module, stackBytes } = plan;
    const stackBottom = stacks.get(module)!;
    const stackTop = stackBottom + alignUp(stackBytes, 16);
    ram.cursor = alignUp(ram.cursor, RAM_ALIGN);
    const start = ram.cursor;
    placer.place(data, ram);
    ram.cursor = alignUp(ram.cursor, 4);
    placer.symbols.set(moduleRamSymbol(module, 'data_start'), start);
    ram.cursor = alignUp(ram.cursor, RAM_ALIGN);
    const bssStart = ram.cursor;
    placer.place(bss, ram);
    ram.cursor = alignUp(ram.cursor, 4);
    placer.symbols.set(moduleRamSymbol(module, 'bss_start'), bssStart);
    placer.symbols.set(moduleRamSymbol(module, 'bss_bytes'), ram.cursor - bssStart);
    for (const placed of placeClaims(claims, ram, placer.symbols)) {
      placer.addresses.set(placed.section, placed.address);
      placer.regionOf.set(placed.section, ram);
      memories.push(placed);
    }
    placer.symbols.set(moduleRamSymbol(module, 'stack_bottom'), stackBottom);
    placer.symbols.set(moduleRamSymbol(module, 'stack_top'), stackTop);
    placer.symbols.set(stackLimitSymbol(module), stackBottom + STACK_RESERVE_BYTES);
    ranges.push({ module, ram: { base: start, end: ram.cursor }, stack: { base: stackBottom, end: stackTop } });
  }
  return { memories, ranges };
}
