// The arc domain against brute force on a small circle's worth of members: every operation must contain the exact answer.
import { describe, expect, it } from 'vitest';
import {
  FULL,
  and,
  hull,
  intersect,
  negate,
  range,
  scaleDown,
  scaleUp,
  shift,
  single,
  sum,
  within,
  without,
  type Arc,
} from './arc.js';

let state = 1;
const random = (n: number): number => {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const EDGES = [0, 1, 5, 0x7ffffffe, 0x80000000, 0xfffffff0, 0xffffffff];

function randomArc(): Arc {
  const start = (EDGES[random(EDGES.length)]! + random(9)) >>> 0;
  const count = random(7);
  const stride = count === 0 ? 0 : 1 + random(6);
  return { start, length: count * stride, stride };
}
function members({ start, length, stride }: Arc): number[] {
  const list: number[] = [];
  for (let at = 0; at <= length; at += Math.max(1, stride)) list.push((start + at) >>> 0);
  return list;
}
const has = (arc: Arc, value: number): boolean => within(single(value), arc);

describe('arcs', () => {
  it('contain exactly their members', () => {
    for (let i = 0; i < 2000; i++) {
      const arc = randomArc();
      const all = new Set(members(arc));
      for (const value of all) expect(has(arc, value)).toBe(true);
      for (let d = -3; d < 60; d++) expect(has(arc, (arc.start + d) >>> 0)).toBe(all.has((arc.start + d) >>> 0));
    }
  });

  it('never lose a member of hull, sum, intersection or shift', () => {
    for (let i = 0; i < 3000; i++) {
      const a = randomArc();
      const b = randomArc();
      const [p, q] = [members(a), members(b)];
      const joined = hull(a, b);
      for (const x of [...p, ...q]) expect(has(joined, x)).toBe(true);
      expect(within(a, joined) && within(b, joined)).toBe(true);
      const total = sum(a, b);
      for (const x of p) for (const y of q) expect(has(total, (x + y) >>> 0)).toBe(true);
      const common = intersect(a, b);
      for (const x of p) if (q.includes(x)) expect(common !== null && has(common, x)).toBe(true);
      const by = random(2 ** 32);
      for (const x of p) expect(has(shift(a, by), (x + by) >>> 0)).toBe(true);
      for (const x of p) expect(has(negate(a), -x >>> 0)).toBe(true);
      const rest = without(a, p[0]!);
      for (const x of p.slice(1)) expect(rest !== null && has(rest, x)).toBe(true);
    }
  });

  it('scale without losing a member', () => {
    for (let i = 0; i < 2000; i++) {
      const a = randomArc();
      const bits = 1 + random(3);
      for (const x of members(a)) {
        expect(has(scaleUp(a, bits), (x * 2 ** bits) >>> 0)).toBe(true);
        expect(has(scaleDown(a, bits), Math.floor(x / 2 ** bits))).toBe(true);
      }
    }
  });

  it('keep every value of a mask', () => {
    const masks = [0, 1, 6, 0xff, 0x7ffffffe, 0xfffffff0, 0x80000000, 0xffffffff];
    for (let i = 0; i < 2000; i++) {
      const a = randomArc();
      const mask = masks[random(masks.length)]!;
      for (const x of members(a)) expect(has(and(a, single(mask)), (x & mask) >>> 0)).toBe(true);
    }
  });

  it('order sets: a range lies within a larger one and not the other way round', () => {
    expect(within(range(3, 9), range(3, 10))).toBe(true);
    expect(within(range(3, 10), range(3, 9))).toBe(false);
    expect(within(range(0, 5), FULL)).toBe(true);
    expect(within(FULL, range(0, 5))).toBe(false);
  });
});
