// Takes the hand-written test module and a cross compiler; gives a booted simulated ESP32 with the mailbox protocol.
// Knows no Wasm compiler.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESP32 } from '../../../compiler/abi/boards.js';
import { RT_MAILBOX, WASM_FRAME, WASM_STOP } from '../../../compiler/abi/layout.js';
import { RuntimeSymbol } from '../../../compiler/abi/linker-symbols.js';
import { writeFlashImage } from '../../../linker/image/flash.js';
import { link, type LinkOptions } from '../../../linker/link.js';
import type { LinkedImage } from '../../../linker/linked.js';
import { readObject } from '../../../linker/read-object.js';
import { loadRuntimeObjects } from '../../../linker/runtime-objects.js';
import { Machine } from '../../../simulator/machine.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const COMPILER = 'xtensa-lx106-elf-gcc';

export const haveCompiler = spawnSync(COMPILER, ['--version']).status === 0;

/** The test module's object; `start` names the function to export as `_start`. */
export function assembleModule(start?: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'firmware-test-'));
  try {
    const output = join(folder, 'module.o');
    const flags = ['-mtext-section-literals', '-Wa,--no-target-align', '-Irt-stubs/include', '-Ifirmware/include'];
    if (start !== undefined) flags.push(`-DSTART=${start}`);
    const source = join(ROOT, 'test/system/firmware/module.S');
    const result = spawnSync(COMPILER, [...flags, '-c', source, '-o', output], { cwd: ROOT, encoding: 'utf8' });
    if (result.status !== 0) throw new Error(result.stderr);
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface Outcome {
  readonly reason: number;
  readonly trapCode: number;
  readonly exitCode: number;
  readonly results: readonly number[];
  /** Function index and Wasm offset, innermost first. */
  readonly backtrace: readonly (readonly [number, number])[];
  readonly cycles: number;
}

const MAX_INSTRUCTIONS = 3_000_000;

/** A device that runs a linked image. */
export class Device {
  readonly machine: Machine;
  console = '';

  constructor(readonly image: LinkedImage) {
    this.machine = new Machine({
      board: ESP32,
      onConsole: (bytes) => {
        this.console += Buffer.from(bytes).toString('latin1');
      },
    });
    this.machine.loadFlash(writeFlashImage(image), 0x1000);
    this.machine.resetFromRom();
  }

  address(symbol: string): number {
    const found = this.image.symbols.get(symbol);
    if (found === undefined) throw new Error(`no symbol ${symbol}`);
    return found.address;
  }

  /** Runs until the firmware is idle; throws if it never is. */
  settle(): this {
    const stop = this.machine.run({ maxInstructions: MAX_INSTRUCTIONS, until: this.address(RuntimeSymbol.Idle) });
    if (stop.reason !== 'breakpoint') throw new Error(`${stop.message}; console: ${this.console}`);
    return this;
  }

  /** Invokes a function through the mailbox. `budget` in CPU cycles. */
  invoke(symbol: string, args: readonly number[] = [], resultCount = 0, budget = 0): Outcome {
    const mailbox = this.address(RuntimeSymbol.Mailbox);
    const { offset } = RT_MAILBOX;
    this.machine.writeWord(mailbox + offset.entry, this.address(symbol));
    this.machine.writeWord(mailbox + offset.arg_count, args.length);
    args.forEach((value, i) => this.machine.writeWord(mailbox + offset.args + 4 * i, value));
    this.machine.writeWord(mailbox + offset.result_count, resultCount);
    this.machine.writeWord(mailbox + offset.budget_low, budget);
    this.machine.writeWord(mailbox + offset.budget_high, 0);
    this.machine.pc = this.address(RuntimeSymbol.RunMailbox);
    return this.settle().outcome(resultCount);
  }

  outcome(resultCount = 0): Outcome {
    const mailbox = this.address(RuntimeSymbol.Mailbox);
    const stop = mailbox + RT_MAILBOX.offset.stop;
    const word = (at: number): number => this.machine.readWord(at);
    const count = word(stop + WASM_STOP.offset.backtrace_count);
    return {
      reason: word(stop + WASM_STOP.offset.reason),
      trapCode: word(stop + WASM_STOP.offset.trap_code),
      exitCode: word(stop + WASM_STOP.offset.exit_code),
      results: Array.from({ length: resultCount }, (_, i) => word(mailbox + RT_MAILBOX.offset.results + 4 * i)),
      backtrace: Array.from({ length: count }, (_, i) => {
        const frame = stop + WASM_STOP.offset.backtrace + i * WASM_FRAME.size;
        return [word(frame + WASM_FRAME.offset.func_index), word(frame + WASM_FRAME.offset.wasm_offset)] as const;
      }),
      cycles: word(mailbox + RT_MAILBOX.offset.cycles_low),
    };
  }
}

/** Links the runtime with the test module. */
export function linkDevice(start?: string, options: LinkOptions = {}): LinkedImage {
  const module = readObject(assembleModule(start), 'test.o', 'module');
  return link([...loadRuntimeObjects(), module], ESP32, { ...options, keepAll: true });
}
