// The abstract state at a program point: which symbolic value each register and frame word holds, and what is known of each
// symbol. Knows no joins, no instruction and no memory object beyond its number.
//
// A symbol stands for the value that a location got at the latest execution of one place in the code (an instruction, or the
// arrival at a block). A value is a symbol plus a constant modulo 2^32, or a constant (symbol 0). When a place runs again, what
// still holds its old value is renamed, so equal values are equal numbers at every moment of every execution.
import { FULL, high, intersect, isFull, low, sameArc, scaleDown, scaleUp, shift, single, type Arc } from './arc.js';
import {
  CONSTANT,
  MAX_RELATIONS,
  Made,
  NOTHING,
  constantOrigin,
  isPlaceless,
  sameFact,
  type Fact,
  type Minimum,
  type Relation,
  type Value,
} from './facts.js';

/** Symbols that exist in every function. */
export const ENTRY_SP = 1;
export const ENTRY_RETURN = 2;
/** a12..a15 as the caller left them: 3..6. */
export const ENTRY_SAVED = 3;
/** A return address as read from the frame and from the shadow stack, before they are compared (`--cfi full`). */
export const FRAME_RETURN = 7;
export const SHADOW_RETURN = 8;
export const FIRST_FREE = 9;

export const SP = 1;
export const REGISTERS = 16;

const NO_SIZES: ReadonlyMap<number, number> = new Map();

export class State {
  /** 0..15: registers; then frame words, downwards from the entry SP. */
  readonly symbols: Int32Array;
  readonly offsets: Int32Array;
  facts: Map<number, Fact>;
  /** Lowest SP, relative to entry, that is known to be above the stack limit. */
  checked = 0;
  /** Location of the frame word whose place in the shadow stack holds the return address, or -1. */
  shadowed = -1;
  /** Units that an object is known to have by now, where that is more than at instantiation. */
  sizes: ReadonlyMap<number, number> = NO_SIZES;

  constructor(locations: number) {
    this.symbols = new Int32Array(locations);
    this.offsets = new Int32Array(locations);
    this.facts = new Map();
  }

  copy(): State {
    const state = new State(this.symbols.length);
    state.symbols.set(this.symbols);
    state.offsets.set(this.offsets);
    state.facts = new Map(this.facts);
    state.checked = this.checked;
    state.shadowed = this.shadowed;
    state.sizes = this.sizes;
    return state;
  }

  get(location: number): Value {
    return { symbol: this.symbols[location]!, offset: this.offsets[location]! };
  }
  set(location: number, value: Value): void {
    this.symbols[location] = value.symbol;
    this.offsets[location] = value.offset | 0;
  }

  fact(symbol: number): Fact {
    return this.facts.get(symbol) ?? NOTHING;
  }

  /** Members the value can have. */
  arcOf(value: Value): Arc {
    if (value.symbol === CONSTANT) return single(value.offset);
    return shift(this.symbolArc(value.symbol, 4), value.offset);
  }

  private symbolArc(symbol: number, depth: number): Arc {
    const fact = this.facts.get(symbol);
    if (fact === undefined) return FULL;
    if ((fact.made !== Made.Shifted && fact.made !== Made.ShiftedDown) || depth === 0) return fact.arc;
    const inner = fact.of === CONSTANT ? single(fact.offset) : shift(this.symbolArc(fact.of, depth - 1), fact.offset);
    const made = fact.made === Made.Shifted ? scaleUp(inner, fact.detail) : scaleDown(inner, fact.detail);
    return intersect(fact.arc, made) ?? fact.arc;
  }

  /** Largest known k with u32(value) + k <= units of the object; -1 if nothing is known. */
  slack(value: Value, object: number, minimum: Minimum): number {
    let best = isPlaceless(object) ? -1 : this.units(object, minimum) - high(this.arcOf(value));
    if (value.symbol !== CONSTANT) {
      const { relations } = this.fact(value.symbol);
      for (let i = 0; i < relations.length; i++) {
        const relation = relations[i]!;
        if (relation.object !== object) continue;
        const distance = (value.offset - relation.offset) | 0;
        const rest = relation.slack - distance;
        if (rest <= best) continue;
        // Upwards the sum stays below 2^32 because it stays within the object; downwards the arc must say so.
        if (distance >= 0) {
          if (rest >= 0) best = rest;
        } else if (
          !isPlaceless(object) &&
          low(this.arcOf({ symbol: value.symbol, offset: relation.offset })) >= -distance
        )
          best = rest;
      }
    }
    return best < 0 ? -1 : best;
  }

  /** Units that the object has at least. */
  units(object: number, minimum: Minimum): number {
    return Math.max(minimum(object), this.sizes.get(object) ?? 0);
  }

  /** The object has `units` or more, now and later. */
  grown(object: number, units: number, minimum: Minimum): void {
    if (units > this.units(object, minimum)) this.sizes = new Map([...this.sizes, [object, units]]);
  }

  /** Objects that some relation of the value's symbol speaks of. */
  relatedObjects(value: Value): number[] {
    if (value.symbol === CONSTANT) return [];
    const objects = this.fact(value.symbol).relations.map(({ object }) => object);
    return [...new Set(objects.filter((object) => !isPlaceless(object)))];
  }

  addRelation(symbol: number, relation: Relation): void {
    const fact = this.fact(symbol);
    const { relations } = fact;
    const kept: Relation[] = [];
    for (const known of relations) {
      if (known.object === relation.object && known.offset === relation.offset) {
        if (known.slack >= relation.slack) return;
      } else kept.push(known);
    }
    kept.push(relation);
    if (kept.length > MAX_RELATIONS) kept.shift();
    this.facts.set(symbol, { ...fact, relations: kept });
  }

  /** A symbol that is (symbol + offset) << bits, with that offset; null if none is known. */
  shiftedFrom(symbol: number, bits: number): Value | null {
    for (const [made, fact] of this.facts)
      if (fact.made === Made.Shifted && fact.of === symbol && fact.detail === bits)
        return { symbol: made, offset: fact.offset };
    return null;
  }

  /** Narrows what the value can be; false if nothing is left, so that the place is not reached. */
  restrict(value: Value, arc: Arc): boolean {
    if (value.symbol === CONSTANT) return intersect(single(value.offset), arc) !== null;
    const fact = this.fact(value.symbol);
    const met = intersect(this.symbolArc(value.symbol, 4), shift(arc, -value.offset));
    if (met === null) return false;
    if (!sameArc(met, fact.arc)) this.facts.set(value.symbol, { ...fact, arc: met });
    return true;
  }

  /** Forgets how other symbols were made from those that are about to stand for new values. */
  forgetSource(isRenewed: (symbol: number) => boolean): void {
    for (const [symbol, fact] of this.facts) {
      if (fact.made === Made.Anyhow || fact.made === Made.PoolWord || !isRenewed(fact.of)) continue;
      const arc = this.symbolArc(symbol, 4);
      this.facts.set(symbol, { ...fact, arc, made: Made.Anyhow, of: 0, offset: 0, detail: 0 });
    }
  }

  /** What is known of a value, as facts about a symbol equal to it. */
  describe(value: Value): Fact {
    const arc = this.arcOf(value);
    if (value.symbol === CONSTANT) return { ...NOTHING, arc, origins: constantOrigin(value.offset) };
    const fact = this.fact(value.symbol);
    const relations = fact.relations.map((r) => ({ ...r, offset: (r.offset - value.offset) | 0 }));
    const plain = value.offset === 0;
    return {
      arc,
      relations,
      made: Made.Anyhow,
      of: 0,
      offset: 0,
      detail: 0,
      signature: plain ? fact.signature : -1,
      origins: plain ? fact.origins : null,
    };
  }

  /** Drops facts of symbols that nothing holds any more and that nothing can be computed to again. */
  prune(): void {
    const { facts, symbols } = this;
    if (facts.size === 0) return;
    const live = new Set<number>();
    for (let i = 0; i < symbols.length; i++) {
      let symbol = symbols[i]!;
      while (symbol !== CONSTANT && !live.has(symbol)) {
        live.add(symbol);
        const fact = facts.get(symbol);
        if (fact === undefined || fact.made === Made.Anyhow || fact.made === Made.PoolWord) break;
        symbol = fact.of;
      }
    }
    for (const [symbol, { made, of, arc, relations }] of facts) {
      if (live.has(symbol)) continue;
      const isComputable = made === Made.Shifted && live.has(of) && (relations.length > 0 || !isFull(arc));
      if (!isComputable) facts.delete(symbol);
    }
  }
}

export function sameState(a: State, b: State): boolean {
  if (a.checked !== b.checked || a.shadowed !== b.shadowed || a.facts.size !== b.facts.size) return false;
  if (a.sizes.size !== b.sizes.size || [...a.sizes].some(([object, units]) => b.sizes.get(object) !== units))
    return false;
  for (let l = 0; l < a.symbols.length; l++)
    if (a.symbols[l] !== b.symbols[l] || a.offsets[l] !== b.offsets[l]) return false;
  for (const [symbol, fact] of a.facts) if (!sameFact(fact, b.fact(symbol))) return false;
  return true;
}
