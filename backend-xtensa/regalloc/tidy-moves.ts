// Takes a finished allocation's moves, drops those that bring a value where it already is, and turns reloads of what
// another register still holds into copies. Knows no live range: it only watches what each location contains.
//
// Value numbers per location, forwards through each run of blocks of which every one has the one before as its only
// predecessor. Moves come from separate decisions (a cut here, a fixed operand there), so such chances are common: an
// argument that is first copied to a callee-saved register is still in its argument register for the next call.
import { isSlot, slotOf, type Location, type Move, type RegisterClass } from './api.js';
import { OP_DEF, type Problem } from './problem.js';
import { i32 } from './scratch.js';

/** Beyond this number of locations to forget at each block, slots are not watched. */
const MAX_LOCATIONS = 512;

export function tidyMoves(
  p: Problem,
  locations: readonly (readonly Location[])[],
  movesBefore: Map<number, Move[]>,
  skipped: ReadonlySet<number>,
  slotCount: number,
): void {
  if (movesBefore.size === 0) return;
  const { classes } = p.input;
  const watched = Math.min(p.pregCount + slotCount, MAX_LOCATIONS);
  /** Value number by register, then slot; 0 is unknown, constants of token t have -(t + 1). */
  const content = i32(watched);
  let fresh = 1;
  const indexOf = (location: Location): number => {
    const index = isSlot(location) ? p.pregCount + slotOf(location) : location;
    return index < watched ? index : -1;
  };
  const set = (location: Location, value: number): void => {
    const index = indexOf(location);
    if (index >= 0) content[index] = value;
  };

  /** What a copy instruction reads. */
  const sourceContent = (k0: number, list: readonly Location[]): number => {
    for (let k = 0; k < list.length; k++) {
      const index = indexOf(list[k]!);
      if ((p.opFlags[k0 + k]! & OP_DEF) === 0 && index >= 0) return content[index]!;
    }
    return 0;
  };

  const tidy = (moves: Move[]): void => {
    let kept = 0;
    for (let k = 0; k < moves.length; k++) {
      let move = moves[k]!;
      let value: number;
      if (move.rematToken >= 0) value = -(move.rematToken + 1);
      else {
        const from = indexOf(move.from);
        value = from >= 0 ? content[from]! : fresh++;
        if (value === 0) {
          value = fresh++;
          content[from] = value;
        }
      }
      const to = indexOf(move.to);
      if (to >= 0 && content[to] === value) continue;
      if (move.rematToken >= 0 || isSlot(move.from)) {
        const holder = holderOf(classes[move.classIndex]!, value, content);
        if (holder >= 0) move = { from: holder, to: move.to, rematToken: -1, classIndex: move.classIndex };
      }
      if (to >= 0) content[to] = value;
      moves[kept++] = move;
    }
    moves.length = kept;
  };

  for (let b = 0; b < p.blockCount; b++) {
    const preds = p.preds[b]!;
    if (preds.length !== 1 || preds[0] !== b - 1) content.fill(0);
    for (let i = p.blockFirst[b]!; i < p.blockFirst[b + 1]!; i++) {
      const moves = movesBefore.get(i);
      if (moves !== undefined) {
        tidy(moves);
        if (moves.length === 0) movesBefore.delete(i);
      }
      if (skipped.has(i)) continue;
      const clobbers = p.input.clobbers(i);
      for (let k = 0; k < clobbers.length; k++) content[clobbers[k]!] = 0;
      const list = locations[i]!;
      const k0 = p.opStart[i]!;
      const copied = p.input.isMove(i) ? sourceContent(k0, list) : 0;
      for (let k = 0; k < list.length; k++) {
        if ((p.opFlags[k0 + k]! & OP_DEF) !== 0) set(list[k]!, copied !== 0 ? copied : fresh++);
      }
    }
  }
}

/** A register of the class that holds `value`, or -1. */
function holderOf(cls: RegisterClass, value: number, content: Int32Array): number {
  const { order } = cls;
  for (let k = 0; k < order.length; k++) if (content[order[k]!] === value) return order[k]!;
  return -1;
}
