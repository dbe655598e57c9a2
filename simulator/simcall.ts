// SIMCALL as QEMU's semihosting and Tensilica's simulator number it, as far as test programs use it: exit and write.
// Takes a machine at a SIMCALL, acts on its registers and memory. Only tools that ask for it get it: on the chip the
// instruction is illegal.

import type { Machine } from './machine.js';

const SYS_EXIT = 1;
const SYS_WRITE = 4;
const ENOSYS = 88;

/** @param write called with what the program writes to file descriptors 1 and 2 */
export function semihosting(write: (bytes: Uint8Array) => void): (machine: Machine) => void {
  return (machine) => {
    const [number, a, b, c] = [2, 3, 4, 5].map((i) => machine.getRegister(i)) as [number, number, number, number];
    if (number === SYS_EXIT) {
      machine.exit(a);
    } else if (number === SYS_WRITE && (a === 1 || a === 2)) {
      write(machine.readMemory(b >>> 0, c));
      machine.setRegister(2, c);
      machine.setRegister(3, 0);
    } else {
      machine.setRegister(2, -1);
      machine.setRegister(3, ENOSYS);
    }
  };
}
