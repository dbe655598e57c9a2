// Reads the contents of each known section into a WasmModule under construction. Takes a reader limited to the section;
// gives declarations with offsets; judges nothing but the binary form.
import { DiagnosticError } from '../diagnostics.js';
import { readConstExpr } from './const-expr.js';
import type { ByteReader } from './reader.js';
import { readFuncType, readLimits, readRefType, readValType } from './value-types.js';
import { ValType, type ConstExpr, type ExternKind, type WasmImport, type WasmModule } from './types.js';

const KINDS: readonly ExternKind[] = ['func', 'table', 'memory', 'global'];

function readTypes(r: ByteReader, m: WasmModule): void {
  const count = r.count(3);
  for (let i = 0; i < count; i++) {
    const type = readFuncType(r);
    if (type.results.length > 1) m.features.add('multi-value');
    m.types.push(type);
  }
}

function readKind(r: ByteReader, what: string): ExternKind {
  const offset = r.pos;
  const byte = r.u8();
  if (byte === 4) throw new DiagnosticError('W301', `exception handling: ${what} of a tag`, { offset });
  const kind = KINDS[byte];
  if (kind === undefined)
    throw new DiagnosticError('W101', `malformed ${what} kind 0x${byte.toString(16)}`, { offset });
  return kind;
}

function readTable(r: ByteReader, m: WasmModule, ref: WasmImport | null): void {
  const offset = r.pos;
  if (ref === null && r.bytes[r.pos] === 0x40) {
    throw new DiagnosticError('W301', 'typed function references: table with an initialiser', { offset });
  }
  const refType = readRefType(r);
  const { min, max } = readLimits(r, 'table');
  m.tables.push({ refType, min, max, import: ref, offset });
  if (m.tables.length > 1 || refType === ValType.ExternRef) m.features.add('reference-types');
}

function readMemory(r: ByteReader, m: WasmModule, ref: WasmImport | null): void {
  const offset = r.pos;
  const { min, max, pageShift } = readLimits(r, 'memory');
  m.memories.push({ min, max, pageShift, import: ref, offset });
  if (m.memories.length > 1) m.features.add('multi-memory');
  if (pageShift !== 16) m.features.add('custom-page-sizes');
}

function readGlobalType(r: ByteReader): { type: number; mutable: boolean } {
  const type = readValType(r);
  const offset = r.pos;
  const mutability = r.u8();
  if (mutability > 1) {
    throw new DiagnosticError('W101', `malformed mutability 0x${mutability.toString(16)}`, { offset });
  }
  return { type, mutable: mutability === 1 };
}

function readImports(r: ByteReader, m: WasmModule): void {
  const count = r.count(4);
  for (let i = 0; i < count; i++) {
    const offset = r.pos;
    const module = r.name();
    const name = r.name();
    const kind = readKind(r, 'import');
    const spaces = { func: m.funcs, table: m.tables, memory: m.memories, global: m.globals };
    const ref: WasmImport = { module, name, kind, index: spaces[kind].length, offset };
    m.imports.push(ref);
    if (kind === 'func') m.funcs.push({ typeIndex: r.u32(), import: ref, offset, bodyStart: 0, bodyEnd: 0 });
    else if (kind === 'table') readTable(r, m, ref);
    else if (kind === 'memory') readMemory(r, m, ref);
    else {
      const { type, mutable } = readGlobalType(r);
      if (mutable) m.features.add('mutable-globals');
      m.globals.push({ type, mutable, import: ref, init: null, offset });
    }
  }
  m.importedFuncs = m.funcs.length;
  m.importedGlobals = m.globals.length;
}

function readFuncs(r: ByteReader, m: WasmModule): void {
  const count = r.count();
  for (let i = 0; i < count; i++) {
    const offset = r.pos;
    m.funcs.push({ typeIndex: r.u32(), import: null, offset, bodyStart: 0, bodyEnd: 0 });
  }
}

function readGlobals(r: ByteReader, m: WasmModule): void {
  const count = r.count(3);
  for (let i = 0; i < count; i++) {
    const offset = r.pos;
    const { type, mutable } = readGlobalType(r);
    m.globals.push({ type, mutable, import: null, init: readConstExpr(r), offset });
  }
}

function readExports(r: ByteReader, m: WasmModule): void {
  const count = r.count(3);
  for (let i = 0; i < count; i++) {
    const offset = r.pos;
    const name = r.name();
    const kind = readKind(r, 'export');
    m.exports.push({ name, kind, index: r.u32(), offset });
  }
}

function readElems(r: ByteReader, m: WasmModule): void {
  const count = r.count(2);
  for (let i = 0; i < count; i++) {
    const offset = r.pos;
    const flags = r.u32();
    if (flags > 7) {
      throw new DiagnosticError('W101', `malformed elements segment kind ${flags}`, { offset });
    }
    const passive = (flags & 1) !== 0;
    const explicit = (flags & 2) !== 0;
    const table = !passive && explicit ? r.u32() : 0;
    const place = passive ? null : readConstExpr(r);
    let refType: number = ValType.FuncRef;
    if (passive || explicit) {
      if ((flags & 4) !== 0) refType = readRefType(r);
      else if (r.u8() !== 0) {
        throw new DiagnosticError('W101', 'malformed element kind', { offset: r.pos - 1 });
      }
    }
    if (flags !== 0) m.features.add((flags & 4) !== 0 ? 'reference-types' : 'bulk-memory');
    let funcs: number[] | null = null;
    let exprs: ConstExpr[] | null = null;
    const entries = r.count();
    if ((flags & 4) !== 0) {
      exprs = [];
      for (let k = 0; k < entries; k++) exprs.push(readConstExpr(r));
    } else {
      funcs = [];
      for (let k = 0; k < entries; k++) funcs.push(r.u32());
    }
    const mode = !passive ? 'active' : explicit ? 'declared' : 'passive';
    m.elems.push({ mode, table, place, refType, funcs, exprs, offset });
  }
}

function readCode(r: ByteReader, m: WasmModule): void {
  const offset = r.pos;
  const count = r.u32();
  if (count !== m.funcs.length - m.importedFuncs) {
    throw new DiagnosticError('W101', 'function and code section have inconsistent lengths', { offset });
  }
  for (let i = m.importedFuncs; i < m.funcs.length; i++) {
    const size = r.u32();
    const func = m.funcs[i]!;
    func.bodyStart = r.pos;
    r.skip(size);
    func.bodyEnd = r.pos;
  }
}

function readData(r: ByteReader, m: WasmModule): void {
  const at = r.pos;
  const count = r.u32();
  if (m.dataCount !== null && m.dataCount !== count) {
    throw new DiagnosticError('W101', 'data count and data section have inconsistent lengths', { offset: at });
  }
  for (let i = 0; i < count; i++) {
    const offset = r.pos;
    const flags = r.u32();
    if (flags > 2) throw new DiagnosticError('W101', `malformed data segment kind ${flags}`, { offset });
    const memory = flags === 2 ? r.u32() : 0;
    const place = flags === 1 ? null : readConstExpr(r);
    if (flags === 1) m.features.add('bulk-memory');
    const size = r.u32();
    const start = r.pos;
    r.skip(size);
    m.data.push({ mode: flags === 1 ? 'passive' : 'active', memory, place, start, end: r.pos, offset });
  }
}

export interface SectionInfo {
  readonly name: string;
  /** Rank in the order the spec prescribes. */
  readonly order: number;
  readonly read: (r: ByteReader, m: WasmModule) => void;
}

function readTables(r: ByteReader, m: WasmModule): void {
  const count = r.count(3);
  for (let i = 0; i < count; i++) readTable(r, m, null);
}

function readMemories(r: ByteReader, m: WasmModule): void {
  const count = r.count(2);
  for (let i = 0; i < count; i++) readMemory(r, m, null);
}

function readStart(r: ByteReader, m: WasmModule): void {
  const offset = r.pos;
  m.start = { index: r.u32(), offset };
}

function readDataCount(r: ByteReader, m: WasmModule): void {
  m.dataCount = r.u32();
}

/** Sections by id; 0 (custom) is decode.ts's. */
export const SECTIONS: readonly (SectionInfo | null)[] = [
  null,
  { name: 'type', order: 1, read: readTypes },
  { name: 'import', order: 2, read: readImports },
  { name: 'function', order: 3, read: readFuncs },
  { name: 'table', order: 4, read: readTables },
  { name: 'memory', order: 5, read: readMemories },
  { name: 'global', order: 6, read: readGlobals },
  { name: 'export', order: 7, read: readExports },
  { name: 'start', order: 8, read: readStart },
  { name: 'element', order: 9, read: readElems },
  { name: 'code', order: 11, read: readCode },
  { name: 'data', order: 12, read: readData },
  { name: 'data count', order: 10, read: readDataCount },
];
