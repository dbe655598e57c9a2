// Grant windows: the one sequence of instructions with which a function may ask the runtime for a pointer into another
// module's memory, and what is known of the pointer where that sequence and the module's own check meet. Knows no grant: what
// the runtime gives is trusted.
import { decodeAt } from '../backend-xtensa/isa/decode.js';
import { Op, rowOf } from '../backend-xtensa/isa/table.js';
import type { DecodedInstruction } from '../backend-xtensa/isa/types.js';
import { GrantRight } from '../compiler/abi/os-layout.js';
import { readWindowDescriptor } from '../compiler/abi/window.js';
import type { Image, ModuleFunction } from './image.js';
import { LEAF_FRAME_BYTES } from './layout.js';
import { CONSTANT, NOTHING, READABLE, WRITABLE, type Relation, type Value } from './facts.js';
import { SP, type State } from './state.js';
import type { Walk } from './walk.js';

export interface WindowSite {
  /** Bytes of the sequence. */
  readonly size: number;
  /** Register that gets the pointer. */
  readonly pointer: number;
  readonly extent: number;
  readonly rights: number;
  /** Address of the word with the runtime function's address. */
  readonly literal: number;
  /** Where a refusal traps. */
  readonly trap: number;
  /** Address at which it goes on with the pointer. */
  readonly end: number;
}

const A0 = 0;
const MISC0 = 244;
const MISC1 = 245;

/**
 * The sequence at `offset` of a function's bytes, which lies at `address`; null if anything of it is different:
 *
 *     wsr.misc0 a0; wsr.misc1 address; l32r a0, rt_window; callx0 a0; descriptor; rsr.misc0 a0; rsr.misc1 pointer;
 *     beqz pointer, trap; j end; trap: ill.n
 *
 * The runtime function preserves all registers but a0, which the sequence saves, and returns behind the descriptor.
 */
export function windowSiteAt(
  image: Image,
  func: ModuleFunction,
  bytes: Uint8Array,
  offset: number,
  address: number,
): WindowSite | null {
  let at = 0;
  const next = (opcode: number, ...operands: (number | null)[]): DecodedInstruction | null => {
    const inst = decodeAt(bytes, offset + at, address + at);
    if (inst === undefined || inst.opcode !== opcode) return null;
    if (operands.some((value, k) => value !== null && inst.operands[k] !== value)) return null;
    at += inst.row.size;
    return inst;
  };
  if (next(Op.WSR, A0, MISC0) === null || next(Op.WSR, null, MISC1) === null) return null;
  const literal = next(Op.L32R, A0);
  if (literal === null) return null;
  const word = (address + at - literal.row.size + literal.operands[1]!) >>> 0;
  if (word < func.poolStart || word + 4 > func.start) return null;
  if (image.windowFunction === null || image.word(word) !== image.windowFunction) return null;
  if (next(Op.CALLX0, A0) === null || ((address + at) & 3) !== 0 || offset + at + 3 > bytes.length) return null;
  const descriptor = readWindowDescriptor(
    bytes[offset + at]! | (bytes[offset + at + 1]! << 8) | (bytes[offset + at + 2]! << 16),
  );
  at += 3;
  if (descriptor === null || next(Op.RSR, A0, MISC0) === null) return null;
  const result = next(Op.RSR, null, MISC1);
  if (result === null) return null;
  const pointer = result.operands[0]!;
  if (pointer === A0 || pointer === SP) return null;
  const refused = next(Op.BEQZ_N, pointer) ?? next(Op.BEQZ, pointer);
  if (refused === null) return null;
  const trap = address + at - refused.row.size + refused.operands[1]!;
  const back = next(Op.J);
  if (back === null) return null;
  const end = (address + at - back.row.size + back.operands[0]!) >>> 0;
  if (address + at !== trap || next(Op.ILL_N) === null) return null;
  return { size: at, pointer, ...descriptor, literal: word, trap: trap >>> 0, end };
}

/** The whole sequence as one jump to where it goes on. */
export const asJump = (site: WindowSite, address: number): DecodedInstruction => ({
  row: rowOf(Op.J),
  opcode: Op.J,
  operands: [site.end - address],
});

/** What a pointer with these rights is good for, from `offset` behind its symbol on. */
function relationsOf({ extent, rights }: WindowSite, offset: number): Relation[] {
  const relations: Relation[] = [];
  if ((rights & GrantRight.Read) !== 0) relations.push({ object: READABLE, offset, slack: extent });
  if ((rights & GrantRight.Write) !== 0) relations.push({ object: WRITABLE, offset, slack: extent });
  return relations;
}

/** The sequence as an instruction. */
export function askForWindow(walk: Walk, site: WindowSite): void {
  const { depth, state } = walk;
  if (depth === null || depth < state.checked - LEAF_FRAME_BYTES)
    walk.complain('window asked for before the stack limit was checked');
  if (!walk.code.func.module.traps.has(site.trap)) walk.complain('trap without an entry in the site table');
  walk.notes.noteLiteral(site.literal);
  walk.begin();
  walk.define(site.pointer, walk.make(site.pointer, { ...NOTHING, relations: relationsOf(site, 0) }));
}

/**
 * On any way to where a sequence goes on: if the pointer's whole extent lies in a memory of the module, it is as good as one
 * into a window.
 */
export function meetWindow(walk: Walk, site: WindowSite, state: State): void {
  const value = state.get(site.pointer);
  if (!insideMemory(walk, state, value, site.extent)) return;
  if (value.symbol !== CONSTANT) {
    for (const relation of relationsOf(site, value.offset)) state.addRelation(value.symbol, relation);
    return;
  }
  // A constant has no facts: a symbol takes its place.
  const known = walk.state;
  walk.state = state;
  const arc = state.arcOf(value);
  walk.begin();
  const symbol = walk.make(2 * walk.locations + 3, { ...NOTHING, arc, relations: relationsOf(site, 0) });
  state.set(site.pointer, symbol);
  walk.state = known;
}

function insideMemory(walk: Walk, state: State, value: Value, bytes: number): boolean {
  return walk.contents.some(
    ({ kind, id, start }) =>
      kind === 'memory-bytes' &&
      state.slack({ symbol: value.symbol, offset: (value.offset - start) | 0 }, id, walk.minimum) >= bytes,
  );
}
