// Tests of control flow order, dominators, loops and intervals: random graphs against the definitions.
import { describe, expect, test } from 'vitest';
import { type Block, computePreds, Func } from '../ir/function.js';
import { Op } from '../ir/ops.js';
import { parseFunc } from '../ir/parse.js';
import { Type } from '../ir/types.js';
import { controlFlow, removeUnreachable } from './cfg.js';
import { DominatorTree } from './dominators.js';
import * as I from './interval.js';
import { findLoops } from './loops.js';

/** A function of `n` blocks with random jumps and branches; the same seed gives the same graph. */
function randomGraph(seed: number, n: number): Func {
  let state = seed + 1;
  const below = (k: number): number => (state = (state * 48271) % 2147483647) % k;
  const func = new Func(0, 'g', { params: [Type.I32], results: [] });
  const blocks = Array.from({ length: n }, () => func.addBlock());
  const param = func.addParam(func.entry, Type.I32);
  for (const block of blocks) {
    const target = (): { block: Block; args: [] } => ({ block: blocks[1 + below(n - 1)]!, args: [] });
    const kind = below(8);
    if (kind === 0) func.append(block, func.create(Op.Return, []));
    else if (kind < 4) func.append(block, func.create(Op.Jump, [])).edges = [target()];
    else func.append(block, func.create(Op.BrIf, [param])).edges = [target(), target()];
  }
  computePreds(func);
  return func;
}

/** Blocks reachable from the entry without going through `avoid`. */
function reachable(func: Func, avoid: Block | null): Set<Block> {
  const seen = new Set<Block>();
  const work = func.entry === avoid ? [] : [func.entry];
  while (work.length > 0) {
    const block = work.pop()!;
    if (seen.has(block)) continue;
    seen.add(block);
    for (const { block: succ } of block.terminator.edges) if (succ !== avoid) work.push(succ);
  }
  return seen;
}

describe('on random graphs', () => {
  const graphs = Array.from({ length: 60 }, (_, seed) => randomGraph(seed, 3 + (seed % 20)));

  test('reverse postorder holds what is reachable, entry first, and forward edges go forward', () => {
    for (const func of graphs) {
      const { order, number } = controlFlow(func);
      expect(new Set(order)).toEqual(reachable(func, null));
      expect(order[0]).toBe(func.entry);
      order.forEach((block, i) => expect(number[block.id]).toBe(i));
    }
  });

  test('a dominates b exactly if b cannot be reached without a', () => {
    for (const func of graphs) {
      const cfg = controlFlow(func);
      const tree = new DominatorTree(cfg);
      for (const a of cfg.order) {
        const without = reachable(func, a);
        for (const b of cfg.order) expect(tree.dominates(a, b)).toBe(!without.has(b));
      }
    }
  });

  test('a loop is its header and what reaches a back edge without passing it', () => {
    for (const func of graphs) {
      removeUnreachable(func);
      const cfg = controlFlow(func);
      const tree = new DominatorTree(cfg);
      const { loops, loopOf } = findLoops(cfg, tree);
      const headers = cfg.order.filter((h) => h.preds.some((p) => tree.dominates(h, p)));
      expect(new Set(loops.map((l) => l.header))).toEqual(new Set(headers));
      for (const loop of loops) {
        const expected = new Set<Block>([loop.header]);
        const work = loop.header.preds.filter((p) => tree.dominates(loop.header, p));
        while (work.length > 0) {
          const block = work.pop()!;
          if (expected.has(block)) continue;
          expected.add(block);
          work.push(...block.preds);
        }
        expect(new Set(loop.blocks)).toEqual(expected);
        expect(loop.blocks.length).toBe(expected.size);
        if (loop.parent !== null) expect(loop.parent.blocks).toContain(loop.header);
      }
      for (const block of cfg.order) {
        const around = loops.filter((l) => l.blocks.includes(block));
        expect(loopOf[block.id]?.depth ?? 0).toBe(around.length);
      }
    }
  });
});

test('removeUnreachable keeps what is reachable', () => {
  const { func } = parseFunc(`func 0 @f() -> () {
block0:
  jump block2
block1:
  jump block2
block2:
  return
}`);
  expect(removeUnreachable(func)).toBe(true);
  expect(func.blocks.length).toBe(2);
  expect(func.blocks[1]!.preds).toEqual([func.blocks[0]]);
});

describe('intervals', () => {
  const WORD = 2 ** 32;
  const ends = [-(2 ** 31), -2048, -5, -1, 0, 1, 7, 255, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 9, WORD - 8, WORD - 1];
  const all: I.Interval[] = [];
  for (const lo of ends) for (const hi of ends) if (lo <= hi && hi - lo < WORD) all.push({ lo, hi });
  const has = (x: I.Interval, value: number): boolean => {
    const v = ((value % WORD) + WORD) % WORD;
    return [v - WORD, v].some((n) => n >= x.lo && n <= x.hi);
  };
  /** Members worth trying: both ends and what lies next to them. */
  const samples = ({ lo, hi }: I.Interval): number[] => [
    lo,
    hi,
    Math.min(lo + 1, hi),
    Math.max(hi - 1, lo),
    Math.floor((lo + hi) / 2),
  ];

  test('readings, sums, differences and products hold every value', () => {
    const lost: string[] = [];
    const check = (name: string, x: I.Interval, value: number): void => {
      if (!has(x, value)) lost.push(`${name}: ${value} not in ${x.lo}..${x.hi}`);
    };
    for (const a of all) {
      for (const x of samples(a)) {
        check('unsigned', I.unsigned(a), x);
        check('signed', I.signed(a), x);
        for (const by of [0, 1, 4, 256, -3, 2 ** 30]) check('scale', I.scale(a, by), Number(BigInt(x) * BigInt(by)));
      }
      for (const b of all) {
        const [sum, difference, either, both] = [I.add(a, b), I.sub(a, b), I.union(a, b), I.intersect(a, b)];
        for (const x of samples(a)) {
          check('union', either, x);
          if (has(b, x)) check('intersect', both, x);
          for (const y of samples(b)) {
            check('add', sum, x + y);
            check('sub', difference, x - y);
          }
        }
      }
    }
    expect(lost).toEqual([]);
  });
});
