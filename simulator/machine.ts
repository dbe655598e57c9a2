// The simulated ESP32: wires CPU, bus, peripherals and clock together, and runs them. Takes a board description and flash
// bytes; gives control, state and stop reasons to tools. Refuses to know the compiler, the linker and the command line.

import type { BoardDescription } from '../compiler/abi/boards.js';
import { Bus } from './bus/bus.js';
import type { Watch } from './bus/bus.js';
import { DebugMemory } from './bus/debug-memory.js';
import { Memory } from './bus/memory.js';
import type { Peripheral } from './bus/peripheral.js';
import { Clock, Scheduler } from './clock.js';
import { Core } from './cpu/core.js';
import { CodeCache } from './cpu/code-cache.js';
import { Dispatcher } from './cpu/dispatcher.js';
import type { TraceHook } from './cpu/interpreter.js';
import type { CpuState } from './cpu/state.js';
import { SR } from './cpu/state.js';
import { describeCpu } from './debug/state-dump.js';
import { ImageError } from './load/image.js';
import { POWER_ON, RESET_CAUSES, bootFromRom } from './load/rom-boot.js';
import type { CallOptions, CallResult, MachineOptions, RunOptions } from './machine-options.js';
import { Chip } from './peripherals/chip.js';
import type { FlashChip } from './peripherals/flash-chip.js';
import type { I2c } from './peripherals/i2c.js';
import type { Gpio } from './peripherals/misc.js';
import type { Uart } from './peripherals/uart.js';
import { ESP32_CPU } from './profiles.js';
import type { StopInfo, WatchHit } from './stop.js';
import { MachineStop, hex32 } from './stop.js';

export type { CallOptions, CallResult, MachineOptions, RunOptions };

const TRANSLATE_AFTER = 3000;
const CALL_RETURN = 0x400007f0;
const INSTRUCTION_LIMIT = 2 ** 53;
/** Where code runs out of the flash. */
const FLASH_CODE = { start: 0x400c2000, end: 0x40c00000 } as const;

export class Machine {
  readonly board: BoardDescription;
  readonly memory: Memory;
  readonly bus: Bus;
  readonly core: Core;
  readonly clock: Clock;
  private readonly scheduler = new Scheduler();
  private readonly dispatcher: Dispatcher;
  private readonly cache: CodeCache;
  private readonly chip: Chip;
  private readonly debugMemory: DebugMemory;
  private readonly options: MachineOptions;
  private readonly breakpoints = new Set<number>();
  private watches: readonly Watch[] = [];
  private injections: { readonly instruction: number; readonly action: (machine: Machine) => void }[] = [];
  /** Why the machine must stop after the current instruction. */
  private stopRequest: Partial<StopInfo> | undefined = undefined;

  constructor(options: MachineOptions) {
    this.options = options;
    this.board = options.board;
    const cpu = options.cpu ?? ESP32_CPU;
    this.memory = new Memory(options.board);
    this.cache = new CodeCache(this.memory);
    this.debugMemory = new DebugMemory(this.memory, this.cache);
    this.bus = new Bus(
      this.memory,
      {
        codeWritten: (offset, size) => this.codeWritten(offset, size),
        watchHit: (hit) => this.watchHit(hit),
      },
      cpu.unaligned,
    );
    this.core = new Core(this.bus, {
      setTimer: (timer, cycle) =>
        this.scheduler.schedule(`ccompare${timer}`, cycle, () => this.core.timerMatched(timer)),
      isExecutable: (address) => this.fetchByte(address) >= 0,
      loopEndAdded: (end) => this.cache.dropRegions(end - 1, end + 1),
    });
    this.scheduler.onEarlier = () => {
      this.core.breakOut = true;
    };
    this.clock = new Clock(() => this.cycles, options.clockHz);
    if (options.onSimcall !== undefined) {
      const { onSimcall } = options;
      this.core.onSimcall = () => onSimcall(this);
    }

    this.chip = new Chip(
      {
        now: () => this.cycles,
        cpuHz: () => this.clock.cpuHz,
        apbHz: () => this.clock.apbHz,
        setInterruptSource: (source, active) => this.setInterruptSource(source, active),
        schedule: (key, cycle, action) => this.scheduler.schedule(key, cycle, action),
        cancel: (key) => this.scheduler.cancel(key),
        requestReset: (cause, what) => this.requestReset(cause, what),
      },
      {
        setInterruptLines: (lines) => this.core.setInterruptLines(lines),
        flashMappingChanged: () => {
          this.cache.dropRange(FLASH_CODE.start, FLASH_CODE.end);
          this.core.breakOut = true;
        },
        selectClock: (source, pllCpuHz) => this.clock.select(source, pllCpuHz),
        apbTicks: () => this.clock.apbTicks(),
        seconds: () => this.clock.seconds(),
        console: (byte) => this.options.onConsole?.(Uint8Array.of(byte)),
      },
      { memory: this.memory, uartTiming: options.uartTiming ?? 'instant', seed: options.seed ?? 1 },
    );
    for (const peripheral of this.chip.peripherals) this.bus.attach(peripheral);
    this.dispatcher = new Dispatcher(this.core, this.memory, this.cache, cpu.features, {
      fetch: (address) => this.fetchByte(address),
      fetchRefused: (address) => this.fetchRefused(address),
      translate: options.translate ?? true,
      translateAfter: options.translateAfter ?? TRANSLATE_AFTER,
      unaligned: cpu.unaligned,
    });
  }

  // ---- state for tools ----

  /** Everything on the peripheral bus. */
  get peripherals(): readonly Peripheral[] {
    return this.chip.peripherals;
  }
  get gpio(): Gpio {
    return this.chip.gpio;
  }
  get flashChip(): FlashChip {
    return this.chip.flashChip;
  }
  get i2c(): readonly [I2c, I2c] {
    return this.chip.i2c;
  }
  get uart(): Uart {
    return this.chip.uart;
  }

  get state(): CpuState {
    return this.core.state;
  }
  get pc(): number {
    return this.core.state.pc;
  }
  set pc(value: number) {
    this.core.state.pc = value >>> 0;
    this.core.waiting = false;
  }
  /** Instructions completed since the machine was made; exact. */
  get instructions(): number {
    return this.core.state.counts[0] as number;
  }
  /** Cycles of the timing model since the machine was made. */
  get cycles(): number {
    return this.core.state.counts[1] as number;
  }
  /** Address register as the current window shows it, int32. */
  getRegister(index: number): number {
    return this.core.state.a[index] as number;
  }
  setRegister(index: number, value: number): void {
    this.core.state.a[index] = value;
  }
  getSpecial(number: number): number {
    return this.core.readSpecial(number);
  }
  setSpecial(number: number, value: number): void {
    this.core.writeSpecial(number, value);
  }

  /** Copies memory out, with a debugger's eyes: RAM and mapped flash, no strictness. @throws RangeError */
  readMemory(address: number, length: number): Uint8Array {
    return this.debugMemory.read(address, length);
  }
  /** Writes RAM or mapped flash, with a debugger's hands; translated code under it is forgotten. @throws RangeError */
  writeMemory(address: number, bytes: Uint8Array): void {
    this.debugMemory.write(address, bytes);
  }
  readWord(address: number): number {
    const bytes = this.readMemory(address, 4);
    return new DataView(bytes.buffer).getInt32(0, true);
  }
  writeWord(address: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setInt32(0, value, true);
    this.writeMemory(address, bytes);
  }

  // ---- loading and reset ----

  /** The flash chip's contents. */
  get flash(): Uint8Array {
    return this.memory.bytes.subarray(this.memory.flashOffset);
  }

  /** Puts bytes into the flash chip. @throws RangeError when they do not fit */
  loadFlash(bytes: Uint8Array, flashOffset = 0): void {
    if (flashOffset + bytes.length > this.memory.flashBytes) {
      throw new RangeError(`${bytes.length} bytes at 0x${flashOffset.toString(16)} do not fit into the flash`);
    }
    this.flash.set(bytes, flashOffset);
    this.cache.clear();
  }

  /** Resets the chip: peripherals and core as after power-on. Memory and counters keep their values. */
  reset(): void {
    this.scheduler.clear();
    this.clock.reset();
    this.core.reset();
    this.chip.reset();
    this.cache.clear();
  }

  /**
   * Reset followed by what the mask ROM does: loads the image at flash 0x1000, arms the boot watchdogs and goes to its
   * entry point. @throws ImageError when the ROM would refuse the image
   */
  resetFromRom(cause = POWER_ON): void {
    this.reset();
    const entry = bootFromRom(
      {
        flash: this.flash,
        state: this.core.state,
        loadRam: (address, data) => this.loadRam(address, data),
        log: (text) => this.options.onRom?.(text),
      },
      cause,
    );
    this.chip.armBootWatchdogs();
    this.core.refreshMode();
    this.core.refreshInterrupts();
    this.pc = entry;
  }

  private loadRam(address: number, data: Uint8Array): boolean {
    const last = address + data.length - 1;
    if (data.length === 0) return true;
    const region = this.memory.regionAt(address);
    if (region?.kind !== 'ram' && region?.kind !== 'sram1-reversed') return false;
    if (this.memory.locate(last) < 0) return false;
    this.writeMemory(address, data);
    return true;
  }

  // ---- running ----

  /** Runs until something in `options`, a stop request or a fault stops it. */
  run(options: RunOptions = {}): StopInfo {
    const { counts } = this.core.state;
    const until = typeof options.until === 'number' ? [options.until] : (options.until ?? []);
    const stops = new Set([...this.breakpoints, ...until.map((address) => address >>> 0)]);
    this.dispatcher.setBreakpoints(stops);
    const instructionLimit = Math.min(
      this.instructions + (options.maxInstructions ?? INSTRUCTION_LIMIT),
      INSTRUCTION_LIMIT,
    );
    const cycleLimit = this.cycles + (options.maxCycles ?? Infinity);
    const start = this.pc;
    let first = true;
    try {
      for (;;) {
        if (this.cycles >= this.scheduler.nextCycle) this.scheduler.runDue(this.cycles);
        this.runInjections();
        if (this.core.interruptPending) this.core.takeInterrupt();
        const request = this.takeStopRequest();
        if (request !== undefined) {
          if (request.reason !== 'reset' || this.options.rebootOnReset !== true) return this.stop(request);
          this.resetFromRom(request.resetCause ?? POWER_ON);
          continue;
        }
        if ((!first || this.pc !== start) && stops.has(this.pc))
          return this.stop({ reason: 'breakpoint', message: `reached ${hex32(this.pc)}` });
        if (this.instructions >= instructionLimit) return this.stop({ reason: 'limit', message: 'instruction limit' });
        if (this.cycles >= cycleLimit) return this.stop({ reason: 'limit', message: 'cycle limit' });
        if (this.core.waiting) {
          const wake = Math.min(this.nextWake(), cycleLimit);
          if (wake === Infinity) return this.stop({ reason: 'halted', message: 'waiti with nothing left to wake it' });
          counts[1] = Math.max(wake, this.cycles);
          continue;
        }
        const untilInstruction = Math.min(instructionLimit, this.injections[0]?.instruction ?? Infinity);
        this.dispatcher.run(untilInstruction, Math.min(cycleLimit, this.scheduler.nextCycle));
        first = false;
      }
    } catch (error) {
      if (error instanceof MachineStop) return this.faultStop(error);
      if (error instanceof ImageError) return this.stop({ reason: 'fault', message: error.message });
      throw error;
    }
  }

  /** Executes one instruction (or takes one pending interrupt and executes the first of its handler). */
  step(): StopInfo {
    return this.run({ maxInstructions: 1 });
  }

  /**
   * Calls a CALL0 function and runs until it returns.
   * @param args up to six words in a2-a7
   */
  call(address: number, args: readonly number[], options: CallOptions = {}): CallResult {
    const { state } = this.core;
    const returnAddress = options.returnAddress ?? CALL_RETURN;
    args.forEach((value, i) => (state.a[2 + i] = value));
    if (options.stack !== undefined) state.a[1] = options.stack;
    state.a[0] = returnAddress;
    this.pc = address;
    const before = { instructions: this.instructions, cycles: this.cycles };
    const until = typeof options.until === 'number' ? [options.until] : (options.until ?? []);
    const stop = this.run({ ...options, until: [...until, returnAddress] });
    return {
      stop,
      returned: stop.reason === 'breakpoint' && this.pc === returnAddress >>> 0,
      results: [2, 3, 4, 5].map((i) => state.a[i] as number),
      instructions: this.instructions - before.instructions,
      cycles: this.cycles - before.cycles,
    };
  }

  /** Stops after the current instruction; for hooks and peripherals' callbacks. */
  requestStop(message = 'stop requested'): void {
    this.askStop({ reason: 'request', message });
  }

  /** Stops with an exit code; for SIMCALL handlers. */
  exit(code: number): void {
    this.askStop({ reason: 'exit', exitCode: code, message: `exit ${code}` });
  }

  // ---- debugging ----

  addBreakpoint(address: number): void {
    this.breakpoints.add(address >>> 0);
  }
  removeBreakpoint(address: number): void {
    this.breakpoints.delete(address >>> 0);
  }

  /** Ranges whose touching stops the machine, after the instruction that did it. */
  addWatch(watch: Watch): void {
    this.setWatches([...this.watches, watch]);
  }
  setWatches(watches: readonly Watch[]): void {
    this.watches = watches;
    this.bus.setWatches(watches);
  }

  /** Calls `action` between instructions when exactly `instruction` have completed (an absolute count). */
  injectAt(instruction: number, action: (machine: Machine) => void): void {
    this.injections.push({ instruction, action });
    this.injections.sort((a, b) => a.instruction - b.instruction);
  }

  /** Injects a CPU interrupt (0-31) after exactly `instruction` instructions. */
  injectInterrupt(instruction: number, number: number): void {
    this.injectAt(instruction, () => this.core.latchInterrupt(number));
  }

  /** Flips one bit of memory after exactly `instruction` instructions. */
  injectBitFlip(instruction: number, address: number, bit: number): void {
    this.injectAt(instruction, () => {
      const byte = this.readMemory(address, 1);
      byte[0] = (byte[0] as number) ^ (1 << bit);
      this.writeMemory(address, byte);
    });
  }

  /** Called before every instruction; everything is interpreted while set. */
  setTrace(hook: TraceHook | undefined): void {
    this.dispatcher.setTrace(hook);
  }

  /** Console input. */
  sendConsole(bytes: Uint8Array): void {
    this.uart.push(bytes);
  }

  /** Registers and exception state for people. */
  describe(): string {
    return describeCpu(this.core);
  }

  get translatedRegions(): number {
    return this.cache.regionCount;
  }

  // ---- inside ----

  private runInjections(): void {
    while (this.injections.length > 0 && (this.injections[0]?.instruction ?? Infinity) <= this.instructions) {
      this.injections.shift()?.action(this);
    }
  }

  /** When the next event comes that could wake a sleeping core. */
  private nextWake(): number {
    return this.scheduler.nextMatching(
      (key) => !key.startsWith('ccompare') || this.core.timerCanWake(Number(key.slice('ccompare'.length))),
    );
  }

  private setInterruptSource(source: number, active: boolean): void {
    // Peripherals reset themselves while the machine is still being put together.
    (this.chip as Chip | undefined)?.setInterruptSource(source, active);
  }

  private codeWritten(offset: number, size: number): void {
    if (this.cache.invalidatePhysical(offset, size)) this.core.breakOut = true;
  }

  private watchHit(watch: WatchHit): void {
    const what = `${watch.access} of ${watch.bytes} bytes at ${hex32(watch.address)} touches ${watch.name}`;
    this.askStop({ reason: 'watch', watch, message: what });
  }

  private requestReset(cause: number, what: string): void {
    const name = RESET_CAUSES.get(cause) ?? 'UNKNOWN';
    this.askStop({ reason: 'reset', resetCause: cause, message: `rst:0x${cause.toString(16)} (${name}): ${what}` });
  }

  private askStop(request: Partial<StopInfo>): void {
    this.stopRequest ??= request;
    this.core.breakOut = true;
  }

  private takeStopRequest(): Partial<StopInfo> | undefined {
    const request = this.stopRequest;
    this.stopRequest = undefined;
    return request;
  }

  private stop(info: Partial<StopInfo>): StopInfo {
    const counts = { pc: this.pc, instructions: this.instructions, cycles: this.cycles };
    return { reason: 'request', message: '', ...counts, ...info };
  }

  private faultStop(error: MachineStop): StopInfo {
    const cause = error.kind === 'unhandled-exception' ? (this.core.state.sr[SR.EXCCAUSE] as number) : undefined;
    return this.stop({
      reason: 'fault',
      message: error.message,
      fault: { kind: error.kind, cause, address: error.address },
    });
  }

  /** One byte of code, or -1. Only the data behind executable regions counts. */
  private fetchByte(address: number): number {
    const region = this.memory.regionAt(address);
    if (region === undefined || !region.executable || region.kind === 'rom') return -1;
    const offset = this.memory.locate(address);
    return offset < 0 ? -1 : (this.memory.bytes[offset] as number);
  }

  /** Stops for fetches the chip would answer but the simulator cannot. */
  private fetchRefused(address: number): void {
    if (this.memory.regionAt(address)?.kind === 'rom') {
      throw new MachineStop(
        'rom-execution',
        `execution reached the mask ROM at ${hex32(address)}; ROM code is not modelled`,
        address,
      );
    }
  }
}
