// Control flow: what a branch taken or not taken says about values, where calls, jumps and returns may lead, what a call
// leaves behind. Knows nothing of loads and stores.
import { Op } from '../backend-xtensa/isa/table.js';
import { LIBCALLS } from '../compiler/abi/libcalls.js';
import { high, isSingle, low, range, signedHigh, signedLow, without, type Arc } from './arc.js';
import { ALL_CLOBBERED } from './call-graph.js';
import { targetOf } from './code.js';
import type { MemoryObject, ObjectKind } from './image.js';
import { HOST, functionCallee, signatureCallee, type Callee } from './references.js';
import { CONSTANT, Made, NOTHING, type Value } from './facts.js';
import { ENTRY_RETURN, ENTRY_SAVED, ENTRY_SP, FRAME_RETURN, SHADOW_RETURN, SP } from './state.js';
import type { Walk } from './walk.js';

// -- branches

const enum Compare {
  Equal,
  NotEqual,
  Less,
  NotLess,
  LessSigned,
  NotLessSigned,
}

interface Condition {
  readonly compare: Compare;
  /** Second operand is an immediate; absent: compared with zero. */
  readonly immediate: boolean;
  readonly zero: boolean;
}

const CONDITIONS: readonly (Condition | undefined)[] = (() => {
  const list: (Condition | undefined)[] = [];
  const put = (op: number, compare: Compare, immediate = false, zero = false): void => {
    list[op] = { compare, immediate, zero };
  };
  put(Op.BEQ, Compare.Equal);
  put(Op.BNE, Compare.NotEqual);
  put(Op.BLTU, Compare.Less);
  put(Op.BGEU, Compare.NotLess);
  put(Op.BLT, Compare.LessSigned);
  put(Op.BGE, Compare.NotLessSigned);
  put(Op.BEQI, Compare.Equal, true);
  put(Op.BNEI, Compare.NotEqual, true);
  put(Op.BLTUI, Compare.Less, true);
  put(Op.BGEUI, Compare.NotLess, true);
  put(Op.BLTI, Compare.LessSigned, true);
  put(Op.BGEI, Compare.NotLessSigned, true);
  for (const op of [Op.BEQZ, Op.BEQZ_N]) put(op, Compare.Equal, false, true);
  for (const op of [Op.BNEZ, Op.BNEZ_N]) put(op, Compare.NotEqual, false, true);
  put(Op.BLTZ, Compare.LessSigned, false, true);
  put(Op.BGEZ, Compare.NotLessSigned, false, true);
  return list;
})();
/** The condition that holds when the branch is not taken: pairs differ in the last bit. */
const opposite = (compare: Compare): Compare => (compare ^ 1) as Compare;

/** Puts what the outcome of the branch says into the state; false if it cannot have that outcome. */
export function refine(walk: Walk, taken: boolean): boolean {
  const { operands, opcode } = walk.inst;
  const condition = CONDITIONS[opcode];
  if (condition === undefined) return true;
  const compare = taken ? condition.compare : opposite(condition.compare);
  const a = walk.get(operands[0]!);
  const b: Value = condition.zero
    ? { symbol: CONSTANT, offset: 0 }
    : condition.immediate
      ? { symbol: CONSTANT, offset: operands[1]! | 0 }
      : walk.get(operands[1]!);
  noteThresholds(walk, a, b);
  switch (compare) {
    case Compare.Equal:
      return equal(walk, a, b);
    case Compare.NotEqual:
      return differ(walk, a, b) && differ(walk, b, a);
    case Compare.Less:
      return atMost(walk, a, b, 1);
    case Compare.NotLess:
      stackChecked(walk, a, b);
      return atMost(walk, b, a, 0);
    case Compare.LessSigned:
      return atMostSigned(walk, a, b, 1);
    default:
      return atMostSigned(walk, b, a, 0);
  }
}

function noteThresholds(walk: Walk, a: Value, b: Value): void {
  const p = walk.arc(a);
  const q = walk.arc(b);
  if (isSingle(q)) walk.addThreshold(a, q.start);
  else if (high(q) !== 0xffffffff) walk.addThreshold(a, high(q));
  if (isSingle(p)) walk.addThreshold(b, p.start);
  else if (high(p) !== 0xffffffff) walk.addThreshold(b, high(p));
}

function equal(walk: Walk, a: Value, b: Value): boolean {
  const { state } = walk;
  if (a.symbol === b.symbol) return a.offset === b.offset;
  if (!state.restrict(a, walk.arc(b)) || !state.restrict(b, walk.arc(a))) return false;
  for (const [x, y] of [
    [a, b],
    [b, a],
  ] as const) {
    inherit(walk, x, y, 0);
    if (y.symbol === CONSTANT && x.symbol !== CONSTANT) {
      const fact = state.fact(x.symbol);
      if (fact.made === Made.Signature && fact.offset === 0 && fact.of !== CONSTANT)
        state.facts.set(fact.of, { ...state.fact(fact.of), signature: (y.offset - x.offset) >>> 0 });
    }
    if (x.symbol === FRAME_RETURN && y.symbol === SHADOW_RETURN && x.offset === 0 && y.offset === 0)
      confirmReturn(walk);
  }
  return true;
}

/** The return address from the frame is the one of the shadow stack: it is the one the caller passed. */
function confirmReturn(walk: Walk): void {
  const { symbols } = walk.state;
  for (let l = 0; l < 16; l++) if (symbols[l] === FRAME_RETURN) symbols[l] = ENTRY_RETURN;
}

function differ(walk: Walk, a: Value, b: Value): boolean {
  if (a.symbol === b.symbol) return a.offset !== b.offset;
  const other = walk.arc(b);
  if (!isSingle(other)) return true;
  const rest = without(walk.arc(a), other.start);
  return rest !== null && walk.state.restrict(a, rest);
}

/** a + strict <= b, unsigned. */
function atMost(walk: Walk, a: Value, b: Value, strict: 0 | 1): boolean {
  const { state } = walk;
  if (a.symbol === b.symbol && a.offset === b.offset) return strict === 0;
  const top = high(walk.arc(b)) - strict;
  const bottom = low(walk.arc(a)) + strict;
  if (top < 0 || bottom > 0xffffffff) return false;
  if (!state.restrict(a, range(0, top)) || !state.restrict(b, range(bottom, 0xffffffff))) return false;
  unfoldMaximum(walk, b);
  inherit(walk, a, b, strict);
  noteSize(walk, b);
  return true;
}

/** What is now known to be above the constant that it is the maximum of has everything that the other operand has. */
function unfoldMaximum({ state }: Walk, { symbol }: Value): void {
  const { made, of, offset, detail } = state.fact(symbol);
  if (symbol === CONSTANT || made !== Made.Maximum || low(state.arcOf({ symbol, offset: 0 })) <= detail) return;
  for (const relation of state.fact(of).relations)
    state.addRelation(symbol, { ...relation, offset: (relation.offset - offset) | 0 });
}

/** A value that is below an object's size by some slack has a lower bound: so has the size. */
function noteSize(walk: Walk, value: Value): void {
  const { state } = walk;
  for (const object of state.relatedObjects(value)) {
    const slack = state.slack(value, object, walk.minimum);
    if (slack >= 0) state.grown(object, low(walk.arc(value)) + slack, walk.minimum);
  }
}

/** `a` is `strict` or more below `b`, so it is as far below everything that `b` is below. */
function inherit(walk: Walk, a: Value, b: Value, strict: number): void {
  if (a.symbol === CONSTANT) return;
  const { state } = walk;
  for (const object of state.relatedObjects(b)) {
    const slack = state.slack(b, object, walk.minimum);
    if (slack >= 0) state.addRelation(a.symbol, { object, offset: a.offset, slack: slack + strict });
  }
}

function atMostSigned(walk: Walk, a: Value, b: Value, strict: 0 | 1): boolean {
  const { state } = walk;
  const top = signedHigh(walk.arc(b)) - strict;
  const bottom = signedLow(walk.arc(a)) + strict;
  if (top < -0x80000000 || bottom > 0x7fffffff) return false;
  return state.restrict(a, signed(-0x80000000, top)) && state.restrict(b, signed(bottom, 0x7fffffff));
}

const signed = (from: number, to: number): Arc => ({
  start: from >>> 0,
  length: to - from,
  stride: to === from ? 0 : 1,
});

/** SP was found to be at or above the module's stack limit, or that much above it. */
function stackChecked(walk: Walk, a: Value, b: Value): void {
  if (a.symbol !== ENTRY_SP || b.symbol !== CONSTANT) return;
  const limit = b.offset >>> 0;
  const { module, frameWords } = walk.code.func;
  // A frame larger than the limit's address could wrap.
  if (limit < module.stackLimit || 4 * frameWords >= limit) return;
  walk.state.checked = Math.min(walk.state.checked, a.offset - (limit - module.stackLimit));
}

// -- calls

const MEMORY: ObjectKind = 'memory';
const TABLE: ObjectKind = 'table';
/** Structs that runtime functions take in a2, a3. */
const STRUCTS = new Map<string, readonly ObjectKind[]>([
  [LIBCALLS.memoryGrow.symbol, [MEMORY]],
  [LIBCALLS.memoryFill.symbol, [MEMORY]],
  [LIBCALLS.memoryCopy.symbol, [MEMORY, MEMORY]],
  [LIBCALLS.memoryInit.symbol, [MEMORY, 'data-segment']],
  [LIBCALLS.windowMemoryFill.symbol, [MEMORY]],
  [LIBCALLS.windowMemoryCopy.symbol, [MEMORY, MEMORY]],
  [LIBCALLS.windowMemoryInit.symbol, [MEMORY, 'data-segment']],
  [LIBCALLS.tableGrow.symbol, [TABLE]],
  [LIBCALLS.tableFill.symbol, [TABLE]],
  [LIBCALLS.tableCopy.symbol, [TABLE, TABLE]],
  [LIBCALLS.tableInit.symbol, [TABLE, 'element-segment']],
]);

/** The struct whose address the register holds, if it is of that kind and the module's; else complains. */
function structIn(walk: Walk, register: number, kind: ObjectKind): MemoryObject | null {
  const value = walk.get(register);
  const object = value.symbol === CONSTANT ? walk.image.objectAt(value.offset >>> 0) : null;
  const { module } = walk.code.func;
  if (
    object !== null &&
    object.kind === kind &&
    object.start === value.offset >>> 0 &&
    walk.image.mayTouch(module, object)
  )
    return object;
  walk.complain(`a runtime function gets something else than the address of a ${kind} of the module`);
  return null;
}

function passStructs(walk: Walk, symbol: string): void {
  const kinds = STRUCTS.get(symbol);
  if (kinds === undefined) return;
  const [first, second] = kinds.map((kind, k) => structIn(walk, 2 + k, kind)) as [
    MemoryObject | null,
    MemoryObject | null | undefined,
  ];
  if (first === null || first.peer === null || kinds[0] !== TABLE) return;
  const { notes } = walk;
  if (symbol === LIBCALLS.tableGrow.symbol) notes.fillTable(walk, first.peer, walk.get(3), null);
  else if (symbol === LIBCALLS.tableFill.symbol) notes.fillTable(walk, first.peer, walk.get(4), null);
  else if (second === null || second === undefined) return;
  else if (symbol === LIBCALLS.tableCopy.symbol) notes.fillTable(walk, first.peer, null, `table ${second.peer!.id}`);
  else notes.fillTable(walk, first.peer, null, `segment ${second.start}`);
}

/** The callee at an address, if the module may call it. */
function directCallee(walk: Walk, address: number): Callee {
  const target = walk.image.callTarget(walk.code.func.module, address);
  if (target === null) {
    walk.complain(`0x${address.toString(16)} is no function that the module may call`);
    return HOST;
  }
  if (target.kind === 'libcall') passStructs(walk, target.symbol);
  if (target.kind !== 'module') return HOST;
  const sp = walk.get(SP);
  if (walk.checking && sp.symbol === ENTRY_SP)
    walk.calls.noteCall(walk.code.func, walk.address, target.func, sp.offset - walk.state.checked);
  return functionCallee(target.func);
}

/** The callee of a jump or call through a register: a checked reference's code, or a constant that is an entry. */
function indirectCallee(walk: Walk, value: Value): Callee {
  if (value.symbol === CONSTANT) return directCallee(walk, value.offset >>> 0);
  const { signature } = walk.state.fact(value.symbol);
  if (signature !== -1 && value.offset === 4) return signatureCallee(signature);
  walk.complain('indirect call without a check of the signature');
  return HOST;
}

export function call(walk: Walk): void {
  const { row, operands } = walk.inst;
  checkStackAtCall(walk);
  const isDirect = row.flow === 'call';
  const callee = isDirect
    ? directCallee(walk, targetOf(walk.inst, walk.address))
    : indirectCallee(walk, walk.get(operands[0]!));
  walk.notes.arguments(walk, callee);
  walk.begin();
  walk.forget(0);
  const clobbers = isDirect ? walk.calls.clobbers(walk.code.func, targetOf(walk.inst, walk.address)) : ALL_CLOBBERED;
  for (let r = 2; r < 12; r++) {
    if ((clobbers & (1 << r)) === 0) continue;
    walk.define(r, walk.make(r, callee === HOST ? NOTHING : { ...NOTHING, origins: [`result ${callee} ${r - 2}`] }));
  }
}

function checkStackAtCall(walk: Walk): void {
  const { depth } = walk;
  if (depth === null) walk.complain('call with an SP that is not in the frame');
  else if (depth < walk.state.checked) walk.complain('call before the stack limit was checked');
  else if ((depth & 15) !== 0) walk.complain('call with a misaligned SP');
}

// -- leaving the function

/** All that the caller relies on is back in place. */
function checkRestored(walk: Walk): void {
  const is = (register: number, symbol: number): boolean => {
    const value = walk.get(register);
    return value.symbol === symbol && value.offset === 0;
  };
  if (!is(SP, ENTRY_SP)) walk.complain('leaves with SP not restored');
  if (is(0, FRAME_RETURN)) walk.complain('the return address is not compared with the shadow stack');
  else if (!is(0, ENTRY_RETURN)) walk.complain('the return address is not the one the caller passed');
  for (let k = 0; k < 4; k++) if (!is(12 + k, ENTRY_SAVED + k)) walk.complain(`leaves with a${12 + k} not restored`);
}

export function leave(walk: Walk): void {
  checkRestored(walk);
  walk.notes.results(walk);
}

/** A jump out of the function. */
export function tailCall(walk: Walk, address: number): void {
  checkRestored(walk);
  const callee = directCallee(walk, address);
  walk.notes.arguments(walk, callee);
  walk.notes.passResults(walk, callee);
}

/** `jx`: a return, a jump table or a tail call. Gives the targets inside of the function. */
export function jumpRegister(walk: Walk): readonly number[] {
  const value = walk.get(walk.inst.operands[0]!);
  if (value.symbol === ENTRY_RETURN || value.symbol === FRAME_RETURN) {
    leave(walk);
    if (walk.inst.operands[0] !== 0) walk.complain('return through another register than a0');
    return [];
  }
  const fact = value.symbol === CONSTANT ? NOTHING : walk.state.fact(value.symbol);
  if (fact.made === Made.PoolWord && value.offset === 0) return tableTargets(walk, fact.offset, fact.detail);
  checkRestored(walk);
  if (!walk.calls.clobbersAll(walk.code.func)) walk.complain('tail call through a register behind a jump table');
  const callee = indirectCallee(walk, value);
  walk.notes.arguments(walk, callee);
  walk.notes.passResults(walk, callee);
  return [];
}

function tableTargets(walk: Walk, first: number, count: number): number[] {
  const { code } = walk;
  const targets = new Set<number>();
  for (let i = 0; i < count; i++) {
    const word = walk.image.word(first + 4 * i) ?? -1;
    const offset = word - code.func.start;
    if (offset < 0 || offset >= code.func.size || code.at[offset]! < 0) {
      walk.complain(`entry ${i} of the jump table, 0x${(word >>> 0).toString(16)}, is no instruction of the function`);
      continue;
    }
    targets.add(code.at[offset]!);
  }
  return [...targets];
}
