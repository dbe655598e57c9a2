// What grant windows mean for bounds checks in the IR: the rights a `mem.addr` asks a window for, and when one check implies
// another. Knows no pass and no machine.
import type { Inst } from './function.js';

const ALL_RIGHTS = 3;

/**
 * Rights (GrantRight, or-ed) that a window must give to satisfy this `mem.addr` or bulk operation; 0 if no window can, so
 * that only the own memory does.
 */
export function windowRights(inst: Inst): number {
  return (inst.aux as number | null) ?? 0;
}

export function setWindowRights(inst: Inst, rights: number): void {
  inst.aux = rights === 0 ? null : rights;
}

/** Does passing a check with rights `have` imply passing one with rights `want` for the same bytes? */
export function coversRights(have: number, want: number): boolean {
  if (have === 0) return true;
  return want === 0 ? have === ALL_RIGHTS : (have & want) === want;
}

/** Can one check serve two that ask for these rights? If so it asks for both. */
export const canJoinRights = (a: number, b: number): boolean => (a === 0) === (b === 0);
