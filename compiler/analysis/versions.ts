// Versions of state: numbers every point of a function, per resource, so that two reads with the same version see the same
// state. A light form of memory SSA. Takes control flow; knows no address.
import type { ControlFlow } from './cfg.js';
import { reads, writes } from './effects.js';
import type { Inst } from '../ir/function.js';
import { Op, OPS, Resource } from '../ir/ops.js';

/** Resources of the op table, plus runtime state that lowered code reads and writes (loads and stores with imm2 = -1). */
export const enum VersionIndex {
  Memory = 0,
  Global = 1,
  Table = 2,
  MemorySize = 3,
  TableSize = 4,
  Segment = 5,
  State = 6,
  Count = 7,
}
const STATE_BIT = 1 << VersionIndex.State;
const ALL_BITS = (1 << VersionIndex.Count) - 1;

const isMemoryAccess = (op: number): boolean => op >= Op.I32Load && op <= Op.F64Store;

/** Bits (1 << VersionIndex) that the instruction writes. */
export function writtenVersions(inst: Inst): number {
  if (isMemoryAccess(inst.op) && inst.imm2 === -1) return inst.op >= Op.I32Store ? STATE_BIT : 0;
  const mask = writes(inst);
  return mask === Resource.All ? ALL_BITS : mask;
}

/** Bits (1 << VersionIndex) that the instruction's value depends on. */
export function readVersions(inst: Inst): number {
  if (isMemoryAccess(inst.op) && inst.imm2 === -1) return inst.op < Op.I32Store ? STATE_BIT : 0;
  const mask = reads(inst);
  return mask === Resource.All ? ALL_BITS : mask;
}

/** 1 for ops that can write anything at all. */
const MAY_WRITE = Uint8Array.from(OPS, (info) => (info.writes !== 0 ? 1 : 0));

const UNKNOWN = 0x7fffffff;

/**
 * Version of each resource at the start of each block, at [reverse postorder number * Count + resource]. A version is
 * 0 (function entry), id + 1 of the last writing instruction, or -(block number + 1) where different ones meet.
 */
export function versionsAtEntry({ order, number }: ControlFlow): Int32Array {
  const n = order.length;
  const last = new Int32Array(n * VersionIndex.Count);
  for (let b = 0; b < n; b++) {
    for (const inst of order[b]!.insts) {
      if (MAY_WRITE[inst.op] === 0) continue;
      const mask = writtenVersions(inst);
      if (mask === 0) continue;
      for (let r = 0; r < VersionIndex.Count; r++) if ((mask >> r) & 1) last[b * VersionIndex.Count + r] = inst.id + 1;
    }
  }
  const entry = new Int32Array(n * VersionIndex.Count).fill(UNKNOWN);
  entry.fill(0, 0, VersionIndex.Count);
  for (let changed = true; changed;) {
    changed = false;
    for (let b = 1; b < n; b++) {
      for (let r = 0; r < VersionIndex.Count; r++) {
        const at = b * VersionIndex.Count + r;
        const meet = -(b + 1);
        if (entry[at] === meet) continue;
        let version = UNKNOWN;
        for (const pred of order[b]!.preds) {
          const p = number[pred.id]!;
          if (p === -1) continue;
          const from = p * VersionIndex.Count + r;
          const out = last[from] !== 0 ? last[from]! : entry[from]!;
          if (out === UNKNOWN || out === version) continue;
          version = version === UNKNOWN ? out : meet;
        }
        if (version === entry[at]) continue;
        entry[at] = entry[at] === UNKNOWN ? version : meet;
        changed = true;
      }
    }
  }
  return entry;
}
