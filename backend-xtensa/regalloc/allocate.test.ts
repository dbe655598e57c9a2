// The allocator against its checker on random programs, and on small ones whose best result is known.
import { describe, expect, it } from 'vitest';
import { allocate } from './allocate.js';
import { checkAllocation } from './checker.js';
import { randomFunction, type RandomShape } from './mock-random.js';
import { structuredProgram } from './mock-structured.js';

function fuzz(shape: RandomShape, from: number, to: number): void {
  for (let seed = from; seed < to; seed++) {
    const input = randomFunction(shape, seed);
    try {
      checkAllocation(input, allocate(input));
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}\n${input.print()}`, { cause: error });
    }
  }
}

const BASE: RandomShape = {
  blocks: 6,
  instsPerBlock: 8,
  registers: 8,
  saved: 3,
  calls: 0.1,
  reach: 0.3,
  params: 3,
  constraints: 0.2,
  shuffle: false,
};

describe('random programs', () => {
  const shapes: Record<string, Partial<RandomShape>> = {
    'straight line': { blocks: 1, instsPerBlock: 40 },
    plain: {},
    'layout at random': { shuffle: true, blocks: 12 },
    'high pressure': { reach: 0.9, registers: 5, saved: 1, instsPerBlock: 20 },
    'many calls': { calls: 0.5, instsPerBlock: 15, reach: 0.6 },
    'many parameters': { params: 12, blocks: 10, reach: 0.8 },
    'many constraints': { constraints: 0.8, registers: 5, saved: 2, reach: 0.6 },
    'large and irreducible': { blocks: 60, shuffle: true, reach: 0.5 },
  };
  for (const [name, change] of Object.entries(shapes)) {
    it(name, () => fuzz({ ...BASE, ...change }, 0, name.startsWith('large') ? 60 : 250), 60_000);
  }
});

describe('structured programs', () => {
  const shape = { statements: 250, variables: 24, registers: 10, saved: 3, calls: 0.06, maxDepth: 4 };

  it('are allocated right', () => {
    for (let seed = 0; seed < 15; seed++) {
      const input = structuredProgram({ ...shape, variables: 4 + 2 * seed }, seed);
      checkAllocation(input, allocate(input));
    }
  }, 60_000);

  it('are allocated right when they are large', () => {
    const input = structuredProgram({ ...shape, statements: 1500 }, 1);
    expect(input.instCount).toBeGreaterThan(2500);
    checkAllocation(input, allocate(input));
  }, 60_000);

  it('come out the same every time', () => {
    const input = structuredProgram(shape, 7);
    const first = allocate(input);
    allocate(structuredProgram(shape, 8));
    const second = allocate(input);
    expect(second.locations).toEqual(first.locations);
    expect([...second.movesBefore]).toEqual([...first.movesBefore]);
    expect(second.stats).toEqual(first.stats);
  });

  it('with hundreds of parameters on one edge', () => {
    const input = structuredProgram({ ...shape, variables: 300, statements: 300 }, 3);
    checkAllocation(input, allocate(input));
  }, 60_000);
});
