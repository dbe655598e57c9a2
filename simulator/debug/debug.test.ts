import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeBatch } from '../../test/oracle/semantics/batch.js';
import { elfOf, qemuAvailable } from '../../test/oracle/qemu/bare.js';
import { Machine } from '../machine.js';
import { DE233_FPU_CPU, QEMU_SIM_BOARD } from '../profiles.js';
import { semihosting } from '../simcall.js';
import { load } from '../test-support.js';
import { lockstep } from './lockstep.js';
import { startTrace } from './trace.js';

describe('trace', () => {
  it('shows instructions with what they changed', () => {
    const program = load('movi a2, 5; addi a3, a2, 1; nop\nend: nop');
    const lines: string[] = [];
    const stop = startTrace(program.machine, { write: (line) => lines.push(line) });
    program.machine.run({ until: program.label('end') });
    stop();
    expect(lines.map((line) => line.trim().replace(/ +/g, ' '))).toEqual([
      '0 40080400 movi a2, 5 a2=5',
      '1 40080403 addi a3, a2, 1 a3=6',
      '2 40080406 nop',
    ]);
  });
});

describe.skipIf(!qemuAvailable())('lockstep with QEMU', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const prepare = (): { machine: Machine; elf: string } => {
    const batch = makeBatch([1, 2, 3]);
    const elf = join(directory, 'batch.elf');
    writeFileSync(elf, elfOf(batch.parts));
    const machine = new Machine({ board: QEMU_SIM_BOARD, cpu: DE233_FPU_CPU, onSimcall: semihosting(() => undefined) });
    for (const part of batch.parts) machine.writeMemory(part.address, part.data);
    return { machine, elf };
  };

  it('agrees on every instruction of random programs', async () => {
    const { machine, elf } = prepare();
    const result = await lockstep(elf, machine);
    expect(result.difference).toBeUndefined();
    expect(result.instructions).toBeGreaterThan(300);
  });
  it('finds a flipped register bit at its instruction', async () => {
    const { machine, elf } = prepare();
    machine.injectAt(200, () => machine.setRegister(11, machine.getRegister(11) ^ 4));
    const { difference } = await lockstep(elf, machine);
    expect(difference?.instruction).toBe(199);
    expect(difference?.registers[0]?.name).toBe('A11');
  });
});
