// The oracles in short: a few operand sets of every row, some generated modules, one in lockstep. Needs QEMU.

import { describe, expect, it } from 'vitest';
import { INSTRUCTIONS } from '../../../backend-xtensa/isa/table.js';
import { Random } from '../../../simulator/fuzz/random-program.js';
import { generateModule } from '../../fuzz/generate.js';
import { qemuAvailable, runInQemu, runInSimulator } from './bare.js';
import { BY_SEQUENCE, CaseMaker, WITHOUT_ORACLE } from './cases.js';
import { BLOCK_BYTES, differences, makeProgram } from './harness.js';
import { lockstep } from './lockstep.js';
import { compareSubjects, subjectOf } from './programs.js';
import { proveRows } from './rows.js';

const SEED = 20261122;

describe.skipIf(!qemuAvailable())('semantics against QEMU', () => {
  it.each([
    ['translated', true],
    ['interpreted', false],
  ])('every row gives the same state, %s', (_name, translate) => {
    const report = proveRows(12, SEED, [], translate);
    expect(report.differences).toEqual([]);
    expect(report.proved.length + report.bySequence.length).toBe(INSTRUCTIONS.length - WITHOUT_ORACLE.size);
  });

  it('a wrong operand shows', () => {
    const rows = INSTRUCTIONS.filter(({ name }) => ['add', 'srl', 's8i', 'bltu', 'madd.s', 'mula.dd.hh.ldinc'].includes(name)); // prettier-ignore
    const maker = new CaseMaker(new Random(SEED));
    const cases = rows.map((row, n) => maker.make(row, n));
    const wrong = cases.map((item) => {
      const state = new Map(item.state);
      for (let i = 0; i < 16; i++) state.set(`a${i}`, (state.get(`a${i}`) as number) ^ 0x800000);
      for (let i = 0; i < 16; i++) state.set(`f${i}`, (state.get(`f${i}`) as number) ^ 0x800000);
      return { ...item, state };
    });
    const theirs = runInQemu(makeProgram(cases).qemu);
    const ours = runInSimulator(makeProgram(wrong).simulator);
    cases.forEach((_, n) => {
      const block = (bytes: Uint8Array): Uint8Array => bytes.subarray(n * BLOCK_BYTES, (n + 1) * BLOCK_BYTES);
      expect(differences(block(theirs), block(ours))).not.toEqual([]);
    });
  });

  it.each(['0', '2'] as const)('generated modules at -O%s end alike in every call', (level) => {
    const subjects = Array.from({ length: 6 }, (_, i) => subjectOf(generateModule(SEED + i)));
    const report = compareSubjects(subjects, level);
    expect(report.differences).toEqual([]);
    expect(report.calls).toBeGreaterThan(subjects.length);
  });

  it('lockstep goes through a program to its end', async () => {
    const maker = new CaseMaker(new Random(SEED));
    const rows = INSTRUCTIONS.filter(({ name }) => !WITHOUT_ORACLE.has(name) && !BY_SEQUENCE.has(name));
    const cases = rows.filter((_, i) => i % 25 === 0).map((row, n) => maker.make(row, n));
    const report = await lockstep(makeProgram(cases));
    expect(report.differences).toEqual([]);
    expect(report.ending).toBe('ended');
    expect(report.instructions).toBeGreaterThan(100 * cases.length);
  });

  it('lockstep names the instruction after which the two part', async () => {
    const make = (value: number): ReturnType<typeof makeProgram> => {
      const state = new Map([['a3', value]]);
      return makeProgram([{ name: 'add', text: 'start: add a2, a3, a3\nsyscall', state, data: new Uint8Array(128) }]);
    };
    const report = await lockstep({ ...make(5), simulator: make(6).simulator });
    expect(report.ending).toBe('difference');
    expect(report.differences).toEqual(['a3 00000005 / 00000006']);
    expect(report.trail.at(-1)).toMatch(/l32i a3, a0/);
  });
});
