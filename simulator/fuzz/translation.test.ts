import { describe, expect, it } from 'vitest';
import { ESP32 } from '../../compiler/abi/boards.js';
import { SR } from '../cpu/state.js';
import { Machine } from '../machine.js';
import { DATA, ORIGIN } from '../test-support.js';
import { DATA_REGISTER, Random, plainRows, randomProgram } from './random-program.js';

const PROGRAMS = Number(process.env['FUZZ_PROGRAMS'] ?? 120);

function prepare(machine: Machine, seed: number): void {
  const random = new Random(seed + 1_000_000);
  machine.reset();
  const { state } = machine;
  for (let i = 0; i < 16; i++) {
    state.a[i] = random.word();
    state.frBits[i] = random.word();
  }
  state.a[1] = 0x3ffd0000;
  state.a[DATA_REGISTER] = DATA + random.below(4);
  const data = new Uint8Array(256);
  for (let i = 0; i < data.length; i++) data[i] = random.bits();
  machine.writeMemory(DATA, data);
  machine.setSpecial(SR.PS, 0);
  machine.setSpecial(SR.CPENABLE, 1);
  machine.setSpecial(SR.VECBASE, 0x40080000);
}

/** Everything a program can see or leave behind. */
function snapshot(machine: Machine): unknown {
  const { state } = machine;
  return {
    pc: machine.pc,
    instructions: machine.instructions,
    cycles: machine.cycles,
    a: [...state.a],
    f: [...state.frBits],
    sr: [SR.SAR, SR.BR, SR.LBEG, SR.LEND, SR.LCOUNT, SR.ACCLO, SR.ACCHI].map((number) => state.sr[number]),
    data: [...machine.readMemory(DATA, 256)],
  };
}

describe('translated code against the interpreter', () => {
  it('random programs leave the same state, whole and in slices', () => {
    const translated = new Machine({ board: ESP32, translateAfter: 30 });
    const interpreted = new Machine({ board: ESP32, translate: false });
    const seen = new Set<string>();
    let regions = 0;
    for (let seed = 1; seed <= PROGRAMS; seed++) {
      const program = randomProgram(seed, ORIGIN, 400, () => true, true);
      for (const name of program.rows) seen.add(name);
      for (const machine of [translated, interpreted]) {
        prepare(machine, seed);
        machine.writeMemory(ORIGIN, program.bytes);
        machine.pc = ORIGIN;
      }
      // Every third program runs in slices, so that translated code is left at odd places.
      const random = new Random(seed);
      const end = translated.instructions + 200_000;
      for (;;) {
        const slice = seed % 3 === 0 ? 1 + random.below(3000) : 200_000;
        const maxInstructions = Math.min(slice, end - translated.instructions);
        const stop = translated.run({ until: program.end, maxInstructions });
        if (stop.reason !== 'limit' || translated.instructions >= end) break;
      }
      interpreted.run({ until: program.end, maxInstructions: end - interpreted.instructions });
      regions += translated.translatedRegions;
      expect(snapshot(translated), `seed ${seed}`).toEqual(snapshot(interpreted));
    }
    expect(regions).toBeGreaterThan(PROGRAMS / 2);
    const possible = plainRows(() => true).map((row) => row.name);
    if (PROGRAMS >= 100) expect(possible.filter((name) => !seen.has(name))).toEqual([]);
  });
});
