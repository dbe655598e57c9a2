// State that the reference interpreter works on: memories, tables, globals, segments, function instances, and linking
// them. Takes IrModules and imports; knows no op. Values are bit patterns (ir/eval.ts).
import { signatureId, signatureText } from '../abi/signature-id.js';
import { DiagnosticError } from '../diagnostics.js';
import type { Value } from './eval.js';
import { makeI64 } from './eval.js';
import type { Func } from './function.js';
import type { FuncDecl, ImportRef, IrModule, MemoryDecl, RefType, TableDecl } from './module.js';
import { type Signature, Type } from './types.js';

/** Bytes beyond which the interpreter refuses to make or grow a memory. */
const MEMORY_LIMIT = 2 ** 30;
const TABLE_LIMIT = 10_000_000;

export class MemoryInstance {
  bytes: Uint8Array;
  view: DataView;
  constructor(
    public pages: number,
    readonly maxPages: number | null,
    readonly pageShift: number,
  ) {
    const size = pages * 2 ** pageShift;
    if (size > MEMORY_LIMIT) throw new DiagnosticError('W501', `memory of ${size} bytes`);
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
  /** Old size in pages, or -1. */
  grow(delta: number): number {
    const old = this.pages;
    const pages = old + delta;
    const size = pages * 2 ** this.pageShift;
    if (pages > (this.maxPages ?? 2 ** (32 - this.pageShift)) || size > MEMORY_LIMIT) return -1;
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
    this.pages = pages;
    return old;
  }
}

/** Entries are references: function descriptor addresses or opaque host handles, 0 = null. */
export class TableInstance {
  readonly entries: number[];
  constructor(
    size: number,
    readonly max: number | null,
    readonly refType: RefType,
  ) {
    if (size > TABLE_LIMIT) throw new DiagnosticError('W501', `table of ${size} entries`);
    this.entries = new Array<number>(size).fill(0);
  }
  grow(value: number, delta: number): number {
    const old = this.entries.length;
    if (old + delta > (this.max ?? TABLE_LIMIT) || old + delta > TABLE_LIMIT) return -1;
    for (let i = 0; i < delta; i++) this.entries.push(value);
    return old;
  }
}

export interface GlobalInstance {
  readonly type: Type;
  readonly mutable: boolean;
  readonly refType: RefType | null;
  value: Value;
}

/** A function that can be called: a body of an instance, or a host function. */
export interface FuncInstance {
  /** Address of its descriptor, as compiled code would see it. */
  readonly address: number;
  readonly signature: Signature;
  readonly text: string;
  readonly id: number;
  readonly instance: Instance | null;
  readonly index: number;
  readonly name: string;
  readonly body: Func | null;
  readonly host: ((args: Value[]) => Value[]) | null;
}

export type Extern =
  | { readonly kind: 'func'; readonly func: FuncInstance }
  | { readonly kind: 'memory'; readonly memory: MemoryInstance }
  | { readonly kind: 'table'; readonly table: TableInstance }
  | { readonly kind: 'global'; readonly global: GlobalInstance };

/** Looks an import up; undefined if there is none. */
export type Resolver = (module: string, name: string) => Extern | undefined;

/** What all linked instances share: descriptors and limits. */
export class Store {
  /** Function by descriptor address / 8. */
  private readonly funcs: (FuncInstance | undefined)[] = [undefined];
  /** Instructions left; the interpreter stops at 0. */
  fuel = Infinity;
  maxDepth = 10_000;

  addFunc(f: Omit<FuncInstance, 'address' | 'id' | 'text'>): FuncInstance {
    const address = this.funcs.length * 8;
    const func = { ...f, address, id: signatureId(f.signature), text: signatureText(f.signature) };
    this.funcs.push(func);
    return func;
  }
  funcAt(address: number): FuncInstance | undefined {
    return this.funcs[address >>> 3];
  }
  hostFunc(name: string, signature: Signature, host: (args: Value[]) => Value[]): Extern {
    return { kind: 'func', func: this.addFunc({ signature, instance: null, index: -1, name, body: null, host }) };
  }
}

/** One instantiated module; its init function has not run yet. */
export class Instance {
  readonly funcs: FuncInstance[] = [];
  readonly memories: MemoryInstance[] = [];
  readonly tables: TableInstance[] = [];
  readonly globals: GlobalInstance[] = [];
  /** Bytes of data segments and references of element segments; empty once dropped. */
  readonly data: Uint8Array[];
  readonly elems: number[][];
  readonly init: FuncInstance;
  readonly exports = new Map<string, Extern>();

  constructor(
    readonly store: Store,
    readonly module: IrModule,
    resolver: Resolver,
    /** True when the bodies went through legalisation: values are words. */
    readonly words = false,
  ) {
    const bodies = new Map(module.bodies.map((body) => [body.index, body]));
    for (const decl of module.funcs) {
      if (decl.index === module.initIndex) continue;
      this.funcs[decl.index] =
        decl.import === null ? this.own(decl, bodies.get(decl.index)!) : importFunc(decl, decl.import, resolver);
    }
    const init = bodies.get(module.initIndex)!;
    const signature = { params: [], results: [] };
    this.init = store.addFunc({
      signature,
      instance: this,
      index: module.initIndex,
      name: 'init',
      body: init,
      host: null,
    });
    for (const decl of module.memories) {
      this.memories.push(
        decl.import === null
          ? new MemoryInstance(decl.minPages, decl.maxPages, decl.pageShift)
          : importMemory(decl, decl.import, resolver),
      );
    }
    for (const decl of module.tables) {
      this.tables.push(
        decl.import === null
          ? new TableInstance(decl.min, decl.max, decl.refType)
          : importTable(decl, decl.import, resolver),
      );
    }
    for (const { type, mutable, refType, init: bits, import: from } of module.globals) {
      if (from === null) {
        const wide = type === Type.I64 || type === Type.F64;
        const [low, high] = bits ?? [0, 0];
        this.globals.push({ type, mutable, refType, value: wide ? makeI64(low, high) : low });
        continue;
      }
      const found = lookUp(from, resolver, 'global');
      const { global } = found;
      if (global.type !== type || global.mutable !== mutable || global.refType !== refType) incompatible(from);
      this.globals.push(global);
    }
    this.data = module.data.map((d) => d.bytes);
    this.elems = module.elems.map((e) => e.entries.map((index) => (index === null ? 0 : this.funcs[index]!.address)));
    for (const { name, kind, index } of module.exports) {
      const { funcs, memories, tables, globals } = this;
      if (kind === 'func') this.exports.set(name, { kind, func: funcs[index]! });
      else if (kind === 'memory') this.exports.set(name, { kind, memory: memories[index]! });
      else if (kind === 'table') this.exports.set(name, { kind, table: tables[index]! });
      else this.exports.set(name, { kind, global: globals[index]! });
    }
  }

  private own(decl: FuncDecl, body: Func): FuncInstance {
    const { index, name, signature } = decl;
    return this.store.addFunc({ signature, instance: this, index, name, body, host: null });
  }
}

function incompatible(ref: ImportRef): never {
  throw new DiagnosticError('W402', `${ref.module}.${ref.name}`);
}

function lookUp<K extends Extern['kind']>(ref: ImportRef, resolver: Resolver, kind: K): Extern & { kind: K } {
  const found = resolver(ref.module, ref.name);
  if (found === undefined) throw new DiagnosticError('W401', `${ref.module}.${ref.name}`);
  return found.kind === kind ? (found as Extern & { kind: K }) : incompatible(ref);
}

function importFunc(decl: FuncDecl, ref: ImportRef, resolver: Resolver): FuncInstance {
  const { func } = lookUp(ref, resolver, 'func');
  return func.text === signatureText(decl.signature) ? func : incompatible(ref);
}

const limitsFit = (size: number, max: number | null, wantedMin: number, wantedMax: number | null): boolean =>
  size >= wantedMin && (wantedMax === null || (max !== null && max <= wantedMax));

function importMemory(decl: MemoryDecl, ref: ImportRef, resolver: Resolver): MemoryInstance {
  const { memory } = lookUp(ref, resolver, 'memory');
  const fits = limitsFit(memory.pages, memory.maxPages, decl.minPages, decl.maxPages);
  return fits && memory.pageShift === decl.pageShift ? memory : incompatible(ref);
}

function importTable(decl: TableDecl, ref: ImportRef, resolver: Resolver): TableInstance {
  const { table } = lookUp(ref, resolver, 'table');
  const fits = limitsFit(table.entries.length, table.max, decl.min, decl.max);
  return fits && table.refType === decl.refType ? table : incompatible(ref);
}
