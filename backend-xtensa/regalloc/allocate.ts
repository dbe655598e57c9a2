// Takes a function in SSA form with operand constraints, gives every operand a register and all the moves that follow
// from it. Knows no ISA: registers are numbers, instructions operand lists.
//
// The stages, each in a file of its own:
//   problem.ts        flat arrays and program positions
//   liveness.ts       live range segments with holes and use records
//   spill-plan.ts     which values are in registers where, if not all can be; pieces.ts cuts ranges accordingly
//   coalesce.ts       bundles of values that want one register
//   assign.ts         largest bundle first, with eviction by density; split.ts cuts those that find no register
//   resolve.ts        operand locations, moves, spill slots; parallel-move.ts puts moves into sequence
//   tidy-moves.ts     drops moves of values that are there already
// checker.ts proves a result right by itself, and runs on everything in the tests.
import type { Allocate, Move, PReg, RegallocInput, RegallocOutput } from './api.js';
import { isSlot } from './api.js';
import { Assigner } from './assign.js';
import { BundleSet } from './bundles.js';
import { coalesce } from './coalesce.js';
import { computeLiveness } from './liveness.js';
import { Occupancy } from './occupancy.js';
import { flatten, type Problem } from './problem.js';
import { Resolver } from './resolve.js';
import { tidyMoves } from './tidy-moves.js';
import { resetScratch, u8 } from './scratch.js';
import { planSpills } from './spill-plan.js';

/** What the cost of a use counts if the value can be recomputed instead of reloaded: no store, and no memory access. */
const REMAT_FACTOR = 0.5;

function writtenRegisters(p: Problem, resolver: Resolver): Set<PReg> {
  const written = u8(p.pregCount);
  const { input } = p;
  let known: readonly PReg[] | undefined;
  for (let i = 0; i < p.instCount; i++) {
    const clobbers = input.clobbers(i);
    if (clobbers !== known) {
      known = clobbers;
      for (let k = 0; k < clobbers.length; k++) written[clobbers[k]!] = 1;
    }
    const k0 = p.opStart[i]!;
    const list = resolver.locations[i]!;
    for (let k = 0; k < list.length; k++) {
      if ((p.opFlags[k0 + k]! & 1) !== 0 && !isSlot(list[k]!)) written[list[k]!] = 1;
    }
  }
  for (const moves of resolver.movesBefore.values())
    for (const move of moves) if (!isSlot(move.to)) written[move.to] = 1;
  const result = new Set<PReg>();
  written.forEach((flag, preg) => {
    if (flag !== 0) result.add(preg);
  });
  return result;
}

export const allocate: Allocate = (input: RegallocInput): RegallocOutput => {
  resetScratch();
  const p = flatten(input);
  const live = computeLiveness(p);
  const occupancy = new Occupancy(p, live.segments);
  const joined = coalesce(p, live, planSpills(p, live, occupancy));
  const set = new BundleSet(joined.bundles, live.segments, live.uses, (v) =>
    p.defInst[v]! >= 0 && input.rematToken(v) >= 0 ? REMAT_FACTOR : 1,
  );
  const assigner = new Assigner(p, joined, set, occupancy);
  assigner.run();
  const resolver = new Resolver(p, live, joined, set, occupancy);
  resolver.run();
  tidyMoves(p, resolver.locations, resolver.movesBefore, resolver.skipped, resolver.frame.count);
  return {
    locations: resolver.locations,
    movesBefore: resolver.movesBefore,
    skipped: resolver.skipped,
    slotCount: resolver.frame.count,
    writtenRegisters: writtenRegisters(p, resolver),
    stats: countMoves(p, resolver, set.splits, joined.joins, assigner.evictions),
  };
};

/** Block of an instruction. */
function blockOf(p: Problem, inst: number): number {
  let low = 0;
  let high = p.blockCount - 1;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if (p.blockFirst[mid]! <= inst) low = mid;
    else high = mid - 1;
  }
  return low;
}

function countMoves(p: Problem, resolver: Resolver, splits: number, coalesced: number, evictions: number) {
  let moves = 0;
  let loads = 0;
  let stores = 0;
  let remats = 0;
  let weightedCost = 0;
  for (const [inst, list] of resolver.movesBefore) {
    weightedCost += list.length * p.blockWeight[blockOf(p, inst)]!;
    for (const move of list as readonly Move[]) {
      if (move.rematToken >= 0) remats++;
      else if (isSlot(move.from)) loads++;
      else if (isSlot(move.to)) stores++;
      else moves++;
    }
  }
  return {
    spilledVRegs: resolver.spilledVRegs,
    splits,
    moves,
    loads,
    stores,
    remats,
    coalesced,
    evictions,
    weightedCost,
  };
}
