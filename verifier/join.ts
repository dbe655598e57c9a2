// States where ways meet: what holds on arrival at a block whatever edge led there, with widening for loops; and the proof that
// an assumed state follows. Knows facts and states; no instruction and no memory object beyond its number.
import { FULL, gcd, hull, intersect, isFull, sameArc, type Arc } from './arc.js';
import {
  CONSTANT,
  DROP_AFTER,
  Made,
  factImplies,
  isKnown,
  joinFacts,
  widen,
  widenArc,
  type Fact,
  type Minimum,
  type Value,
} from './facts.js';
import { State } from './state.js';

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
  /** Loops that are entered at the block, outermost first. */
  readonly loops: readonly Loop[];
  /** The state computed last time, or null. */
  readonly before: State | null;
  readonly visits: number;
  readonly hardware: HardwareLoop | null;
}

/** Times that a state which is not proved takes over what is, and after which its arcs are no longer widened but dropped. */
const ADOPTIONS = 4;
const WIDENINGS = 28;

export interface Loop {
  /** Locations that some block of it has changed so far, as flags. */
  readonly changed: Uint8Array;
  /** States on all edges that lead into it from outside. */
  readonly entering: readonly State[];
  /** All of those lead to the same block. */
  readonly isEnteredOnce: boolean;
}

/** The state on arrival at a block from the states on its incoming edges. */
export function join(arrival: Arrival, mode: JoinMode, symbols: Symbols, minimum: Minimum): State {
  const { block, incoming, before, visits, hardware } = arrival;
  const first = incoming[0]!;
  if (incoming.length === 1 && !first.symbols.some((symbol) => symbols.ownedByBlock(symbol, block)))
    return first.copy();
  const state = new State(first.symbols.length);
  state.checked = Math.max(...incoming.map(({ checked }) => checked));
  state.shadowed = incoming.every(({ shadowed }) => shadowed === first.shadowed) ? first.shadowed : -1;
  state.sizes = commonSizes(incoming);
  const all = { changed: null, entering: incoming, parallel: new ParallelLocations(incoming) };
  // Around a loop that does not change a location nothing new comes, whatever older states say.
  const loops =
    mode === 'strict'
      ? []
      : arrival.loops
          .filter(({ entering }) => entering.length > 0)
          .map((loop) => ({ ...loop, parallel: new ParallelLocations(loop.entering) }));
  for (let l = 0; l < state.symbols.length; l++) {
    const source = loops.find(({ changed }) => changed[l] === 0) ?? all;
    const edges = source.entering;
    const isUnchanged = source !== all;
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
      const other = source.parallel.find(l);
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
  boundInductions(state, incoming, block, symbols, hardware);
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

/**
 * As much of `assumed` as follows from `proved`. What does not is taken from there the first `times`, then arcs are widened, at
 * last dropped.
 */
export function weaken(
  proved: State,
  assumed: State,
  block: number,
  symbols: Symbols,
  minimum: Minimum,
  times: number,
): State {
  const state = assumed.copy();
  state.checked = Math.max(proved.checked, assumed.checked);
  if (proved.shadowed !== assumed.shadowed) state.shadowed = -1;
  state.sizes = commonSizes([assumed, proved]);
  const weaker = (known: Fact, fact: Fact, symbol: number): Fact => {
    if (factImplies(known, fact, minimum)) return fact;
    const joined = joinFacts(known, fact, minimum);
    if (times <= ADOPTIONS || sameArc(joined.arc, fact.arc)) return joined;
    return { ...joined, arc: times > WIDENINGS ? FULL : widenArc(fact.arc, joined.arc, symbols.thresholds(symbol)) };
  };
  for (let l = 0; l < state.symbols.length; l++) {
    const symbol = state.symbols[l]!;
    const renamed = symbols.ownedByBlock(symbol, block) && symbol === symbols.arrival(block, l);
    if (!renamed && symbol === proved.symbols[l] && state.offsets[l] === proved.offsets[l]) continue;
    const own = symbols.arrival(block, l);
    const known = proved.describe(proved.get(l));
    const fact = symbol === own ? weaker(known, state.fact(own), own) : known;
    state.set(l, { symbol: own, offset: 0 });
    if (isKnown(fact)) state.facts.set(own, fact);
    else state.facts.delete(own);
  }
  for (const [symbol, fact] of state.facts) {
    if (symbols.ownedByBlock(symbol, block)) continue;
    const known = { ...proved.fact(symbol), arc: proved.arcOf({ symbol, offset: 0 }) };
    if (!factImplies(known, fact, minimum)) state.facts.set(symbol, weaker(known, fact, symbol));
  }
  return state;
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

/** What two states say of one symbol; that includes how it was made. */
function joinSymbol(a: Fact, b: Fact, minimum: Minimum): Fact {
  const joined = joinFacts(a, b, minimum);
  const { made, of, offset, detail } = b;
  const isSame = a.made === made && a.of === of && a.offset === offset && a.detail === detail;
  return isSame ? { ...joined, made, of, offset, detail } : joined;
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
  // A symbol that goes round a loop unchanged is as well known at the end of a round as at its beginning, if that is one place.
  const isPlain =
    mode !== 'strict' && isForward.includes(true) && arrival.loops.every(({ isEnteredOnce }) => isEnteredOnce);
  const edges = isPlain ? incoming.filter((_, i) => isForward[i]) : incoming;
  const isStrict = mode === 'strict';
  const held = new Map<State, Set<number>>();
  /** An edge from older states that does not have a symbol yet says nothing about it. */
  const has = (edge: State, symbol: number): boolean => {
    if (edge.facts.has(symbol)) return true;
    let symbols = held.get(edge);
    if (symbols === undefined) held.set(edge, (symbols = new Set(edge.symbols)));
    return symbols.has(symbol);
  };
  const factOn = (edges: readonly State[], symbol: number): Fact | null => {
    let fact: Fact | null = null;
    for (let e = 0; e < edges.length; e++) {
      const edge = edges[e]!;
      if (!isStrict && edges.length > 1 && !has(edge, symbol)) continue;
      const other = edge.fact(symbol);
      fact = fact === null || fact === other ? other : joinSymbol(fact, other, minimum);
    }
    return fact;
  };
  for (let i = 0; i < wanted.length; i++) {
    const symbol = wanted[i]!;
    let fact = factOn(edges, symbol);
    // What a loop does not change may be known where it is entered only.
    for (let l = 0; fact === null && l < arrival.loops.length; l++) fact = factOn(arrival.loops[l]!.entering, symbol);
    if (fact === null) continue;
    if (fact.of !== CONSTANT && symbols.ownedByBlock(fact.of, block)) {
      const arcs = edges.map((edge) => edge.arcOf({ symbol, offset: 0 }));
      fact = { ...fact, arc: arcs.reduce(hull), made: Made.Anyhow, of: 0, offset: 0, detail: 0 };
    }
    if (!isKnown(fact)) continue;
    state.facts.set(symbol, fact);
    if (fact.made !== Made.Anyhow && fact.made !== Made.PoolWord) want(fact.of);
  }
}
