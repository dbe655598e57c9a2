// Runs a batch in the simulator and, where it is installed, in Debian's QEMU. Gives the blocks of memory each left.

import type { BareProgram } from '../qemu/bare.js';
import { qemuAvailable, runInQemu as qemu, runInSimulator as simulate } from '../qemu/bare.js';
import type { Batch } from './batch.js';
import { BLOCK_BYTES } from './batch.js';

const bare = (batch: Batch): BareProgram => ({ parts: batch.parts, ram: [{ base: 0, size: 0x800000 }] });

function split(output: Uint8Array, count: number): Uint8Array[] {
  if (output.length !== count * BLOCK_BYTES) throw new Error(`expected ${count} blocks, got ${output.length} bytes`);
  return Array.from({ length: count }, (_, i) => output.slice(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
}

export function runInSimulator(batch: Batch, translate = true): Uint8Array[] {
  return split(simulate(bare(batch), translate), batch.count);
}

/** @returns undefined when QEMU is not installed */
export function runInQemu(batch: Batch): Uint8Array[] | undefined {
  return qemuAvailable() ? split(qemu(bare(batch)), batch.count) : undefined;
}
