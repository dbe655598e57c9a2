// The checker must refuse wrong allocations: hand-made ones, and right ones with one thing changed.
import { describe, expect, it } from 'vitest';
import { allocate } from './allocate.js';
import { slotLocation, type Location, type Move, type RegallocOutput } from './api.js';
import { checkAllocation } from './checker.js';
import { def, defFixed, defReuse, inst, MockFunction, Random, use, useFixed, type MockBlock } from './mock.js';
import { mockClasses, randomFunction } from './mock-random.js';

const block = (
  insts: MockBlock['insts'],
  succs: number[] = [],
  params: number[] = [],
  args: number[][] = [],
): MockBlock => ({
  insts,
  succs,
  params,
  args: args.length > 0 ? args : succs.map(() => []),
  weight: 1,
});

const program = (vregs: number, blocks: MockBlock[], tokens = new Map<number, number>()): MockFunction =>
  new MockFunction(mockClasses(4, 1), blocks, new Array<number>(vregs).fill(0), tokens);

function output(locations: Location[][], moves: readonly (readonly [number, Partial<Move>[]])[] = []): RegallocOutput {
  return {
    locations,
    movesBefore: new Map(
      moves.map(([at, list]) => [at, list.map((move) => ({ from: 0, to: 0, rematToken: -1, classIndex: 0, ...move }))]),
    ),
    skipped: new Set(),
    slotCount: 4,
    writtenRegisters: new Set([0, 1, 2, 3]),
    stats: allocate(program(0, [block([inst([])])])).stats,
  };
}

describe('hand-made allocations', () => {
  const straight = program(3, [block([inst([def(0)]), inst([def(1)]), inst([use(0), use(1)]), inst([])])]);
  it('accepts a right one', () => {
    checkAllocation(straight, output([[0], [1], [0, 1], []]));
  });
  it('refuses a value that was overwritten', () => {
    expect(() => checkAllocation(straight, output([[0], [0], [0, 0], []]))).toThrow('holds');
  });
  it('refuses a register of no class, a slot for a register operand, a missing location', () => {
    expect(() => checkAllocation(straight, output([[9], [1], [9, 1], []]))).toThrow('class');
    const spilled = output([[0], [1], [slotLocation(0), 1], []], [[1, [{ from: 0, to: slotLocation(0) }]]]);
    expect(() => checkAllocation(straight, spilled)).toThrow('needs a register');
    expect(() => checkAllocation(straight, output([[0], [1], [0], []]))).toThrow('no location');
  });
  it('refuses values in clobbered registers', () => {
    const call = program(1, [block([inst([def(0)]), inst([], [0, 1]), inst([use(0)])])]);
    checkAllocation(call, output([[2], [], [2]]));
    expect(() => checkAllocation(call, output([[0], [], [0]]))).toThrow('holds');
  });
  it('refuses wrong fixed and two-address operands', () => {
    const fixed = program(2, [block([inst([defFixed(0, 1)]), inst([defReuse(1, 1), use(0)]), inst([useFixed(1, 1)])])]);
    checkAllocation(fixed, output([[1], [1, 1], [1]]));
    expect(() => checkAllocation(fixed, output([[0], [0, 0], [0]]))).toThrow('must be in r1');
    expect(() => checkAllocation(fixed, output([[1], [2, 1], [2]]))).toThrow('must be where operand 1 is');
  });
  it('knows what arrives over edges', () => {
    const diamond = program(3, [
      block([inst([def(0)]), inst([def(1)]), inst([use(0)])], [1, 2]),
      block([inst([])], [3], [], [[0]]),
      block([inst([])], [3], [], [[1]]),
      block([inst([use(2)])], [], [2]),
    ]);
    checkAllocation(diamond, output([[0], [1], [0], [], [], [0]], [[4, [{ from: 1, to: 0 }]]]));
    expect(() => checkAllocation(diamond, output([[0], [1], [0], [], [], [0]]))).toThrow('holds');
  });
  it('refuses memory to memory moves and a slot beyond the frame', () => {
    const slots = [{ from: slotLocation(0), to: slotLocation(1) }];
    expect(() => checkAllocation(straight, output([[0], [1], [0, 1], []], [[1, slots]]))).toThrow('memory to memory');
    expect(() =>
      checkAllocation(straight, output([[0], [1], [0, 1], []], [[1, [{ from: 0, to: slotLocation(9) }]]])),
    ).toThrow('slotCount');
  });
  it('knows constants', () => {
    const tokens = new Map([[0, 3]]);
    const constant = program(1, [block([inst([def(0)]), inst([use(0)])])], tokens);
    const skipped = { ...output([[-1], [1]], [[1, [{ to: 1, rematToken: 3 }]]]), skipped: new Set([0]) };
    checkAllocation(constant, skipped);
    const wrong = { ...output([[-1], [1]], [[1, [{ to: 1, rematToken: 4 }]]]), skipped: new Set([0]) };
    expect(() => checkAllocation(constant, wrong)).toThrow('holds');
  });
});

describe('mutated allocations', () => {
  it('nearly every change is noticed', () => {
    let tried = 0;
    let noticed = 0;
    for (let seed = 0; seed < 150; seed++) {
      const random = new Random(seed);
      const input = randomFunction(
        {
          blocks: 8,
          instsPerBlock: 10,
          registers: 6,
          saved: 2,
          calls: 0.2,
          reach: 0.6,
          params: 3,
          constraints: 0.3,
          shuffle: false,
        },
        seed,
      );
      const right = allocate(input);
      checkAllocation(input, right);
      const places = [...right.movesBefore.keys()];
      if (places.length === 0) continue;
      const at = random.pick(places);
      const list = [...right.movesBefore.get(at)!];
      const which = random.below(list.length);
      const kind = random.below(3);
      if (kind === 0) list.splice(which, 1);
      else if (kind === 1)
        list[which] = { ...list[which]!, to: list[which]!.to >= 0 ? (list[which]!.to + 1) % 6 : list[which]!.to - 1 };
      else list.reverse();
      if (kind === 2 && list.length < 3) continue;
      tried++;
      try {
        checkAllocation(input, { ...right, movesBefore: new Map([...right.movesBefore, [at, list]]) });
      } catch {
        noticed++;
      }
    }
    expect(tried).toBeGreaterThan(80);
    // Not all: moves of independent values may change places.
    expect(noticed / tried).toBeGreaterThan(0.8);
  });
});
