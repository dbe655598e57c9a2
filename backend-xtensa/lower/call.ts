// Selection rules of calls: arguments and results as words in the ABI's registers and the argument buffer. Knows the
// ABI table only as data; no frame and no stack (there are no stack arguments).
import { LIBCALLS, type LibCall } from '../../compiler/abi/libcalls.js';
import { ARGUMENT_BUFFER_WORDS } from '../../compiler/abi/layout.js';
import { ARGUMENT_BUFFER_SYMBOL } from '../../compiler/abi/symbols.js';
import { SITE_CALL } from '../../compiler/abi/traps.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { Op as Ir, OPS } from '../../compiler/ir/ops.js';
import type { Inst } from '../../compiler/ir/function.js';
import { Type } from '../../compiler/ir/types.js';
import { Op } from '../isa/table.js';
import { MachInst, Pseudo, def, fixedDef, fixedUse, use } from '../mach/inst.js';
import type { Operand, PReg, VReg } from '../regalloc/api.js';
import type { Lowering } from './context.js';
import type { Rule, Rules } from './rules.js';

/** The word of a value in an address register: a float's bits are moved there. */
function word(lo: Lowering, inst: Inst): VReg {
  if (inst.type !== Type.F32) return lo.value(inst);
  if (inst.op === Ir.F32Const) return lo.constant(inst.imm);
  if (inst.op === Ir.F32ReinterpretI32) return lo.value(inst.args[0]!);
  const bits = lo.temp();
  lo.emit(Op.RFR, [def(bits), lo.use(inst)]);
  return bits;
}

/** The front end refuses signatures with more words than the buffer holds, and l32i reaches all of them. */
function bufferOffset(index: number): number {
  if (index >= ARGUMENT_BUFFER_WORDS) throw new InternalError('more words than the argument buffer holds');
  return 4 * index;
}

/** Puts values where the ABI wants words: fixed uses for `registers`, stores to the buffer for the rest. */
export function passWords(lo: Lowering, values: readonly Inst[], first: number, registers: readonly PReg[]): Operand[] {
  const uses: Operand[] = [];
  for (let i = first; i < values.length; i++) {
    const k = i - first;
    const vreg = word(lo, values[i]!);
    if (k < registers.length) {
      uses.push(fixedUse(vreg, registers[k]!));
    } else {
      const buffer = lo.constant(0, ARGUMENT_BUFFER_SYMBOL);
      lo.emit(Op.S32I, [use(vreg), use(buffer)], bufferOffset(k - registers.length));
    }
  }
  return uses;
}

/** Result number k of a call, once for each k; `value` is null when nobody wants it. */
interface WordResult {
  readonly value: Inst | null;
}

/** Registers of the results as fixed defs on `call`, floats and buffer words fetched after it. */
function takeResults(lo: Lowering, call: MachInst, results: readonly WordResult[], registers: readonly PReg[]): void {
  for (let k = 0; k < results.length; k++) {
    const { value } = results[k]!;
    if (value === null) continue;
    const d = lo.result(value);
    const isFloat = value.type === Type.F32;
    if (k < registers.length) {
      const bits = isFloat ? lo.temp() : d;
      call.operands.push(fixedDef(bits, registers[k]!));
      if (isFloat) lo.emit(Op.WFR, [def(d), use(bits)]);
    } else {
      const buffer = lo.temp();
      lo.emitConstant(buffer, 0, ARGUMENT_BUFFER_SYMBOL);
      lo.emit(isFloat ? Op.LSI : Op.L32I, [def(d), use(buffer)], bufferOffset(k - registers.length));
    }
  }
}

/** The demanded results of an IR call, by position. */
function resultsOf(lo: Lowering, inst: Inst): WordResult[] {
  if (inst.type === Type.Void) return [];
  if (inst.type !== Type.Multi) return [{ value: lo.demanded(inst) ? inst : null }];
  const found: WordResult[] = [];
  const { insts } = lo.block;
  for (let i = lo.position + 1; i < insts.length; i++) {
    const proj = insts[i]!;
    if (proj.op !== Ir.Proj || proj.args[0] !== inst) break;
    while (found.length < proj.imm) found.push({ value: null });
    found[proj.imm] = { value: lo.demanded(proj) ? proj : null };
  }
  return found;
}

function finishCall(lo: Lowering, inst: Inst, call: MachInst, clobbers: readonly PReg[]): void {
  call.site = SITE_CALL;
  call.clobbers = clobbers;
  takeResults(lo, call, resultsOf(lo, inst), lo.abi.results);
}

/** Runtime functions of two operands that may change places at no cost; the sum is quicker with its larger operand first. */
const COMMUTATIVE: ReadonlySet<LibCall> = new Set<LibCall>([
  LIBCALLS.f64Mul,
  LIBCALLS.f64Min,
  LIBCALLS.f64Max,
  LIBCALLS.f64Eq,
  LIBCALLS.f64Ne,
  LIBCALLS.f32Min,
  LIBCALLS.f32Max,
]);

/** An operand that the call before has just left in the result registers comes first: it is where it is wanted. */
const libCall: Rule = (lo, inst) => {
  const call = inst.aux as LibCall;
  let { args } = inst;
  const half = args.length >> 1;
  if (COMMUTATIVE.has(call) && isLastResult(lo, args[half]!) && !isLastResult(lo, args[0]!)) {
    args = [...args.slice(half), ...args.slice(0, half)];
  }
  const clobbers = lo.abi.knownRuntime.get(call.symbol) ?? lo.abi.runtimeClobbers;
  directCall(lo, inst, call.symbol, args, clobbers);
};

/** The value is a result of the nearest call before the instruction being lowered. */
function isLastResult(lo: Lowering, value: Inst): boolean {
  const source = value.op === Ir.Proj ? value.args[0]! : value;
  if (source.block !== lo.block || OPS[source.op]!.effect !== 'call') return false;
  for (let i = lo.position - 1; i >= 0; i--) {
    const inst = lo.block.insts[i]!;
    if (OPS[inst.op]!.effect === 'call') return inst === source;
  }
  return false;
}

function directCall(lo: Lowering, inst: Inst, symbol: string, args: readonly Inst[], clobbers: readonly PReg[]): void {
  const uses = passWords(lo, args, 0, lo.abi.arguments);
  const call = lo.emit(Pseudo.Call, uses);
  call.symbol = symbol;
  lo.mach.callees.add(symbol);
  finishCall(lo, inst, call, clobbers);
}

/** The code of a descriptor is right behind its signature word. */
export function codeOf(lo: Lowering, reference: Inst): VReg {
  return lo.immediate(Op.ADDI, lo.value(reference), 4);
}

const callRef: Rule = (lo, inst) => {
  const uses = passWords(lo, inst.args, 1, lo.abi.arguments);
  const call = lo.emit(Op.CALLX0, [use(codeOf(lo, inst.args[0]!)), ...uses]);
  lo.mach.hasIndirectCalls = true;
  finishCall(lo, inst, call, lo.abi.callClobbers);
};

/** Parameters of the function: Entry defines those in registers, the rest is read from the buffer before anything else. */
export function lowerParameters(lo: Lowering, params: readonly Inst[]): void {
  const entry = new MachInst(Pseudo.Entry, 0, 0);
  const defs: Operand[] = [];
  const registers = lo.abi.arguments;
  let buffer: VReg = -1;
  params.forEach((param, k) => {
    if (!lo.demanded(param)) return;
    const d = lo.result(param);
    const isFloat = param.type === Type.F32;
    if (k < registers.length) {
      const bits = isFloat ? lo.temp() : d;
      defs.push(fixedDef(bits, registers[k]!));
      if (isFloat) lo.emit(Op.WFR, [def(d), use(bits)]);
      return;
    }
    if (buffer < 0) buffer = lo.freshConstant(0, ARGUMENT_BUFFER_SYMBOL);
    lo.emit(isFloat ? Op.LSI : Op.L32I, [def(d), use(buffer)], bufferOffset(k - registers.length));
  });
  lo.flush();
  entry.operands = defs;
  lo.prepend(entry);
}

export const CALL_RULES: Rules = {
  [Ir.Call]: (lo, inst) => {
    const symbol = lo.symbols[inst.imm]!;
    directCall(lo, inst, symbol, inst.args, lo.clobbersOf(symbol));
  },
  [Ir.LibCall]: libCall,
  [Ir.CallRef]: callRef,
  // Taken with the call before it.
  [Ir.Proj]: () => undefined,
};
