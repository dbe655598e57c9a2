// The contract with the backend: the ops that are left after lowering. Pure data; knows no lowering and no machine code.
//
// After lowering, in every function:
// - values have type i32 or f32; `multi` only on calls with two or more result *words*, each taken by a `proj`
// - `func.signature`, block parameters, call arguments and results are flat words: i64 and f64 are two i32 (low, high),
//   f32 stays f32. `inst.aux` of a multi call or call_ref holds the flat result types; of a libcall it is the LibCall, whose
//   `results` flatten the same way
// - loads and stores with imm2 >= 0 take native pointers into linear memory imm2; those with imm2 = -1 touch runtime state
//   (globals, tables, structs), always aligned
// - `i32.div_s` never sees -2^31 / -1 (an explicit check comes before it); the division by zero is still to be trapped by
//   QUOS/QUOU/REMS/REMU with a site of IntegerDivideByZero; `i32.rem_s` gives 0 for -2^31 % -1
// - `ref.signature` is a 32-bit load with a site of UninitializedElement; `call_ref` calls args[0] + 4
// - `i32.trunc_sat_f32_s/u` keep Wasm's meaning, NaN -> 0 included
// - `trap_if.*` and `trap` carry their TrapCode in imm
import { Op } from '../ir/ops.js';

/** Op numbers that selection must know, and no others. */
export const MACHINE_OPS: readonly number[] = [
  Op.I32Const,
  Op.F32Const,
  Op.Symbol,
  Op.Proj,
  // i32
  Op.I32Eqz,
  Op.I32Eq,
  Op.I32Ne,
  Op.I32LtS,
  Op.I32LtU,
  Op.I32GtS,
  Op.I32GtU,
  Op.I32LeS,
  Op.I32LeU,
  Op.I32GeS,
  Op.I32GeU,
  Op.I32Clz,
  Op.I32Ctz,
  Op.I32Popcnt,
  Op.I32Add,
  Op.I32Sub,
  Op.I32Mul,
  Op.I32DivS,
  Op.I32DivU,
  Op.I32RemS,
  Op.I32RemU,
  Op.I32And,
  Op.I32Or,
  Op.I32Xor,
  Op.I32Shl,
  Op.I32ShrS,
  Op.I32ShrU,
  Op.I32Rotl,
  Op.I32Rotr,
  Op.I32Extend8S,
  Op.I32Extend16S,
  Op.I32MulHU,
  Op.I32MulHS,
  Op.I32MinS,
  Op.I32MinU,
  Op.I32MaxS,
  Op.I32MaxU,
  Op.I32AddHi,
  Op.I32SubHi,
  Op.I32Funnel,
  Op.I32FunnelL,
  Op.Select,
  // f32
  Op.F32Eq,
  Op.F32Ne,
  Op.F32Lt,
  Op.F32Gt,
  Op.F32Le,
  Op.F32Ge,
  Op.F32Abs,
  Op.F32Neg,
  Op.F32Add,
  Op.F32Sub,
  Op.F32Mul,
  Op.F32ConvertI32S,
  Op.F32ConvertI32U,
  Op.I32TruncSatF32S,
  Op.I32TruncSatF32U,
  Op.I32ReinterpretF32,
  Op.F32ReinterpretI32,
  // memory
  Op.I32Load,
  Op.I32Load8S,
  Op.I32Load8U,
  Op.I32Load16S,
  Op.I32Load16U,
  Op.F32Load,
  Op.I32Store,
  Op.I32Store8,
  Op.I32Store16,
  Op.F32Store,
  // calls, references, checks
  Op.Call,
  Op.CallRef,
  Op.RefSignature,
  Op.LibCall,
  Op.WindowAddr,
  Op.TrapIfLtU,
  Op.TrapIfGeU,
  Op.TrapIfEq,
  Op.TrapIfNe,
  Op.TrapIfNez,
  Op.TrapIfEqz,
  // terminators
  Op.Jump,
  Op.BrIf,
  Op.BrTable,
  Op.Return,
  Op.Trap,
  Op.ReturnCall,
  Op.ReturnCallRef,
];
