// Takes an allocated machine function with a MakeFrame (shrink-wrap.ts), tells whether what comes before it got along
// without a frame. Knows locations; no instruction but the pseudo.
import type { Abi } from '../abi/abi.js';
import { OperandKind, isSlot, type Location, type RegallocOutput } from '../regalloc/api.js';
import { Pseudo, type MachBlock, type MachFunction } from './inst.js';
import type { MachRegallocInput } from './regalloc-input.js';
import { reachable } from './shrink-wrap.js';

/** Blocks before the frame, or null if it has to be made at the entry. */
export function quickWay(
  mach: MachFunction,
  input: MachRegallocInput,
  { locations, movesBefore, skipped }: RegallocOutput,
  abi: Abi,
): ReadonlySet<MachBlock> | null {
  const { frameBlock } = mach;
  if (frameBlock === null) return null;
  const isFree = (location: Location): boolean => !isSlot(location) && !abi.calleeSaved.includes(location);
  /** Instructions from..to-1 and the moves before them, and before `to` itself. */
  const getsAlong = (from: number, to: number): boolean => {
    for (let i = from; i <= to; i++) {
      const moves = movesBefore.get(i);
      if (moves?.some(({ rematToken, from, to }) => !isFree(to) || (rematToken < 0 && isSlot(from))) === true)
        return false;
      if (i === to) break;
      if (skipped.has(i)) continue;
      const operands = input.operands(i);
      for (let k = 0; k < operands.length; k++) {
        if (operands[k]!.kind === OperandKind.Def && !isFree(locations[i]![k]!)) return false;
      }
    }
    return true;
  };
  const blocks = reachable(mach.blocks[0]!, frameBlock);
  for (const { index } of blocks) {
    if (!getsAlong(input.blockStart(index), input.blockEnd(index) - 1)) return null;
  }
  const start = input.blockStart(frameBlock.index);
  let make = start;
  while (input.insts[make]!.op !== Pseudo.MakeFrame) make++;
  // The prologue uses its registers before it has saved any.
  const makeIsFree = locations[make]!.every(isFree);
  return makeIsFree && getsAlong(start, make) ? blocks : null;
}
