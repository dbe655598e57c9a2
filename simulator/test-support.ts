// For tests: a machine with an assembled program in IRAM, the CPU in the state CALL0 firmware runs in. Takes assembly,
// gives the machine and its labels.

import { assemble } from '../backend-xtensa/isa/assemble.js';
import { ESP32 } from '../compiler/abi/boards.js';
import { SR } from './cpu/state.js';
import type { MachineOptions } from './machine.js';
import { Machine } from './machine.js';
import type { StopInfo } from './stop.js';

export const ORIGIN = 0x40080400;
/** Free data RAM for tests. */
export const DATA = 0x3ffb0000;
export const VECTORS = 0x40080000;

export interface TestProgram {
  readonly machine: Machine;
  readonly labels: ReadonlyMap<string, number>;
  label(name: string): number;
}

/** Assembles at ORIGIN, sets pc there; VECBASE points to (zeroed) RAM, FPU enabled, windows off. */
export function load(source: string, options: Partial<MachineOptions> = {}): TestProgram {
  const machine = new Machine({ board: ESP32, translateAfter: 30, ...options });
  const { bytes, labels } = assemble(source, { origin: ORIGIN });
  machine.writeMemory(ORIGIN, bytes);
  machine.setSpecial(SR.PS, 0);
  machine.setSpecial(SR.CPENABLE, 1);
  machine.setSpecial(SR.VECBASE, VECTORS);
  machine.setRegister(1, 0x3ffd0000);
  machine.pc = ORIGIN;
  return {
    machine,
    labels,
    label: (name) => {
      const address = labels.get(name);
      if (address === undefined) throw new Error(`no label ${name}`);
      return address;
    },
  };
}

/** Puts code at a vector (offset from VECBASE). */
export function setVector(machine: Machine, offset: number, source: string): ReadonlyMap<string, number> {
  const { bytes, labels } = assemble(source, { origin: VECTORS + offset });
  machine.writeMemory(VECTORS + offset, bytes);
  return labels;
}

/**
 * Runs `source` with a2.. set to `args` until the label `end`, which is added behind it.
 * @returns the machine and why it stopped
 */
export function execute(
  source: string,
  args: readonly number[] = [],
  options: Partial<MachineOptions> = {},
): { readonly machine: Machine; readonly stop: StopInfo } {
  const { machine, label } = load(`${source}\nend: nop`, options);
  args.forEach((value, i) => machine.setRegister(2 + i, value));
  const stop = machine.run({ until: label('end'), maxInstructions: 1_000_000 });
  return { machine, stop };
}
