// Takes a valid module, gives an equivalent one for the edge's engine: accesses at addresses from 0x80000000 on (grant
// windows, D10) go to functions of the host instead of memory 0, and everything that a snapshot needs is exported. Knows
// the binary format; knows no grant and no snapshot.
//
// No index of the original changes: types, one table and exports are appended, bodies get more locals. The table is
// filled by the host after instantiation; before that (in the start function) a window access traps, as there is no grant.
import { parseModule } from '../../compiler/driver.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { Imm, IMM_KIND, OPCODE_SPACE, OPERAND_TYPE, PREFIX_FC, RESULT_TYPE } from '../../compiler/wasm/opcodes.js';
import { ByteReader } from '../../compiler/wasm/reader.js';
import { ValType, type WasmModule } from '../../compiler/wasm/types.js';
import { ByteWriter } from './byte-writer.js';

/** Entries of the table `WINDOW_TABLE`, in order: functions that the host must put there. */
export const WINDOW_FUNCTIONS = [
  /** (address, static offset, opcode) -> value; the opcode tells width and extension. */
  'load_i32',
  'load_i64',
  'load_f32',
  'load_f64',
  /** (address, value, static offset, opcode) */
  'store_i32',
  'store_i64',
  'store_f32',
  'store_f64',
  /** (destination, source, bytes): at least one of the addresses is in a window. */
  'copy',
  /** (destination, value, bytes) */
  'fill',
  /** (destination, source offset in the segment, bytes, segment): destination is in a window. */
  'init',
] as const;
export type WindowFunction = (typeof WINDOW_FUNCTIONS)[number];

/** Export names of what the rewritten module shows to the host. */
export const WINDOW_TABLE = 'thingspire:windows';
export const exportOfGlobal = (index: number): string => `thingspire:global:${index}`;
export const exportOfTable = (index: number): string => `thingspire:table:${index}`;
export const exportOfMemory = (index: number): string => `thingspire:memory:${index}`;
export const exportOfFunc = (index: number): string => `thingspire:func:${index}`;

export const exportOfDropped = (kind: SegmentKind, index: number): string => `thingspire:${kind}-dropped:${index}`;

/** A data or element segment; each that the module drops has an exported global that is 1 from then on. */
export type SegmentKind = 'data' | 'elem';

export interface RewrittenModule {
  readonly bytes: Uint8Array;
  readonly module: WasmModule;
  /** Functions that a table entry can refer to, exported under `exportOfFunc`. */
  readonly referenced: readonly number[];
  /** Passive data segments by index: the contents that `init` copies from. */
  readonly segments: readonly Uint8Array[];
  /** Byte offset in the original file of the instruction at `offset` of the rewritten one. */
  originalOffset(offset: number): number;
}

const { I32, I64, F32, F64, FuncRef } = ValType;
const VALUE_TYPES: readonly number[] = [I32, I64, F32, F64];

/** Types of WINDOW_FUNCTIONS as (parameters, results). */
export const WINDOW_SIGNATURES: readonly (readonly [readonly number[], readonly number[]])[] = [
  ...VALUE_TYPES.map((type) => [[I32, I32, I32], [type]] as const),
  ...VALUE_TYPES.map((type) => [[I32, type, I32, I32], []] as const),
  [[I32, I32, I32], []],
  [[I32, I32, I32], []],
  [[I32, I32, I32, I32], []],
];
const SLOT = new Map<string, number>(WINDOW_FUNCTIONS.map((name, slot) => [name, slot]));

const OP = {
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  callIndirect: 0x11,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalSet: 0x24,
} as const;
const I32_CONST = 0x41;
const I32_LT_S = 0x48;
const I32_OR = 0x72;
const EMPTY_BLOCK = 0x40;
const FIRST_LOAD = 0x28;
const FIRST_STORE = 0x36;
const LAST_STORE = 0x3e;
const MEMORY_INIT = PREFIX_FC + 8;
const DATA_DROP = PREFIX_FC + 9;
const ELEM_DROP = PREFIX_FC + 13;
const MEMORY_COPY = PREFIX_FC + 10;
const MEMORY_FILL = PREFIX_FC + 11;
const REF_FUNC = 0xd2;

const SECTION = { type: 1, table: 4, global: 6, export: 7, code: 10 } as const;
/** Place of each section in a module (the data count section, 12, comes before the code). */
const SECTION_ORDER: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

/**
 * Rewrites `bytes`.
 * @throws DiagnosticError for an invalid or unsupported module, as the compiler does
 */
export function rewriteForEdge(bytes: Uint8Array, file?: string): RewrittenModule {
  const { module } = parseModule(bytes, file === undefined ? {} : { file });
  return new Rewriter(module).run();
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

  constructor(private readonly module: WasmModule) {
    this.dropped = new DroppedSegments(module.globals.length);
    this.firstType = module.types.length;
    this.table = module.tables.length;
  }

  run(): RewrittenModule {
    const { module, out } = this;
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
      const section = sections.get(id);
      if (id === SECTION.type)
        this.write(
          id,
          this.appended(section, WINDOW_SIGNATURES.length, (w) => this.types(w)),
        );
      else if (id === SECTION.table)
        this.write(
          id,
          this.appended(section, 1, (w) => this.windowTable(w)),
        );
      else if (id === SECTION.global && this.dropped.list.length > 0)
        this.write(
          id,
          this.appended(section, this.dropped.list.length, (w) => this.flags(w)),
        );
      else if (id === SECTION.export) {
        const entries = this.exports();
        this.write(
          id,
          this.appended(section, entries.length, (w) => {
            for (const { name, kind, index } of entries) {
              w.name(name);
              w.u8(kind);
              w.u32(index);
            }
          }),
        );
      } else if (section !== undefined) {
        if (id === SECTION.code) {
          const start = this.write(id, code);
          for (let i = 0; i < this.offsets.length; i += 2) this.offsets[i]! += start;
        } else this.write(id, section);
      }
    }
    for (const { name, start, end } of module.customs) {
      if (name !== 'name') continue;
      const custom = new ByteWriter();
      custom.name(name);
      custom.raw(module.bytes.subarray(start, end));
      this.write(0, custom.view());
    }
    const { offsets } = this;
    return {
      bytes: out.view().slice(),
      module,
      referenced: [...this.referenced].sort((a, b) => a - b),
      segments: module.data.map(({ start, end }) => module.bytes.subarray(start, end)),
      originalOffset: (offset) => lookUp(offsets, offset),
    };
  }

  /** Offset of the contents in the output. */
  private write(id: number, contents: Uint8Array): number {
    this.out.u8(id);
    this.out.u32(contents.length);
    const start = this.out.length;
    this.out.raw(contents);
    return start;
  }

  /** The vector of a section with `count` more entries. */
  private appended(section: Uint8Array | undefined, count: number, write: (w: ByteWriter) => void): Uint8Array {
    const r = new ByteReader(section ?? Uint8Array.of(0));
    const before = r.u32();
    const w = new ByteWriter();
    w.u32(before + count);
    w.raw(r.bytes.subarray(r.pos));
    write(w);
    return w.view();
  }

  private types(w: ByteWriter): void {
    for (const [params, results] of WINDOW_SIGNATURES) {
      w.u8(0x60);
      for (const list of [params, results]) {
        w.u32(list.length);
        list.forEach((type) => w.u8(type));
      }
    }
  }

  private windowTable(w: ByteWriter): void {
    w.u8(FuncRef);
    w.u8(1);
    w.u32(WINDOW_FUNCTIONS.length);
    w.u32(WINDOW_FUNCTIONS.length);
  }

  private flags(w: ByteWriter): void {
    // Mutable i32, i32.const 0, end.
    for (let i = 0; i < this.dropped.list.length; i++) w.raw(Uint8Array.of(I32, 1, I32_CONST, 0, OP.end));
  }

  private exports(): { name: string; kind: number; index: number }[] {
    const { module } = this;
    const [func, table, memory, global] = [0, 1, 2, 3] as const;
    const taken = new Set(module.exports.map(({ name }) => name));
    const list: { name: string; kind: number; index: number }[] = [
      { name: WINDOW_TABLE, kind: table, index: this.table },
    ];
    for (const index of this.referenced) list.push({ name: exportOfFunc(index), kind: func, index });
    module.tables.forEach((_, index) => list.push({ name: exportOfTable(index), kind: table, index }));
    module.memories.forEach((_, index) => list.push({ name: exportOfMemory(index), kind: memory, index }));
    module.globals.forEach(({ mutable }, index) => {
      if (mutable) list.push({ name: exportOfGlobal(index), kind: global, index });
    });
    this.dropped.list.forEach(({ kind, segment }, i) =>
      list.push({ name: exportOfDropped(kind, segment), kind: global, index: this.dropped.firstGlobal + i }),
    );
    // A module cannot claim one of these names for something else: the host would trust it.
    return list.map((entry) => {
      if (taken.has(entry.name)) throw new InternalError(`export "${entry.name}" is rewritten already`);
      return entry;
    });
  }

  private codeSection(): Uint8Array {
    const { module } = this;
    const section = new ByteWriter();
    section.u32(module.funcs.length - module.importedFuncs);
    for (let index = module.importedFuncs; index < module.funcs.length; index++) {
      const { bodyStart, bodyEnd } = module.funcs[index]!;
      const first = this.offsets.length;
      const body = new BodyRewriter(module, this.firstType, this.table, this.referenced, this.dropped, this.offsets);
      const bytes = body.run(index, bodyStart, bodyEnd);
      section.u32(bytes.length);
      for (let i = first; i < this.offsets.length; i += 2) this.offsets[i]! += section.length;
      section.raw(bytes);
    }
    return section.view();
  }
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

/** One body. The scratch locals come after the function's own. */
class BodyRewriter {
  private readonly w = new ByteWriter();
  private scratch = 0;

  constructor(
    private readonly module: WasmModule,
    private readonly firstType: number,
    private readonly table: number,
    private readonly referenced: Set<number>,
    private readonly dropped: DroppedSegments,
    private readonly offsets: number[],
  ) {}

  run(index: number, start: number, end: number): Uint8Array {
    const { module, w } = this;
    const r = new ByteReader(module.bytes, start, end);
    const groups = r.u32();
    const locals = r.pos;
    let count = module.types[module.funcs[index]!.typeIndex]!.params.length;
    for (let i = 0; i < groups; i++) {
      count += r.u32();
      r.u8();
    }
    // Three i32, one of each other type.
    this.scratch = count;
    w.u32(groups + 4);
    w.raw(module.bytes.subarray(locals, r.pos));
    [3, 1, 1, 1].forEach((number, i) => {
      w.u32(number);
      w.u8(VALUE_TYPES[i]!);
    });
    while (!r.done) this.instruction(r);
    return w.view();
  }

  private instruction(r: ByteReader): void {
    const { w } = this;
    const start = r.pos;
    this.offsets.push(w.length, start);
    const byte = r.u8();
    const opcode = byte === 0xfc ? PREFIX_FC + r.u32() : byte;
    const operands = skipImmediates(r, opcode);
    const original = this.module.bytes.subarray(start, r.pos);
    if (opcode === REF_FUNC) this.referenced.add(operands.first);
    if (opcode >= FIRST_LOAD && opcode < FIRST_STORE && operands.second === 0)
      this.load(opcode, operands.first, original);
    else if (opcode >= FIRST_STORE && opcode <= LAST_STORE && operands.second === 0)
      this.store(opcode, operands.first, original);
    else if (opcode === MEMORY_COPY && operands.first === 0 && operands.second === 0) this.bulk('copy', original);
    else if (opcode === MEMORY_FILL && operands.first === 0) this.bulk('fill', original);
    else if (opcode === MEMORY_INIT && operands.second === 0) this.bulk('init', original, operands.first);
    else {
      w.raw(original);
      if (opcode === DATA_DROP || opcode === ELEM_DROP) {
        this.constant(1);
        w.u8(OP.globalSet);
        w.u32(this.dropped.globalOf(opcode === DATA_DROP ? 'data' : 'elem', operands.first));
      }
    }
  }

  private local(op: number, index: number): void {
    this.w.u8(op);
    this.w.u32(this.scratch + index);
  }

  private constant(value: number): void {
    this.w.u8(I32_CONST);
    this.w.s32(value);
  }

  private callWindow(name: WindowFunction): void {
    const slot = SLOT.get(name)!;
    this.constant(slot);
    this.w.u8(OP.callIndirect);
    this.w.u32(this.firstType + slot);
    this.w.u32(this.table);
  }

  private load(opcode: number, offset: number, original: Uint8Array): void {
    const { w } = this;
    const type = RESULT_TYPE[opcode]!;
    this.local(OP.localTee, 0);
    this.constant(0);
    w.u8(I32_LT_S);
    w.u8(OP.if);
    w.u8(type);
    this.local(OP.localGet, 0);
    this.constant(offset);
    this.constant(opcode);
    this.callWindow(WINDOW_FUNCTIONS[VALUE_TYPES.indexOf(type)]!);
    w.u8(OP.else);
    this.local(OP.localGet, 0);
    w.raw(original);
    w.u8(OP.end);
  }

  private store(opcode: number, offset: number, original: Uint8Array): void {
    const { w } = this;
    const kind = VALUE_TYPES.indexOf(OPERAND_TYPE[opcode]!);
    const value = kind === 0 ? 1 : 2 + kind;
    this.local(OP.localSet, value);
    this.local(OP.localTee, 0);
    this.constant(0);
    w.u8(I32_LT_S);
    w.u8(OP.if);
    w.u8(EMPTY_BLOCK);
    this.local(OP.localGet, 0);
    this.local(OP.localGet, value);
    this.constant(offset);
    this.constant(opcode);
    this.callWindow(WINDOW_FUNCTIONS[VALUE_TYPES.length + kind]!);
    w.u8(OP.else);
    this.local(OP.localGet, 0);
    this.local(OP.localGet, value);
    w.raw(original);
    w.u8(OP.end);
  }

  /** memory.copy, memory.fill and memory.init: three operands. */
  private bulk(name: 'copy' | 'fill' | 'init', original: Uint8Array, segment?: number): void {
    const { w } = this;
    this.local(OP.localSet, 2);
    this.local(OP.localSet, 1);
    this.local(OP.localTee, 0);
    if (name === 'copy') {
      this.local(OP.localGet, 1);
      w.u8(I32_OR);
    }
    this.constant(0);
    w.u8(I32_LT_S);
    w.u8(OP.if);
    w.u8(EMPTY_BLOCK);
    for (let i = 0; i < 3; i++) this.local(OP.localGet, i);
    if (segment !== undefined) this.constant(segment);
    this.callWindow(name);
    w.u8(OP.else);
    for (let i = 0; i < 3; i++) this.local(OP.localGet, i);
    w.raw(original);
    w.u8(OP.end);
  }
}

/** Skips the immediates of a valid instruction. `first`, `second`: its indices; for a memarg offset and memory. */
function skipImmediates(r: ByteReader, opcode: number): { first: number; second: number } {
  const kind = opcode < OPCODE_SPACE ? IMM_KIND[opcode]! - 1 : -1;
  let first = 0;
  let second = 0;
  switch (kind) {
    case Imm.None:
      break;
    case Imm.Block:
    case Imm.RefType:
      r.s33();
      break;
    case Imm.Label:
    case Imm.Index:
      first = r.u32();
      break;
    case Imm.LabelTable:
      for (let count = r.u32() + 1; count > 0; count--) r.u32();
      break;
    case Imm.Index2:
      first = r.u32();
      second = r.u32();
      break;
    case Imm.SelectTypes:
      for (let count = r.u32(); count > 0; count--) r.s33();
      break;
    case Imm.Memarg: {
      const flags = r.u32();
      if (flags & 0x40) second = r.u32();
      first = r.u32();
      break;
    }
    case Imm.I32:
      r.s32();
      break;
    case Imm.I64:
      r.s64();
      break;
    case Imm.F32:
      r.skip(4);
      break;
    case Imm.F64:
      r.skip(8);
      break;
    default:
      throw new InternalError(`opcode 0x${opcode.toString(16)} in a valid body`);
  }
  return { first, second };
}
