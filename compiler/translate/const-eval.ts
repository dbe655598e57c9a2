// Evaluates constant expressions: at compile time where all parts are plain constants, else as IR in the init function.
// Takes validated expressions; refuses to know where their values go.
import { InternalError } from '../diagnostics.js';
import type { Inst } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { Type } from '../ir/types.js';
import type { ConstExpr, ConstInst, WasmModule } from '../wasm/types.js';
import { IR_OP, irType } from './operators.js';

function wide(lo: number, hi: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo >>> 0);
}
function words(value: bigint): readonly [number, number] {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

/** Bits of the value (low, high word), or null if it depends on an import or on a function's address. */
export function evaluate(expr: ConstExpr): readonly [number, number] | null {
  const stack: (readonly [number, number])[] = [];
  for (const { opcode, imm, imm2 } of expr.insts) {
    switch (opcode) {
      case 0x41: // i32.const
      case 0x42: // i64.const
      case 0x43: // f32.const
      case 0x44: // f64.const
        stack.push([imm, imm2]);
        break;
      case 0xd0: // ref.null
        stack.push([0, 0]);
        break;
      case 0x23: // global.get: of an import, as validation has checked
      case 0xd2: // ref.func
        return null;
      default: {
        const b = stack.pop()!;
        const a = stack.pop()!;
        stack.push(opcode < 0x7c ? i32Arithmetic(opcode, a[0], b[0]) : i64Arithmetic(opcode, wide(...a), wide(...b)));
      }
    }
  }
  return stack[0]!;
}

function i32Arithmetic(opcode: number, a: number, b: number): readonly [number, number] {
  if (opcode === 0x6a) return [(a + b) | 0, 0];
  if (opcode === 0x6b) return [(a - b) | 0, 0];
  return [Math.imul(a, b), 0];
}

function i64Arithmetic(opcode: number, a: bigint, b: bigint): readonly [number, number] {
  return words(opcode === 0x7c ? a + b : opcode === 0x7d ? a - b : a * b);
}

/** Emits one instruction; the caller appends it and notes its place in the file. */
export type Emit = (op: number, args: Inst[], imm: number, imm2: number, type: Type, loc: number) => Inst;

/** IR for the expression. `takeAddress` hears of every function it references. */
export function emitConst(m: WasmModule, expr: ConstExpr, emit: Emit, takeAddress: (func: number) => void): Inst {
  const stack: Inst[] = [];
  for (const inst of expr.insts) stack.push(emitOne(m, inst, stack, emit, takeAddress));
  const value = stack.pop();
  if (value === undefined) throw new InternalError('empty constant expression');
  return value;
}

function emitOne(m: WasmModule, inst: ConstInst, stack: Inst[], emit: Emit, takeAddress: (func: number) => void): Inst {
  const { opcode, imm, imm2, offset } = inst;
  switch (opcode) {
    case 0x41:
      return emit(Op.I32Const, [], imm, 0, Type.I32, offset);
    case 0x42:
      return emit(Op.I64Const, [], imm, imm2, Type.I64, offset);
    case 0x43:
      return emit(Op.F32Const, [], imm, 0, Type.F32, offset);
    case 0x44:
      return emit(Op.F64Const, [], imm, imm2, Type.F64, offset);
    case 0xd0:
      return emit(Op.I32Const, [], 0, 0, Type.I32, offset);
    case 0xd2:
      takeAddress(imm);
      return emit(Op.RefFunc, [], imm, 0, Type.I32, offset);
    case 0x23:
      return emit(Op.GlobalGet, [], imm, 0, irType(m.globals[imm]!.type), offset);
    default: {
      const right = stack.pop()!;
      const left = stack.pop()!;
      return emit(IR_OP[opcode]!, [left, right], 0, 0, opcode < 0x7c ? Type.I32 : Type.I64, offset);
    }
  }
}
