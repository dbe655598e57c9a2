// Sequences of random parallel moves do what the moves at once would do, and destroy nothing else.
import { describe, expect, it } from 'vitest';
import { isSlot, slotLocation, type Move } from './api.js';
import { Random } from './mock.js';
import { ParallelMoves } from './parallel-move.js';

const REGISTERS = 6;
const SLOTS = 5;

interface Wanted {
  from: number;
  to: number;
  remat: number;
}

function sequence(wanted: readonly Wanted[], free: readonly number[]): Move[] {
  const order = Array.from({ length: REGISTERS }, (_, k) => k);
  const moves = new ParallelMoves({
    classes: [{ name: 'r', order, calleeSaved: new Set(), slotWords: 1 }],
    pregCount: REGISTERS,
    isFree: (preg) => free.includes(preg),
    tempSlot: (_, which) => SLOTS + which,
  });
  const out: Move[] = [];
  // Twice through the same object: nothing may be left over from the first time.
  for (let round = 0; round < 2; round++) {
    out.length = 0;
    for (const { from, to, remat } of wanted) moves.add(from, to, remat, 0);
    if (!moves.isEmpty) moves.sequence(out);
  }
  return out;
}

function check(wanted: readonly Wanted[], free: readonly number[]): void {
  const state = new Map<number, string>();
  const locations = [
    ...Array.from({ length: REGISTERS }, (_, k) => k),
    ...Array.from({ length: SLOTS }, (_, k) => slotLocation(k)),
  ];
  for (const location of locations) state.set(location, `old ${location}`);
  const expected = new Map(state);
  for (const { from, to, remat } of wanted) expected.set(to, remat >= 0 ? `constant ${remat}` : `old ${from}`);
  for (const move of sequence(wanted, free)) {
    expect(isSlot(move.from) && isSlot(move.to)).toBe(false);
    state.set(move.to, move.rematToken >= 0 ? `constant ${move.rematToken}` : (state.get(move.from) ?? 'nothing'));
  }
  for (const location of locations) {
    if (free.includes(location) && !wanted.some(({ to }) => to === location)) continue;
    expect(state.get(location), `location ${location}`).toBe(expected.get(location));
  }
}

describe('parallel moves', () => {
  it('swaps two registers through a free one in three moves', () => {
    const swap = [
      { from: 0, to: 1, remat: -1 },
      { from: 1, to: 0, remat: -1 },
    ];
    check(swap, [4]);
    expect(sequence(swap, [4])).toHaveLength(3);
  });

  it('swaps without a free register through memory', () => {
    check(
      [
        { from: 0, to: 1, remat: -1 },
        { from: 1, to: 0, remat: -1 },
      ],
      [],
    );
  });

  it('orders a chain without extra moves', () => {
    const chain = [
      { from: 0, to: 1, remat: -1 },
      { from: 1, to: 2, remat: -1 },
      { from: 2, to: 3, remat: -1 },
    ];
    check(chain, []);
    expect(sequence(chain, [])).toHaveLength(3);
  });

  it('takes a move given twice as one', () => {
    const moves = [
      { from: 0, to: 1, remat: -1 },
      { from: 0, to: 1, remat: -1 },
      { from: 1, to: 0, remat: -1 },
    ];
    check(moves, []);
    expect(sequence(moves.slice(0, 2), [])).toHaveLength(1);
  });

  it('refuses two values for one place', () => {
    const moves = [
      { from: 0, to: 1, remat: -1 },
      { from: 2, to: 1, remat: -1 },
    ];
    expect(() => sequence(moves, [])).toThrow('two moves');
  });

  it('random moves', () => {
    for (let seed = 0; seed < 5_000; seed++) {
      const random = new Random(seed);
      const all = [
        ...Array.from({ length: REGISTERS }, (_, k) => k),
        ...Array.from({ length: SLOTS }, (_, k) => slotLocation(k)),
      ];
      const free = all.filter((location) => location >= 0 && random.chance(0.2));
      const sources = all.filter((location) => !free.includes(location));
      const targets = all.filter(() => random.chance(0.6));
      const slotShare = random.next();
      const wanted = targets.map((to) => {
        const from = random.pick(sources);
        return { from: isSlot(from) && random.chance(slotShare) ? to : from, to, remat: random.chance(0.1) ? 7 : -1 };
      });
      check(
        wanted.filter(({ from }) => sources.includes(from)),
        free,
      );
    }
  });
});
