// The runtime functions that compiled code calls: name, signature in IR types, effects. rt-stubs/ implements exactly
// these. Pure data; knows no lowering and no register.
import { Type } from '../ir/types.js';

/**
 * How a libcall reports that the Wasm operation traps. Runtime functions never trap themselves: the caller does, so that
 * the trap has a Wasm place.
 * - `none`: cannot trap
 * - `status`: the only result is 0, or non-zero if the access was out of bounds; the caller traps with `trapCode`
 * - `value-status`: results (value words..., status): status 0 fine, 1 integer overflow, 2 invalid conversion
 */
export type LibCallStatus = 'none' | 'status' | 'value-status';

export interface LibCall {
  /** C and linker symbol. */
  readonly symbol: string;
  readonly params: readonly Type[];
  readonly results: readonly Type[];
  /** `pure`: depends on the operands only. `state`: reads or writes memory, tables or segments. */
  readonly effect: 'pure' | 'state';
  readonly status: LibCallStatus;
}

const { I32, I64, F32, F64 } = { I32: Type.I32, I64: Type.I64, F32: Type.F32, F64: Type.F64 };

function pure(symbol: string, params: readonly Type[], result: Type): LibCall {
  return { symbol, params, results: [result], effect: 'pure', status: 'none' };
}
function checked(symbol: string, param: Type, result: Type): LibCall {
  return { symbol, params: [param], results: [result, I32], effect: 'pure', status: 'value-status' };
}
function state(symbol: string, params: readonly Type[], status: LibCallStatus): LibCall {
  return { symbol, params, results: [I32], effect: 'state', status };
}

/**
 * Calling convention of all of these: CALL0, arguments as 32-bit words in a2..a7 in order, an i64 or f64 as two
 * consecutive words (low, high) *without* even-register alignment (so in C an i64 that is not at an even word is declared
 * as two uint32_t), an f32 as its bits; results as words from a2 on. At most 6 argument words and 4 result words.
 * Clobbers a2-a11, a0, sar and all f registers unless the row in the ABI table says less.
 */
export const LIBCALLS = {
  // 64-bit integers. Divisor is not zero, and never INT64_MIN / -1 for div_s: the compiler has checked.
  i64DivS: pure('rt_i64_div_s', [I64, I64], I64),
  i64DivU: pure('rt_i64_div_u', [I64, I64], I64),
  i64RemS: pure('rt_i64_rem_s', [I64, I64], I64),
  i64RemU: pure('rt_i64_rem_u', [I64, I64], I64),
  // f32 operations that LX6 has no single instruction for
  f32Div: pure('rt_f32_div', [F32, F32], F32),
  f32Sqrt: pure('rt_f32_sqrt', [F32], F32),
  f32Ceil: pure('rt_f32_ceil', [F32], F32),
  f32Floor: pure('rt_f32_floor', [F32], F32),
  f32Trunc: pure('rt_f32_trunc', [F32], F32),
  f32Nearest: pure('rt_f32_nearest', [F32], F32),
  f32Min: pure('rt_f32_min', [F32, F32], F32),
  f32Max: pure('rt_f32_max', [F32, F32], F32),
  f32ConvertI64S: pure('rt_f32_convert_i64_s', [I64], F32),
  f32ConvertI64U: pure('rt_f32_convert_i64_u', [I64], F32),
  i64TruncSatF32S: pure('rt_i64_trunc_sat_f32_s', [F32], I64),
  i64TruncSatF32U: pure('rt_i64_trunc_sat_f32_u', [F32], I64),
  i32TruncF32S: checked('rt_i32_trunc_f32_s', F32, I32),
  i32TruncF32U: checked('rt_i32_trunc_f32_u', F32, I32),
  i64TruncF32S: checked('rt_i64_trunc_f32_s', F32, I64),
  i64TruncF32U: checked('rt_i64_trunc_f32_u', F32, I64),
  // soft double. Comparisons give 0 or 1 with Wasm's NaN rules.
  f64Add: pure('rt_f64_add', [F64, F64], F64),
  f64Sub: pure('rt_f64_sub', [F64, F64], F64),
  f64Mul: pure('rt_f64_mul', [F64, F64], F64),
  f64Div: pure('rt_f64_div', [F64, F64], F64),
  f64Sqrt: pure('rt_f64_sqrt', [F64], F64),
  f64Ceil: pure('rt_f64_ceil', [F64], F64),
  f64Floor: pure('rt_f64_floor', [F64], F64),
  f64Trunc: pure('rt_f64_trunc', [F64], F64),
  f64Nearest: pure('rt_f64_nearest', [F64], F64),
  f64Min: pure('rt_f64_min', [F64, F64], F64),
  f64Max: pure('rt_f64_max', [F64, F64], F64),
  f64Eq: pure('rt_f64_eq', [F64, F64], I32),
  f64Ne: pure('rt_f64_ne', [F64, F64], I32),
  f64Lt: pure('rt_f64_lt', [F64, F64], I32),
  f64Le: pure('rt_f64_le', [F64, F64], I32),
  f64ConvertI32S: pure('rt_f64_convert_i32_s', [I32], F64),
  f64ConvertI32U: pure('rt_f64_convert_i32_u', [I32], F64),
  f64ConvertI64S: pure('rt_f64_convert_i64_s', [I64], F64),
  f64ConvertI64U: pure('rt_f64_convert_i64_u', [I64], F64),
  f64PromoteF32: pure('rt_f64_promote_f32', [F32], F64),
  f32DemoteF64: pure('rt_f32_demote_f64', [F64], F32),
  i32TruncSatF64S: pure('rt_i32_trunc_sat_f64_s', [F64], I32),
  i32TruncSatF64U: pure('rt_i32_trunc_sat_f64_u', [F64], I32),
  i64TruncSatF64S: pure('rt_i64_trunc_sat_f64_s', [F64], I64),
  i64TruncSatF64U: pure('rt_i64_trunc_sat_f64_u', [F64], I64),
  i32TruncF64S: checked('rt_i32_trunc_f64_s', F64, I32),
  i32TruncF64U: checked('rt_i32_trunc_f64_u', F64, I32),
  i64TruncF64S: checked('rt_i64_trunc_f64_s', F64, I64),
  i64TruncF64U: checked('rt_i64_trunc_f64_u', F64, I64),
  // memories, tables, segments: operands are addresses of the structs in layout.ts
  /** (struct wasm_memory *, delta pages) -> old size in pages or -1 */
  memoryGrow: state('rt_memory_grow', [I32, I32], 'none'),
  /** (memory, dst, value, n) -> status */
  memoryFill: state('rt_memory_fill', [I32, I32, I32, I32], 'status'),
  /** (dst memory, src memory, dst, src, n) -> status */
  memoryCopy: state('rt_memory_copy', [I32, I32, I32, I32, I32], 'status'),
  /** (memory, struct wasm_segment *, dst, src, n) -> status */
  memoryInit: state('rt_memory_init', [I32, I32, I32, I32, I32], 'status'),
  /** The three above for modules that may use grant windows: Wasm addresses may be window addresses. */
  windowMemoryFill: state('rt_window_memory_fill', [I32, I32, I32, I32], 'status'),
  windowMemoryCopy: state('rt_window_memory_copy', [I32, I32, I32, I32, I32], 'status'),
  windowMemoryInit: state('rt_window_memory_init', [I32, I32, I32, I32, I32], 'status'),
  /** (struct wasm_table *, initial value, delta) -> old size or -1 */
  tableGrow: state('rt_table_grow', [I32, I32, I32], 'none'),
  /** (table, start, value, n) -> status */
  tableFill: state('rt_table_fill', [I32, I32, I32, I32], 'status'),
  /** (dst table, src table, dst, src, n) -> status */
  tableCopy: state('rt_table_copy', [I32, I32, I32, I32, I32], 'status'),
  /** (table, segment, dst, src, n) -> status */
  tableInit: state('rt_table_init', [I32, I32, I32, I32, I32], 'status'),
} as const satisfies Record<string, LibCall>;

export type LibCallName = keyof typeof LIBCALLS;
