// Small programs whose best allocation is known: the allocator must find it. Registers 0-4 are destroyed by calls, 5-7
// survive them.
import { describe, expect, it } from 'vitest';
import { allocate } from './allocate.js';
import { isSlot, type Move, type RegallocInput, type RegallocOutput, type VReg } from './api.js';
import { checkAllocation } from './checker.js';
import { def, defFixed, defReuse, inst, MockFunction, use, useAny, useFixed, type MockBlock } from './mock.js';
import { mockClasses } from './mock-random.js';

const CLASSES = mockClasses(8, 3);
const CALL = [0, 1, 2, 3, 4];

type BlockSpec = Partial<MockBlock> & Pick<MockBlock, 'insts'>;

function program(vregs: number, blocks: readonly BlockSpec[], tokens: readonly (readonly [VReg, number])[] = []) {
  const full = blocks.map((block) => {
    const succs = block.succs ?? [];
    return { params: [], weight: 1, ...block, succs, args: block.args ?? succs.map(() => []) };
  });
  return new MockFunction(CLASSES, full, new Array<number>(vregs).fill(0), new Map(tokens));
}

function run(input: RegallocInput): RegallocOutput {
  const output = allocate(input);
  checkAllocation(input, output);
  return output;
}

const movesOf = (output: RegallocOutput): Move[] => [...output.movesBefore.values()].flat();
const saved = (output: RegallocOutput): number[] => [5, 6, 7].filter((preg) => output.writtenRegisters.has(preg));
const jump = () => inst([]);

describe('no needless moves', () => {
  it('a loop counter and a sum stay in their registers', () => {
    const output = run(
      program(6, [
        { insts: [inst([defFixed(0, 0), defFixed(1, 1)]), jump()], succs: [1], args: [[0, 1]] },
        {
          params: [2, 3],
          insts: [inst([def(4), use(2), use(3)]), inst([def(5), use(3)]), inst([use(5)])],
          succs: [2, 3],
          weight: 10,
        },
        { insts: [jump()], succs: [1], args: [[4, 5]], weight: 10 },
        { insts: [inst([useFixed(4, 0)])] },
      ]),
    );
    expect(movesOf(output)).toEqual([]);
    expect(output.slotCount).toBe(0);
  });

  it('a result handed on to the next call does not move', () => {
    const output = run(
      program(3, [
        {
          insts: [
            inst([defFixed(0, 0)]),
            inst([useFixed(0, 0), defFixed(1, 0)], CALL),
            inst([useFixed(1, 0), defFixed(2, 0)], CALL),
            inst([useFixed(2, 0)]),
          ],
        },
      ]),
    );
    expect(movesOf(output)).toEqual([]);
    expect(saved(output)).toEqual([]);
  });

  it('values go straight into their argument registers', () => {
    const output = run(
      program(4, [
        {
          insts: [
            inst([def(0)]),
            inst([def(1), use(0)]),
            inst([def(2), use(1)]),
            inst([useFixed(2, 0), useFixed(0, 1), useFixed(1, 2), defFixed(3, 0)], CALL),
            inst([useFixed(3, 0)]),
          ],
        },
      ]),
    );
    expect(movesOf(output)).toEqual([]);
  });

  it('a two-address input that dies gives its register', () => {
    const output = run(
      program(4, [
        {
          insts: [
            inst([defFixed(0, 0)]),
            inst([defReuse(1, 1), use(0)]),
            inst([defReuse(2, 1), use(1)]),
            inst([useFixed(2, 0)]),
          ],
        },
      ]),
    );
    expect(movesOf(output)).toEqual([]);
  });

  it('a copy whose source dies vanishes', () => {
    const output = run(
      program(3, [
        { insts: [inst([defFixed(0, 3)]), inst([def(1), use(0)], [], true), inst([def(2), use(1)]), inst([use(2)])] },
      ]),
    );
    expect(output.locations[1]![0]).toBe(output.locations[1]![1]);
  });
});

describe('edges', () => {
  it('swaps loop values with three moves in the loop', () => {
    const output = run(
      program(4, [
        { insts: [inst([defFixed(0, 0), defFixed(1, 1)]), jump()], succs: [1], args: [[0, 1]] },
        { params: [2, 3], insts: [inst([use(2), use(3)])], succs: [2, 3], weight: 10 },
        { insts: [jump()], succs: [1], args: [[3, 2]], weight: 10 },
        { insts: [inst([use(2)])] },
      ]),
    );
    expect(movesOf(output)).toHaveLength(3);
    expect(output.stats.stores).toBe(0);
  });

  it('takes several edges to successors with one predecessor each, and gives each its own arguments', () => {
    const output = run(
      program(5, [
        { insts: [inst([defFixed(0, 0), defFixed(1, 1)]), inst([use(0)])], succs: [1, 2], args: [[0], [1]] },
        { params: [2], insts: [inst([useFixed(2, 0)])] },
        { params: [3], insts: [inst([useFixed(3, 0)])] },
      ]),
    );
    expect(movesOf(output).length).toBeLessThanOrEqual(1);
  });

  it('passes over unused parameters, dead results and unreachable blocks', () => {
    const output = run(
      program(6, [
        { insts: [inst([defFixed(0, 0), defFixed(1, 1)]), inst([def(2)]), jump()], succs: [1], args: [[0]] },
        { params: [3], insts: [inst([])] },
        { params: [], insts: [inst([def(4)]), inst([use(4)]), jump()], succs: [3] },
        { insts: [inst([])] },
      ]),
    );
    expect(movesOf(output)).toEqual([]);
  });
});

describe('calls', () => {
  it('one value over many calls takes one callee-saved register', () => {
    const call = () => inst([], CALL);
    const output = run(
      program(1, [
        {
          insts: [
            inst([defFixed(0, 0)]),
            call(),
            inst([use(0)]),
            call(),
            inst([use(0)]),
            call(),
            inst([useFixed(0, 0)]),
          ],
        },
      ]),
    );
    expect(saved(output)).toHaveLength(1);
    expect(output.slotCount).toBe(0);
    expect(movesOf(output)).toHaveLength(2);
  });

  it('a call on a cold path costs nothing on the hot one', () => {
    const output = run(
      program(3, [
        { insts: [inst([defFixed(0, 0), defFixed(1, 1)]), jump()], succs: [1] },
        { insts: [inst([use(0), use(1)])], succs: [2, 3], weight: 10 },
        { insts: [inst([], CALL), jump()], succs: [4], weight: 0.01 },
        { insts: [jump()], succs: [4], weight: 10 },
        { insts: [inst([use(1)])], succs: [5, 6], weight: 10 },
        { insts: [jump()], succs: [1], weight: 10 },
        { insts: [inst([useFixed(0, 0)])] },
      ]),
    );
    for (const [at] of output.movesBefore) {
      const block = [...Array(7).keys()].find((b) => at < [2, 3, 5, 6, 7, 8, 9][b]!)!;
      expect([0, 2, 6], `moves before instruction ${at}`).toContain(block);
    }
  });

  it('an argument that lives on is kept elsewhere, not saved around the call', () => {
    const output = run(
      program(3, [
        {
          insts: [
            inst([defFixed(0, 0)]),
            inst([useFixed(0, 0), defFixed(1, 0)], CALL),
            inst([useFixed(0, 1), useFixed(1, 0), defFixed(2, 0)], CALL),
            inst([useFixed(2, 0)]),
          ],
        },
      ]),
    );
    expect(movesOf(output)).toHaveLength(2);
  });
});

describe('memory', () => {
  /** `count` values made at the start, used in order in a loop. */
  function pressure(count: number, constants: boolean) {
    const vregs = Array.from({ length: count }, (_, v) => v);
    const tokens = constants ? vregs.map((v) => [v, v] as const) : [];
    return program(
      count,
      [
        { insts: [...vregs.map((v) => inst([def(v)])), jump()], succs: [1] },
        { insts: [...vregs.map((v) => inst([use(v)])), inst([])], succs: [2, 3], weight: 10 },
        { insts: [jump()], succs: [1], weight: 10 },
        { insts: [inst([])] },
      ],
      tokens,
    );
  }

  it('stores once outside the loop and reloads as few values as possible within', () => {
    const output = run(pressure(10, false));
    const inLoop = [...output.movesBefore].filter(([at]) => at >= 11 && at <= 22).flatMap(([, moves]) => moves);
    expect(inLoop.every((move) => isSlot(move.from))).toBe(true);
    // Ten values, eight registers: seven can stay, three take turns in the last one.
    expect(inLoop).toHaveLength(3);
    expect(output.stats.stores).toBe(3);
  });

  it('recomputes constants instead of keeping them in memory, and drops their first computation', () => {
    const output = run(pressure(10, true));
    expect(output.slotCount).toBe(0);
    expect(output.stats.stores).toBe(0);
    expect(output.stats.remats).toBeGreaterThan(0);
    expect(output.skipped.size).toBeGreaterThanOrEqual(3);
  });

  it('gives a constant argument straight to its register', () => {
    const output = run(
      program(
        2,
        [
          {
            insts: [
              inst([def(0)]),
              inst([useFixed(0, 0)], CALL),
              inst([useFixed(0, 2), defFixed(1, 0)], CALL),
              inst([useFixed(1, 0)]),
            ],
          },
        ],
        [[0, 7]],
      ),
    );
    expect(movesOf(output).map(({ to, rematToken }) => [to, rematToken])).toEqual([
      [0, 7],
      [2, 7],
    ]);
    expect([...output.skipped]).toEqual([0]);
    expect(saved(output)).toEqual([]);
  });

  it('an operand that may be anywhere is read from its slot', () => {
    const vregs = Array.from({ length: 12 }, (_, v) => v);
    const output = run(
      program(12, [{ insts: [...vregs.map((v) => inst([def(v)])), ...vregs.map((v) => inst([useAny(v)])), inst([])] }]),
    );
    expect(output.stats.loads).toBe(0);
  });

  it('values that do not live at the same time share slots', () => {
    const insts = [];
    for (let round = 0; round < 4; round++) {
      const vregs = Array.from({ length: 10 }, (_, v) => round * 10 + v);
      insts.push(...vregs.map((v) => inst([def(v)])), ...vregs.map((v) => inst([use(v)])));
    }
    const output = run(program(40, [{ insts: [...insts, inst([])] }]));
    expect(output.slotCount).toBeLessThanOrEqual(3);
  });
});

describe('refusals', () => {
  it('a second def', () => {
    expect(() => allocate(program(1, [{ insts: [inst([def(0)]), inst([def(0)]), inst([])] }]))).toThrow(
      'defined twice',
    );
  });
  it('a use without def', () => {
    expect(() =>
      allocate(program(1, [{ insts: [inst([])], succs: [1] }, { insts: [inst([use(0)]), inst([])] }])),
    ).toThrow('never defined');
  });
  it('a use that its def does not dominate', () => {
    const bad = program(1, [
      { insts: [inst([])], succs: [1, 2] },
      { insts: [inst([def(0)]), jump()], succs: [3] },
      { insts: [jump()], succs: [3] },
      { insts: [inst([use(0)])] },
    ]);
    expect(() => allocate(bad)).toThrow('not dominated');
  });
  it('a def on a terminator', () => {
    expect(() => allocate(program(1, [{ insts: [inst([def(0)])] }]))).toThrow('terminator');
  });
  it('an entry block with predecessors', () => {
    expect(() => allocate(program(0, [{ insts: [jump()], succs: [0] }]))).toThrow('entry block');
  });
  it('a critical edge with moves', () => {
    const bad = program(3, [
      { insts: [inst([defFixed(0, 0), defFixed(1, 1)]), inst([use(0)])], succs: [1, 2], args: [[], [0]] },
      { insts: [jump()], succs: [2], args: [[1]] },
      { params: [2], insts: [inst([use(2)])] },
    ]);
    expect(() => allocate(bad)).toThrow('critical edge');
  });
});
