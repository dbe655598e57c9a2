// Describes a validated module for people and tools: the data behind `inspect`. Takes a WasmModule, gives a plain report
// that is JSON as it stands. Judges nothing: whether it fits a board is the linker's question.
import { secondOpinion } from './second-opinion.js';
import { formatFuncType, funcNames, valTypeName, type ExternKind, type WasmModule } from './types.js';

export interface ExternReport {
  readonly module?: string;
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
  /** e.g. `(i32, i32) -> (i32)`, `mut i64`, `1..2 pages of 65536 bytes`. */
  readonly type: string;
}

export interface MemoryReport {
  readonly index: number;
  readonly imported: boolean;
  readonly minPages: number;
  readonly maxPages: number | null;
  readonly pageBytes: number;
  readonly minBytes: number;
  /** Bytes that active data segments with a constant address initialise: the end of the last one. */
  readonly dataEnd: number;
}

export interface FunctionReport {
  readonly index: number;
  readonly name: string;
  readonly bytes: number;
  /** Offset of the body in the file. */
  readonly offset: number;
}

export interface ModuleReport {
  readonly bytes: number;
  readonly name: string | null;
  /** Features beyond WebAssembly 1.0, sorted. */
  readonly features: readonly string[];
  readonly imports: readonly ExternReport[];
  readonly exports: readonly ExternReport[];
  readonly memories: readonly MemoryReport[];
  readonly tables: readonly { readonly index: number; readonly type: string; readonly imported: boolean }[];
  readonly globals: number;
  readonly functions: number;
  readonly codeBytes: number;
  /** The largest bodies, first the largest. */
  readonly largestFunctions: readonly FunctionReport[];
  readonly dataSegments: number;
  readonly dataBytes: number;
  readonly elementSegments: number;
  readonly start: number | null;
  readonly customSections: readonly { readonly name: string; readonly bytes: number }[];
  readonly warnings: readonly string[];
}

const LARGEST = 10;

function limits(min: number, max: number | null): string {
  return max === null ? `${min}..` : `${min}..${max}`;
}

function externType(m: WasmModule, kind: ExternKind, index: number): string {
  switch (kind) {
    case 'func':
      return formatFuncType(m.types[m.funcs[index]!.typeIndex]!);
    case 'table': {
      const { min, max, refType } = m.tables[index]!;
      return `${limits(min, max)} ${valTypeName(refType)}`;
    }
    case 'memory': {
      const { min, max, pageShift } = m.memories[index]!;
      return `${limits(min, max)} pages of ${2 ** pageShift} bytes`;
    }
    case 'global': {
      const { type, mutable } = m.globals[index]!;
      return `${mutable ? 'mut ' : ''}${valTypeName(type)}`;
    }
  }
}

function dataEnd(m: WasmModule, memory: number): number {
  let end = 0;
  for (const data of m.data) {
    const only = data.place?.insts.length === 1 ? data.place.insts[0]! : null;
    if (data.memory === memory && only?.opcode === 0x41) {
      end = Math.max(end, (only.imm >>> 0) + data.end - data.start);
    }
  }
  return end;
}

/** The report of a validated module. */
export function reportModule(m: WasmModule): ModuleReport {
  const names = funcNames(m);
  const bodies: FunctionReport[] = [];
  for (let index = m.importedFuncs; index < m.funcs.length; index++) {
    const { bodyStart, bodyEnd } = m.funcs[index]!;
    bodies.push({ index, name: names[index]!, bytes: bodyEnd - bodyStart, offset: bodyStart });
  }
  const opinion = secondOpinion(m);
  const differences = opinion.differences.map((text) => `the second parser disagrees: ${text}`);
  return {
    bytes: m.bytes.length,
    name: m.moduleName,
    features: [...m.features].sort(),
    imports: m.imports.map(({ module, name, kind, index }) => ({
      module,
      name,
      kind,
      index,
      type: externType(m, kind, index),
    })),
    exports: m.exports.map(({ name, kind, index }) => ({ name, kind, index, type: externType(m, kind, index) })),
    memories: m.memories.map((memory, index) => ({
      index,
      imported: memory.import !== null,
      minPages: memory.min,
      maxPages: memory.max,
      pageBytes: 2 ** memory.pageShift,
      minBytes: memory.min * 2 ** memory.pageShift,
      dataEnd: dataEnd(m, index),
    })),
    tables: m.tables.map((table, index) => ({
      index,
      type: externType(m, 'table', index),
      imported: table.import !== null,
    })),
    globals: m.globals.length,
    functions: m.funcs.length,
    codeBytes: bodies.reduce((sum, body) => sum + body.bytes, 0),
    largestFunctions: [...bodies].sort((a, b) => b.bytes - a.bytes || a.index - b.index).slice(0, LARGEST),
    dataSegments: m.data.length,
    dataBytes: m.data.reduce((sum, data) => sum + data.end - data.start, 0),
    elementSegments: m.elems.length,
    start: m.start?.index ?? null,
    customSections: m.customs.map(({ name, start, end }) => ({ name, bytes: end - start })),
    warnings: [...m.warnings, ...differences],
  };
}
