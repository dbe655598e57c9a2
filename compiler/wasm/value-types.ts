// Reads the type forms of the binary format: value types, reference types, function types, limits. Refuses proposals we
// do not support by name (W301) and everything else malformed (W101). Knows no section and no index.
import { DiagnosticError } from '../diagnostics.js';
import { refusedType } from './opcodes.js';
import type { ByteReader } from './reader.js';
import { ValType, isRefType, type FuncType } from './types.js';

/** Most parameters or results of one function type: the limit of the WebAssembly JavaScript API. */
export const MAX_PARAMS = 1000;

function bad(what: string, byte: number, offset: number): DiagnosticError {
  const refused = refusedType(byte);
  if (refused !== null) return new DiagnosticError('W301', `${refused}: type 0x${byte.toString(16)}`, { offset });
  return new DiagnosticError('W101', `malformed ${what} 0x${byte.toString(16)}`, { offset });
}

export function isValType(byte: number): boolean {
  return (byte >= ValType.F64 && byte <= ValType.I32) || isRefType(byte);
}

/** A value type byte. */
export function readValType(r: ByteReader): number {
  const offset = r.pos;
  const byte = r.u8();
  if (!isValType(byte)) throw bad('value type', byte, offset);
  return byte;
}

/** A reference type as tables and segments have it. */
export function readRefType(r: ByteReader): number {
  const offset = r.pos;
  const byte = r.u8();
  if (!isRefType(byte)) throw bad('reference type', byte, offset);
  return byte;
}

/** The heap type of `ref.null`; an index is a typed function reference. */
export function readHeapType(r: ByteReader): number {
  const offset = r.pos;
  const type = r.s33();
  if (type >= 0) throw new DiagnosticError('W301', 'typed function references: ref.null of a type index', { offset });
  const byte = type & 0x7f;
  if (type < -64 || !isRefType(byte)) throw bad('reference type', byte, offset);
  return byte;
}

function readTypeList(r: ByteReader, what: string): number[] {
  const offset = r.pos;
  const count = r.count();
  if (count > MAX_PARAMS) {
    throw new DiagnosticError('W501', `${count} ${what} in a function type, at most ${MAX_PARAMS}`, { offset });
  }
  const types: number[] = [];
  for (let i = 0; i < count; i++) types.push(readValType(r));
  return types;
}

/** A function type with its 0x60 form byte. */
export function readFuncType(r: ByteReader): FuncType {
  const offset = r.pos;
  const form = r.u8();
  if (form >= 0x4d && form <= 0x5f) {
    const name = form === 0x5d ? 'stack switching' : 'garbage collection';
    throw new DiagnosticError('W301', `${name}: type form 0x${form.toString(16)}`, { offset });
  }
  if (form !== 0x60) {
    throw new DiagnosticError('W101', `malformed type form 0x${form.toString(16)}`, { offset });
  }
  const params = readTypeList(r, 'parameters');
  const results = readTypeList(r, 'results');
  return { params, results };
}

export interface Limits {
  readonly min: number;
  readonly max: number | null;
  /** log2 of the page size; 16 unless a custom page size is given. Memories only. */
  readonly pageShift: number;
}

const LIMIT_MAX = 1;
const LIMIT_SHARED = 2;
const LIMIT_64 = 4;
const LIMIT_PAGE_SIZE = 8;

/** Limits of a table or memory. */
export function readLimits(r: ByteReader, kind: 'table' | 'memory'): Limits {
  const offset = r.pos;
  const flags = r.u8();
  if (flags > 0x0f || (kind === 'table' && (flags & ~(LIMIT_MAX | LIMIT_64)) !== 0)) {
    throw new DiagnosticError('W101', `malformed limits flags 0x${flags.toString(16)}`, { offset });
  }
  if ((flags & LIMIT_SHARED) !== 0) throw new DiagnosticError('W301', 'threads and atomics: shared memory', { offset });
  if ((flags & LIMIT_64) !== 0) throw new DiagnosticError('W301', `memory64: 64-bit ${kind}`, { offset });
  const min = r.u32();
  const max = (flags & LIMIT_MAX) !== 0 ? r.u32() : null;
  let pageShift = 16;
  if ((flags & LIMIT_PAGE_SIZE) !== 0) {
    pageShift = r.u32();
    if (pageShift > 63) throw new DiagnosticError('W101', 'malformed custom page size', { offset });
  }
  return { min, max, pageShift };
}
