// Selection rules of loads and stores: native pointer and offset in, base register and scaled immediate out. Knows the
// reach of each width's offset field; no bounds checks (they were made explicit) and no struct layout.
import { TrapCode } from '../../compiler/abi/traps.js';
import { Op as Ir } from '../../compiler/ir/ops.js';
import type { Inst } from '../../compiler/ir/function.js';
import { operandFits } from '../isa/encode.js';
import { Op } from '../isa/table.js';
import { Pseudo, def, use } from '../mach/inst.js';
import type { VReg } from '../regalloc/api.js';
import { isConst } from './cond.js';
import type { Lowering } from './context.js';
import type { Rule, Rules } from './rules.js';

/** Base register and immediate of one access; written by `address`, read at once. */
let base: VReg = 0;
let offset = 0;

/**
 * Splits pointer + imm into a base register and an offset that is a multiple of `bytes` and at most 255 * bytes.
 * Addition wraps at 2^32 in the IR and in the hardware alike, so constants fold into the offset freely.
 */
function address(lo: Lowering, pointer: Inst, imm: number, bytes: number): void {
  let at = pointer;
  let total = imm;
  while (at.op === Ir.I32Add && isConst(at.args[1]!) && !(lo.demanded(at) && fitsOffset(total, bytes))) {
    total = (total + at.args[1]!.imm) | 0;
    at = at.args[0]!;
  }
  if (at.op === Ir.Symbol) {
    anchor(lo, at.aux as string, (at.imm + total) | 0, bytes);
    return;
  }
  if (isConst(at)) {
    total = (total + at.imm) | 0;
    anchor(lo, null, total, bytes);
    return;
  }
  if (at.op === Ir.I32Add && !fitsOffset(total, bytes) && !lo.demanded(at)) {
    // x + symbol + total: let the symbol's literal take what the offset cannot.
    const [x, y] = at.args as [Inst, Inst];
    const symbol = y.op === Ir.Symbol ? y : x;
    if (symbol.op === Ir.Symbol) {
      const low = lowPart(total, bytes);
      base = lo.symbolSum(symbol === y ? x : y, symbol.aux as string, (symbol.imm + total - low) | 0);
      offset = low;
      return;
    }
  }
  splitOffset(lo, lo.value(at), total, bytes);
}

const fitsOffset = (value: number, bytes: number): boolean =>
  value >= 0 && value <= 255 * bytes && (value & (bytes - 1)) === 0;

/** What stays in the offset when the rest goes into a constant: accesses near each other then share the constant. */
const lowPart = (total: number, bytes: number): number => ((total & (bytes - 1)) === 0 ? total & 255 : 0);

function splitOffset(lo: Lowering, register: VReg, total: number, bytes: number): void {
  if (fitsOffset(total, bytes)) {
    base = register;
    offset = total;
    return;
  }
  const low = total & (255 * bytes + bytes - 1);
  const high = (total - low) | 0;
  if ((low & (bytes - 1)) === 0 && high >= -32768 && high <= 32512) {
    // 255 * bytes + bytes is a multiple of 256, so ADDMI can add the rest.
    base = lo.immediate(Op.ADDMI, register, high);
    offset = low;
    return;
  }
  base = lo.addImmediate(register, total);
  offset = 0;
}

/** A constant address: neighbours share the literal of their common 256-byte block. */
function anchor(lo: Lowering, symbol: string | null, total: number, bytes: number): void {
  const low = lowPart(total, bytes);
  base = lo.constant((total - low) | 0, symbol);
  offset = low;
}

function load(op: number, bytes: number): Rule {
  return (lo, inst) => {
    address(lo, inst.args[0]!, inst.imm, bytes);
    const at = offset;
    lo.emit(op, [lo.def(inst), use(base)], at);
  };
}

/** There is no sign-extending byte load. */
const load8S: Rule = (lo, inst) => {
  address(lo, inst.args[0]!, inst.imm, 1);
  const byte = lo.immediate(Op.L8UI, base, offset);
  lo.emit(Op.SEXT, [lo.def(inst), use(byte)], 7);
};

function store(op: number, bytes: number, mask: number): Rule {
  return (lo, inst) => {
    const value = lo.value(stored(lo, inst.args[1]!, mask));
    address(lo, inst.args[0]!, inst.imm, bytes);
    lo.emit(op, [use(value), use(base)], offset);
  };
}

/** Float constants and integers' bits are stored without a way through the FPU. */
const storeFloat: Rule = (lo, inst) => {
  const value = inst.args[1]!;
  const isBits = value.op === Ir.F32ReinterpretI32;
  if (value.op !== Ir.F32Const && !isBits) {
    storeSingle(lo, inst);
    return;
  }
  const bits = isBits ? lo.value(value.args[0]!) : lo.constant(value.imm);
  address(lo, inst.args[0]!, inst.imm, 4);
  lo.emit(Op.S32I, [use(bits), use(base)], offset);
};
const storeSingle = store(Op.SSI, 4, -1);

/** A narrow store ignores upper bits: so also the operation that cleared or copied them. */
function stored(lo: Lowering, value: Inst, mask: number): Inst {
  if (mask === -1 || lo.demanded(value)) return value;
  if (value.op === Ir.I32And) {
    const m = value.args[1]!;
    if (isConst(m) && (m.imm & mask) === mask) return value.args[0]!;
  }
  if (value.op === Ir.I32Extend16S || (value.op === Ir.I32Extend8S && mask === 0xff)) return value.args[0]!;
  return value;
}

/** Signature word of a descriptor; the null reference faults here. */
const refSignature: Rule = (lo, inst) => {
  lo.emit(Op.L32I, [lo.def(inst), lo.use(inst.args[0]!)], 0).site = TrapCode.UninitializedElement;
};

/** Bounds check and native pointer in one, as the way out of line needs the registers of both. */
const windowAddress: Rule = (lo, inst) => {
  const [address, limit, base] = inst.args as [Inst, Inst, Inst];
  const immediate = isConst(limit) && operandFits(Op.BGEUI, 1, limit.imm >>> 0);
  const operands = [lo.def(inst), lo.use(address), lo.use(base), ...(immediate ? [] : [lo.use(limit)])];
  const made = lo.emit(Pseudo.WindowAddress, operands, inst.imm, inst.imm2);
  made.site = TrapCode.MemoryOutOfBounds;
  if (immediate) made.amount = limit.imm;
};

/** A float whose bits only an integer register wants, or the other way round. */
const reinterpretToInt: Rule = (lo, inst) => {
  lo.emit(Op.RFR, [def(lo.result(inst)), lo.use(inst.args[0]!)]);
};
const reinterpretToFloat: Rule = (lo, inst) => {
  lo.emit(Op.WFR, [def(lo.result(inst)), lo.use(inst.args[0]!)]);
};

export const MEM_RULES: Rules = {
  [Ir.I32Load]: load(Op.L32I, 4),
  [Ir.I32Load8U]: load(Op.L8UI, 1),
  [Ir.I32Load8S]: load8S,
  [Ir.I32Load16U]: load(Op.L16UI, 2),
  [Ir.I32Load16S]: load(Op.L16SI, 2),
  [Ir.F32Load]: load(Op.LSI, 4),
  [Ir.I32Store]: store(Op.S32I, 4, -1),
  [Ir.I32Store8]: store(Op.S8I, 1, 0xff),
  [Ir.I32Store16]: store(Op.S16I, 2, 0xffff),
  [Ir.F32Store]: storeFloat,
  [Ir.RefSignature]: refSignature,
  [Ir.WindowAddr]: windowAddress,
  [Ir.I32ReinterpretF32]: reinterpretToInt,
  [Ir.F32ReinterpretI32]: reinterpretToFloat,
};
