// What is known of one symbol: its members, how it lies below the sizes of objects, how it was made. Pure: facts joined, implied,
// widened. Knows no state of a program.
import { FULL, high, hull, isFull, low, sameArc, shift, within, type Arc } from './arc.js';

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
export const isPlaceless = (object: number): boolean => object < 0;

/** How a symbol came about, where that matters later. `of`/`offset`: the value it was made from. */
export const enum Made {
  Anyhow,
  /** (of + offset) << detail */
  Shifted,
  /** (of + offset) >>> detail */
  ShiftedDown,
  /** The word at reference (of + offset): a signature. */
  Signature,
  /** (of + offset) / detail, unsigned */
  Quotient,
  /** That times detail, or times -detail */
  Multiple,
  NegativeMultiple,
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

/** Relations kept of one symbol. */
export const MAX_RELATIONS = 6;
/** Visits of a block after which growing arcs are widened. */
const WIDEN_AFTER = 3;
/** Visits of a block after which changing facts are dropped. */
export const DROP_AFTER = 24;
/** The same for arcs, which end at thresholds one after the other. */
const ARC_DROP_AFTER = 120;

/** Minimum units of each object, by object number. */
export type Minimum = (object: number) => number;

export function factImplies(proved: Fact, assumed: Fact, minimum: Minimum): boolean {
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

export const isKnown = (fact: Fact): boolean =>
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
export function widen(before: Fact, now: Fact, visits: number, thresholds: readonly number[]): Fact {
  // Early visits see edges that are still to be computed again: only later ones count for good.
  if (visits <= WIDEN_AFTER) return now;
  const joined = within(now.arc, before.arc) ? before.arc : hull(before.arc, now.arc);
  let { relations } = now;
  const kept = relations.filter((r) =>
    before.relations.some((b) => b.object === r.object && b.offset === r.offset && b.slack <= r.slack),
  );
  if (kept.length < relations.length) relations = kept;
  if (sameArc(joined, before.arc)) return { ...now, arc: joined, relations };
  return { ...now, arc: visits > ARC_DROP_AFTER ? FULL : widenArc(before.arc, joined, thresholds), relations };
}

/** Grows an arc that has grown to the next thresholds on the sides where it did; to everything if there are none. */
export function widenArc(before: Arc, now: Arc, thresholds: readonly number[]): Arc {
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
