// Takes an ELF executable, gives what the verifier must know of it: modules, their functions, and every object that compiled
// code may touch, each with its bounds. Everything comes from the file. Refuses to know instructions.
import {
  ARGUMENT_BUFFER_WORDS,
  WASM_EXPORT,
  WASM_FUNC_INFO,
  WASM_MEMORY,
  WASM_MODULE,
  WASM_SEGMENT,
  WASM_SITE,
  WASM_TABLE,
  SITE_CODE_SHIFT,
} from '../compiler/abi/layout.js';
import { LIBCALLS } from '../compiler/abi/libcalls.js';
import { LinkerSymbol, RuntimeSymbol } from '../compiler/abi/linker-symbols.js';
import { SITE_CALL } from '../compiler/abi/traps.js';
import { WindowSymbol } from '../compiler/abi/window.js';
import { DiagnosticError } from '../compiler/diagnostics.js';
import type { Elf, ElfSegment, ElfSymbol } from './elf.js';
import { layoutFaults } from './layout.js';

/** `memory` and `table` structs, their contents, globals, segment structs, the argument buffer. */
export type ObjectKind =
  | 'memory'
  | 'memory-bytes'
  | 'table'
  | 'table-entries'
  | 'global'
  | 'data-segment'
  | 'element-segment'
  | 'argument-buffer';

/** Something in memory that compiled code may touch. */
export interface MemoryObject {
  readonly id: number;
  readonly kind: ObjectKind;
  readonly name: string;
  readonly start: number;
  /** Bytes; for contents that grow, those reserved. */
  readonly size: number;
  /** Module that owns it; null for the argument buffer. */
  readonly module: string | null;
  /** True if its module exports it. */
  exported: boolean;
  /** The contents a struct describes, or the struct that describes contents. */
  peer: MemoryObject | null;
  /** For contents: units (bytes or table entries) there at instantiation; the number never falls. */
  readonly minimum: number;
}

export interface ModuleFunction {
  readonly name: string;
  readonly module: VerifiedModule;
  readonly start: number;
  readonly size: number;
  /** End of whatever code lies before: literals and jump tables are between this and `start`. */
  poolStart: number;
  readonly frameWords: number;
  /** Signature texts under which the module exports it. */
  readonly exportedAs: string[];
}

export interface VerifiedModule {
  readonly name: string;
  readonly stackLimit: number;
  /** Address of the function that instantiates it, or 0. */
  readonly init: number;
  readonly functions: ModuleFunction[];
  /** Structs of the memories it may use. */
  readonly memories: readonly number[];
  /** Trap code by pc, of instructions with an entry in the site table. */
  readonly traps: ReadonlyMap<number, number>;
}

/** What a call may lead to. */
export type CallTarget =
  | { readonly kind: 'module'; readonly func: ModuleFunction }
  | { readonly kind: 'libcall'; readonly symbol: string; readonly address: number }
  | { readonly kind: 'host'; readonly symbol: string };

const LIBCALL_SYMBOLS: ReadonlySet<string> = new Set(Object.values(LIBCALLS).map(({ symbol }) => symbol));
const OBJECT_NAME = /^(.*)\$(memory|table|global|data|elem)(\d+)$/;

/** What a module names for itself; module names have no `$`. */
const INTERNAL_NAME =
  /^[^$]*\$(init|module|strings|stack_limit|stack_bottom|stack_top|(data|bss)_[a-z]+|(memory|table|global|data|elem)\d+(\.[a-z]+)?)$/;
/** `module.name`: an export of a module or of the host. */
const isExportName = (name: string): boolean => name.includes('.') && !INTERNAL_NAME.test(name);

export class Image {
  readonly modules: VerifiedModule[] = [];
  readonly objects: MemoryObject[] = [];
  /** Address of a module function's first instruction. */
  readonly functions = new Map<number, ModuleFunction>();
  readonly argumentBuffer: number;
  /** Address of the runtime function that looks up grant windows, or null. */
  readonly windowFunction: number | null;
  /** Shadow stack displacement, or null if there is none. */
  readonly shadow: number | null;
  /** Complaints about the layout as a whole. */
  readonly faults: string[] = [];
  private readonly byName = new Map<string, ElfSymbol>();
  private readonly byAddress = new Map<number, ElfSymbol[]>();
  private readonly byStart = new Map<number, MemoryObject>();
  /** In address order. */
  sorted: readonly MemoryObject[] = [];
  private readonly segments: readonly ElfSegment[];

  /** @throws DiagnosticError W701 if the tables of a module cannot be read */
  constructor(
    elf: Elf,
    private readonly file: string,
  ) {
    this.segments = [...elf.segments].sort((a, b) => a.address - b.address);
    for (const symbol of elf.symbols) {
      if (symbol.isGlobal || !this.byName.has(symbol.name)) this.byName.set(symbol.name, symbol);
      // A module linked for a slot knows the functions of the image by their addresses alone.
      if (symbol.absolute && !symbol.isFunction) continue;
      const list = this.byAddress.get(symbol.value);
      if (list === undefined) this.byAddress.set(symbol.value, [symbol]);
      else list.push(symbol);
    }
    this.shadow = this.symbol(LinkerSymbol.ShadowDisplacement);
    this.windowFunction = this.symbol(WindowSymbol.Translate);
    this.argumentBuffer = this.byName.get(RuntimeSymbol.ArgumentBuffer)?.value ?? -1;
    if (this.argumentBuffer >= 0)
      this.addObject(
        'argument-buffer',
        RuntimeSymbol.ArgumentBuffer,
        this.argumentBuffer,
        4 * ARGUMENT_BUFFER_WORDS,
        null,
      );
    for (const symbol of elf.symbols)
      if (!symbol.absolute && symbol.name.endsWith('$module') && symbol.size === WASM_MODULE.size)
        this.readModule(symbol);
    for (const symbol of elf.symbols) this.readObject(symbol);
    this.sorted = [...this.objects].sort((a, b) => a.start - b.start);
    this.findPools();
    this.faults.push(...layoutFaults(this, this.segments));
  }

  // -- contents

  segmentAt(address: number): ElfSegment | null {
    let from = 0;
    let to = this.segments.length - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const segment = this.segments[middle]!;
      if (address < segment.address) to = middle - 1;
      else if (address >= segment.address + segment.size) from = middle + 1;
      else return segment;
    }
    return null;
  }

  /** The word at an address of the image, or null outside. */
  word(address: number): number | null {
    const segment = this.segmentAt(address);
    if (segment === null || address + 4 > segment.address + segment.size) return null;
    const { bytes } = segment;
    const at = address - segment.address;
    const byte = (k: number): number => (at + k < bytes.length ? bytes[at + k]! : 0);
    return (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0;
  }

  /** The value of a symbol, or null. */
  symbol(name: string): number | null {
    return this.byName.get(name)?.value ?? null;
  }

  private need(address: number, what: string): number {
    const word = this.word(address);
    if (word === null) throw new DiagnosticError('W701', `${what} lies outside of the image`, { file: this.file });
    return word;
  }

  private text(address: number): string {
    let text = '';
    for (let at = address; ; at++) {
      const word = this.word(at);
      if (word === null || (word & 0xff) === 0) break;
      text += String.fromCharCode(word & 0xff);
    }
    return Buffer.from(text, 'latin1').toString('utf8');
  }

  // -- modules

  private readModule(symbol: ElfSymbol): void {
    const { offset } = WASM_MODULE;
    const name = symbol.name.slice(0, -'$module'.length);
    const field = (at: number): number => this.need(symbol.value + at, symbol.name);
    const traps = new Map<number, number>();
    const sites = field(offset.sites);
    const siteCount = field(offset.site_count);
    for (let i = 0; i < siteCount; i++) {
      const at = sites + i * WASM_SITE.size;
      const code = this.need(at + WASM_SITE.offset.code_and_offset, 'a site') >>> SITE_CODE_SHIFT;
      if (code !== SITE_CALL) traps.set(this.need(at + WASM_SITE.offset.pc, 'a site'), code);
    }
    const memories: number[] = [];
    for (let i = 0; i < field(offset.memory_count); i++)
      memories.push(this.need(field(offset.memories) + 4 * i, 'the list of memories'));
    const module: VerifiedModule = {
      name,
      stackLimit: field(offset.stack_limit),
      init: field(offset.init),
      functions: [],
      memories,
      traps,
    };
    this.modules.push(module);
    const exported = new Map<number, string[]>();
    for (let i = 0; i < field(offset.export_count); i++) {
      const at = field(offset.exports) + i * WASM_EXPORT.size;
      const code = this.need(at + WASM_EXPORT.offset.code, 'an export');
      const signature = this.text(this.need(at + WASM_EXPORT.offset.signature, 'an export'));
      exported.set(code, [...(exported.get(code) ?? []), signature]);
    }
    for (let i = 0; i < field(offset.func_count); i++) {
      const at = field(offset.funcs) + i * WASM_FUNC_INFO.size;
      const start = this.need(at + WASM_FUNC_INFO.offset.start, 'the function table');
      const code = this.byAddress.get(start)?.find((s) => s.isFunction && s.size > 0);
      if (code === undefined || this.functions.has(start)) {
        this.faults.push(`${name}: function ${i} at 0x${start.toString(16)} has no symbol of its own with a size`);
        continue;
      }
      const frameWords = this.need(at + WASM_FUNC_INFO.offset.frame_words, 'the function table') & 0xffff;
      const own = this.byAddress.get(start)!.find((s) => s.name.startsWith(`${name}!`) || s.name === `${name}$init`);
      const func: ModuleFunction = {
        name: (own ?? code).name,
        module,
        start,
        size: code.size,
        poolStart: start,
        frameWords,
        exportedAs: exported.get(start) ?? [],
      };
      module.functions.push(func);
      this.functions.set(start, func);
    }
    for (const [code, texts] of exported)
      if (!this.functions.has(code)) this.faults.push(`${name}: an export "${texts[0]}" is no function of the module`);
  }

  /** Literals and jump tables of a function are what lies between it and the code before it. */
  private findPools(): void {
    const code = [...this.byAddress.values()]
      .flat()
      .filter((s) => s.isFunction && s.size > 0)
      .sort((a, b) => a.value - b.value);
    let end = 0;
    let last = -1;
    for (const { value, size } of code) {
      const func = this.functions.get(value);
      const segment = this.segmentAt(value);
      if (func !== undefined && value !== last) {
        func.poolStart = Math.min(value, (Math.max(end, segment?.address ?? value) + 3) & ~3);
        if (end > value) this.faults.push(`${func.name} overlaps other code`);
        if (segment === null || !segment.executable || value + size > segment.address + segment.size)
          this.faults.push(`${func.name} does not lie in executable memory`);
        else if (segment.writable && !this.isLoadedCode(segment))
          this.faults.push(`${func.name} lies in writable memory`);
      }
      end = Math.max(end, value + size);
      last = value;
    }
  }

  /** IRAM is loaded by the boot ROM and never mapped for byte access: its segment may be marked writable. */
  private isLoadedCode(segment: ElfSegment): boolean {
    return segment.address >= 0x40000000;
  }

  // -- objects

  private addObject(
    kind: ObjectKind,
    name: string,
    start: number,
    size: number,
    module: string | null,
    minimum = size,
  ): MemoryObject {
    const exported = (this.byAddress.get(start) ?? []).some(
      (s) => s.isGlobal && s.name !== name && isExportName(s.name),
    );
    const object: MemoryObject = {
      id: this.objects.length,
      kind,
      name,
      start,
      size,
      module,
      exported,
      peer: null,
      minimum,
    };
    this.objects.push(object);
    if (size > 0) this.byStart.set(start, object);
    return object;
  }

  private readObject(symbol: ElfSymbol): void {
    if (symbol.absolute) return;
    const match = OBJECT_NAME.exec(symbol.name);
    if (match === null || !this.modules.some(({ name }) => name === match[1])) return;
    const [, module, what] = match as unknown as [string, string, string];
    const { name, value } = symbol;
    switch (what) {
      case 'memory': {
        const { offset, size } = WASM_MEMORY;
        const struct = this.addObject('memory', name, value, size, module);
        const base = this.need(value + offset.base, name);
        const minimum = this.need(value + offset.bytes, name);
        const capacity = this.need(value + offset.capacity_bytes, name);
        this.link(struct, this.addObject('memory-bytes', `${name}.data`, base, capacity, module, minimum));
        if (minimum > capacity) this.faults.push(`${name} is larger than what is reserved for it`);
        return;
      }
      case 'table': {
        const { offset, size } = WASM_TABLE;
        const struct = this.addObject('table', name, value, size, module);
        const elems = this.need(value + offset.elems, name);
        const minimum = this.need(value + offset.size, name);
        const capacity = this.need(value + offset.capacity, name);
        this.link(struct, this.addObject('table-entries', `${name}.elems`, elems, 4 * capacity, module, minimum));
        if (minimum > capacity) this.faults.push(`${name} is larger than what is reserved for it`);
        return;
      }
      case 'global':
        this.addObject('global', name, value, symbol.size, module);
        return;
      case 'data':
        this.addObject('data-segment', name, value, WASM_SEGMENT.size, module);
        return;
      default:
        this.addObject('element-segment', name, value, WASM_SEGMENT.size, module);
    }
  }

  private link(struct: MemoryObject, contents: MemoryObject): void {
    struct.peer = contents;
    contents.peer = struct;
    contents.exported = struct.exported;
  }

  /** The object that has the byte at `address`, or null. */
  objectAt(address: number): MemoryObject | null {
    const list = this.sorted;
    let from = 0;
    let to = list.length - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const object = list[middle]!;
      if (address < object.start) to = middle - 1;
      else if (address >= object.start + object.size) from = middle + 1;
      else return object;
    }
    return null;
  }

  /** True if code of `module` may touch the object: its own, one it was given, the argument buffer. */
  mayTouch(module: VerifiedModule, object: MemoryObject): boolean {
    if (object.kind === 'memory') return module.memories.includes(object.start);
    if (object.kind === 'memory-bytes') return object.peer !== null && module.memories.includes(object.peer.start);
    return object.module === null || object.module === module.name || object.exported;
  }

  // -- calls

  /** What code of `module` reaches by a transfer to `address`; null if that is no entry it may use. */
  callTarget(module: VerifiedModule, address: number): CallTarget | null {
    const target = this.throughVeneer(address);
    const names = this.byAddress.get(target) ?? [];
    const func = this.functions.get(target);
    const exported = names.find((s) => s.isGlobal && s.isFunction && isExportName(s.name));
    if (func !== undefined) return func.module === module || exported !== undefined ? { kind: 'module', func } : null;
    const libcall = names.find((s) => s.isGlobal && LIBCALL_SYMBOLS.has(s.name));
    if (libcall !== undefined) return { kind: 'libcall', symbol: libcall.name, address: target };
    return exported === undefined ? null : { kind: 'host', symbol: exported.name };
  }

  /** Bytes of the function at an address, 0 if there is none. */
  functionSize(address: number): number {
    return Math.max(0, ...(this.byAddress.get(address) ?? []).filter((s) => s.isFunction).map((s) => s.size));
  }

  /** Follows `l32r a8, literal; jx a8` that the linker put between functions for targets out of reach. */
  private throughVeneer(address: number): number {
    if (this.functions.has(address) || this.byAddress.get(address)?.some((s) => s.isFunction) === true) return address;
    const first = this.word(address);
    const second = this.word(address + 3);
    if ((address & 3) !== 0 || first === null || second === null || this.insideFunction(address)) return address;
    // l32r a8, address - 4 and jx a8.
    if ((first & 0xffffff) !== 0xffff81 || (second & 0xffffff) !== 0x0008a0) return address;
    return this.segmentAt(address)?.executable === true ? (this.word(address - 4) ?? address) : address;
  }

  private insideFunction(address: number): boolean {
    for (const { start, size } of this.functions.values()) if (address >= start && address < start + size) return true;
    return false;
  }

  /** True if code outside of the function's module may call it. */
  isEntry(func: ModuleFunction): boolean {
    if (func.exportedAs.length > 0 || func.start === func.module.init) return true;
    return this.byAddress.get(func.start)!.some((s) => s.isGlobal && isExportName(s.name));
  }

  /** All words that references to functions can come from: literals, element segments, globals as they are at first. */
  referenceWords(): Set<number> {
    const words = new Set<number>();
    const add = (from: number, to: number): void => {
      for (let address = from & ~3; address + 4 <= to; address += 4) {
        const word = this.word(address);
        if (word !== null) words.add(word);
      }
    };
    for (const { poolStart, start } of this.functions.values()) add(poolStart, start);
    for (const { kind, start, size } of this.objects) {
      if (kind === 'global') add(start, start + size);
      else if (kind === 'element-segment') {
        const data = this.word(start + WASM_SEGMENT.offset.data) ?? 0;
        add(data, data + 4 * (this.word(start + WASM_SEGMENT.offset.length) ?? 0));
      }
    }
    return words;
  }
}
