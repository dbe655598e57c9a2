// The data sections of a compiled module: globals, memories, tables, segments and the read-only tables that the runtime
// finds the module by. Takes IR declarations and compiled functions; struct layouts come from abi/layout.ts. Knows no
// ELF byte.
import {
  FRAME_START_LEAF,
  ABI_VERSION,
  SITE_CODE_SHIFT,
  SITE_OFFSET_MASK,
  WASM_EXPORT,
  WASM_FUNC_INFO,
  WASM_INLINED,
  WASM_MEMORY,
  WASM_MODULE,
  WASM_SEGMENT,
  WASM_SITE,
  WASM_TABLE,
} from '../../compiler/abi/layout.js';
import { MODULES_SECTION } from '../../compiler/abi/linker-symbols.js';
import { signatureText } from '../../compiler/abi/signature-id.js';
import {
  dataBytesSymbol,
  dataSymbol,
  descriptorRef,
  elemEntriesSymbol,
  elemSymbol,
  globalSymbol,
  initSymbol,
  memoryCapacitySymbol,
  memoryDataSymbol,
  memorySymbol,
  moduleSymbol,
  stackLimitSymbol,
  tableElemsSymbol,
  tableSymbol,
} from '../../compiler/abi/symbols.js';
import type { IrModule, TableDecl } from '../../compiler/ir/module.js';
import { Type } from '../../compiler/ir/types.js';
import type { CompiledFunction } from '../compiled.js';
import { SectionBuilder, bssSection, type ObjectSection } from './format.js';

export interface ModuleDataOptions {
  /** Put function names into the image, for trap reports on the device's own console. */
  readonly deviceNames: boolean;
  /** Entries a table that can grow gets beyond its minimum. */
  readonly tableReserve: number;
  /** Extra names of data entities: exports, by the entity's own symbol. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
}

const NO_LIMIT = 0xffffffff;
/** Function index of code that is no Wasm function: thunks and the init function. */
const NO_FUNCTION = 0xffffffff;

export function moduleData(
  ir: IrModule,
  functions: readonly CompiledFunction[],
  symbols: readonly string[],
  options: ModuleDataOptions,
): ObjectSection[] {
  const sections: ObjectSection[] = [];
  writeGlobals(ir, options, sections);
  writeMemories(ir, options, sections);
  writeTables(ir, options, sections);
  writeDataSegments(ir, sections);
  writeElemSegments(ir, symbols, sections);
  writeModule(ir, functions, symbols, options, sections);
  return sections;
}

/** Names an entity by its own symbol and by those of its exports. */
function nameAll(section: SectionBuilder, symbol: string, at: number, size: number, options: ModuleDataOptions): void {
  section.symbol(symbol, at, size);
  for (const alias of options.aliases.get(symbol) ?? []) section.symbol(alias, at, size);
}

function writeGlobals(ir: IrModule, options: ModuleDataOptions, sections: ObjectSection[]): void {
  const data = new SectionBuilder('.data.globals', 'data');
  for (const global of ir.globals) {
    if (global.import !== null) continue;
    const wide = global.type === Type.I64 || global.type === Type.F64;
    const size = wide ? 8 : 4;
    const at = data.reserve(size);
    if (global.init !== null) {
      data.setU32(at, global.init[0]);
      if (wide) data.setU32(at + 4, global.init[1]);
    }
    nameAll(data, globalSymbol(ir.name, global), at, size, options);
  }
  if (data.size > 0) sections.push(data.finish());
}

function writeMemories(ir: IrModule, options: ModuleDataOptions, sections: ObjectSection[]): void {
  const { offset, size } = WASM_MEMORY;
  for (const memory of ir.memories) {
    if (memory.import !== null) continue;
    const bytes = memory.minPages * 2 ** memory.pageShift;
    const bytesSymbol = memoryDataSymbol(ir.name, memory.index);
    const data = new SectionBuilder(`.data.memory.${memory.index}`, 'data');
    const at = data.reserve(size);
    data.setAddress(at + offset.base, bytesSymbol);
    data.setU32(at + offset.bytes, Math.min(bytes, NO_LIMIT));
    data.setU32(at + offset.pages, memory.minPages);
    data.setU32(at + offset.max_pages, memory.maxPages ?? (memory.pageShift === 16 ? 65536 : NO_LIMIT));
    data.setAddress(at + offset.capacity_bytes, memoryCapacitySymbol(ir.name, memory.index));
    data.setU32(at + offset.page_shift, memory.pageShift);
    nameAll(data, memorySymbol(ir.name, memory), at, size, options);
    sections.push(data.finish());
    const whole = [{ name: bytesSymbol, offset: 0, size: bytes, kind: 'object', global: true }] as const;
    sections.push(bssSection(`.wasm_memory.${memory.index}`, bytes, 16, whole));
  }
}

function tableCapacity(table: TableDecl, reserve: number): number {
  return table.growable ? Math.min(table.max ?? NO_LIMIT, table.min + reserve) : table.min;
}

function writeTables(ir: IrModule, options: ModuleDataOptions, sections: ObjectSection[]): void {
  const { offset, size } = WASM_TABLE;
  for (const table of ir.tables) {
    if (table.import !== null) continue;
    const capacity = tableCapacity(table, options.tableReserve);
    const elems = tableElemsSymbol(ir.name, table.index);
    const data = new SectionBuilder(`.data.table.${table.index}`, 'data');
    const at = data.reserve(size);
    data.setAddress(at + offset.elems, elems);
    data.setU32(at + offset.size, table.min);
    data.setU32(at + offset.max, table.max ?? NO_LIMIT);
    data.setU32(at + offset.capacity, capacity);
    nameAll(data, tableSymbol(ir.name, table), at, size, options);
    sections.push(data.finish());
    const whole = [{ name: elems, offset: 0, size: 4 * capacity, kind: 'object', global: true }] as const;
    sections.push(bssSection(`.bss.table.${table.index}`, 4 * capacity, 4, whole));
  }
}

/** struct wasm_segment in writable data, because dropping a segment sets its length to 0. */
function segmentStruct(name: string, symbol: string, content: string, length: number): ObjectSection {
  const data = new SectionBuilder(name, 'data');
  const at = data.reserve(WASM_SEGMENT.size);
  data.setAddress(at + WASM_SEGMENT.offset.data, content);
  data.setU32(at + WASM_SEGMENT.offset.length, length);
  data.symbol(symbol, at, WASM_SEGMENT.size);
  return data.finish();
}

function writeDataSegments(ir: IrModule, sections: ObjectSection[]): void {
  for (const segment of ir.data) {
    const { index, bytes } = segment;
    const content = dataBytesSymbol(ir.name, index);
    const rodata = new SectionBuilder(`.rodata.data.${index}`, 'rodata');
    rodata.symbol(content, rodata.append(bytes), bytes.length);
    sections.push(rodata.finish());
    sections.push(segmentStruct(`.data.data.${index}`, dataSymbol(ir.name, index), content, bytes.length));
  }
}

function writeElemSegments(ir: IrModule, symbols: readonly string[], sections: ObjectSection[]): void {
  for (const segment of ir.elems) {
    // Declared segments only announce `ref.func`s; at run time they are empty.
    const entries = segment.mode === 'declared' ? [] : segment.entries;
    const content = elemEntriesSymbol(ir.name, segment.index);
    const rodata = new SectionBuilder(`.rodata.elem.${segment.index}`, 'rodata');
    const at = rodata.reserve(4 * entries.length);
    entries.forEach((func, i) => {
      if (func === null) return;
      const ref = descriptorRef(ir, symbols, func);
      rodata.setAddress(at + 4 * i, ref.symbol, ref.addend);
    });
    rodata.symbol(content, at, 4 * entries.length);
    sections.push(rodata.finish());
    sections.push(
      segmentStruct(`.data.elem.${segment.index}`, elemSymbol(ir.name, segment.index), content, entries.length),
    );
  }
}

/** Zero-terminated strings of the module, each once, in one section. */
class Strings {
  private readonly builder = new SectionBuilder('.rodata.strings', 'rodata', 1);
  private readonly offsets = new Map<string, number>();
  private readonly encoder = new TextEncoder();

  constructor(readonly symbol: string) {}

  add(text: string): number {
    let at = this.offsets.get(text);
    if (at === undefined) {
      at = this.builder.append(this.encoder.encode(`${text}\0`));
      this.offsets.set(text, at);
    }
    return at;
  }
  finish(): ObjectSection {
    this.builder.symbol(this.symbol, 0, this.builder.size, false);
    return this.builder.finish();
  }
}

function writeModule(
  ir: IrModule,
  functions: readonly CompiledFunction[],
  symbols: readonly string[],
  options: ModuleDataOptions,
  sections: ObjectSection[],
): void {
  const strings = new Strings(`${ir.name}$strings`);
  const module = new SectionBuilder('.rodata.module', 'rodata');
  const { offset } = WASM_MODULE;
  const at = module.reserve(WASM_MODULE.size);
  const symbol = moduleSymbol(ir.name);
  module.symbol(symbol, at, WASM_MODULE.size);
  module.setU32(at + offset.abi_version, ABI_VERSION);
  module.setAddress(at + offset.name, strings.symbol, strings.add(ir.name));
  if (functions.some(({ index }) => index === ir.initIndex)) module.setAddress(at + offset.init, initSymbol(ir.name));

  /** Puts a table into the module's section and points the struct at it. */
  const array = (field: number, count: number, elementBytes: number): number => {
    const start = module.reserve(count * elementBytes);
    if (count > 0) module.setAddress(at + field, symbol, start - at);
    return start;
  };

  const exports = ir.exports.filter(({ kind }) => kind === 'func');
  const exportTable = array(offset.exports, exports.length, WASM_EXPORT.size);
  module.setU32(at + offset.export_count, exports.length);
  exports.forEach(({ name, index }, i) => {
    const entry = exportTable + i * WASM_EXPORT.size;
    const text = signatureText(ir.funcs[index]!.signature);
    module.setAddress(entry + WASM_EXPORT.offset.name, strings.symbol, strings.add(name));
    module.setAddress(entry + WASM_EXPORT.offset.signature, strings.symbol, strings.add(text));
    module.setAddress(entry + WASM_EXPORT.offset.code, symbols[index]!);
  });

  const info = array(offset.funcs, functions.length, WASM_FUNC_INFO.size);
  module.setU32(at + offset.func_count, functions.length);
  functions.forEach((func, i) => {
    const entry = info + i * WASM_FUNC_INFO.size;
    const isWasm = func.index < ir.funcs.length && func.index !== ir.initIndex && ir.funcs[func.index]!.import === null;
    module.setAddress(entry + WASM_FUNC_INFO.offset.start, func.symbol);
    module.setU32(entry + WASM_FUNC_INFO.offset.func_index, isWasm ? func.index : NO_FUNCTION);
    module.setU16(entry + WASM_FUNC_INFO.offset.frame_words, func.frame.bytes / 4);
    const start = func.frame.start < 0 ? FRAME_START_LEAF : func.frame.start;
    module.setU16(entry + WASM_FUNC_INFO.offset.frame_start, start);
  });
  const last = functions[functions.length - 1];
  if (last !== undefined) module.setAddress(at + offset.code_end, last.symbol, last.bytes.length - last.entry);

  const siteCount = functions.reduce((sum, { sites }) => sum + sites.length, 0);
  let site = array(offset.sites, siteCount, WASM_SITE.size);
  module.setU32(at + offset.site_count, siteCount);
  for (const func of functions) {
    for (const { offset: place, code, wasmOffset } of func.sites) {
      module.setAddress(site + WASM_SITE.offset.pc, func.symbol, place - func.entry);
      const packed = (code << SITE_CODE_SHIFT) | (wasmOffset & SITE_OFFSET_MASK);
      module.setU32(site + WASM_SITE.offset.code_and_offset, packed);
      site += WASM_SITE.size;
    }
  }

  const inlined = inlinedSites(functions);
  let copy = array(offset.inlined, inlined.length, WASM_INLINED.size);
  module.setU32(at + offset.inlined_count, inlined.length);
  for (const { symbol: code, place, func, callOffset } of inlined) {
    module.setAddress(copy + WASM_INLINED.offset.pc, code, place);
    module.setU32(copy + WASM_INLINED.offset.func_index, func);
    module.setU32(copy + WASM_INLINED.offset.call_offset, callOffset);
    if (options.deviceNames) {
      module.setAddress(copy + WASM_INLINED.offset.name, strings.symbol, strings.add(ir.funcs[func]!.name));
    }
    copy += WASM_INLINED.size;
  }

  if (options.deviceNames) {
    const names = array(offset.func_names, functions.length, 4);
    functions.forEach(({ name }, i) => module.setAddress(names + 4 * i, strings.symbol, strings.add(name)));
  }
  module.setAddress(at + offset.stack_limit, stackLimitSymbol(ir.name));
  const memories = array(offset.memories, ir.memories.length, 4);
  module.setU32(at + offset.memory_count, ir.memories.length);
  ir.memories.forEach((memory, i) => module.setAddress(memories + 4 * i, memorySymbol(ir.name, memory)));

  sections.push(module.finish(), strings.finish());
  const list = new SectionBuilder(MODULES_SECTION, 'rodata');
  list.setAddress(list.reserve(4), symbol);
  sections.push(list.finish());
}

/** What `struct wasm_inlined` tells of each site in inlined code, in code order. */
function inlinedSites(functions: readonly CompiledFunction[]) {
  return functions.flatMap(({ sites, symbol, entry }) =>
    // Of several sites at one place the runtime finds the first.
    sites.flatMap(({ offset, inlined = [] }, i) =>
      sites[i - 1]?.offset === offset ? [] : inlined.map((call) => ({ ...call, symbol, place: offset - entry })),
    ),
  );
}
