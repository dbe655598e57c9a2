// Finds the longest section with interrupts masked in each scenario, and the longest way from an expired deadline to whoever
// goes on: takes the runtime, gives instructions and where.
// `npx tsx test/os/preempt/masked.ts`.
import { buildDevice, OsDevice, prepareRuntime } from '../os-device.js';
import { kernelState } from '../kernel-state.js';
import { expireNow } from './run.js';
import { BYSTANDER, SCENARIOS, WATCHER, type Scenario } from './scenarios.js';

export interface Masked {
  readonly scenario: string;
  readonly instructions: number;
  /** Function it began in and ended in. */
  readonly from: string;
  readonly to: string;
}

const STRIDE = 31;
const PS = 230;
const INTLEVEL = 0xf;
const EXCM = 0x10;

/** Name of the function at an address. */
export function functionNamer(device: OsDevice): (pc: number) => string {
  const symbols = [...device.built.linked.symbols]
    .filter(([name]) => !name.includes('$'))
    .map(([name, { address }]) => ({ name, address }))
    .sort((a, b) => a.address - b.address);
  return (pc) => {
    let low = 0;
    let high = symbols.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (symbols[middle]!.address <= pc) low = middle;
      else high = middle;
    }
    return symbols[low]!.name;
  };
}

/** The longest masked section of a scenario that has run before, its events and restarts included. */
export async function longestMasked(scenario: Scenario): Promise<Masked> {
  const device = new OsDevice(await buildDevice([...scenario.modules, BYSTANDER, ...WATCHER])).settle();
  const { machine } = device;
  const name = functionNamer(device);
  const run = (): void => {
    for (const { method, uri, payload } of scenario.steps) device.request(method, uri, payload);
    device.pass(scenario.after + 1);
  };
  run();
  let longest = { instructions: 0, from: 0, to: 0 };
  let began = -1;
  let from = 0;
  let last = 0;
  machine.setTrace(() => {
    const masked = (machine.getSpecial(PS) & (INTLEVEL | EXCM)) !== 0;
    if (masked && began < 0) {
      began = machine.instructions;
      from = machine.pc;
    } else if (!masked && began >= 0) {
      const instructions = machine.instructions - began;
      if (instructions > longest.instructions) longest = { instructions, from, to: last };
      began = -1;
    }
    last = machine.pc;
  });
  run();
  machine.setTrace(undefined);
  return {
    scenario: scenario.name,
    instructions: longest.instructions,
    from: name(longest.from),
    to: name(longest.to),
  };
}

export interface Stop {
  readonly scenario: string;
  /** From the expiry of a deadline until code of the calling module runs again. */
  readonly instructions: number;
  readonly cycles: number;
  /** Function that was interrupted. */
  readonly at: string;
  readonly stops: number;
}

/** The longest way from an expired deadline to whoever goes on, over every `stride`-th instruction of a scenario. */
export async function longestStop(scenario: Scenario, stride: number, offset = 0): Promise<Stop> {
  const device = new OsDevice(await buildDevice([...scenario.modules, BYSTANDER, ...WATCHER])).settle();
  const { machine } = device;
  const name = functionNamer(device);
  const prefixes = scenario.modules.map(({ name: module }) => new RegExp(`^${module}[.!]`));
  const run = (): void => {
    for (const { method, uri, payload } of scenario.steps) device.request(method, uri, payload);
    device.pass(scenario.after + 1);
  };
  run();
  let before = machine.instructions;
  run();
  const length = machine.instructions - before;
  let longest = { instructions: 0, cycles: 0, at: 0 };
  let stops = 0;
  const ended = device.address('ts_return_target');
  for (let k = offset; k < length; k += stride) {
    before = machine.instructions;
    let at = -1;
    let since = { instructions: 0, cycles: 0 };
    let unwound = false;
    machine.injectAt(before + k, () => {
      // A host that waits is preempted by the fault's report, a module is not.
      if (kernelState(device).chains[0]!.length < 2) return;
      expireNow(device);
      at = machine.pc;
      since = { instructions: machine.instructions, cycles: machine.cycles };
      machine.setTrace(() => {
        const { pc } = machine;
        // The way back of an ordinary return comes from within ts_enter, with reason 0.
        if (pc === ended && machine.getRegister(3) !== 0) unwound = true;
        const fn = name(pc);
        if (!unwound || !prefixes.some((prefix) => prefix.test(fn))) return;
        stops++;
        const instructions = machine.instructions - since.instructions;
        if (instructions > longest.instructions) longest = { instructions, cycles: machine.cycles - since.cycles, at };
        machine.setTrace(undefined);
      });
    });
    run();
    machine.setTrace(undefined);
    device.pass(80);
  }
  return { scenario: scenario.name, ...longest, at: name(longest.at), stops };
}

async function main(): Promise<void> {
  await prepareRuntime();
  for (const scenario of SCENARIOS) {
    const { instructions, from, to } = await longestMasked(scenario);
    console.log(`${scenario.name}: ${instructions} instructions masked, from ${from} to ${to}`);
    const stop = await longestStop(scenario, STRIDE);
    console.log(
      `  ended and gone on after ${stop.instructions} instructions, ${stop.cycles} cycles, in ${stop.at} (worst of ${stop.stops})`,
    );
  }
}

if (process.argv[1]?.endsWith('masked.ts') === true) void main();
