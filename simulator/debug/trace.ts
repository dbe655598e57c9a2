// A disassembled trace of execution for people: one line an instruction with the registers it changed. Takes a machine to
// hook into, gives lines; changes nothing.

import { formatInstruction } from '../../backend-xtensa/isa/print.js';
import { registerName } from '../../backend-xtensa/isa/registers.js';
import type { DecodedOp } from '../cpu/decoded.js';
import type { Machine } from '../machine.js';

export interface TraceOptions {
  readonly write: (line: string) => void;
  /** Only instructions in [start, end). */
  readonly start?: number;
  readonly end?: number;
  /** Name of an address, for branch targets and the like. */
  readonly symbolize?: (address: number) => string | undefined;
}

/**
 * Starts tracing. A line is written when the next instruction begins, so that it can show what changed.
 * @returns call it to stop; it writes the last line
 */
export function startTrace(machine: Machine, options: TraceOptions): () => void {
  let pending: { readonly op: DecodedOp; readonly before: Int32Array; readonly count: number } | undefined;
  const flush = (): void => {
    if (pending === undefined) return;
    const { op, before, count } = pending;
    const changes: string[] = [];
    machine.state.a.forEach((value, i) => {
      if (value !== before[i]) changes.push(`${registerName('ar', i)}=${(value >>> 0).toString(16)}`);
    });
    const { symbolize } = options;
    const text = formatInstruction(op.instruction, op.pc, symbolize === undefined ? {} : { symbolize });
    const pc = op.pc.toString(16).padStart(8, '0');
    options.write(`${String(count).padStart(9)} ${pc}  ${text.padEnd(32)} ${changes.join(' ')}`.trimEnd());
    pending = undefined;
  };
  machine.setTrace((op) => {
    flush();
    if (op.pc < (options.start ?? 0) || op.pc >= (options.end ?? Infinity)) return;
    pending = { op, before: machine.state.a.slice(), count: machine.instructions };
  });
  return () => {
    flush();
    machine.setTrace(undefined);
  };
}
