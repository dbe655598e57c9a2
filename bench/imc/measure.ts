// Takes the scenes, runs them on the simulated chip and counts instructions and cycles between well-known places: entries
// of imports, handlers and the exception vector. Adds no instruction to what it measures. Knows no table and no baseline.
import { ESP32 } from '../../compiler/abi/boards.js';
import { RuntimeSymbol } from '../../compiler/abi/linker-symbols.js';
import { THINGSPIRE_MODULE } from '../../compiler/abi/os-imports.js';
import { exportSymbol } from '../../compiler/abi/symbols.js';
import { InternalError } from '../../compiler/diagnostics.js';
import { Device, hostAddresses } from '../../cli/device.js';
import { buildThings } from '../../manifest/build.js';
import type { ThingsBuild } from '../../manifest/build.js';
import { loadManifest } from '../../manifest/load.js';
import type { Machine } from '../../simulator/machine.js';
import { wat } from '../../test/support/wat.js';
import { ACTIONS, CALLS, PERIOD_MS, PREEMPTION } from './scenes.js';
import type { Action, Scene } from './scenes.js';

/** One measured thing. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly instructions: number;
  /** Null: not measured. */
  readonly cycles: number | null;
  /** The worst of a sample: moves with every change of the code, so that a baseline says nothing. */
  readonly sampled?: boolean;
}

const MAX_INSTRUCTIONS = 10_000_000;
/** Events of the urgent module; each meets the busy one at another place. */
const PREEMPTIONS = 2000;
/** Events that tell when the timer is due. */
const CALIBRATING = 300;
const EPC1 = 177;

/** @param publicKey for scenes with slots */
export async function buildScene(
  { manifest, texts }: Scene,
  publicKey: Uint8Array | null = null,
): Promise<ThingsBuild> {
  const inputs = new Map<string, { bytes: Uint8Array; file: string; name: string }>();
  for (const [name, text] of Object.entries(texts))
    inputs.set(name, { bytes: await wat(text), file: `${name}.wasm`, name });
  const loaded = loadManifest(new TextEncoder().encode(JSON.stringify(manifest)), 'things.json');
  return buildThings(loaded, inputs, { board: ESP32, compile: { level: '2' }, publicKey });
}

class Run {
  readonly machine: Machine;
  private readonly linked: ThingsBuild['linked'];
  private console = '';

  constructor(built: ThingsBuild) {
    this.linked = built.linked;
    const device = new Device(built.image, ESP32, hostAddresses(built.linked.symbols), {
      onConsole: (bytes) => (this.console += Buffer.from(bytes).toString('latin1')),
    });
    this.machine = device.machine;
    this.machine.resetFromRom();
  }

  address(symbol: string): number {
    const { symbols, symbolList } = this.linked;
    const found = symbols.get(symbol) ?? symbolList.find(({ name }) => name === symbol);
    if (found === undefined) throw new InternalError(`no symbol ${symbol}`);
    return found.address;
  }
  import(name: string): number {
    return this.address(exportSymbol(THINGSPIRE_MODULE, name));
  }

  /** Runs to one of the addresses; gives which. */
  to(...addresses: number[]): number {
    const stop = this.machine.run({ until: addresses, maxInstructions: MAX_INSTRUCTIONS });
    if (stop.reason !== 'breakpoint') throw new InternalError(`${stop.message}; console: ${this.console}`);
    return stop.pc;
  }

  get returnAddress(): number {
    return this.machine.getRegister(0) >>> 0;
  }
  get counts(): { instructions: number; cycles: number } {
    const { instructions, cycles } = this.machine;
    return { instructions, cycles };
  }
  /** Nothing may have gone wrong, or what was counted is not what it is called. */
  expectQuiet(): void {
    if (this.console !== '') throw new InternalError(`console: ${this.console}`);
  }
}

type Counts = Run['counts'];
const since = (run: Run, from: Counts): Counts => ({
  instructions: run.counts.instructions - from.instructions,
  cycles: run.counts.cycles - from.cycles,
});
const minus = (a: Counts, b: Counts): Counts => ({
  instructions: a.instructions - b.instructions,
  cycles: a.cycles - b.cycles,
});

const HANDLERS: Readonly<Record<string, string>> = {
  '/answer': 'answer',
  '/own': 'sum_own',
  '/window': 'sum_window',
  '/copy-own': 'copy_own',
  '/copy-window': 'copy_window',
};

/** From the first instruction of the import to the return from it. */
function measureAction(run: Run, action: Action): Counts {
  run.to(run.import(action.kind));
  const back = run.returnAddress;
  const begin = run.counts;
  let handler: Counts = { instructions: 0, cycles: 0 };
  if (action.kind === 'call') {
    run.to(run.address(exportSymbol('callee', HANDLERS[action.path] ?? 'reply')));
    const end = run.returnAddress;
    const entered = run.counts;
    run.to(end);
    handler = since(run, entered);
  }
  run.to(back);
  if (run.machine.getRegister(2) === 0) throw new InternalError(`${action.title}: refused`);
  return action.part === 'handler' ? handler : minus(since(run, begin), handler);
}

/** Everything that one module asks of the system, warm. */
export async function measureCalls(): Promise<Figure[]> {
  const run = new Run(await buildScene(CALLS));
  const measured = new Map<Action, Counts>();
  const once = (actions: readonly Action[]): void => {
    for (const action of actions) measured.set(action, measureAction(run, action));
  };
  for (const action of ACTIONS.filter(({ kind }) => kind === 'call')) once([action, action]);
  const pair = ACTIONS.filter(({ kind }) => kind !== 'call');
  once([...pair, ...pair]);
  run.to(run.address(RuntimeSymbol.Idle));
  run.expectQuiet();
  return ACTIONS.map((action) => ({ id: action.id, title: action.title, ...measured.get(action)! }));
}

/** What it takes that an event of high priority runs while something else does. */
export async function measurePreemption(): Promise<Figure[]> {
  const run = new Run(await buildScene(PREEMPTION));
  const { machine } = run;
  const event = run.address(exportSymbol('urgent', 'on_timer'));
  const vector = run.address('rt_exception_entry');
  const period = (PERIOD_MS * machine.clock.cpuHz) / 1000;
  const into: Counts[] = [];
  const back: Counts[] = [];
  // The first events come while modules still start.
  for (let skipped = 0; skipped < 5; skipped++) run.to(event);
  let earliest = Infinity;
  for (let events = 1; events <= CALIBRATING; events++) {
    // From the first interrupt: others may come before the event runs.
    run.to(vector);
    const interrupted = machine.getSpecial(EPC1) >>> 0;
    const entered = run.counts;
    run.to(event);
    into.push(since(run, entered));
    earliest = Math.min(earliest, run.counts.cycles - events * period);
    run.to(run.returnAddress);
    const left = run.counts;
    run.to(interrupted);
    back.push(since(run, left));
  }
  const least = (all: readonly Counts[]): Counts => all.reduce((a, b) => (b.cycles < a.cycles ? b : a));
  const quickest = least(into);
  // The event that came soonest was not held up at all: that tells when the timer is due.
  const phase = earliest - quickest.cycles;
  let worst: Counts = { instructions: 0, cycles: 0 };
  const first = run.counts.cycles;
  for (let events = 0; events < PREEMPTIONS; events++) {
    const due = phase + Math.ceil((run.counts.cycles - phase) / period) * period;
    machine.run({ maxCycles: due - run.counts.cycles });
    const from = run.counts;
    run.to(event);
    const latency = since(run, from);
    if (latency.cycles > worst.cycles) worst = latency;
  }
  const missed = Math.round((run.counts.cycles - first) / period) - PREEMPTIONS;
  if (missed !== 0) throw new InternalError(`${missed} events of the urgent module did not come`);
  run.expectQuiet();
  return [
    { id: 'switch-in', title: 'timer interrupt to the first instruction of an event', ...quickest },
    { id: 'switch-out', title: 'end of the event to the interrupted instruction', ...least(back) },
    {
      id: 'preempt-worst',
      title: `timer due to the event, worst of ${PREEMPTIONS.toLocaleString('en')} amid calls, grants and copies`,
      ...worst,
      sampled: true,
    },
  ];
}
