// Takes a reader behind an opcode, moves it behind the instruction's immediates. Knows the binary format, no meaning.
import { InternalError } from '../../compiler/diagnostics.js';
import { Imm, IMM_KIND, OPCODE_SPACE } from '../../compiler/wasm/opcodes.js';
import type { ByteReader } from '../../compiler/wasm/reader.js';

/** Skips the immediates of a valid instruction. `first`, `second`: its indices; for a memarg offset and memory. */
export function skipImmediates(r: ByteReader, opcode: number): { first: number; second: number } {
  const kind = opcode < OPCODE_SPACE ? IMM_KIND[opcode]! - 1 : -1;
  let first = 0;
  let second = 0;
  switch (kind) {
    case Imm.None:
      break;
    case Imm.Block:
    case Imm.RefType:
      r.s33();
      break;
    case Imm.Label:
    case Imm.Index:
      first = r.u32();
      break;
    case Imm.LabelTable:
      for (let count = r.u32() + 1; count > 0; count--) r.u32();
      break;
    case Imm.Index2:
      first = r.u32();
      second = r.u32();
      break;
    case Imm.SelectTypes:
      for (let count = r.u32(); count > 0; count--) r.s33();
      break;
    case Imm.Memarg: {
      const flags = r.u32();
      if (flags & 0x40) second = r.u32();
      first = r.u32();
      break;
    }
    case Imm.I32:
      r.s32();
      break;
    case Imm.I64:
      r.s64();
      break;
    case Imm.F32:
      r.skip(4);
      break;
    case Imm.F64:
      r.skip(8);
      break;
    default:
      throw new InternalError(`opcode 0x${opcode.toString(16)} in a valid body`);
  }
  return { first, second };
}
