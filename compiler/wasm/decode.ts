// Takes the bytes of a .wasm file; gives its structure as a WasmModule with byte offsets. Refuses malformed files (W1xx)
// and features we do not support (W301). Does not look into bodies and promises no validity (validate.ts does).
import { DiagnosticError } from '../diagnostics.js';
import { readNameSection } from './names.js';
import { ByteReader } from './reader.js';
import { SECTIONS } from './sections.js';
import type { WasmModule } from './types.js';

function emptyModule(bytes: Uint8Array): WasmModule {
  return {
    bytes,
    types: [],
    imports: [],
    funcs: [],
    tables: [],
    memories: [],
    globals: [],
    exports: [],
    start: null,
    elems: [],
    data: [],
    dataCount: null,
    customs: [],
    funcNames: new Map(),
    moduleName: null,
    warnings: [],
    importedFuncs: 0,
    importedGlobals: 0,
    features: new Set(),
  };
}

function readHeader(r: ByteReader): void {
  const { bytes } = r;
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73 || bytes[3] !== 0x6d) {
    const text = bytes.length < 4 ? 'the file is too short' : 'magic header not detected';
    throw new DiagnosticError('W107', text, { offset: 0 });
  }
  r.pos = 4;
  const version = r.word();
  if (version === 0x0001000d) {
    throw new DiagnosticError('W301', 'component model: only core modules are supported', { offset: 4 });
  }
  if (version !== 1) throw new DiagnosticError('W107', `unknown binary version ${version >>> 0}`, { offset: 4 });
}

function readCustom(r: ByteReader, m: WasmModule): void {
  const name = r.name();
  m.customs.push({ name, start: r.pos, end: r.end });
  if (name === 'name') readNameSection(new ByteReader(m.bytes, r.pos, r.end), m);
  r.pos = r.end;
}

/** Decodes the structure of `bytes`. Errors: W101-W107, W203 (constant expressions), W301, W501. */
export function decodeModule(bytes: Uint8Array): WasmModule {
  const m = emptyModule(bytes);
  const r = new ByteReader(bytes);
  readHeader(r);
  let order = 0;
  let sawCode = false;
  let sawData = false;
  while (!r.done) {
    const at = r.pos;
    const id = r.u8();
    const section = SECTIONS[id];
    if (id === 13) throw new DiagnosticError('W301', 'exception handling: tag section', { offset: at });
    if (section === undefined) throw new DiagnosticError('W105', `malformed section id ${id}`, { offset: at });
    const size = r.u32();
    if (size > bytes.length - r.pos) {
      throw new DiagnosticError('W102', 'length out of bounds: section exceeds the file', { offset: at });
    }
    r.end = r.pos + size;
    if (section === null) {
      try {
        readCustom(r, m);
      } catch (error) {
        throw error instanceof DiagnosticError ? error.at({ section: 'custom' }) : error;
      }
    } else {
      if (section.order <= order) {
        const place = { section: section.name, offset: at };
        throw new DiagnosticError('W105', 'unexpected content after last section: out of order or repeated', place);
      }
      order = section.order;
      sawCode ||= id === 10;
      sawData ||= id === 11;
      try {
        section.read(r, m);
        if (r.pos !== r.end) {
          throw new DiagnosticError('W105', 'section size mismatch: bytes left over', { offset: r.pos });
        }
      } catch (error) {
        throw error instanceof DiagnosticError ? error.at({ section: section.name }) : error;
      }
    }
    r.end = bytes.length;
  }
  if (!sawCode && m.funcs.length > m.importedFuncs) {
    throw new DiagnosticError('W101', 'function and code section have inconsistent lengths', { offset: bytes.length });
  }
  if (!sawData && m.dataCount !== null && m.dataCount !== 0) {
    throw new DiagnosticError('W101', 'data count and data section have inconsistent lengths', {
      offset: bytes.length,
    });
  }
  return m;
}
