// The exhaustive test: a scenario runs again and again, and each time, one instruction later than before, the deadline of
// whatever runs then is over, or an event of the highest priority comes in. Takes a scenario and which instructions;
// gives what went wrong and how often what happened.
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { ModuleState } from '../../../compiler/abi/os-layout.js';
import { moduleRamSymbol } from '../../../compiler/abi/symbols.js';
import { kernelState } from '../kernel-state.js';
import { buildDevice, OsDevice } from '../os-device.js';
import { violations } from './invariants.js';
import { BYSTANDER, WATCHER, WATCHER_NAME, type Scenario, type Step } from './scenarios.js';

export type Injection = 'deadline' | 'event';

export interface SweepOptions {
  readonly injection: Injection;
  /** Every how manyth instruction, beginning with which. */
  readonly stride: number;
  readonly offset: number;
  readonly onProgress?: (text: string) => void;
}

export interface Sweep {
  readonly scenario: string;
  readonly injection: Injection;
  /** Instructions of the scenario, its idle time left out. */
  readonly instructions: number;
  readonly runs: number;
  /** Runs in which an invocation was ended, or the event came in before the scenario's end. */
  readonly hits: number;
  readonly failures: readonly string[];
}

const CCOUNT = 234;
const DEADLINE_INTERRUPT = 6;
const KERNEL = { frame: 0, clockOffset: 4 };
const FRAME = { module: 8, deadline: 16 };
const TIMG0 = 0x3ff5f000;
/** Enabled, counting up, interrupting, alarm on, 1 MHz of 40. */
const ALARM_NOW = (0x80000000 | 0x40000000 | (1 << 11) | (1 << 10) | (40 << 13)) >>> 0;
const MODULE = { timersOn: 14, timers: 40 };
/** Longest that restarts may keep a module away, with the largest back-off. */
const QUIET_MS = 70;
const MOST_FAILURES = 10;

const SETTLED = new Set<number>([ModuleState.Running, ModuleState.Stopped, ModuleState.Failed]);

/** Lets restarts happen until every module runs again. */
function quiesce(device: OsDevice): void {
  for (let i = 0; i < 50; i++) {
    if (kernelState(device).modules.every(({ state }) => SETTLED.has(state))) return;
    device.pass(QUIET_MS);
  }
}

/** Everything of a module that the others must not touch. */
function imageOf(device: OsDevice, name: string): string {
  const at = (what: Parameters<typeof moduleRamSymbol>[1]): number => device.address(moduleRamSymbol(name, what));
  const hash = createHash('sha1');
  hash.update(device.machine.readMemory(at('data_start'), at('data_bytes')));
  hash.update(device.machine.readMemory(at('bss_start'), at('bss_bytes')));
  hash.update(device.machine.readMemory(device.address(`${name}$memory0.data`), 8192));
  hash.update(device.machine.readMemory(at('stack_bottom'), at('stack_top') - at('stack_bottom')));
  return hash.digest('hex');
}

function runStep(device: OsDevice, { method, uri, payload }: Step): { code: number; word: number | undefined } {
  const { code, payload: answer } = device.request(method, uri, payload);
  return { code, word: answer.length === 4 ? answer.readUInt32LE() : undefined };
}

const POISON = 0xa5;

/** Nothing that a stack holds at rest may ever be read: what is left there is made useless. */
function poisonStacks(device: OsDevice): void {
  for (const { stackBottom, stackTop, name } of kernelState(device).modules)
    if (name !== BYSTANDER.name) device.machine.writeMemory(stackBottom, Buffer.alloc(stackTop - stackBottom, POISON));
}

/** The scenario without interruption: what it answers, and how many instructions it takes. */
function rehearse(device: OsDevice, scenario: Scenario): number {
  const before = device.machine.instructions;
  for (const step of scenario.steps) {
    const { code, word } = runStep(device, step);
    if (code !== step.code || (step.word !== undefined && word !== step.word))
      throw new Error(
        `${scenario.name}: ${step.uri} answers ${code} ${word?.toString(16)} when nothing comes in between; console: ${device.console}`,
      );
  }
  if (scenario.after > 0) device.pass(scenario.after);
  return device.machine.instructions - before;
}

/** Module index whose deadline is made to be over now, or -1. */
export function expireNow(device: OsDevice): number {
  const { machine } = device;
  const kernel = device.address('ts_kernel');
  const frame = machine.readWord(kernel + KERNEL.frame) >>> 0;
  machine.core.latchInterrupt(DEADLINE_INTERRUPT);
  if (frame === 0) return -1;
  const clock = (machine.getSpecial(CCOUNT) - machine.readWord(kernel + KERNEL.clockOffset)) | 0;
  machine.writeWord(frame + FRAME.deadline, clock - 1);
  const modules = device.built.linked.symbols.get('ts_modules')!;
  return ((machine.readWord(frame + FRAME.module) >>> 0) - modules.address) / (modules.size / 16);
}

/** An alarm of the watcher is due now. */
function alarmNow(device: OsDevice, watcher: number): void {
  const { machine } = device;
  const module = device.address('ts_modules') + watcher * (device.built.linked.symbols.get('ts_modules')!.size / 16);
  machine.writeWord(module + MODULE.timers, 1);
  machine.writeWord(module + MODULE.timers + 4, 0);
  machine.writeWord(module + MODULE.timers + 8, 0);
  machine.writeMemory(module + MODULE.timersOn, Buffer.of(machine.readMemory(module + MODULE.timersOn, 1)[0]! | 1));
  machine.bus.store32(TIMG0 + 0x10, 1);
  machine.bus.store32(TIMG0 + 0x14, 0);
  machine.bus.store32(TIMG0, ALARM_NOW | 0);
}

/** The codes that a caller may see when a callee was ended. */
const ENDED = new Set([5.04, 5, 5.03, 4.04]);

export async function sweep(
  scenario: Scenario,
  { injection, stride, offset, onProgress }: SweepOptions,
): Promise<Sweep> {
  const device = new OsDevice(await buildDevice([...scenario.modules, BYSTANDER, ...WATCHER])).settle();
  const { machine } = device;
  // Twice: the first time binds routes.
  rehearse(device, scenario);
  quiesce(device);
  const instructions = rehearse(device, scenario);
  quiesce(device);
  const watcher = device.module(WATCHER_NAME).index;
  const bystander = imageOf(device, 'bystander');
  const failures: string[] = [];
  let runs = 0;
  let hits = 0;
  let alive = device.machine.instructions;
  for (let k = offset; k < instructions && failures.length < MOST_FAILURES; k += stride) {
    runs++;
    device.console = '';
    poisonStacks(device);
    const faultsBefore = kernelState(device).modules.map(({ faults }) => faults);
    const watched = device.readGlobalCount(WATCHER_NAME);
    const start = machine.instructions;
    let victim = -1;
    let injectedPc = 0;
    machine.injectAt(start + k, () => {
      injectedPc = machine.pc;
      if (injection === 'deadline') victim = expireNow(device);
      else alarmNow(device, watcher);
    });
    const fail = (what: string): void => {
      failures.push(
        `${scenario.name}, ${injection} at instruction ${k} (pc 0x${injectedPc.toString(16)}, module ${victim}): ${what}; console: ${device.console}`,
      );
    };
    try {
      const answers = scenario.steps.map((step) => ({ step, answer: runStep(device, step) }));
      if (scenario.after > 0) device.pass(scenario.after);
      quiesce(device);
      // The scenario may have become shorter: what was to come goes off in idle time.
      if (machine.instructions <= start + k) machine.run({ maxInstructions: 1 });
      const { modules } = kernelState(device);
      const faults = modules.map(({ faults: now }, i) => (now - faultsBefore[i]!) & 0xffff);
      const undisturbed = injection === 'event' || victim < 0;
      for (const { step, answer } of answers) {
        const fine = answer.code === step.code && (step.word === undefined || answer.word === step.word);
        if (!fine && (undisturbed || (answer.code === step.code ? false : !ENDED.has(answer.code))))
          fail(`${step.uri} answers ${answer.code} ${answer.word?.toString(16)}`);
      }
      const names = modules.map(({ index }) => index);
      faults.forEach((count, i) => {
        const allowed = scenario.name === 'restart' && modules[i]!.name === 'c' ? 2 : 1;
        const own = names[i] === victim || (allowed === 2 && count === 1);
        if (count > allowed || (count > 0 && !own)) fail(`module ${names[i]} has ${count} faults`);
        if (count > 0 && names[i] === victim) hits++;
      });
      // The test rang the alarm in the middle of the kernel's setting it, which then won: no other hand does that.
      const lost = injection === 'event' && device.readGlobalCount(WATCHER_NAME) === watched;
      if (lost) {
        alarmNow(device, watcher);
        device.pass(1);
      }
      if (injection === 'event') {
        if (device.readGlobalCount(WATCHER_NAME) === ((watched + 1) | 0)) hits += lost ? 0 : 1;
        else fail(`the event ran ${device.readGlobalCount(WATCHER_NAME) - watched} times`);
      }
      for (const wrong of violations(device, true)) fail(wrong);
      if (imageOf(device, 'bystander') !== bystander) fail("the bystander's memory has changed");
      // The next call works, and so does the whole scenario from time to time.
      for (const { name, provides } of scenario.modules)
        if (
          provides?.some(({ path, method }) => path === `/${name}` && method === 'GET') === true &&
          device.get(`/${name}`).code !== 2.05
        )
          fail(`${name} does not answer any more`);
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
      break;
    }
    if (runs % 500 === 0) {
      const seconds = (machine.instructions - alive) / 1e6;
      alive = machine.instructions;
      onProgress?.(
        `${scenario.name} ${injection}: ${k} of ${instructions}, ${hits} hits, ${seconds.toFixed(0)} M instructions`,
      );
    }
  }
  return {
    scenario: scenario.name,
    injection,
    instructions,
    runs,
    hits,
    failures,
  };
}
