// Runs a batch in the simulator and, where it is installed, in Debian's QEMU. Gives the blocks of memory each left.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoardDescription } from '../../../compiler/abi/boards.js';
import { ESP32 } from '../../../compiler/abi/boards.js';
import { Machine } from '../../../simulator/machine.js';
import { DE233_FPU_CPU } from '../../../simulator/profiles.js';
import { semihosting } from '../../../simulator/simcall.js';
import type { Batch } from './batch.js';
import { BLOCK_BYTES, RESET_VECTOR } from './batch.js';

/** QEMU's `sim` machine as far as a batch uses it. */
const SIM_BOARD: BoardDescription = {
  ...ESP32,
  name: 'sim',
  regions: [
    { name: 'RAM', base: 0, size: 0x800000, kind: 'ram', executable: true, wordOnly: false },
    { name: 'RESET', base: RESET_VECTOR, size: 0x2000, kind: 'ram', executable: true, wordOnly: false },
  ],
};

function split(output: Uint8Array, count: number): Uint8Array[] {
  if (output.length !== count * BLOCK_BYTES) throw new Error(`expected ${count} blocks, got ${output.length} bytes`);
  return Array.from({ length: count }, (_, i) => output.slice(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
}

export function runInSimulator(batch: Batch, translate = true): Uint8Array[] {
  let output = new Uint8Array(0);
  const machine = new Machine({
    board: SIM_BOARD,
    cpu: DE233_FPU_CPU,
    translate,
    onSimcall: semihosting((bytes) => (output = Uint8Array.from(bytes))),
  });
  for (const part of batch.parts) machine.writeMemory(part.address, part.data);
  machine.pc = RESET_VECTOR;
  const stop = machine.run({ maxInstructions: 100_000_000 });
  if (stop.reason !== 'exit') throw new Error(`${stop.reason}: ${stop.message}\n${machine.describe()}`);
  return split(output, batch.count);
}

/** @returns undefined when QEMU is not installed */
export function runInQemu(batch: Batch): Uint8Array[] | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'oracle-semantics-'));
  try {
    const file = join(directory, 'batch.elf');
    writeFileSync(file, elf(batch));
    const result = spawnSync(
      'qemu-system-xtensa',
      ['-M', 'sim', '-cpu', 'de233_fpu', '-semihosting', '-nographic', '-monitor', 'none', '-kernel', file],
      { timeout: 60_000, maxBuffer: 1 << 28 },
    );
    if (result.error !== undefined) {
      if ((result.error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw result.error;
    }
    return split(result.stdout, batch.count);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The smallest executable ELF file QEMU loads: a header, program headers, contents. */
function elf(batch: Batch): Uint8Array {
  const header = 52 + 32 * batch.parts.length;
  const total = batch.parts.reduce((sum, part) => sum + part.data.length, header);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const halves: [number, number][] = [[16, 2], [18, 94], [40, 52], [42, 32], [44, batch.parts.length], [46, 40]]; // prettier-ignore
  const words: [number, number][] = [[20, 1], [24, RESET_VECTOR], [28, 52], [36, 0x300]]; // prettier-ignore
  for (const [at, value] of halves) view.setUint16(at, value, true);
  for (const [at, value] of words) view.setUint32(at, value, true);
  let offset = header;
  batch.parts.forEach((part, i) => {
    const size = part.data.length;
    [1, offset, part.address, part.address, size, size, 7, 4].forEach((value, field) =>
      view.setUint32(52 + 32 * i + 4 * field, value, true),
    );
    bytes.set(part.data, offset);
    offset += size;
  });
  return bytes;
}
