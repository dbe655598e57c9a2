// What becomes of a function's safety checks, told by the passes as they decide and put together at the end: the data behind
// `--explain-checks`. Takes places (`Inst.loc`) and reasons; knows no pass. Functions have a log only when one is wanted.
import { TrapCode, type TrapCodeValue } from '../abi/traps.js';
import type { Func, Inst } from './function.js';
import { Op } from './ops.js';

/** Why a check is not needed at all. */
export type DropReason =
  /** The largest address the operand can have is inside the memory's smallest size. */
  | 'range'
  /** A constant address inside the memory's smallest size. */
  | 'constant address'
  /** A constant entry of a table that never changes: the call is direct. */
  | 'constant table entry'
  /** The condition is constant. */
  | 'never fails'
  /** Nothing leads to the instruction any more. */
  | 'unreachable'
  /** `--cfi none`. */
  | 'switched off';

/** Why another check does. */
export type MergeReason =
  /** The same address with at least the extent was checked on every way here. */
  | 'same check before'
  /** A check of an address at a constant distance below, on every way here, covers the bytes. */
  | 'covered'
  /** One check for neighbouring accesses with nothing observable between them. */
  | 'grouped';

/** A check at one Wasm instruction, and its fate. */
export interface ExplainedCheck {
  /** Byte offset of the instruction in the .wasm file. */
  readonly offset: number;
  /** Functions it was inlined through, innermost first, with the byte offsets of the replaced calls. */
  readonly inlined: readonly { readonly func: number; readonly call: number }[];
  /** Trap it guards against. */
  readonly code: TrapCodeValue;
  /** Bytes from the address on that have to be inside, for memory accesses; else 0. */
  readonly extent: number;
  readonly outcome: 'kept' | 'merged' | 'dropped';
  readonly reason: DropReason | MergeReason | KeptReason;
  /** For merged ones, byte offset of the instruction whose check serves. */
  readonly into: number | null;
  /** For kept ones that run before a loop instead of in it, byte offset of the loop's first instruction. */
  readonly hoisted: number | null;
}

/** What a check that stayed compares with. */
export type KeptReason =
  | 'constant limit'
  | 'current size'
  /** A limit first, the grant table when that fails. */
  | 'limit or grant'
  | 'signature'
  /** The hardware refuses address 0. */
  | 'hardware'
  | 'always fails'
  /** The runtime function does it and gives a status. */
  | 'runtime function';

type Outcome =
  | { readonly outcome: 'merged'; readonly into: number; readonly reason: MergeReason }
  | { readonly outcome: 'dropped'; readonly reason: DropReason };

interface Entry {
  readonly loc: number;
  readonly code: TrapCodeValue;
  readonly extent: number;
  outcome: Outcome | null;
  hoisted: number | null;
}

const CALL_CODES = [TrapCode.UndefinedElement, TrapCode.UninitializedElement, TrapCode.IndirectCallTypeMismatch];
const CODES = 32;

export class CheckLog {
  private readonly entries = new Map<number, Entry>();

  /** Enters the checks of `func`. */
  collect(func: Func): void {
    for (const { insts } of func.blocks) {
      for (const { op, loc, imm } of insts) {
        if (op === Op.MemAddr) this.add(loc, TrapCode.MemoryOutOfBounds, imm);
        else if (op === Op.CallIndirect || op === Op.ReturnCallIndirect) {
          for (const code of CALL_CODES) this.add(loc, code, 0);
        } else if (op === Op.TableGet || op === Op.TableSet) this.add(loc, TrapCode.TableOutOfBounds, 0);
        else if (op === Op.MemoryFill || op === Op.MemoryCopy || op === Op.MemoryInit) {
          this.add(loc, TrapCode.MemoryOutOfBounds, 0);
        } else if (op === Op.TableFill || op === Op.TableCopy || op === Op.TableInit) {
          this.add(loc, TrapCode.TableOutOfBounds, 0);
        }
      }
    }
  }

  private add(loc: number, code: TrapCodeValue, extent: number): void {
    const key = loc * CODES + code;
    if (!this.entries.has(key)) this.entries.set(key, { loc, code, extent, outcome: null, hoisted: null });
  }

  private settle(loc: number, code: number, outcome: Outcome): void {
    const entry = this.entries.get(loc * CODES + code);
    if (entry !== undefined) entry.outcome ??= outcome;
  }

  /** The check of `check` is done by that of `by`. */
  merge(check: Inst, by: Inst, reason: MergeReason): void {
    this.settle(check.loc, codeOf(check), { outcome: 'merged', into: by.loc, reason });
  }
  drop(check: Inst, reason: DropReason): void {
    this.settle(check.loc, codeOf(check), { outcome: 'dropped', reason });
  }
  /** All checks of an indirect call are gone. */
  dropCall(call: Inst, reason: DropReason): void {
    for (const code of CALL_CODES) this.settle(call.loc, code, { outcome: 'dropped', reason });
  }
  /** The check now runs before the loop whose first instruction is at `loop`. */
  hoist(check: Inst, loop: number): void {
    const entry = this.entries.get(check.loc * CODES + codeOf(check));
    if (entry !== undefined) entry.hoisted = loop;
  }

  /** The fate of every check of `func`, now lowered, by byte offset. */
  explain(func: Func): ExplainedCheck[] {
    const kept = new Map<number, KeptReason>();
    for (const { insts } of func.blocks) {
      for (const inst of insts) {
        const reason = keptReason(inst);
        if (reason !== null) kept.set(inst.loc * CODES + codeOf(inst), reason);
      }
    }
    const list: ExplainedCheck[] = [];
    for (const [key, { loc, code, extent, outcome, hoisted }] of this.entries) {
      const stays = kept.get(key);
      const chain = func.inlinedFrom(loc).map((c) => ({ func: c.func, call: func.offsetOf(c.call) }));
      const place = { offset: func.offsetOf(loc), inlined: chain, code, extent };
      const at = hoisted === null ? null : func.offsetOf(hoisted);
      if (stays !== undefined) list.push({ ...place, outcome: 'kept', reason: stays, into: null, hoisted: at });
      else if (outcome?.outcome === 'merged') {
        list.push({ ...place, ...outcome, into: func.offsetOf(outcome.into), hoisted: null });
      } else if (outcome !== null) list.push({ ...place, ...outcome, into: null, hoisted: null });
      else list.push({ ...place, outcome: 'dropped', reason: 'unreachable', into: null, hoisted: null });
    }
    return list.sort((a, b) => a.offset - b.offset || a.code - b.code);
  }
}

/** Trap code of the instruction that makes a check. */
function codeOf({ op, imm }: Inst): number {
  if (op === Op.MemAddr || op === Op.WindowAddr) return TrapCode.MemoryOutOfBounds;
  return op === Op.RefSignature ? TrapCode.UninitializedElement : imm;
}

/** What the check of a lowered instruction compares with; null if it makes none. */
function keptReason({ op, args, imm }: Inst): KeptReason | null {
  if (op === Op.WindowAddr) return 'limit or grant';
  if (op === Op.RefSignature) return 'hardware';
  if (op === Op.Trap) return 'always fails';
  if (op < Op.TrapIfLtU || op > Op.TrapIfEqz) return null;
  if (imm === TrapCode.IndirectCallTypeMismatch) return 'signature';
  if (args.some((arg) => arg.op === Op.LibCall)) return 'runtime function';
  return args.some((arg) => arg.op === Op.I32Const) ? 'constant limit' : 'current size';
}
