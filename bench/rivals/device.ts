// Takes code placed at addresses, or a flash image; gives exact instruction and cycle counts of one call on the simulated
// chip, and the depth of its stack. Knows no compiler.
import { ESP32 } from '../../compiler/abi/boards.js';
import { Machine } from '../../simulator/machine.js';
import type { CallResult } from '../../simulator/machine.js';
import type { Inspect } from './column.js';
import type { ElfFile } from './elf.js';

/** No call of the bench takes this long: it has run away. */
const INSTRUCTION_LIMIT = 200_000_000;
const STACK_FILL = 0xa5;
/** Special registers and values (simulator/cpu/state.ts has the list): floating point on, no exception level. */
const PS = 230;
const CPENABLE = 224;
/** Where natives have their stack: the top of the part of DRAM that the link script leaves free. */
const NATIVE_STACK_TOP = 0x3ffe8000;
const NATIVE_STACK_BYTES = 0x4000;

export interface Call {
  readonly checksum: number;
  readonly instructions: number;
  readonly cycles: number;
  readonly stackBytes: number;
}

/** A chip with a native program in its memory and nothing else: no firmware, no interrupts. */
export class NativeDevice {
  private readonly machine = new Machine({ board: ESP32 });

  constructor(private readonly elf: ElfFile) {
    const { machine } = this;
    machine.reset();
    machine.setSpecial(PS, 0);
    machine.setSpecial(CPENABLE, 1);
    for (const { address, bytes, memoryBytes } of elf.segments) {
      const all = new Uint8Array(memoryBytes);
      all.set(bytes);
      if (memoryBytes > 0) machine.writeMemory(address, all);
    }
  }

  address(symbol: string): number {
    const address = this.elf.symbols.get(symbol);
    if (address === undefined) throw new Error(`no symbol ${symbol}`);
    return address;
  }

  call(symbol: string, args: readonly number[], inspect?: Inspect): Call {
    this.machine.setTrace(inspect?.(this.machine, this.elf.symbols));
    return measureCall(this.machine, this.address(symbol), args, {
      top: NATIVE_STACK_TOP,
      bytes: NATIVE_STACK_BYTES,
    });
  }
}

/**
 * Calls a CALL0 function and counts from its first instruction to its return.
 * @throws Error when it does not return
 */
export function measureCall(
  machine: Machine,
  entry: number,
  args: readonly number[],
  stack: { readonly top: number; readonly bytes: number },
): Call {
  const bottom = stack.top - stack.bytes;
  machine.writeMemory(bottom, new Uint8Array(stack.bytes).fill(STACK_FILL));
  const result = machine.call(entry, args, { stack: stack.top, maxInstructions: INSTRUCTION_LIMIT });
  if (!result.returned) throw new Error(describeStop(machine, result));
  const after = machine.readMemory(bottom, stack.bytes);
  const untouched = after.findIndex((byte) => byte !== STACK_FILL);
  return {
    checksum: (result.results[0] as number) >>> 0,
    instructions: result.instructions,
    cycles: result.cycles,
    stackBytes: untouched < 0 ? 0 : stack.bytes - untouched,
  };
}

function describeStop(machine: Machine, { stop }: CallResult): string {
  return `${stop.reason} at 0x${stop.pc.toString(16)} after ${stop.instructions} instructions: ${stop.message}, a0 0x${(machine.getRegister(0) >>> 0).toString(16)}`;
}
