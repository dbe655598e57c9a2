// Maps Wasm opcodes to IR ops and value types to IR types. The names are the same in both tables, so the map is computed.
// Knows no instruction semantics.
import { InternalError } from '../diagnostics.js';
import { OP_BY_NAME } from '../ir/ops.js';
import { signatureText } from '../abi/signature-id.js';
import { Type, type Signature } from '../ir/types.js';
import { OPCODES, OPCODE_SPACE } from '../wasm/opcodes.js';
import { ValType, type FuncType } from '../wasm/types.js';

/** IR op by Wasm opcode for numeric ops, loads and stores; 0xffff elsewhere. */
export const IR_OP = new Uint16Array(OPCODE_SPACE).fill(0xffff);
for (const info of OPCODES) {
  if (info === undefined || (info.opcode < 0x45 && info.align === 0 && !/\.(load|store)/.test(info.name))) continue;
  const op = OP_BY_NAME.get(info.name);
  if (op !== undefined) IR_OP[info.opcode] = op;
  else if (info.operandCount > 0) throw new InternalError(`no IR op for ${info.name}`);
}

const IR_TYPE = new Uint8Array(128);
IR_TYPE[ValType.I32] = Type.I32;
IR_TYPE[ValType.I64] = Type.I64;
IR_TYPE[ValType.F32] = Type.F32;
IR_TYPE[ValType.F64] = Type.F64;
IR_TYPE[ValType.FuncRef] = Type.I32;
IR_TYPE[ValType.ExternRef] = Type.I32;

/** IR type of a value type byte; references are words. */
export function irType(type: number): Type {
  return IR_TYPE[type]! as Type;
}

/** Letter of a reference type in canonical signature text; null for numeric types. */
const REF_LETTER: Readonly<Record<number, string>> = { [ValType.FuncRef]: 'r', [ValType.ExternRef]: 'e' };

/** IR signature; one with references carries its canonical text, since references are words in the IR. */
export function irSignature(type: FuncType): Signature {
  const signature: Signature = { params: type.params.map(irType), results: type.results.map(irType) };
  if (![...type.params, ...type.results].some((t) => t in REF_LETTER)) return signature;
  const letters = (wasm: readonly number[], ir: readonly Type[]): string =>
    wasm.map((t, i) => REF_LETTER[t] ?? signatureText({ params: [ir[i]!], results: [] })[0]).join('');
  const text = `${letters(type.params, signature.params)}:${letters(type.results, signature.results)}`;
  return { ...signature, text };
}

/** Number of 32-bit words of a list of values. */
export function wordCount(types: readonly Type[]): number {
  let words = 0;
  for (const type of types) words += type === Type.I64 || type === Type.F64 ? 2 : 1;
  return words;
}
