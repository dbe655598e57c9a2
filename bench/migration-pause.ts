// How long a move keeps callers waiting, by size of state: the part of a device in simulated time (CPU at 40 MHz, line at
// 115,200 baud), under calls, with and without copying ahead. Measures, and writes the table for docs/fleet.md and
// `npm run bench -- --remote`. Knows the test fleet; no expectation.
import { SlotCompiler } from '../edge/device/slot-compiler.js';
import type { MigrationStep } from '../edge/fleet/migrate.js';
import type { ModulePlace } from '../edge/fleet/types.js';
import { buildFirmware, counterModule, Fleet, until, type Firmware } from '../test/fleet/migration-fleet.js';
import { prepareRuntime } from '../test/os/os-device.js';

export interface MigrationPause {
  /** Bytes of memory that are not zero. */
  readonly stateBytes: number;
  readonly ahead: Pause;
  /** Everything travels while callers wait. */
  readonly atOnce: Pause;
  /** Milliseconds of the first upload of the package (later moves find it in the slot), and its size in bytes. */
  readonly prepareMs: number;
}

/** Medians in milliseconds of simulated time. */
export interface Pause {
  /** From the freeze until the state is at the edge. */
  readonly leaving: number;
  /** From there until the module runs on the device. */
  readonly arriving: number;
}

const SIZES = [1, 4, 16, 64].map((kilobytes) => kilobytes * 1024);
/** Moves there and back for each number. */
const ROUNDS = 2;
/** The simulation is about as fast as the edge, so that what the edge does in between counts about right. */
const TURN_MS = 1;

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** @param show called before each size, for a progress line */
export async function measureMigrationPauses(
  show: (what: string) => void = () => undefined,
): Promise<MigrationPause[]> {
  await prepareRuntime();
  const firmware = await buildFirmware(true, 96 * 1024);
  const list: MigrationPause[] = [];
  for (const stateBytes of SIZES) {
    show(`moves with ${stateBytes / 1024} KiB of state`);
    list.push(await measure(firmware, stateBytes));
  }
  return list;
}

async function measure(firmware: Firmware, stateBytes: number): Promise<MigrationPause> {
  const fleet = new Fleet(await counterModule(stateBytes), new SlotCompiler(null));
  try {
    const { place } = await fleet.add(firmware, { turnMs: TURN_MS, uartTiming: 'wire' });
    const now = (): number => fleet.boards[0]!.simulatedMs;
    await fleet.place(fleet.edge);
    fleet.startCalling(1);
    await until(() => fleet.fine > 5, 'nobody answers');
    const move = async (to: ModulePlace, ahead: boolean): Promise<Map<MigrationStep, number>> => {
      const times = new Map<MigrationStep, number>();
      const from = fleet.placeOf(fleet.at);
      const plain = { precopy: undefined, preload: undefined };
      const bare = (of: ModulePlace): ModulePlace =>
        ahead ? of : (Object.assign(Object.create(of), plain) as ModulePlace);
      await fleet.move(bare(to), {
        from: bare(from),
        onStep: (step) => void (times.has(step) || times.set(step, now())),
      });
      return times;
    };
    const between = (times: Map<MigrationStep, number>, a: MigrationStep, b: MigrationStep): number =>
      times.get(b)! - times.get(a)!;
    const first = await move(place, true);
    await move(fleet.edge, true);
    const restart = async (): Promise<void> => {
      const before = fleet.log.length;
      fleet.boards[0]!.reset();
      await until(
        () => fleet.log.slice(before).some((line) => line.endsWith('has been reset')),
        'it does not come back',
      );
      place.forgetStates();
    };
    const pause = async (ahead: boolean): Promise<Pause> => {
      const [leaving, arriving]: [number[], number[]] = [[], []];
      for (let round = 0; round < (ahead ? ROUNDS : 1); round++) {
        // Without copying ahead neither side is to know anything from before.
        if (!ahead) await restart();
        arriving.push(between(await move(place, ahead), 'activate', 'discard'));
        if (!ahead) place.forgetStates();
        leaving.push(between(await move(fleet.edge, ahead), 'freeze', 'commit'));
      }
      return { leaving: median(leaving), arriving: median(arriving) };
    };
    const result = { ahead: await pause(true), atOnce: await pause(false) };
    await fleet.stopCalling();
    return { stateBytes, ...result, prepareMs: between(first, 'prepare', 'precopy') };
  } finally {
    await fleet.close();
  }
}

/** The table as Markdown. */
export function documentMigrationPauses(pauses: readonly MigrationPause[]): string {
  const ms = (value: number): string => `${Math.round(value)} ms`;
  const head = [
    '| state | leaving a device | arriving at a device | device to device | the same, all of it at once |',
    '|---:|---:|---:|---:|---:|',
  ];
  const rows = pauses.map(({ stateBytes, ahead, atOnce }) => {
    const cells = [ahead.leaving, ahead.arriving, ahead.leaving + ahead.arriving, atOnce.leaving + atOnce.arriving];
    return `| ${[`${stateBytes / 1024} KiB`, ...cells.map(ms)].join(' | ')} |`;
  });
  return [...head, ...rows].join('\n');
}
