// A simulated board with one of our images on it: boots it, lists what its modules export, invokes functions through the
// runtime's mailbox, reads how they ended. Used by the CLI, the test suites and the benchmarks. Refuses to know Wasm
// values (words only) and terminals.
import type { BoardDescription } from '../compiler/abi/boards.js';
import { IMAGE_FLASH_OFFSET } from '../compiler/abi/boards.js';
import {
  MAILBOX_WORDS,
  RT_MAILBOX,
  WASM_EXPORT,
  WASM_FRAME,
  WASM_FUNC_INFO,
  WASM_INLINED,
  WASM_MODULE,
  WASM_STOP,
} from '../compiler/abi/layout.js';
import { RuntimeSymbol } from '../compiler/abi/linker-symbols.js';
import { StopReason, TrapCode } from '../compiler/abi/traps.js';
import { DiagnosticError, InternalError } from '../compiler/diagnostics.js';
import { readFlashImage } from '../linker/image/read.js';
import { SR } from '../simulator/cpu/state.js';
import { Machine } from '../simulator/machine.js';
import type { MachineOptions } from '../simulator/machine.js';
import type { StopInfo } from '../simulator/stop.js';

/** Where the runtime's host interface lies in an image. */
export interface HostAddresses {
  readonly mailbox: number;
  readonly runMailbox: number;
  readonly idle: number;
}

export interface DeviceExport {
  readonly name: string;
  /** Canonical signature text, e.g. `iI:f`. */
  readonly signature: string;
  readonly code: number;
}

export interface DeviceModule {
  /** Address of its struct wasm_module. */
  readonly address: number;
  readonly name: string;
  readonly exports: readonly DeviceExport[];
}

export interface Frame {
  readonly pc: number;
  readonly module: string;
  readonly funcIndex: number;
  readonly funcName: string | null;
  /** Byte offset in the .wasm file, 0 if unknown. */
  readonly wasmOffset: number;
}

/** How an invocation (or boot) ended; `limit`: the host's limit came first. */
export type Ending =
  | { readonly kind: 'returned' }
  | { readonly kind: 'exited'; readonly code: number }
  | {
      readonly kind: 'trapped';
      readonly code: number;
      readonly pc: number;
      readonly cause: number;
      readonly address: number;
      readonly backtrace: readonly Frame[];
    }
  | { readonly kind: 'deadline'; readonly backtrace: readonly Frame[] }
  | { readonly kind: 'limit'; readonly stop: StopInfo }
  | { readonly kind: 'stopped'; readonly reason: number };

export interface Invocation {
  readonly ending: Ending;
  /** Result words, if it returned. */
  readonly results: readonly number[];
  /** Of the function alone, from its first instruction until it is back in the runtime. */
  readonly instructions: number;
  readonly cycles: number;
  /** Deepest use of the native stack below the entry, in bytes. */
  readonly stackBytes: number;
}

export interface RunLimits {
  readonly maxInstructions?: number;
  /** Simulated seconds. */
  readonly maxSeconds?: number;
}

export interface InvokeOptions extends RunLimits {
  /** Deadline on the device in CPU cycles; 0 or absent: none. */
  readonly budgetCycles?: number;
  /** Find out how deep the native stack went; costs the host a pass over the stack. Default true. */
  readonly measureStack?: boolean;
}

/** The chip stopped in a way our firmware never should: the simulator's message and the CPU state. */
export class DeviceFault extends InternalError {
  constructor(readonly stop: StopInfo) {
    super(`the simulated device stopped: ${stop.reason}: ${stop.message}`);
  }
}

/** What unused stack is filled with to see how far it is used. */
const STACK_PAINT = 0xa5;
/** Slices between looks at the simulated time. */
const SLICE_INSTRUCTIONS = 5_000_000;
const SLICE_SECONDS = 0.1;

export class Device {
  readonly machine: Machine;
  private readonly decoder = new TextDecoder();

  constructor(
    image: Uint8Array,
    board: BoardDescription,
    readonly addresses: HostAddresses,
    options: Omit<MachineOptions, 'board'> = {},
  ) {
    this.machine = new Machine({ ...options, board });
    this.machine.loadFlash(image, IMAGE_FLASH_OFFSET);
  }

  /**
   * A device for an image file; the addresses come from the note behind the image.
   * @throws DiagnosticError W702 if the image is damaged or was not made by us
   */
  static fromImage(
    image: Uint8Array,
    board: BoardDescription,
    options: Omit<MachineOptions, 'board'> = {},
    file?: string,
  ): Device {
    const { note } = readFlashImage(image, file);
    if (note === null)
      throw new DiagnosticError('W702', 'the image was not made by wasm-aot', file === undefined ? {} : { file });
    if (image.length + IMAGE_FLASH_OFFSET > board.flashBytes)
      throw new DiagnosticError('W702', `the image has ${image.length} bytes, more than the flash of ${board.name}`);
    return new Device(image, board, note, options);
  }

  /**
   * Resets the chip and runs until the runtime waits for the host: modules are instantiated, `_start` has ended.
   * Instructions and cycles count from reset.
   */
  boot(limits: RunLimits = {}): Invocation {
    const { machine } = this;
    const before = { instructions: machine.instructions, cycles: machine.cycles };
    machine.resetFromRom();
    const stop = this.runUntil([this.addresses.idle], limits);
    const ending = this.ending(stop);
    return {
      ending,
      results: [],
      instructions: machine.instructions - before.instructions,
      cycles: machine.cycles - before.cycles,
      stackBytes: 0,
    };
  }

  /**
   * Runs on from where the runtime waits, for timers and other events, until nothing can wake the chip any more (true)
   * or a limit comes first (false).
   */
  runEvents(limits: RunLimits = {}): boolean {
    const { machine } = this;
    // Without the device OS no interrupt is enabled once the program has ended.
    if (machine.getSpecial(SR.INTENABLE) === 0) return true;
    const instructionLimit = machine.instructions + (limits.maxInstructions ?? Infinity);
    const timeLimit = machine.clock.seconds() + (limits.maxSeconds ?? Infinity);
    for (;;) {
      const seconds = Math.min(timeLimit - machine.clock.seconds(), SLICE_SECONDS);
      const left = instructionLimit - machine.instructions;
      if (seconds <= 0 || left <= 0) return false;
      const maxCycles = Math.ceil(seconds * machine.clock.cpuHz);
      const stop = machine.run({ maxCycles, maxInstructions: Math.min(left, SLICE_INSTRUCTIONS) });
      if (stop.reason === 'halted') return true;
      if (stop.reason !== 'limit') throw new DeviceFault(stop);
    }
  }

  /** Resets, runs up to the first instruction at `code` (an address known from symbols), measures from there to idle. */
  bootMeasuring(code: number, limits: RunLimits = {}): Invocation {
    this.machine.resetFromRom();
    const stop = this.runUntil([this.addresses.idle, code], limits);
    if (stop.reason !== 'breakpoint' || stop.pc !== code)
      return { ending: this.ending(stop), results: [], instructions: 0, cycles: 0, stackBytes: 0 };
    return this.measure(0, limits);
  }

  /** Called when software waits for input on UART0 and there is none: `give` returns bytes, or null for no more. */
  onInputNeeded(give: () => Uint8Array | null): void {
    const { uart } = this.machine;
    uart.onStarved = () => {
      const bytes = give();
      if (bytes !== null) uart.push(bytes);
    };
  }

  /** Modules in instantiation order. */
  modules(): DeviceModule[] {
    const { machine } = this;
    const { mailbox } = this.addresses;
    const array = this.word(mailbox + RT_MAILBOX.offset.modules);
    const count = this.word(mailbox + RT_MAILBOX.offset.module_count);
    const modules: DeviceModule[] = [];
    for (let i = 0; i < count; i++) {
      const address = this.word(array + 4 * i);
      const exports: DeviceExport[] = [];
      const table = this.word(address + WASM_MODULE.offset.exports);
      const exportCount = this.word(address + WASM_MODULE.offset.export_count);
      for (let k = 0; k < exportCount; k++) {
        const entry = table + k * WASM_EXPORT.size;
        exports.push({
          name: this.text(this.word(entry + WASM_EXPORT.offset.name)),
          signature: this.text(this.word(entry + WASM_EXPORT.offset.signature)),
          code: machine.readWord(entry + WASM_EXPORT.offset.code) >>> 0,
        });
      }
      modules.push({ address, name: this.text(this.word(address + WASM_MODULE.offset.name)), exports });
    }
    return modules;
  }

  /**
   * Runs a function of a module; the device must be idle.
   * @param code address of its first instruction
   * @param words argument words
   */
  invoke(code: number, words: readonly number[], resultWords: number, options: InvokeOptions = {}): Invocation {
    if (words.length > MAILBOX_WORDS || resultWords > MAILBOX_WORDS)
      throw new DiagnosticError('W501', `more than ${MAILBOX_WORDS} words of arguments or results`);
    const { machine } = this;
    const { mailbox } = this.addresses;
    const { offset } = RT_MAILBOX;
    machine.writeWord(mailbox + offset.entry, code);
    machine.writeWord(mailbox + offset.arg_count, words.length);
    words.forEach((word, i) => machine.writeWord(mailbox + offset.args + 4 * i, word));
    machine.writeWord(mailbox + offset.result_count, resultWords);
    const budget = options.budgetCycles ?? 0;
    machine.writeWord(mailbox + offset.budget_low, (budget % 0x1_0000_0000) | 0);
    machine.writeWord(mailbox + offset.budget_high, Math.floor(budget / 0x1_0000_0000));
    machine.pc = this.addresses.runMailbox;
    const stop = this.runUntil([code, this.addresses.idle], options);
    if (stop.reason !== 'breakpoint' || stop.pc !== code)
      return { ending: this.ending(stop), results: [], instructions: 0, cycles: 0, stackBytes: 0 };
    return this.measure(resultWords, options);
  }

  /** From the first instruction of a function until the runtime is idle again. */
  private measure(resultWords: number, limits: InvokeOptions): Invocation {
    const { machine } = this;
    const back = machine.getRegister(0) >>> 0;
    const top = machine.getRegister(1) >>> 0;
    const bottom = limits.measureStack === false ? top : this.stackBottom(top);
    machine.writeMemory(bottom, new Uint8Array(top - bottom).fill(STACK_PAINT));
    const before = { instructions: machine.instructions, cycles: machine.cycles };
    let stop = this.runUntil([back, this.addresses.idle], limits);
    const instructions = machine.instructions - before.instructions;
    const cycles = machine.cycles - before.cycles;
    const stackBytes = this.stackUsed(bottom, top);
    if (stop.reason === 'breakpoint' && stop.pc !== this.addresses.idle)
      stop = this.runUntil([this.addresses.idle], {});
    const ending = this.ending(stop);
    const results: number[] = [];
    if (ending.kind === 'returned')
      for (let i = 0; i < resultWords; i++)
        results.push(this.word(this.addresses.mailbox + RT_MAILBOX.offset.results + 4 * i));
    return { ending, results, instructions, cycles, stackBytes };
  }

  /** Lowest address that painting may touch: the lowest stack limit, else nothing. */
  private stackBottom(top: number): number {
    let bottom = top;
    for (const { address } of this.modules()) {
      const limit = this.word(address + WASM_MODULE.offset.stack_limit);
      if (limit !== 0 && limit < bottom) bottom = limit;
    }
    return bottom;
  }

  private stackUsed(bottom: number, top: number): number {
    const bytes = this.machine.readMemory(bottom, top - bottom);
    let unused = 0;
    while (unused < bytes.length && bytes[unused] === STACK_PAINT) unused++;
    return top - bottom - unused;
  }

  /** Runs to one of the addresses; a stop that our firmware never causes is a DeviceFault. */
  private runUntil(addresses: readonly number[], limits: RunLimits): StopInfo {
    const { machine } = this;
    const instructionLimit = machine.instructions + (limits.maxInstructions ?? Infinity);
    const timeLimit = machine.clock.seconds() + (limits.maxSeconds ?? Infinity);
    for (;;) {
      const left = instructionLimit - machine.instructions;
      const stop = machine.run({ until: addresses, maxInstructions: Math.min(left, SLICE_INSTRUCTIONS) });
      if (stop.reason === 'breakpoint') return stop;
      if (stop.reason !== 'limit') throw new DeviceFault(stop);
      if (machine.instructions >= instructionLimit || machine.clock.seconds() >= timeLimit) return stop;
    }
  }

  /** What the mailbox says once the runtime is idle. */
  private ending(stop: StopInfo): Ending {
    if (stop.reason !== 'breakpoint') return { kind: 'limit', stop };
    const at = this.addresses.mailbox + RT_MAILBOX.offset.stop;
    const reason = this.word(at + WASM_STOP.offset.reason);
    switch (reason) {
      case StopReason.Returned:
        return { kind: 'returned' };
      case StopReason.Exited:
        return { kind: 'exited', code: this.word(at + WASM_STOP.offset.exit_code) };
      case StopReason.Trapped:
        return {
          kind: 'trapped',
          code: this.word(at + WASM_STOP.offset.trap_code),
          pc: this.word(at + WASM_STOP.offset.pc),
          cause: this.word(at + WASM_STOP.offset.cause),
          address: this.word(at + WASM_STOP.offset.vaddr),
          backtrace: this.backtrace(at),
        };
      case StopReason.DeadlineExpired:
        return { kind: 'deadline', backtrace: this.backtrace(at) };
      default:
        return { kind: 'stopped', reason };
    }
  }

  private backtrace(stop: number): Frame[] {
    const count = this.word(stop + WASM_STOP.offset.backtrace_count);
    const frames: Frame[] = [];
    for (let i = 0; i < count; i++) {
      const at = stop + WASM_STOP.offset.backtrace + i * WASM_FRAME.size;
      const module = this.word(at + WASM_FRAME.offset.module);
      const funcIndex = this.word(at + WASM_FRAME.offset.func_index);
      frames.push({
        pc: this.word(at + WASM_FRAME.offset.pc),
        module: module === 0 ? '' : this.text(this.word(module + WASM_MODULE.offset.name)),
        funcIndex,
        funcName: module === 0 ? null : this.functionName(module, funcIndex),
        wasmOffset: this.word(at + WASM_FRAME.offset.wasm_offset),
      });
    }
    return frames;
  }

  private functionName(module: number, funcIndex: number): string | null {
    const names = this.word(module + WASM_MODULE.offset.func_names);
    if (names === 0) return null;
    const funcs = this.word(module + WASM_MODULE.offset.funcs);
    const count = this.word(module + WASM_MODULE.offset.func_count);
    for (let i = 0; i < count; i++) {
      if (this.word(funcs + i * WASM_FUNC_INFO.size + WASM_FUNC_INFO.offset.func_index) !== funcIndex) continue;
      const name = this.word(names + 4 * i);
      return name === 0 ? null : this.text(name);
    }
    // All that is left of it may be copies in other functions.
    const inlined = this.word(module + WASM_MODULE.offset.inlined);
    for (let i = 0; i < this.word(module + WASM_MODULE.offset.inlined_count); i++) {
      const at = inlined + i * WASM_INLINED.size;
      if (this.word(at + WASM_INLINED.offset.func_index) !== funcIndex) continue;
      return this.text(this.word(at + WASM_INLINED.offset.name));
    }
    return null;
  }

  /** Unsigned word at an address of the device. */
  word(address: number): number {
    return this.machine.readWord(address) >>> 0;
  }

  /** Zero-terminated UTF-8 at an address of the device. */
  text(address: number): string {
    const bytes: number[] = [];
    for (let at = address; ; at++) {
      const byte = this.machine.readMemory(at, 1)[0]!;
      if (byte === 0) return this.decoder.decode(Uint8Array.from(bytes));
      bytes.push(byte);
    }
  }
}

/** Addresses of a linked image's host interface. */
export function hostAddresses(symbols: ReadonlyMap<string, { readonly address: number }>): HostAddresses {
  const address = (name: string): number => {
    const symbol = symbols.get(name);
    if (symbol === undefined) throw new InternalError(`the image has no ${name}`);
    return symbol.address;
  };
  return {
    mailbox: address(RuntimeSymbol.Mailbox),
    runMailbox: address(RuntimeSymbol.RunMailbox),
    idle: address(RuntimeSymbol.Idle),
  };
}

/** True for a trap that says our code or the hardware is at fault, not the module. */
export function isMachineException(ending: Ending): boolean {
  return ending.kind === 'trapped' && ending.code === TrapCode.MachineException;
}
