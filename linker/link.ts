// Takes objects and a board, gives a linked image; or takes objects, a base image and a slot, gives what to load there.
// Ties the stages together: resolve, collect, lay out, relocate. Refuses to know file formats.
import { FLASH_PAGE_BYTES, IMAGE_FLASH_OFFSET } from '../compiler/abi/boards.js';
import type { BoardDescription } from '../compiler/abi/boards.js';
import { LinkerSymbol, RuntimeSymbol } from '../compiler/abi/linker-symbols.js';
import { OS_ARGUMENT_WORDS } from '../compiler/abi/os-layout.js';
import { DiagnosticError, InternalError } from '../compiler/diagnostics.js';
import { doesNotFit } from './bill.js';
import { romImageBytes } from './image/flash.js';
import { layoutDevice, SYSTEM_STACK_BYTES } from './layout-device.js';
import type { DevicePlan } from './layout-device.js';
import { DEFAULT_STACK_BYTES, isLinkerDefined, layoutBoard, layoutSlot } from './layout.js';
import type { Layout, Placement, SlotRegions } from './layout.js';
import type { LinkedImage, LinkedSection, LinkedSegment, LinkedSymbol, RegionUse } from './linked.js';
import type { InputObject, InputSection } from './object.js';
import { refersTo, type SizeOf } from './placer.js';
import { relocateSection } from './relocate.js';
import type { RelocationContext } from './relocate.js';
import { buildSegments } from './segments.js';
import { slotsBottom } from './slots.js';
import { checkImports, liveSections, resolveSymbols } from './symbols.js';
import type { Definition, Resolution } from './symbols.js';
import { planVeneers, VeneerPlan } from './veneers.js';

export interface LinkOptions {
  /** Of plain images the stack of all code; with `device` that of start-up only. */
  readonly stackBytes?: number;
  /** Reserve a shadow stack for modules with `--cfi full` that are added later; the ones linked now get it anyway. */
  readonly shadowStack?: boolean;
  /** Where compiled code and module constants go; default `auto`. */
  readonly code?: Placement;
  readonly rodata?: Placement;
  /** Upper limit in bytes for what a growable memory may reach. */
  readonly growthLimit?: number;
  /** Entry symbol; default the runtime's. */
  readonly entry?: string;
  /** More symbols to keep, e.g. all runtime functions in a base image that modules are added to later. */
  readonly keep?: readonly string[];
  /** Stacks and RAM of modules, slots: an image of the device OS. */
  readonly device?: DevicePlan;
  /** Keep every section. */
  readonly keepAll?: boolean;
}

/** Symbols that hosts look up; kept when the runtime has them. */
const HOST_SYMBOLS = [
  RuntimeSymbol.Mailbox,
  RuntimeSymbol.RunMailbox,
  RuntimeSymbol.Idle,
  RuntimeSymbol.ArgumentBuffer,
];

/** Each round adds veneers, which can push other calls out of reach; a handful of rounds settles any image. */
const MAX_VENEER_ROUNDS = 16;

/**
 * Links a whole image for a board.
 * @throws DiagnosticError W401 unresolved, W402 incompatible import, W403 does not fit, W404 duplicate, W405 out of reach
 */
export function link(objects: readonly InputObject[], board: BoardDescription, options: LinkOptions = {}): LinkedImage {
  const resolution = resolveSymbols(objects, { isLinkerDefined });
  checkImports(objects, (symbol) => resolution.globals.has(symbol));
  const entryName = options.entry ?? RuntimeSymbol.Entry;
  const entry = resolution.globals.get(entryName);
  if (entry === undefined || entry.section === null)
    throw new DiagnosticError('W401', `nothing defines the entry symbol "${entryName}"`);
  const live = liveSections(resolution, rootSections(objects, resolution, entryName, options));
  const { device } = options;
  const layoutOptions = {
    stackBytes: options.stackBytes ?? (device === undefined ? DEFAULT_STACK_BYTES : SYSTEM_STACK_BYTES),
    shadowStack: options.shadowStack ?? false,
    code: options.code ?? 'auto',
    rodata: options.rodata ?? 'auto',
    growthLimit: options.growthLimit ?? null,
  };
  const run = (sizeOf: SizeOf): Layout =>
    device === undefined
      ? layoutBoard(objects, live, board, layoutOptions, sizeOf)
      : layoutDevice(objects, live, board, layoutOptions, device, sizeOf);
  const { layout, veneers } = layoutWithVeneers(run, live, resolution, shortened(resolution, device));
  const firstPage = Math.ceil((IMAGE_FLASH_OFFSET + romImageBytes(ramBytes(layout))) / FLASH_PAGE_BYTES);
  const dromPages = layout.symbols.get(LinkerSymbol.DromPageCount) ?? 0;
  const iromPages = layout.symbols.get(LinkerSymbol.IromPageCount) ?? 0;
  const values = new Map([
    [LinkerSymbol.DromFlashPage as string, firstPage],
    [LinkerSymbol.IromFlashPage as string, firstPage + dromPages],
  ]);
  if (device !== undefined) values.set(LinkerSymbol.BaseId, baseIdentity(options.keep ?? [], resolution, layout));
  const flashBytes = (firstPage + dromPages + iromPages) * FLASH_PAGE_BYTES;
  const flashRoom = slotsBottom(board, device?.slots ?? []).flash;
  if (layout.regions.some((region) => region.overflow > 0) || flashBytes > flashRoom)
    throw doesNotFit(layout, objects, live, { ...board, flashBytes: flashRoom }, flashBytes);
  return finish(objects, live, board, resolution, layout, veneers, values, entryName);
}

/**
 * Links modules into a slot of a machine that already holds `base` (D8). The segments are the new ones only; their
 * symbols include the base's.
 * @throws DiagnosticError as `link`; W406 for code that needs a shadow stack where the base has none
 */
export function linkInto(
  base: LinkedImage,
  objects: readonly InputObject[],
  slot: SlotRegions,
  options: Pick<LinkOptions, 'growthLimit'> = {},
): LinkedImage {
  const externals = new Map<string, number>();
  for (const [name, symbol] of base.symbols) externals.set(name, symbol.address);
  // A slot has no stacks of its own.
  const inSlot = (name: string): boolean => name !== LinkerSymbol.ShadowDisplacement && isLinkerDefined(name);
  const shadowed = objects.find((object) => refersTo([object], LinkerSymbol.ShadowDisplacement));
  if (shadowed !== undefined && !base.symbols.has(LinkerSymbol.ShadowDisplacement))
    throw new DiagnosticError(
      'W406',
      `${shadowed.name} was compiled with --cfi full, but the image it is added to was linked without a shadow stack`,
    );
  const resolution = resolveSymbols(objects, { isLinkerDefined: inSlot, externals });
  const imported = base.modules.map(({ file, info }): InputObject => {
    return { name: file, origin: 'module', sections: [], symbols: [], info };
  });
  checkImports([...imported, ...objects], (symbol) => resolution.globals.has(symbol) || externals.has(symbol));
  const roots = objects.flatMap((object) => object.sections);
  const live = liveSections(resolution, roots);
  const stackBottom = base.symbols.get(LinkerSymbol.WasmStackBottom);
  if (stackBottom === undefined) throw new InternalError('the base image has no stack');
  const limit = options.growthLimit ?? null;
  const run = (sizeOf: SizeOf): Layout => layoutSlot(objects, live, slot, limit, stackBottom.address, sizeOf);
  const { layout, veneers } = layoutWithVeneers(run, live, resolution);
  if (layout.regions.some((region) => region.overflow > 0)) throw doesNotFit(layout, objects, live, base.board, 0);
  const linked = finish(objects, live, base.board, resolution, layout, veneers, new Map(), null);
  const symbols = new Map([...base.symbols, ...linked.symbols]);
  return { ...linked, entry: base.entry, symbols, modules: [...base.modules, ...linked.modules], stack: base.stack };
}

/**
 * Hash (FNV-1a) of the names and addresses of `names`: what a package linked against them must find unchanged.
 */
function baseIdentity(names: readonly string[], { globals }: Resolution, layout: Layout): number {
  let hash = 0x811c9dc5;
  const add = (text: string): void => {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  };
  for (const name of [...names].sort()) {
    const definition = globals.get(name);
    if (definition === undefined) continue;
    const { section, value } = definition;
    add(`${name}=${section === null ? value : layout.addresses.get(section)! + value};`);
  }
  return hash >>> 0;
}

function rootSections(
  objects: readonly InputObject[],
  resolution: Resolution,
  entry: string,
  options: LinkOptions,
): InputSection[] {
  if (options.keepAll === true) return objects.flatMap((object) => object.sections);
  const roots = new Set<InputSection>();
  for (const name of [entry, ...HOST_SYMBOLS, ...(options.keep ?? [])]) {
    const section = resolution.globals.get(name)?.section;
    if (section !== undefined && section !== null) roots.add(section);
  }
  for (const { sections } of objects)
    for (const section of sections) if (section.kind === 'vectors' || section.kind === 'modules') roots.add(section);
  return [...roots];
}

/** Modules of the device OS may use the beginning of the argument buffer only: a context switch saves it. */
function shortened(resolution: Resolution, device: LinkOptions['device']): ReadonlyMap<InputSection, number> {
  const buffer = resolution.globals.get(RuntimeSymbol.ArgumentBuffer)?.section ?? null;
  const kept = 4 * OS_ARGUMENT_WORDS;
  // Sections with bytes may hold more than the buffer.
  if (device === undefined || buffer === null || buffer.bytes !== null || buffer.size <= kept) return new Map();
  return new Map([[buffer, kept]]);
}

export function layoutWithVeneers(
  run: (sizeOf: SizeOf) => Layout,
  live: ReadonlySet<InputSection>,
  resolution: Resolution,
  shortened?: ReadonlyMap<InputSection, number>,
): { layout: Layout; veneers: VeneerPlan } {
  const veneers = new VeneerPlan(shortened);
  const sizeOf = (section: InputSection): number => veneers.sizeOf(section);
  for (let round = 0; round < MAX_VENEER_ROUNDS; round++) {
    const layout = run(sizeOf);
    if (!planVeneers(veneers, live, resolution, layout.addresses)) return { layout, veneers };
  }
  throw new InternalError('veneers do not settle');
}

/** Bytes of the two RAM segments of the image. */
function ramBytes(layout: Layout): number[] {
  return layout.regions
    .filter((region) => region.name === 'IRAM' || region.name === 'DRAM (loaded)')
    .map((r) => r.used);
}

export function finish(
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  board: BoardDescription,
  resolution: Resolution,
  layout: Layout,
  veneers: VeneerPlan,
  values: ReadonlyMap<string, number>,
  entryName: string | null,
): LinkedImage {
  for (const [name, definition] of resolution.globals) {
    if (!definition.linkerDefined) continue;
    const value = layout.symbols.get(name) ?? values.get(name);
    if (value === undefined) throw new DiagnosticError('W401', `nothing defines "${name}"`);
    definition.value = value;
  }
  const addressOf = (definition: Definition): number =>
    definition.section === null ? definition.value : layout.addresses.get(definition.section)! + definition.value;
  const context: RelocationContext = {
    addressOf,
    sectionAddress: (section) => layout.addresses.get(section)!,
    definitions: (section) => resolution.bySymbol.get(section.object)!,
    veneers,
  };
  const sections: LinkedSection[] = [];
  const bytesOf = new Map<InputSection, Uint8Array>();
  for (const section of live) {
    if (section.bytes !== null) bytesOf.set(section, relocateSection(section, context));
    sections.push({
      name: section.name,
      object: section.object.name,
      origin: section.object.origin,
      kind: section.kind,
      region: layout.regionOf.get(section)!.name,
      address: layout.addresses.get(section)!,
      size: veneers.sizeOf(section),
    });
  }
  sections.sort((a, b) => a.address - b.address || a.size - b.size);
  const { symbols, symbolList } = collectSymbols(objects, live, resolution, layout, values, addressOf);
  const entry = entryName === null ? 0 : symbols.get(entryName)!.address;
  const segments: LinkedSegment[] = buildSegments(live, bytesOf, layout, veneers, values);
  return {
    board,
    entry,
    segments,
    sections,
    symbols,
    symbolList,
    memories: layout.memories.map(({ module, index, address, bytes, capacity, info }) => {
      return {
        module,
        index,
        address,
        bytes,
        capacity,
        declaredBytes: info?.declaredBytes ?? bytes,
        growable: info?.growable ?? false,
      };
    }),
    modules: objects.flatMap(({ name, info }) => (info === null ? [] : [{ file: name, info }])),
    regions: layout.regions.map(({ name, base, size, used }): RegionUse => ({ name, base, size, used })),
    stack: layout.stack,
    moduleRam: layout.modules ?? [],
    veneers: veneers.count,
  };
}

function collectSymbols(
  objects: readonly InputObject[],
  live: ReadonlySet<InputSection>,
  resolution: Resolution,
  layout: Layout,
  values: ReadonlyMap<string, number>,
  addressOf: (definition: Definition) => number,
): { symbols: Map<string, LinkedSymbol>; symbolList: LinkedSymbol[] } {
  const symbols = new Map<string, LinkedSymbol>();
  const symbolList: LinkedSymbol[] = [];
  for (const [name, definition] of resolution.globals) {
    const { section, size, type, binding } = definition;
    if (section !== null && !live.has(section)) continue;
    const symbol = { name, address: addressOf(definition), size, type, binding, relative: section !== null };
    symbols.set(name, symbol);
    symbolList.push(symbol);
  }
  for (const [name, address] of [...layout.symbols, ...values]) {
    if (symbols.has(name)) continue;
    const symbol = { name, address, size: 0, type: 'none', binding: 'global', relative: false } as const;
    symbols.set(name, symbol);
    symbolList.push(symbol);
  }
  for (const object of objects) {
    for (const { name, binding, type, section, value, size } of object.symbols) {
      if (binding !== 'local' || section === null || !live.has(section)) continue;
      if (type === 'section' || type === 'file' || name === '') continue;
      symbolList.push({ name, address: layout.addresses.get(section)! + value, size, type, binding, relative: true });
    }
  }
  symbolList.sort((a, b) => a.address - b.address || (a.name < b.name ? -1 : 1));
  return { symbols, symbolList };
}
