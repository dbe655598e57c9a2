// Synthesises `<module>$init`, the function that instantiates a module: global initialisers that are no plain constants,
// active element segments, active data segments, start, in the spec's order. Takes a validated module, gives one Func.
import { Func, type Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import type { ConstExpr, WasmElem, WasmModule } from '../wasm/types.js';
import { emitConst, evaluate } from './const-eval.js';
import type { ModuleFacts } from './facts.js';

const REF_FUNC = 0xd2;
const GLOBAL_GET = 0x23;

/** Function index of an element expression, null for a null reference, undefined if only run time knows. */
export function staticElement(expr: ConstExpr): number | null | undefined {
  const inst = expr.insts[expr.insts.length - 1]!;
  if (inst.opcode === REF_FUNC) return inst.imm;
  return inst.opcode === GLOBAL_GET ? undefined : null;
}

/** Builds the init function with index `index`, the first one after the module's own. */
export function buildInit(m: WasmModule, facts: ModuleFacts, index: number): Func {
  const func = new Func(index, '$init', { params: [], results: [] });
  const block = func.addBlock();
  const emit = (op: number, args: Inst[], imm: number, imm2: number, type: Type, loc: number): Inst => {
    const inst = func.create(op, args, imm, imm2, type);
    inst.loc = loc;
    return func.append(block, inst);
  };
  const word = (value: number, loc: number): Inst => emit(Op.I32Const, [], value | 0, 0, Type.I32, loc);
  const takeAddress = (target: number): void => {
    facts.addressTaken[target] = 1;
  };
  const value = (expr: ConstExpr): Inst => emitConst(m, expr, emit, takeAddress);

  m.globals.forEach((global, i) => {
    if (global.init === null || evaluate(global.init) !== null) return;
    emit(Op.GlobalSet, [value(global.init)], i, 0, Type.Void, global.offset);
  });
  m.elems.forEach((elem, i) => {
    if (elem.place === null) return;
    const loc = elem.offset;
    const place = value(elem.place);
    const count = elementCount(elem);
    emit(Op.TableInit, [place, word(0, loc), word(count, loc)], elem.table, i, Type.Void, loc);
    elem.exprs?.forEach((expr, k) => {
      if (staticElement(expr) !== undefined) return;
      const at = emit(Op.I32Add, [place, word(k, loc)], 0, 0, Type.I32, loc);
      emit(Op.TableSet, [at, value(expr)], elem.table, 0, Type.Void, loc);
    });
    if (facts.elemUsed[i] !== 0) emit(Op.ElemDrop, [], i, 0, Type.Void, loc);
  });
  m.data.forEach((data, i) => {
    if (data.place === null) return;
    const loc = data.offset;
    const args = [value(data.place), word(0, loc), word(data.end - data.start, loc)];
    emit(Op.MemoryInit, args, data.memory, i, Type.Void, loc);
    if (facts.dataUsed[i] !== 0) emit(Op.DataDrop, [], i, 0, Type.Void, loc);
  });
  if (m.start !== null) emit(Op.Call, [], m.start.index, 0, Type.Void, m.start.offset);
  emit(Op.Return, [], 0, 0, Type.Void, 0);
  return func;
}

export function elementCount(elem: WasmElem): number {
  return elem.funcs !== null ? elem.funcs.length : elem.exprs!.length;
}
