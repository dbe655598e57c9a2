// Validates everything of a module but its bodies: types, limits, constant expressions, segments, exports, start. Takes
// a decoded module, gives the facts body.ts needs. Refuses invalid modules (W2xx); knows no opcode outside constants.
import { DiagnosticError, type DiagnosticCode } from '../diagnostics.js';
import { NullSink } from './body-sink.js';
import { BodyReader } from './body.js';
import { isExtendedConst } from './const-expr.js';
import { OPERAND_TYPE } from './opcodes.js';
import { ValType, valTypeName, type ConstExpr, type ExternKind, type WasmModule } from './types.js';

/** A module whose declarations are valid. Its bodies are validated as they are read, by the `bodies` reader. */
export interface DeclaredModule {
  readonly module: WasmModule;
  readonly bodies: BodyReader;
  /** Not 0 for functions that a `ref.func` in a body may name. */
  readonly declared: Uint8Array;
}

function fault(code: DiagnosticCode, message: string, offset: number, section: string): DiagnosticError {
  return new DiagnosticError(code, message, { offset, section });
}

/** Checks `expr` against the expected type. `declared` collects the functions it references. */
function checkConst(m: WasmModule, expr: ConstExpr, type: number, section: string, declared: Uint8Array): void {
  const stack: number[] = [];
  for (const { opcode, imm, offset } of expr.insts) {
    switch (opcode) {
      case 0x41:
        stack.push(ValType.I32);
        break;
      case 0x42:
        stack.push(ValType.I64);
        break;
      case 0x43:
        stack.push(ValType.F32);
        break;
      case 0x44:
        stack.push(ValType.F64);
        break;
      case 0xd0:
        stack.push(imm);
        break;
      case 0xd2:
        if (imm >= m.funcs.length) throw fault('W202', `unknown function ${imm}`, offset, section);
        declared[imm] = 1;
        stack.push(ValType.FuncRef);
        break;
      case 0x23: {
        const global = m.globals[imm];
        if (global === undefined || imm >= m.importedGlobals) {
          throw fault('W202', `unknown global ${imm}: constants may use imported globals only`, offset, section);
        }
        if (global.mutable) throw fault('W203', 'constant expression required: global is mutable', offset, section);
        stack.push(global.type);
        break;
      }
      default: {
        if (!isExtendedConst(opcode)) throw fault('W203', 'constant expression required', offset, section);
        m.features.add('extended-const');
        const operand = OPERAND_TYPE[opcode]!;
        if (stack.pop() !== operand || stack.pop() !== operand) {
          throw fault('W201', `expected two ${valTypeName(operand)} operands`, offset, section);
        }
        stack.push(operand);
      }
    }
  }
  if (stack.length !== 1 || stack[0] !== type) {
    const found = stack.map(valTypeName).join(', ');
    throw fault('W201', `expected ${valTypeName(type)}, found (${found})`, expr.offset, section);
  }
}

function checkLimits(m: WasmModule): void {
  for (const table of m.tables) {
    if (table.max !== null && table.min > table.max) {
      throw fault('W205', 'size minimum must not be greater than maximum', table.offset, 'table');
    }
  }
  for (const { min, max, pageShift, offset } of m.memories) {
    if (pageShift !== 0 && pageShift !== 16) {
      throw fault('W205', `invalid custom page size 2^${pageShift}: 1 and 65536 are allowed`, offset, 'memory');
    }
    const most = 2 ** (32 - pageShift);
    if (min > most || (max !== null && max > most)) {
      const text =
        pageShift === 16 ? 'memory size must be at most 65536 pages (4GiB)' : 'memory size must be at most 4GiB';
      throw fault('W205', text, offset, 'memory');
    }
    if (max !== null && min > max) {
      throw fault('W205', 'size minimum must not be greater than maximum', offset, 'memory');
    }
  }
}

function checkExports(m: WasmModule, declared: Uint8Array): void {
  const spaces: Record<ExternKind, number> = {
    func: m.funcs.length,
    table: m.tables.length,
    memory: m.memories.length,
    global: m.globals.length,
  };
  const label: Record<ExternKind, string> = { func: 'function', table: 'table', memory: 'memory', global: 'global' };
  const names = new Set<string>();
  for (const { name, kind, index, offset } of m.exports) {
    if (index >= spaces[kind]) throw fault('W202', `unknown ${label[kind]} ${index}`, offset, 'export');
    if (names.has(name)) throw fault('W206', `duplicate export name "${name}"`, offset, 'export');
    names.add(name);
    if (kind === 'func') declared[index] = 1;
    if (kind === 'global' && m.globals[index]!.mutable) m.features.add('mutable-globals');
  }
}

function checkStart(m: WasmModule): void {
  if (m.start === null) return;
  const { index, offset } = m.start;
  const func = m.funcs[index];
  if (func === undefined) throw fault('W202', `unknown function ${index}`, offset, 'start');
  const type = m.types[func.typeIndex]!;
  if (type.params.length !== 0 || type.results.length !== 0) {
    throw fault('W207', 'start function must have neither parameters nor results', offset, 'start');
  }
}

function checkSegments(m: WasmModule, declared: Uint8Array): void {
  for (const elem of m.elems) {
    const { place, refType, offset } = elem;
    if (place !== null) {
      const table = m.tables[elem.table];
      if (table === undefined) throw fault('W202', `unknown table ${elem.table}`, offset, 'element');
      if (table.refType !== refType) {
        const text = `${valTypeName(refType)} segment for a table of ${valTypeName(table.refType)}`;
        throw fault('W201', text, offset, 'element');
      }
      checkConst(m, place, ValType.I32, 'element', declared);
    }
    if (elem.funcs !== null) {
      for (const index of elem.funcs) {
        if (index >= m.funcs.length) throw fault('W202', `unknown function ${index}`, offset, 'element');
        declared[index] = 1;
      }
    }
    if (elem.exprs !== null) for (const expr of elem.exprs) checkConst(m, expr, refType, 'element', declared);
  }
  for (const { place, memory, offset } of m.data) {
    if (place === null) continue;
    if (m.memories[memory] === undefined) throw fault('W202', `unknown memory ${memory}`, offset, 'data');
    checkConst(m, place, ValType.I32, 'data', declared);
  }
}

/** Validates the declarations of a decoded module. Errors: W201-W207. */
export function validateDeclarations(m: WasmModule): DeclaredModule {
  const declared = new Uint8Array(m.funcs.length);
  for (const func of m.funcs) {
    if (func.typeIndex >= m.types.length) {
      const section = func.import === null ? 'function' : 'import';
      throw fault('W202', `unknown type ${func.typeIndex}`, func.offset, section);
    }
  }
  checkLimits(m);
  for (const global of m.globals) {
    if (global.init !== null) checkConst(m, global.init, global.type, 'global', declared);
  }
  checkExports(m, declared);
  checkStart(m);
  checkSegments(m, declared);
  return { module: m, bodies: new BodyReader(m, declared), declared };
}

/** Validates all bodies without translating them. */
export function validateBodies(valid: DeclaredModule): void {
  const sink = new NullSink();
  const { module } = valid;
  for (let i = module.importedFuncs; i < module.funcs.length; i++) valid.bodies.read(i, sink);
}
