// Takes a valid module, gives an equivalent one for the edge's engine: accesses at addresses from 0x80000000 on (grant
// windows, D10) go to functions of the host instead of memory 0, loops and calls use up fuel so that none is endless, memories
// have the sizes that the manifest allows, and everything that a snapshot needs is exported. Knows the sections; knows no
// grant and no snapshot.
//
// No index of the original changes: types, one table, globals and exports are appended, bodies get more locals. The table
// is filled by the host after instantiation; the start function is exported, to be run after that.
import { parseModule } from '../../compiler/driver.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { ByteReader } from '../../compiler/wasm/reader.js';
import { ValType, type WasmModule } from '../../compiler/wasm/types.js';
import { BodyRewriter, I32_CONST, REF_FUNC } from './body-rewriter.js';
import { ByteWriter } from './byte-writer.js';
import * as names from './interface.js';
import { FUEL_ROUNDS, HOST_FUNCTIONS, HOST_SIGNATURES, type MemoryLimits, type SegmentKind } from './interface.js';

export interface RewrittenModule {
  readonly bytes: Uint8Array;
  readonly module: WasmModule;
  /** Functions that a table entry can refer to, exported under `exportOfFunc`. */
  readonly referenced: readonly number[];
  /** Passive data segments by index: the contents that `init` copies from. */
  readonly segments: readonly Uint8Array[];
  /** Bytes of memory 0 if it ends within a page. */
  readonly exactBytes: number | null;
  /** Byte offset in the original file of the instruction at `offset` of the rewritten one. */
  originalOffset(offset: number): number;
}

const END = 0x0b;
const SECTION = { type: 1, table: 4, memory: 5, global: 6, export: 7, start: 8, code: 10 } as const;
/** Place of each section in a module (the data count section, 12, comes before the code). */
const SECTION_ORDER: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
const PAGE_BYTES = 65536;
/** Entries that a table can grow to. */
const MAX_TABLE = 65536;

/**
 * Rewrites `bytes`.
 * @throws DiagnosticError for an invalid or unsupported module, as the compiler does
 */
export function rewriteForEdge(bytes: Uint8Array, file?: string, limits: MemoryLimits = []): RewrittenModule {
  const { module } = parseModule(bytes, file === undefined ? {} : { file });
  return new Rewriter(module, limits).run();
}

/** Appended globals that tell which segments are gone. */
class DroppedSegments {
  readonly list: { kind: SegmentKind; segment: number }[] = [];

  constructor(readonly firstGlobal: number) {}

  globalOf(kind: SegmentKind, segment: number): number {
    let at = this.list.findIndex((entry) => entry.kind === kind && entry.segment === segment);
    if (at < 0) at = this.list.push({ kind, segment }) - 1;
    return this.firstGlobal + at;
  }
}

class Rewriter {
  private readonly out = new ByteWriter();
  private readonly dropped: DroppedSegments;
  private readonly referenced = new Set<number>();
  /** Pairs of offsets, ascending: rewritten, original. */
  private readonly offsets: number[] = [];
  private readonly firstType: number;
  private readonly table: number;
  private readonly fuel: number;
  private readonly exactBytes: number | null;

  constructor(
    private readonly module: WasmModule,
    private readonly limits: MemoryLimits,
  ) {
    this.fuel = module.globals.length;
    this.dropped = new DroppedSegments(this.fuel + 1);
    this.firstType = module.types.length;
    this.table = module.tables.length;
    this.exactBytes = limits[0]?.exact === true ? limits[0].bytes : null;
  }

  run(): RewrittenModule {
    const { module, out, offsets, exactBytes } = this;
    for (const { funcs, exprs } of module.elems) {
      funcs?.forEach((index) => this.referenced.add(index));
      exprs?.forEach(({ insts }) => insts.forEach((inst) => inst.opcode === REF_FUNC && this.referenced.add(inst.imm)));
    }
    for (const { init } of module.globals)
      init?.insts.forEach((inst) => inst.opcode === REF_FUNC && this.referenced.add(inst.imm));
    // Bodies first: they say which functions ref.func names.
    const code = this.codeSection();
    const sections = sectionsOf(module.bytes);
    out.raw(module.bytes.subarray(0, 8));
    for (const id of SECTION_ORDER) {
      const contents = id === SECTION.code ? code : this.section(id, sections.get(id));
      if (contents === undefined) continue;
      const start = this.write(id, contents);
      if (id === SECTION.code) for (let i = 0; i < offsets.length; i += 2) offsets[i]! += start;
    }
    for (const { name, start, end } of module.customs) {
      if (name !== 'name') continue;
      const custom = new ByteWriter();
      custom.name(name);
      custom.raw(module.bytes.subarray(start, end));
      this.write(0, custom.view());
    }
    return {
      bytes: out.view().slice(),
      module,
      referenced: [...this.referenced].sort((a, b) => a - b),
      segments: module.data.map(({ start, end }) => module.bytes.subarray(start, end)),
      exactBytes,
      originalOffset: (offset) => lookUp(offsets, offset),
    };
  }

  /** A section other than code, undefined if there is none. */
  private section(id: number, original: Uint8Array | undefined): Uint8Array | undefined {
    switch (id) {
      case SECTION.type:
        return appended(original, HOST_SIGNATURES.length, (w) => writeTypes(w));
      case SECTION.table: {
        const tables = this.ownTables(original);
        return appended(tables, 1, (w) =>
          writeLimits(w, HOST_FUNCTIONS.length, HOST_FUNCTIONS.length, ValType.FuncRef),
        );
      }
      case SECTION.memory:
        return original === undefined ? undefined : this.memories(original);
      case SECTION.global:
        return appended(original, 1 + this.dropped.list.length, (w) => this.globals(w));
      case SECTION.export: {
        const entries = this.exports();
        return appended(original, entries.length, (w) => {
          for (const { name, kind, index } of entries) {
            w.name(name);
            w.u8(kind);
            w.u32(index);
          }
        });
      }
      case SECTION.start:
        return undefined;
      default:
        return original;
    }
  }

  /** Offset of the contents in the output. */
  private write(id: number, contents: Uint8Array): number {
    this.out.u8(id);
    this.out.u32(contents.length);
    const start = this.out.length;
    this.out.raw(contents);
    return start;
  }

  /** The module's tables, which cannot grow without end; undefined if it has none, or one with an initialiser. */
  private ownTables(original: Uint8Array | undefined): Uint8Array | undefined {
    const own = this.module.tables.filter((table) => table.import === null);
    if (original === undefined || own.length === 0) return original;
    const w = new ByteWriter();
    w.u32(own.length);
    for (const { min, max, refType } of own)
      writeLimits(w, min, Math.max(min, Math.min(max ?? MAX_TABLE, MAX_TABLE)), refType);
    return w.view();
  }

  /** The module's memories with the sizes that they may have. */
  private memories(original: Uint8Array): Uint8Array {
    const { memories } = this.module;
    if (memories.some(({ pageShift }) => 2 ** pageShift !== PAGE_BYTES)) return original;
    const w = new ByteWriter();
    const own = memories.flatMap((memory, index) => (memory.import === null ? [{ ...memory, index }] : []));
    w.u32(own.length);
    for (const { min, max, index } of own) {
      const limit = this.limits[index];
      const least = limit === undefined ? min : Math.ceil(limit.bytes / PAGE_BYTES);
      const most = limit === undefined ? max : Math.min(max ?? Infinity, Math.floor(limit.maxBytes / PAGE_BYTES));
      writeLimits(w, least, most === null ? null : Math.max(least, most));
    }
    return w.view();
  }

  private globals(w: ByteWriter): void {
    const MUTABLE = 1;
    const add = (value: number): void => {
      w.raw(Uint8Array.of(ValType.I32, MUTABLE, I32_CONST));
      w.s32(value);
      w.u8(END);
    };
    add(FUEL_ROUNDS);
    this.dropped.list.forEach(() => add(0));
  }

  private exports(): { name: string; kind: number; index: number }[] {
    const { module } = this;
    const [func, table, memory, global] = [0, 1, 2, 3] as const;
    const taken = new Set(module.exports.map(({ name }) => name));
    const list: { name: string; kind: number; index: number }[] = [
      { name: names.HOST_TABLE, kind: table, index: this.table },
      { name: names.FUEL, kind: global, index: this.fuel },
    ];
    if (module.start !== null) list.push({ name: names.START, kind: func, index: module.start.index });
    for (const index of this.referenced) list.push({ name: names.exportOfFunc(index), kind: func, index });
    module.tables.forEach((_, index) => list.push({ name: names.exportOfTable(index), kind: table, index }));
    module.memories.forEach((_, index) => list.push({ name: names.exportOfMemory(index), kind: memory, index }));
    module.globals.forEach(({ mutable }, index) => {
      if (mutable) list.push({ name: names.exportOfGlobal(index), kind: global, index });
    });
    this.dropped.list.forEach(({ kind, segment }, i) =>
      list.push({ name: names.exportOfDropped(kind, segment), kind: global, index: this.dropped.firstGlobal + i }),
    );
    // A module cannot claim one of these names for something else: the host would trust it.
    return list.map((entry) => {
      if (taken.has(entry.name)) throw new InternalError(`export "${entry.name}" is rewritten already`);
      return entry;
    });
  }

  private codeSection(): Uint8Array {
    const { module, firstType, table, fuel, exactBytes, referenced } = this;
    const section = new ByteWriter();
    section.u32(module.funcs.length - module.importedFuncs);
    const droppedGlobal = (kind: SegmentKind, segment: number): number => this.dropped.globalOf(kind, segment);
    const context = { module, firstType, table, fuel, exactBytes, referenced, droppedGlobal };
    for (let index = module.importedFuncs; index < module.funcs.length; index++) {
      const { bodyStart, bodyEnd } = module.funcs[index]!;
      const { bytes, offsets } = new BodyRewriter(context).run(index, bodyStart, bodyEnd);
      section.u32(bytes.length);
      for (let i = 0; i < offsets.length; i += 2) this.offsets.push(offsets[i]! + section.length, offsets[i + 1]!);
      section.raw(bytes);
    }
    return section.view();
  }
}

/** The vector of a section with `count` more entries. */
function appended(section: Uint8Array | undefined, count: number, write: (w: ByteWriter) => void): Uint8Array {
  const r = new ByteReader(section ?? Uint8Array.of(0));
  const before = r.u32();
  const w = new ByteWriter();
  w.u32(before + count);
  w.raw(r.bytes.subarray(r.pos));
  write(w);
  return w.view();
}

function writeTypes(w: ByteWriter): void {
  for (const [params, results] of HOST_SIGNATURES) {
    w.u8(0x60);
    for (const list of [params, results]) {
      w.u32(list.length);
      list.forEach((type) => w.u8(type));
    }
  }
}

/** Limits of a memory, or with `refType` of a table. */
function writeLimits(w: ByteWriter, min: number, max: number | null, refType?: number): void {
  if (refType !== undefined) w.u8(refType);
  w.u8(max === null ? 0 : 1);
  w.u32(min);
  if (max !== null) w.u32(max);
}

/** Contents of the sections by id, custom ones left out. */
function sectionsOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const sections = new Map<number, Uint8Array>();
  const r = new ByteReader(bytes, 8);
  while (!r.done) {
    const id = r.u8();
    const size = r.u32();
    if (id !== 0) sections.set(id, bytes.subarray(r.pos, r.pos + size));
    r.pos += size;
  }
  return sections;
}

function lookUp(offsets: readonly number[], offset: number): number {
  let low = 0;
  let high = offsets.length / 2;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (offsets[middle * 2]! <= offset) low = middle;
    else high = middle;
  }
  return offsets[low * 2 + 1] ?? 0;
}
