// The CPU state as text for people: what a strict stop prints. Takes a core, gives lines; changes nothing.

import type { Core } from '../cpu/core.js';
import { SR, causeName } from '../cpu/state.js';
import { describeWindows } from '../cpu/windows.js';
import { hex32 } from '../stop.js';

/** Registers, exception state and counters, several lines without a final newline. */
export function describeCpu(core: Core): string {
  const { state } = core;
  const { sr } = state;
  const word = (number: number): string => hex32(sr[number] as number);
  const lines = [
    `pc ${hex32(state.pc)}  ps ${word(SR.PS)}  instructions ${state.counts[0]}  cycles ${state.counts[1]}`,
  ];
  for (let row = 0; row < 16; row += 4) {
    lines.push([0, 1, 2, 3].map((i) => `a${row + i}`.padEnd(4) + hex32(state.a[row + i] as number)).join('  '));
  }
  lines.push(
    `exccause ${sr[SR.EXCCAUSE]} (${causeName(sr[SR.EXCCAUSE] as number)})  excvaddr ${word(SR.EXCVADDR)}  ` +
      `epc1 ${word(SR.EPC1)}  depc ${word(SR.DEPC)}`,
    `lbeg ${word(SR.LBEG)}  lend ${word(SR.LEND)}  lcount ${sr[SR.LCOUNT]}  sar ${sr[SR.SAR]}  ` +
      `vecbase ${word(SR.VECBASE)}  intenable ${word(SR.INTENABLE)}  interrupt ${hex32(core.pendingInterrupts)}`,
    describeWindows(core),
  );
  return lines.join('\n');
}
