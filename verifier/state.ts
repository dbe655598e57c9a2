// The abstract state at a program point: which symbolic value each register and frame word holds, and what is known of each
// symbol. Knows joins and widening; no instruction and no memory object beyond its number.
//
// A symbol stands for the value that a location got at the latest execution of one place in the code (an instruction, or the
// arrival at a block). A value is a symbol plus a constant modulo 2^32, or a constant (symbol 0). When a place runs again, what
// still holds its old value is renamed, so equal values are equal numbers at every moment of every execution.
import {
  FULL,
  gcd,
  hull,
  high,
  isFull,
  low,
  sameArc,
  scaleDown,
  scaleUp,
  shift,
  single,
  intersect,
  within,
  type Arc,
} from './arc.js';

/** u32(symbol + offset) + slack <= units that object `object` has, now and later. */
export interface Relation {
  readonly object: number;
  readonly offset: number;
  readonly slack: number;
}

/**
 * Objects without a place: u32(symbol + offset) is the native address of `slack` bytes that the function may read or write,
 * in its own memory or in a grant window. Says nothing of what lies below or of the address as a number.
 */
export const READABLE = -1;
export const WRITABLE = -2;
const isPlaceless = (object: number): boolean => object < 0;

/** How a symbol came about, where that matters later. `of`/`offset`: the value it was made from. */
export const enum Made {
  Anyhow,
  /** (of + offset) << detail */
  Shifted,
  /** (of + offset) >>> detail */
  ShiftedDown,
  /** The word at reference (of + offset): a signature. */
  Signature,
  /** A word of the function's own pool: one of `detail` words from address `offset` on. */
  PoolWord,
  /** The larger of (of + offset) and `detail`, unsigned. */
  Maximum,
}

/** What may be the origin of a word that could be a reference to a function; see references.ts. */
export type Origin = string;

export interface Fact {
  readonly arc: Arc;
  readonly relations: readonly Relation[];
  readonly made: Made;
  readonly of: number;
  readonly offset: number;
  readonly detail: number;
  /** Signature word found behind the reference that the symbol is, or -1. */
  readonly signature: number;
  /** Where it comes from if it can only be a reference; null: anything. */
  readonly origins: readonly Origin[] | null;
}

/** Null and code addresses may be references; no other constant. */
export function constantOrigin(value: number): readonly Origin[] | null {
  return value === 0 || (value >>> 0 >= 0x40000000 && value >>> 0 < 0x40400000) ? [`constant ${value >>> 0}`] : null;
}

const NO_RELATIONS: readonly Relation[] = [];
export const NOTHING: Fact = {
  arc: FULL,
  relations: NO_RELATIONS,
  made: Made.Anyhow,
  of: 0,
  offset: 0,
  detail: 0,
  signature: -1,
  origins: null,
};

export interface Value {
  readonly symbol: number;
  readonly offset: number;
}

export const CONSTANT = 0;
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
/** Relations kept of one symbol. */
const MAX_RELATIONS = 6;
/** Visits of a block after which growing arcs are widened, and after which changing facts are dropped. */
const WIDEN_AFTER = 3;
const DROP_AFTER = 24;

/** Minimum units of each object, by object number. */
export type Minimum = (object: number) => number;

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

/** Gives the symbols that a place owns. */
export interface Symbols {
  /** The symbol of `location` on arrival at `block`. */
  arrival(block: number, location: number): number;
  ownedByBlock(symbol: number, block: number): boolean;
  /** Constants the symbol was compared with, less the offset: where widening may stop. */
  thresholds(symbol: number): readonly number[];
}

/**
 * How states are joined. `up`: arcs of loops are widened; facts that an edge has only because it was computed from older
 * states are left out of account. `down`: as `up`, without widening: what was widened too far comes back. `strict`: the plain
 * join of all that all edges say; what it implies is proved, however it was found.
 */
export type JoinMode = 'up' | 'down' | 'strict';

export interface Arrival {
  readonly block: number;
  readonly incoming: readonly State[];
  /** Edges from blocks that come earlier in reverse postorder. */
  readonly isForward: readonly boolean[];
  /** Locations that the loop with this header changes, as flags; null if the block is no header. */
  readonly changed: Uint8Array | null;
  /** The state computed last time, or null. */
  readonly before: State | null;
  readonly visits: number;
  readonly loop: HardwareLoop | null;
}

/** The state on arrival at a block from the states on its incoming edges. */
export function join(arrival: Arrival, mode: JoinMode, symbols: Symbols, minimum: Minimum): State {
  const { block, incoming, isForward, changed, before, visits, loop } = arrival;
  const first = incoming[0]!;
  if (incoming.length === 1 && !first.symbols.some((symbol) => symbols.ownedByBlock(symbol, block)))
    return first.copy();
  const state = new State(first.symbols.length);
  state.checked = Math.max(...incoming.map(({ checked }) => checked));
  state.shadowed = incoming.every(({ shadowed }) => shadowed === first.shadowed) ? first.shadowed : -1;
  state.sizes = commonSizes(incoming);
  const parallel = new ParallelLocations(incoming);
  // Around a loop that does not change a location nothing new comes, whatever older states say.
  const entries =
    mode === 'strict' || changed === null || !isForward.includes(true)
      ? incoming
      : incoming.filter((_, i) => isForward[i]);
  const unchanged = new ParallelLocations(entries);
  for (let l = 0; l < state.symbols.length; l++) {
    const isUnchanged = entries.length < incoming.length && changed![l] === 0;
    const edges = isUnchanged ? entries : incoming;
    const settled =
      mode === 'up' &&
      visits > DROP_AFTER &&
      !isUnchanged &&
      before !== null &&
      symbols.ownedByBlock(before.symbols[l]!, block);
    const value = settled ? null : common(arrival, edges, l, symbols, mode === 'strict');
    if (value !== null) {
      state.set(l, value);
      continue;
    }
    if (!settled) {
      const other = (isUnchanged ? unchanged : parallel).find(l);
      if (other >= 0) {
        const offset = (edges[0]!.offsets[l]! - edges[0]!.offsets[other]!) | 0;
        state.set(l, { symbol: state.symbols[other]!, offset });
        continue;
      }
    }
    const own = symbols.arrival(block, l);
    let fact: Fact | null = null;
    for (const edge of edges) {
      const described = edge.describe(edge.get(l));
      fact = fact === null ? described : joinFacts(fact, described, minimum);
    }
    const known = before === null || before.symbols[l] !== own ? null : before.fact(own);
    if (known !== null && mode === 'up') fact = widen(known, fact!, visits, symbols.thresholds(own));
    if (isKnown(fact!)) state.facts.set(own, fact!);
    state.set(l, { symbol: own, offset: 0 });
  }
  boundInductions(state, incoming, block, symbols, loop);
  joinOtherFacts(state, arrival, mode, symbols, minimum);
  return state;
}

/** Sizes that all edges know. */
function commonSizes(incoming: readonly State[]): ReadonlyMap<number, number> {
  let sizes = incoming[0]!.sizes;
  for (let i = 1; i < incoming.length && sizes.size > 0; i++) {
    const other = incoming[i]!.sizes;
    if (other === sizes) continue;
    sizes = new Map(
      [...sizes].flatMap(([object, units]) =>
        other.has(object) ? [[object, Math.min(units, other.get(object)!)]] : [],
      ),
    );
  }
  return sizes;
}

/** True if everything that `assumed` says on arrival at the block follows from `proved`, a strict join. */
export function implies(proved: State, assumed: State, block: number, symbols: Symbols, minimum: Minimum): boolean {
  if (proved.checked > assumed.checked) return false;
  if (assumed.shadowed !== -1 && assumed.shadowed !== proved.shadowed) return false;
  for (const [object, units] of assumed.sizes) if ((proved.sizes.get(object) ?? 0) < units) return false;
  for (let l = 0; l < assumed.symbols.length; l++) {
    const symbol = assumed.symbols[l]!;
    if (symbols.ownedByBlock(symbol, block) && symbol === symbols.arrival(block, l)) {
      if (assumed.offsets[l] !== 0) return false;
      if (!factImplies(proved.describe(proved.get(l)), assumed.fact(symbol), minimum)) return false;
    } else if (symbol !== proved.symbols[l] || assumed.offsets[l] !== proved.offsets[l]) return false;
  }
  for (const [symbol, fact] of assumed.facts) {
    if (symbols.ownedByBlock(symbol, block)) continue;
    const known = { ...proved.fact(symbol), arc: proved.arcOf({ symbol, offset: 0 }) };
    if (!factImplies(known, fact, minimum)) return false;
  }
  return true;
}

/** As much of `assumed` as follows from `proved`: what does not is dropped, or taken from there if `adopt`. */
export function weaken(
  proved: State,
  assumed: State,
  block: number,
  symbols: Symbols,
  minimum: Minimum,
  adopt: boolean,
): State {
  const state = assumed.copy();
  state.checked = Math.max(proved.checked, assumed.checked);
  if (proved.shadowed !== assumed.shadowed) state.shadowed = -1;
  state.sizes = commonSizes([assumed, proved]);
  const weaker = (known: Fact, fact: Fact): Fact => {
    if (factImplies(known, fact, minimum)) return fact;
    const joined = joinFacts(known, fact, minimum);
    return adopt || factImplies(known, joined, minimum) ? joined : { ...joined, arc: FULL };
  };
  for (let l = 0; l < state.symbols.length; l++) {
    const symbol = state.symbols[l]!;
    const renamed = symbols.ownedByBlock(symbol, block) && symbol === symbols.arrival(block, l);
    if (!renamed && symbol === proved.symbols[l] && state.offsets[l] === proved.offsets[l]) continue;
    const own = symbols.arrival(block, l);
    const known = proved.describe(proved.get(l));
    const fact = symbol === own ? weaker(known, state.fact(own)) : known;
    state.set(l, { symbol: own, offset: 0 });
    if (isKnown(fact)) state.facts.set(own, fact);
    else state.facts.delete(own);
  }
  for (const [symbol, fact] of state.facts) {
    if (symbols.ownedByBlock(symbol, block)) continue;
    const known = { ...proved.fact(symbol), arc: proved.arcOf({ symbol, offset: 0 }) };
    if (!factImplies(known, fact, minimum)) state.facts.set(symbol, weaker(known, fact));
  }
  return state;
}

function factImplies(proved: Fact, assumed: Fact, minimum: Minimum): boolean {
  if (proved === assumed) return true;
  if (!isFull(assumed.arc) && !within(proved.arc, assumed.arc)) return false;
  if (assumed.signature !== -1 && assumed.signature !== proved.signature) return false;
  if (
    assumed.origins !== null &&
    (proved.origins === null || !proved.origins.every((o) => assumed.origins!.includes(o)))
  )
    return false;
  if (assumed.made !== Made.Anyhow) {
    const { made, of, offset, detail } = assumed;
    if (proved.made !== made || proved.of !== of || proved.offset !== offset || proved.detail !== detail) return false;
  }
  return assumed.relations.every((r) => slackOf(proved, r.offset, r.object, minimum) >= r.slack);
}

/** A zero-overhead loop whose body is entered only at its top, makes no calls and has no other such loop inside. */
export interface HardwareLoop {
  /** Which of the incoming edges go round. */
  readonly isBack: readonly boolean[];
  /** Most times it goes round. */
  readonly rounds: number;
}

/** A location that changes by the same constant on all edges that go round. */
interface Induction {
  readonly symbol: number;
  /** Signed, not 0. */
  readonly step: number;
  /** What it can be at the first arrival. */
  readonly base: Arc;
  /** The edges that go round, as a key. */
  readonly edges: string;
}

/**
 * Counts together what changes together: if one location of a loop stays in an arc while it goes forward by a step each
 * round, the number of rounds has a bound, and so has every other location that steps on the same edges.
 */
function boundInductions(
  state: State,
  incoming: readonly State[],
  block: number,
  symbols: Symbols,
  loop: HardwareLoop | null,
): void {
  const inductions: Induction[] = [];
  for (let l = 0; l < state.symbols.length; l++) {
    const own = state.symbols[l]!;
    if (!symbols.ownedByBlock(own, block) || own !== symbols.arrival(block, l)) continue;
    const found = inductionOf(incoming, l, own);
    if (found !== null) inductions.push(found);
  }
  if (inductions.length === 0) return;
  const rounds = new Map<string, number>();
  if (loop !== null) rounds.set(loop.isBack.map((back) => (back ? 'b' : 'e')).join(''), loop.rounds);
  for (const { symbol, step, edges } of inductions) {
    const { length } = state.fact(symbol).arc;
    if (length + Math.abs(step) > 0xffffffff) continue;
    const most = Math.floor(length / Math.abs(step));
    if (most < (rounds.get(edges) ?? Infinity)) rounds.set(edges, most);
  }
  for (const { symbol, step, base, edges } of inductions) {
    const most = rounds.get(edges);
    if (most === undefined) continue;
    const length = base.length + most * Math.abs(step);
    if (length > 0xffffffff) continue;
    const start = step > 0 ? base.start : (base.start + most * step) >>> 0;
    const stride = gcd(base.stride, Math.abs(step));
    const fact = state.fact(symbol);
    const arc = intersect(fact.arc, { start, length, stride: length === 0 ? 0 : stride });
    if (arc !== null && !sameArc(arc, fact.arc)) state.facts.set(symbol, { ...fact, arc });
  }
}

function inductionOf(incoming: readonly State[], l: number, own: number): Induction | null {
  let step = 0;
  let base: Arc | null = null;
  let edges = '';
  for (const edge of incoming) {
    const offset = edge.offsets[l]!;
    if (edge.symbols[l] === own) {
      if (offset === 0 || (step !== 0 && step !== offset)) return null;
      step = offset;
      edges += 'b';
    } else {
      const arc = edge.arcOf(edge.get(l));
      base = base === null ? arc : hull(base, arc);
      edges += 'e';
    }
  }
  return step === 0 || base === null || isFull(base) ? null : { symbol: own, step, base, edges };
}

/** The value that every edge brings for a location; null if they differ or the block's own arrival renames it. */
function common(
  { block, before }: Arrival,
  edges: readonly State[],
  l: number,
  symbols: Symbols,
  strict: boolean,
): Value | null {
  let value: Value | null = null;
  for (const edge of edges) {
    const symbol = edge.symbols[l]!;
    const offset = edge.offsets[l]!;
    // What came in as this location's own arrival value and was not changed says nothing by itself.
    if (!strict && before !== null && symbol === before.symbols[l] && offset === before.offsets[l]) {
      if (symbols.ownedByBlock(symbol, block)) continue;
    }
    if (value === null) value = { symbol, offset };
    else if (value.symbol !== symbol || value.offset !== offset) return null;
  }
  return value === null || symbols.ownedByBlock(value.symbol, block) ? null : value;
}

/** Finds locations that differ by the same constant on every edge: one symbol serves them all. */
class ParallelLocations {
  private readonly bySymbols = new Map<string, number[]>();

  constructor(private readonly incoming: readonly State[]) {}

  /** A location seen before that `l` goes parallel to, or -1; then `l` is remembered. */
  find(l: number): number {
    const { incoming } = this;
    let key = '';
    for (const edge of incoming) key += `${edge.symbols[l]!},`;
    const list = this.bySymbols.get(key);
    if (list === undefined) {
      this.bySymbols.set(key, [l]);
      return -1;
    }
    const [first] = incoming;
    for (const other of list) {
      const distance = (first!.offsets[l]! - first!.offsets[other]!) | 0;
      if (incoming.every((edge) => ((edge.offsets[l]! - edge.offsets[other]!) | 0) === distance)) return other;
    }
    list.push(l);
    return -1;
  }
}

/** Facts about symbols that the block does not rename. */
function joinOtherFacts(state: State, arrival: Arrival, mode: JoinMode, symbols: Symbols, minimum: Minimum): void {
  const { block, incoming, isForward } = arrival;
  const wanted: number[] = [];
  const seen = new Set<number>();
  const want = (symbol: number): void => {
    if (symbol === CONSTANT || seen.has(symbol) || symbols.ownedByBlock(symbol, block)) return;
    seen.add(symbol);
    wanted.push(symbol);
  };
  for (let l = 0; l < state.symbols.length; l++) want(state.symbols[l]!);
  // A symbol that goes round a loop unchanged is as well known at the end of a round as at its beginning.
  const edges = mode === 'strict' || !isForward.includes(true) ? incoming : incoming.filter((_, i) => isForward[i]);
  for (let i = 0; i < wanted.length; i++) {
    const symbol = wanted[i]!;
    let fact = edges[0]!.fact(symbol);
    for (let e = 1; e < edges.length; e++) {
      const other = edges[e]!.fact(symbol);
      if (fact === other) continue;
      const sameMaking =
        fact.made === other.made &&
        fact.of === other.of &&
        fact.offset === other.offset &&
        fact.detail === other.detail;
      fact = joinFacts(fact, other, minimum);
      if (sameMaking) fact = { ...fact, made: other.made, of: other.of, offset: other.offset, detail: other.detail };
    }
    if (fact.of !== CONSTANT && symbols.ownedByBlock(fact.of, block)) {
      const arcs = edges.map((edge) => edge.arcOf({ symbol, offset: 0 }));
      fact = { ...fact, arc: arcs.reduce(hull), made: Made.Anyhow, of: 0, offset: 0, detail: 0 };
    }
    if (!isKnown(fact)) continue;
    state.facts.set(symbol, fact);
    if (fact.made !== Made.Anyhow && fact.made !== Made.PoolWord) want(fact.of);
  }
}

const isKnown = (fact: Fact): boolean =>
  !isFull(fact.arc) ||
  fact.relations.length > 0 ||
  fact.made !== Made.Anyhow ||
  fact.signature !== -1 ||
  fact.origins !== null;

/** What holds for two symbols of which the joined one may be either; how they were made is not kept. */
export function joinFacts(a: Fact, b: Fact, minimum: Minimum): Fact {
  if (a === b) return a;
  const relations: Relation[] = [];
  const transfer = (from: Fact, other: Fact): void => {
    for (const relation of from.relations) {
      if (relations.length >= MAX_RELATIONS) return;
      if (relations.some((r) => r.object === relation.object && r.offset === relation.offset)) continue;
      const slack = Math.min(relation.slack, slackOf(other, relation.offset, relation.object, minimum));
      if (slack >= 0) relations.push(slack === relation.slack ? relation : { ...relation, slack });
    }
  };
  transfer(a, b);
  transfer(b, a);
  return {
    arc: hull(a.arc, b.arc),
    relations: relations.length === 0 ? NO_RELATIONS : relations,
    made: Made.Anyhow,
    of: 0,
    offset: 0,
    detail: 0,
    signature: a.signature === b.signature ? a.signature : -1,
    origins: a.origins === null || b.origins === null ? null : union(a.origins, b.origins),
  };
}

function union(a: readonly Origin[], b: readonly Origin[]): readonly Origin[] {
  if (b.every((origin) => a.includes(origin))) return a;
  return [...a, ...b.filter((origin) => !a.includes(origin))];
}

/** State.slack for a symbol that only `fact` describes. */
function slackOf(fact: Fact, offset: number, object: number, minimum: Minimum): number {
  let best = isPlaceless(object) ? -1 : minimum(object) - high(shift(fact.arc, offset));
  for (const relation of fact.relations) {
    if (relation.object !== object) continue;
    const distance = (offset - relation.offset) | 0;
    const rest = relation.slack - distance;
    if (rest <= best) continue;
    if (distance >= 0) {
      if (rest >= 0) best = rest;
    } else if (!isPlaceless(object) && low(shift(fact.arc, relation.offset)) >= -distance) best = rest;
  }
  return best;
}

/** Lets a loop's growing facts end: arcs stop at thresholds, then at everything; weakening relations are dropped. */
function widen(before: Fact, now: Fact, visits: number, thresholds: readonly number[]): Fact {
  // Early visits see edges that are still to be computed again: only later ones count for good.
  if (visits <= WIDEN_AFTER) return now;
  const joined = within(now.arc, before.arc) ? before.arc : hull(before.arc, now.arc);
  let { relations } = now;
  const kept = relations.filter((r) =>
    before.relations.some((b) => b.object === r.object && b.offset === r.offset && b.slack <= r.slack),
  );
  if (kept.length < relations.length) relations = kept;
  if (sameArc(joined, before.arc)) return { ...now, arc: joined, relations };
  return { ...now, arc: visits > DROP_AFTER ? FULL : widenArc(before.arc, joined, thresholds), relations };
}

function widenArc(before: Arc, now: Arc, thresholds: readonly number[]): Arc {
  const down = (before.start - now.start) >>> 0;
  let { start, length } = now;
  const stride = now.stride === 0 ? 1 : now.stride;
  /** Smallest length, a multiple of the stride, that ends at a threshold. */
  const stop = (distances: readonly number[]): number => {
    const ends = distances.map((d) => Math.floor(d / stride) * stride).filter((d) => d >= length);
    return ends.length === 0 ? -1 : Math.min(...ends);
  };
  if (length > down + before.length) {
    length = stop(thresholds.map((t) => (t - start) >>> 0));
    if (length < 0) return FULL;
  }
  if (down > 0) {
    const last = start + length;
    length = stop(thresholds.map((t) => (last - t) >>> 0));
    if (length < 0) return FULL;
    start = (last - length) >>> 0;
  }
  return { start, length, stride: length === 0 ? 0 : stride };
}

export function sameFact(a: Fact, b: Fact): boolean {
  if (a === b) return true;
  if (!sameArc(a.arc, b.arc) || a.made !== b.made || a.of !== b.of || a.offset !== b.offset) return false;
  if (a.detail !== b.detail || a.signature !== b.signature || a.relations.length !== b.relations.length) return false;
  if ((a.origins === null) !== (b.origins === null)) return false;
  if (a.origins !== null && (a.origins.length !== b.origins!.length || !a.origins.every((o) => b.origins!.includes(o))))
    return false;
  return a.relations.every((r) =>
    b.relations.some((s) => s.object === r.object && s.offset === r.offset && s.slack === r.slack),
  );
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
