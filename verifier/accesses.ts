// Loads and stores: which place an address can be, whether the function may touch it, what a load gives. The heart of the
// proof: an access is accepted only if every address it can have lies in one object that the module owns or was given.
import { Op } from '../backend-xtensa/isa/table.js';
import { WASM_MEMORY, WASM_SEGMENT, WASM_TABLE } from '../compiler/abi/layout.js';
import { FULL, high, low, range, type Arc } from './arc.js';
import { addValues } from './arithmetic.js';
import type { MemoryObject } from './image.js';
import { LEAF_FRAME_BYTES } from './layout.js';
import { CONSTANT, Made, NOTHING, READABLE, WRITABLE, constantOrigin, type Value } from './facts.js';
import { ENTRY_RETURN, ENTRY_SP, FRAME_RETURN, REGISTERS, SHADOW_RETURN } from './state.js';
import type { Walk } from './walk.js';

const ARC_OF_LOAD: readonly (Arc | undefined)[] = (() => {
  const arcs: (Arc | undefined)[] = [];
  arcs[Op.L8UI] = range(0, 0xff);
  arcs[Op.L16UI] = range(0, 0xffff);
  arcs[Op.L16SI] = { start: 0xffff8000, length: 0xffff, stride: 1 };
  return arcs;
})();

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
/** Location of the frame word at an offset from the entry SP, which is negative and a multiple of 4. */
const locationOf = (offset: number): number => REGISTERS - 1 - offset / 4;

/** A row with a memory access: operands are data, base, and an immediate or an index. */
export function access(walk: Walk): void {
  const { row, operands, opcode } = walk.inst;
  if (opcode === Op.L32R) {
    literal(walk);
    return;
  }
  const [data, base] = operands as [number, number, number];
  const last = row.operands[2]!;
  const isStore = row.access!.kind !== 'load';
  const isFloat = row.operands[0]!.kind === 'fr';
  const { bytes } = row.access!;
  if (row.access!.kind === 'load-store') walk.complain('atomic access');
  walk.begin();
  const from = walk.get(base);
  const address =
    last.kind === 'ar'
      ? addValues(walk, walk.locations + 1, from, walk.get(operands[2]!))
      : { symbol: from.symbol, offset: (from.offset + operands[2]!) | 0 };
  const updates = row.operands[1]!.role === 'usedef';
  // The forms with update use the base alone and add the offset afterwards.
  const place = updates ? from : address;
  if (isStore) store(walk, place, bytes, isFloat ? null : walk.get(data));
  else {
    const value = load(walk, place, bytes, isFloat ? -1 : data);
    if (!isFloat) walk.define(data, value);
  }
  if (updates) walk.define(base, address);
}

function literal(walk: Walk): void {
  const { func } = walk.code;
  const [register, displacement] = walk.inst.operands as [number, number];
  const address = (walk.address + displacement) >>> 0;
  const word = walk.image.word(address);
  if (word === null || address < func.poolStart || address + 4 > func.start) {
    walk.complain('literal outside of the function’s own pool');
    walk.begin();
    walk.forget(register);
    return;
  }
  walk.notes.noteLiteral(address);
  walk.define(register, { symbol: CONSTANT, offset: word | 0 });
}

// -- frame

/** Frame word of an access through the entry SP, `null` if the access is outside of the frame. */
function frameOffset(walk: Walk, offset: number, bytes: number, isStore: boolean): boolean {
  const { depth } = walk;
  if (depth === null || offset < depth || offset + bytes > 0) {
    walk.complain(`stack access at entry SP ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}, outside of the frame`);
    return false;
  }
  if (isStore && offset < walk.state.checked - LEAF_FRAME_BYTES) {
    walk.complain('store to the frame before the stack limit was checked');
    return false;
  }
  return true;
}

/** Offset from the entry SP if the address is in the shadow stack's copy of the frame, else null. */
function shadowOffset(walk: Walk, address: Value): number | null {
  if (walk.image.shadow === null || address.symbol !== ENTRY_SP) return null;
  const offset = (address.offset - walk.image.shadow) | 0;
  return offset < 0 && offset >= -4 * walk.code.func.frameWords ? offset : null;
}

// -- loads

/** Register the load writes (-1: a float register) names the symbol. */
function load(walk: Walk, address: Value, bytes: number, register: number): Value {
  const slot = register < 0 ? walk.locations + 2 : register;
  const arc = ARC_OF_LOAD[walk.inst.opcode] ?? FULL;
  if (address.symbol === ENTRY_SP) return loadFrame(walk, address, bytes, slot, arc);
  if (address.symbol === CONSTANT) return loadConstant(walk, address.offset >>> 0, bytes, slot, arc);
  const pool = poolWords(walk, address, bytes);
  if (pool !== null) return walk.make(slot, { ...NOTHING, made: Made.PoolWord, offset: pool[0], detail: pool[1] });
  const object = contentsAt(walk, address, bytes);
  if (object !== null) {
    if (object.kind === 'table-entries') return walk.make(slot, { ...NOTHING, origins: [`table ${object.id}`] });
    return walk.within(slot, arc);
  }
  if (walk.state.slack(address, READABLE, walk.minimum) >= bytes) return walk.within(slot, arc);
  if (bytes === 4 && register >= 0 && isReference(walk, address)) {
    walk.notes.demand(walk, address);
    return walk.make(slot, { ...NOTHING, made: Made.Signature, of: address.symbol });
  }
  walk.complain(unprovenReason(walk, address, 'load'));
  return walk.within(slot, arc);
}

function loadFrame(walk: Walk, address: Value, bytes: number, slot: number, arc: Arc): Value {
  const shadow = shadowOffset(walk, address);
  if (shadow !== null) {
    if (bytes === 4 && walk.state.shadowed === locationOf(shadow)) return { symbol: SHADOW_RETURN, offset: 0 };
    walk.complain('load of a shadow stack word that does not hold the return address');
    return walk.within(slot, FULL);
  }
  const { offset } = address;
  if (
    !frameOffset(walk, offset, bytes, false) ||
    bytes !== 4 ||
    (offset & 3) !== 0 ||
    offset < -4 * walk.code.func.frameWords
  )
    return walk.within(slot, arc);
  const value = walk.state.get(locationOf(offset));
  if (walk.options.checkReturns && value.symbol === ENTRY_RETURN) return { symbol: FRAME_RETURN, offset: value.offset };
  return value;
}

function loadConstant(walk: Walk, address: number, bytes: number, slot: number, arc: Arc): Value {
  const { image, code } = walk;
  const object = image.objectAt(address);
  if (object === null || address + bytes > object.start + object.size || !image.mayTouch(code.func.module, object)) {
    if (address >= code.func.poolStart && address + bytes <= code.func.start && bytes === 4)
      return walk.make(slot, { ...NOTHING, made: Made.PoolWord, offset: address, detail: 1 });
    if (bytes === 4 && image.functions.has(address + 4)) {
      // The signature of a function that the compiler knew.
      walk.notes.demand(walk, { symbol: CONSTANT, offset: address | 0 });
      return { symbol: CONSTANT, offset: image.word(address)! | 0 };
    }
    walk.complain(
      `load from ${hex(address)}${object === null ? '' : ` (${object.name})`}, which the module may not touch`,
    );
    return walk.within(slot, arc);
  }
  const at = address - object.start;
  const { kind, peer } = object;
  if (kind === 'memory' && bytes === 4) {
    if (at === WASM_MEMORY.offset.base) return { symbol: CONSTANT, offset: peer!.start | 0 };
    if (at === WASM_MEMORY.offset.bytes) return sizeOf(walk, slot, peer!, peer!.size);
  }
  if (kind === 'table' && bytes === 4) {
    if (at === WASM_TABLE.offset.elems) return { symbol: CONSTANT, offset: peer!.start | 0 };
    if (at === WASM_TABLE.offset.size) return sizeOf(walk, slot, peer!, peer!.size / 4);
  }
  if (!withinMinimum(walk, object, at, bytes)) walk.complain(`load from ${object.name} + ${at}, beyond its size`);
  if (kind === 'table-entries') return walk.make(slot, { ...NOTHING, arc, origins: [`table ${object.id}`] });
  if (kind === 'global' && bytes === 4)
    return walk.make(slot, { ...NOTHING, arc, origins: [`global ${object.id}+${at}`] });
  return walk.within(slot, arc);
}

/** Constant addresses need no check as long as they are below a size that is known. */
function withinMinimum(walk: Walk, object: MemoryObject, at: number, bytes: number): boolean {
  const { kind, id } = object;
  if (kind !== 'memory-bytes' && kind !== 'table-entries') return true;
  const units = walk.state.units(id, walk.minimum);
  return kind === 'memory-bytes' ? at + bytes <= units : (at & 3) === 0 && bytes === 4 && at / 4 < units;
}

/** The number of units of growing contents: a bound for ever after. */
function sizeOf(walk: Walk, slot: number, contents: MemoryObject, capacity: number): Value {
  return walk.make(slot, {
    ...NOTHING,
    arc: range(Math.min(contents.minimum, capacity), capacity),
    relations: [{ object: contents.id, offset: 0, slack: 0 }],
  });
}

/** First word and number of words of the function's pool that the address can be, or null. */
function poolWords(walk: Walk, address: Value, bytes: number): [number, number] | null {
  const { poolStart, start } = walk.code.func;
  const arc = walk.arc(address);
  const first = low(arc);
  const last = high(arc);
  if (bytes !== 4 || first < poolStart || last + 4 > start || (first & 3) !== 0) return null;
  return arc.stride % 4 === 0 ? [first, (last - first) / 4 + 1] : null;
}

/** A value that can only be a reference; where from is collected and judged for the whole image. */
export function isReference(walk: Walk, value: Value): boolean {
  if (value.symbol === CONSTANT) return constantOrigin(value.offset) !== null;
  return value.offset === 0 && walk.state.fact(value.symbol).origins !== null;
}

// -- contents of memories and tables

/** The memory or table in which the whole access lies whatever the address's symbol is; null if that is not proved. */
function contentsAt(walk: Walk, address: Value, bytes: number): MemoryObject | null {
  const { state, contents } = walk;
  for (let i = 0; i < contents.length; i++) {
    const object = contents[i]!;
    const inside: Value = { symbol: address.symbol, offset: (address.offset - object.start) | 0 };
    if (object.kind === 'memory-bytes') {
      if (state.slack(inside, object.id, walk.minimum) >= bytes) return object;
    } else if (bytes === 4) {
      const index = tableIndex(walk, inside);
      if (index !== null && state.slack(index, object.id, walk.minimum) >= 1) return object;
    }
  }
  return null;
}

/** value / 4, if the value was made by a shift of something. */
function tableIndex(walk: Walk, value: Value): Value | null {
  if (value.symbol === CONSTANT) return null;
  const fact = walk.state.fact(value.symbol);
  if (fact.made !== Made.Shifted || fact.detail !== 2 || (value.offset & 3) !== 0) return null;
  return { symbol: fact.of, offset: (fact.offset + value.offset / 4) | 0 };
}

function unprovenReason(walk: Walk, address: Value, what: string): string {
  const arc = walk.arc(address);
  const known = low(arc) === 0 && high(arc) === 0xffffffff ? 'anything' : `${hex(low(arc))}..${hex(high(arc))}`;
  return `${what} at an address that is not proved to be inside an object of the module (it can be ${known})`;
}

// -- stores

function store(walk: Walk, address: Value, bytes: number, value: Value | null): void {
  if (address.symbol === ENTRY_SP) {
    storeFrame(walk, address, bytes, value);
    return;
  }
  if (address.symbol === CONSTANT) {
    storeConstant(walk, address.offset >>> 0, bytes, value);
    return;
  }
  const object = contentsAt(walk, address, bytes);
  if (object === null) {
    if (walk.state.slack(address, WRITABLE, walk.minimum) >= bytes) return;
    walk.complain(unprovenReason(walk, address, 'store'));
    return;
  }
  if (object.kind === 'table-entries') storeEntry(walk, object, value);
}

function storeFrame(walk: Walk, address: Value, bytes: number, value: Value | null): void {
  const { state } = walk;
  const shadow = shadowOffset(walk, address);
  if (shadow !== null) {
    const { depth } = walk;
    const isReturn = value !== null && value.symbol === ENTRY_RETURN && value.offset === 0;
    if (bytes !== 4 || !isReturn || depth === null || shadow < depth || shadow < state.checked - LEAF_FRAME_BYTES)
      walk.complain('store to the shadow stack that does not save this function’s return address');
    else state.shadowed = locationOf(shadow);
    return;
  }
  const { offset } = address;
  if (!frameOffset(walk, offset, bytes, true)) return;
  // Words that the store touches only in part hold something unknown.
  const firstWord = offset & ~3;
  for (let word = firstWord; word < offset + bytes; word += 4) {
    const location = locationOf(word);
    if (location >= walk.locations) continue;
    const whole = word === offset && bytes === 4 && value !== null;
    state.set(location, whole ? value : walk.within(walk.locations + 2, FULL));
  }
}

function storeConstant(walk: Walk, address: number, bytes: number, value: Value | null): void {
  const { image, code } = walk;
  const object = image.objectAt(address);
  if (object === null || address + bytes > object.start + object.size || !image.mayTouch(code.func.module, object)) {
    walk.complain(
      `store to ${hex(address)}${object === null ? '' : ` (${object.name})`}, which the module may not touch`,
    );
    return;
  }
  const at = address - object.start;
  switch (object.kind) {
    case 'memory-bytes':
      if (!withinMinimum(walk, object, at, bytes)) walk.complain(`store to ${object.name} + ${at}, beyond its size`);
      return;
    case 'table-entries':
      if (!withinMinimum(walk, object, at, bytes)) walk.complain(`store to ${object.name} + ${at}, beyond its size`);
      storeEntry(walk, object, value);
      return;
    case 'global':
      walk.notes.storeGlobal(walk, object, at, value);
      return;
    case 'argument-buffer':
      return;
    case 'data-segment':
    case 'element-segment':
      if (
        at !== WASM_SEGMENT.offset.length ||
        bytes !== 4 ||
        value === null ||
        value.symbol !== CONSTANT ||
        value.offset !== 0
      )
        walk.complain('store to a segment that does not drop it');
      return;
    default:
      walk.complain(`store to ${object.name}, which only the runtime may change`);
  }
}

function storeEntry(walk: Walk, table: MemoryObject, value: Value | null): void {
  walk.notes.storeEntry(walk, table, value);
}
