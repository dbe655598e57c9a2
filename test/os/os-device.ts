// Takes a manifest and modules in text form, gives a booted simulated device with the kernel: requests of the host through
// the mailbox, time that passes, state of the kernel's tables. Knows the kernel's structs by name; no expectation.
import { ESP32, IMAGE_FLASH_OFFSET } from '../../compiler/abi/boards.js';
import { RT_MAILBOX } from '../../compiler/abi/layout.js';
import { RuntimeSymbol } from '../../compiler/abi/linker-symbols.js';
import { METHOD_NUMBERS, RESULT_CODE_SHIFT, RESULT_LENGTH_MASK } from '../../compiler/abi/os-layout.js';
import { buildRuntime } from '../../firmware/build.js';
import type { LinkedImage } from '../../linker/linked.js';
import { loadRuntimeObjects } from '../../linker/runtime-objects.js';
import { buildThings } from '../../manifest/build.js';
import type { MethodName, ModuleEntry, ThingsFile } from '../../manifest/file.js';
import { loadManifest } from '../../manifest/load.js';
import { Machine, type MachineOptions } from '../../simulator/machine.js';
import { kernelState, type GrantView, type ModuleView } from './kernel-state.js';
import { wat } from '../support/wat.js';

export type ModuleText = Omit<ModuleEntry, 'wasm' | 'version'> & { readonly wat: string };

/** What every test module may import. */
export const IMPORTS = `
  (import "thingspire" "call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "request" (func $request (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "parameter" (func $parameter (param i32 i32 i32) (result i32)))
  (import "thingspire" "query" (func $query (param i32 i32 i32 i32) (result i32)))
  (import "thingspire" "caller" (func $caller (param i32 i32) (result i32)))
  (import "thingspire" "grant" (func $grant (param i32 i32 i32 i32 i32) (result i32)))
  (import "thingspire" "grant_caller" (func $grant_caller (param i32 i32 i32 i32) (result i32)))
  (import "thingspire" "revoke" (func $revoke (param i32) (result i32)))
  (import "thingspire" "observe" (func $observe (param i32 i32 i32 i32) (result i32)))
  (import "thingspire" "unobserve" (func $unobserve (param i32) (result i32)))
  (import "thingspire" "notify" (func $notify (param i32 i32) (result i32)))
  (import "thingspire" "timer" (func $timer (param i32 i32 i32) (result i32)))
  (import "thingspire" "now" (func $now (result i64)))
  (import "thingspire" "random" (func $random (result i32)))
  (import "thingspire" "log" (func $log (param i32 i32)))
  (import "thingspire" "time_left" (func $time_left (result i32)))`;

/** A handler in text form; its parameters are $p $n $r $c. */
export const handler = (name: string, body: string, locals = ''): string =>
  `(func (export "${name}") (param $p i32) (param $n i32) (param $r i32) (param $c i32) (result i32) ${locals} ${body})`;

/** Result word of a code like 2.05 with a length. */
export const word = (code: number, length = 0): number => ((codeByte(code) << RESULT_CODE_SHIFT) | length) >>> 0;
const codeByte = (code: number): number => (Math.floor(code) << 5) | Math.round((code % 1) * 100);

export interface Answer {
  /** As people write it: 2.05. */
  readonly code: number;
  readonly payload: Buffer;
}

export interface BuiltDevice {
  readonly linked: LinkedImage;
  readonly image: Uint8Array;
}

const MODULE_DEFAULTS = { version: '1.0.0', stack: 2048, memory: { max: 65536 } } as const;

/** Links modules with the kernel. */
export async function buildDevice(
  modules: readonly ModuleText[],
  more: Partial<ThingsFile> = {},
): Promise<BuiltDevice> {
  const file = {
    name: 'test',
    version: '1.0.0',
    ...more,
    modules: modules.map(({ wat: _, ...entry }) => ({ ...MODULE_DEFAULTS, wasm: `${entry.name}.wasm`, ...entry })),
  };
  const inputs = new Map<string, { bytes: Uint8Array; file: string }>();
  for (const { name, wat: text } of modules)
    inputs.set(name, { bytes: await wat(`(module ${text})`, { names: true }), file: `${name}.wasm` });
  const manifest = loadManifest(Buffer.from(JSON.stringify(file)), 'things.json');
  const folder = process.env['TEST_RUNTIME'];
  const { linked, image } = buildThings(manifest, inputs, { board: ESP32, runtime: loadRuntimeObjects(folder) });
  return { linked, image };
}

const IDLE_BYTES = 6;
const MAX_INSTRUCTIONS = 5_000_000;
/** Words of the mailbox that a request leaves free: texts of the host go there. */
const TEXT_WORD = 7;
const TEXT_BYTES = 4 * (64 - TEXT_WORD);

export class OsDevice {
  readonly machine: Machine;
  console = '';

  constructor(
    readonly built: BuiltDevice,
    options: Partial<MachineOptions> = {},
  ) {
    this.machine = new Machine({
      ...options,
      board: ESP32,
      onConsole: (bytes) => {
        this.console += Buffer.from(bytes).toString('latin1');
      },
    });
    this.machine.loadFlash(built.image, IMAGE_FLASH_OFFSET);
    this.machine.resetFromRom();
  }

  address(symbol: string): number {
    const found = this.built.linked.symbols.get(symbol);
    if (found === undefined) throw new Error(`no symbol ${symbol}`);
    return found.address;
  }

  /** Runs until there is nothing to do. */
  settle(): this {
    const stop = this.machine.run({ maxInstructions: MAX_INSTRUCTIONS, until: this.address(RuntimeSymbol.Idle) });
    if (stop.reason !== 'breakpoint')
      throw new Error(`${stop.message} at ${stop.pc.toString(16)}; console: ${this.console}`);
    return this;
  }

  /** Runs for a time, whatever there is to do then. */
  run(milliseconds: number): this {
    const stop = this.machine.run({ maxCycles: milliseconds * 40_000 });
    if (stop.reason !== 'limit' && stop.reason !== 'halted')
      throw new Error(`${stop.message}; console: ${this.console}`);
    return this;
  }

  /** Lets time pass; events run when they are due, and to their end. */
  pass(milliseconds: number): this {
    this.run(milliseconds);
    const idle = this.address(RuntimeSymbol.Idle);
    // Asleep in waiti, or on the jump behind it.
    if (this.machine.pc >= idle && this.machine.pc < idle + IDLE_BYTES) return this;
    return this.settle();
  }

  /** Fills the mailbox for a request of the host and goes to its entry; `run` it to have it done. */
  prepare(method: MethodName, uri: string, payload: Uint8Array = new Uint8Array(0), capacity = 200): void {
    const mailbox = this.address(RuntimeSymbol.Mailbox);
    const { offset } = RT_MAILBOX;
    const text = Buffer.from(uri);
    if (text.length + payload.length > TEXT_BYTES) throw new RangeError('too long for the mailbox');
    const at = mailbox + offset.args + 4 * TEXT_WORD;
    const response = mailbox + offset.results + 4;
    const words = [METHOD_NUMBERS[method], at, text.length, at + text.length, payload.length, response, capacity];
    this.machine.writeWord(mailbox + offset.entry, this.address('ts_host_request'));
    words.forEach((value, i) => this.machine.writeWord(mailbox + offset.args + 4 * i, value));
    this.machine.writeMemory(at, Buffer.concat([text, payload]));
    this.machine.pc = this.address(RuntimeSymbol.RunMailbox);
  }

  answer(): Answer {
    const results = this.address(RuntimeSymbol.Mailbox) + RT_MAILBOX.offset.results;
    const result = this.machine.readWord(results) >>> 0;
    const byte = result >>> RESULT_CODE_SHIFT;
    const payload = Buffer.from(this.machine.readMemory(results + 4, result & RESULT_LENGTH_MASK));
    return { code: Math.round(((byte >>> 5) + (byte & 31) / 100) * 100) / 100, payload };
  }

  request(method: MethodName, uri: string, payload?: Uint8Array | string, capacity?: number): Answer {
    this.prepare(method, uri, typeof payload === 'string' ? Buffer.from(payload) : payload, capacity);
    return this.settle().answer();
  }

  /** State of a module by name. */
  module(name: string): ModuleView {
    const modules = kernelState(this);
    const found = modules.modules.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no module ${name}`);
    return found;
  }

  /** Live invocations of the running chain. */
  frameCount(): number {
    return kernelState(this).chains.flat().length;
  }

  /** Calls of on_timer that an agent has counted (Op.Count), read without asking it. */
  readGlobalCount(name: string): number {
    return this.machine.readWord(this.address(`${name}$memory0.data`) + 3400);
  }

  /** Grants in use. */
  liveGrants(): readonly GrantView[] {
    return kernelState(this).grants.filter(({ key }) => key !== 0);
  }

  get(uri: string): Answer {
    return this.request('GET', uri);
  }
}

/** The runtime's objects are current; TEST_RUNTIME names a folder with others to take instead. */
export async function prepareRuntime(): Promise<void> {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
}

/** Builds, boots, waits for the first idle. */
export async function bootDevice(modules: readonly ModuleText[], more: Partial<ThingsFile> = {}): Promise<OsDevice> {
  return new OsDevice(await buildDevice(modules, more)).settle();
}
