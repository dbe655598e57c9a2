// Looks ahead over a loop's bytes and tells which locals it and its inner loops may write. Takes raw code that is not
// validated yet: stops quietly at anything malformed, because the body reader will report it.
import { DiagnosticError } from '../diagnostics.js';
import { Imm, IMM_KIND, OPCODE_SPACE, PREFIX_FC } from '../wasm/opcodes.js';
import { ByteReader } from '../wasm/reader.js';

const NOTHING: ReadonlySet<number> = new Set();

/** Assigned locals of the loop whose body starts at `start`, and of every loop inside it. Each byte is read once. */
export class LoopScan {
  private readonly assigned = new Map<number, Set<number>>();

  constructor(bytes: Uint8Array, start: number, end: number) {
    try {
      this.scan(new ByteReader(bytes, start, end));
    } catch (error) {
      if (!(error instanceof DiagnosticError)) throw error;
    }
  }

  /** The loop whose body starts at this offset was part of the scan. */
  covers(bodyStart: number): boolean {
    return this.assigned.has(bodyStart);
  }
  assignedIn(bodyStart: number): ReadonlySet<number> {
    return this.assigned.get(bodyStart) ?? NOTHING;
  }

  private scan(r: ByteReader): void {
    let current = new Set<number>();
    this.assigned.set(r.pos, current);
    /** Sets of the open loops; null for open blocks that are no loops. */
    const open: (Set<number> | null)[] = [current];
    const loops: Set<number>[] = [current];
    while (open.length > 0) {
      const opcode = r.u8();
      switch (opcode) {
        case 0x02: // block
        case 0x04: // if
          skipImmediates(r, opcode);
          open.push(null);
          break;
        case 0x03: // loop
          skipImmediates(r, opcode);
          current = new Set();
          this.assigned.set(r.pos, current);
          open.push(current);
          loops.push(current);
          break;
        case 0x0b: {
          // end
          const closed = open.pop()!;
          if (closed === null) break;
          loops.pop();
          const outer = loops[loops.length - 1];
          if (outer === undefined) return;
          for (const local of closed) outer.add(local);
          current = outer;
          break;
        }
        case 0x21: // local.set
        case 0x22: // local.tee
          current.add(r.u32());
          break;
        default:
          skipImmediates(r, opcode === 0xfc ? PREFIX_FC + r.u32() : opcode);
      }
    }
  }
}

function skipImmediates(r: ByteReader, opcode: number): void {
  const kind = opcode < OPCODE_SPACE ? IMM_KIND[opcode]! : 0;
  if (kind === 0) throw r.truncated('unknown opcode');
  switch (kind - 1) {
    case Imm.None:
      return;
    case Imm.Block:
    case Imm.RefType:
      r.s33();
      return;
    case Imm.Label:
    case Imm.Index:
      r.u32();
      return;
    case Imm.Index2:
      r.u32();
      r.u32();
      return;
    case Imm.LabelTable: {
      const count = r.count();
      for (let i = 0; i <= count; i++) r.u32();
      return;
    }
    case Imm.SelectTypes:
      r.skip(r.count());
      return;
    case Imm.Memarg:
      if ((r.u32() & 0x40) !== 0) r.u32();
      r.u32();
      return;
    case Imm.I32:
      r.s32();
      return;
    case Imm.I64:
      r.s64();
      return;
    case Imm.F32:
      r.skip(4);
      return;
    default:
      r.skip(8);
  }
}
