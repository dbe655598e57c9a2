// The allocator against its checker on random programs, and on small ones whose best result is known.
import { describe, it } from 'vitest';
import { allocate } from './allocate.js';
import { checkAllocation } from './checker.js';
import { randomFunction, type RandomShape } from './mock-random.js';

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
    it(name, () => fuzz({ ...BASE, ...change }, 0, name.startsWith('large') ? 60 : 400), 60_000);
  }
});
