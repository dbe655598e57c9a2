// Reads a constant expression into a small instruction list. Refuses what can never be constant; types and indices are
// validate.ts's business.
import { DiagnosticError } from '../diagnostics.js';
import { IMM_KIND, refusedOpcode } from './opcodes.js';
import type { ByteReader } from './reader.js';
import type { ConstExpr, ConstInst } from './types.js';
import { readHeapType } from './value-types.js';

/** Opcodes that need no more than their table row: extended-const arithmetic. */
export function isExtendedConst(opcode: number): boolean {
  return (opcode >= 0x6a && opcode <= 0x6c) || (opcode >= 0x7c && opcode <= 0x7e);
}

/** Reads up to and including `end`. Errors: W203 for an instruction that is not constant, W301, W106. */
export function readConstExpr(r: ByteReader): ConstExpr {
  const offset = r.pos;
  const insts: ConstInst[] = [];
  for (;;) {
    const at = r.pos;
    const opcode = r.u8();
    let imm = 0;
    let imm2 = 0;
    switch (opcode) {
      case 0x0b:
        return { offset, insts };
      case 0x41:
        imm = r.s32();
        break;
      case 0x42:
        r.s64();
        imm = r.lo;
        imm2 = r.hi;
        break;
      case 0x43:
        imm = r.word();
        break;
      case 0x44:
        imm = r.word();
        imm2 = r.word();
        break;
      case 0x23:
      case 0xd2:
        imm = r.u32();
        break;
      case 0xd0:
        imm = readHeapType(r);
        break;
      default: {
        if (isExtendedConst(opcode)) break;
        const refused = refusedOpcode(opcode);
        if (refused !== null) {
          throw new DiagnosticError('W301', `${refused} in a constant expression`, { offset: at });
        }
        if (opcode === 0xfc || IMM_KIND[opcode] !== 0) {
          throw new DiagnosticError('W203', 'constant expression required', { offset: at });
        }
        throw new DiagnosticError('W106', `illegal opcode 0x${opcode.toString(16)}`, { offset: at });
      }
    }
    insts.push({ opcode, offset: at, imm, imm2 });
  }
}
