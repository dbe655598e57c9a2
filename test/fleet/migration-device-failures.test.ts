// Moves that fail at every step: lines cut, boards reset, no room, packages that are refused. Afterwards the module runs at
// exactly one place, which is the one the registry says, and no answered call has run twice or was lost.
// MOVE_FAILURES=all runs every combination.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPrivateKey } from 'node:crypto';
import { DevicePlace } from '../../edge/device/device-place.js';
import { SlotCompiler } from '../../edge/device/slot-compiler.js';
import { MigrationRefused, type MigrationStep } from '../../edge/fleet/migrate.js';
import { Unsettled, type ModulePlace } from '../../edge/fleet/types.js';
import { prepareRuntime } from '../os/os-device.js';
import type { Board } from './board.js';
import { buildFirmware, counterModule, Fleet, THING, until, type Firmware } from './migration-fleet.js';

const STEPS: readonly MigrationStep[] = ['prepare', 'precopy', 'freeze', 'commit', 'activate', 'discard'];
const FAULTS = ['cut', 'reset'] as const;
type Fault = (typeof FAULTS)[number];
interface Case {
  readonly from: 'edge' | 'one' | 'two';
  readonly to: 'edge' | 'one' | 'two';
  readonly step: MigrationStep;
  /** What fails. */
  readonly board: 'one' | 'two';
  readonly fault: Fault;
  /** Milliseconds after the step begins. */
  readonly after: number;
}
const ROUTES = [
  ['one', 'edge'],
  ['edge', 'two'],
  ['two', 'one'],
] as const;

function cases(): Case[] {
  const all = ROUTES.flatMap(([from, to]) =>
    STEPS.flatMap((step) =>
      ([from, to] as const).flatMap((board) =>
        board === 'edge' ? [] : FAULTS.map((fault): Case => ({ from, to, step, board, fault, after: 0 })),
      ),
    ),
  );
  const spread = all.map((entry, i) => ({ ...entry, after: [0, 5, 25, 60][i % 4]! }));
  // Every step, route and fault occurs in the short form too.
  return process.env['MOVE_FAILURES'] === 'all' ? spread : spread.filter((_, i) => i % 5 === 1);
}

let first: Firmware;
let second: Firmware;
let wasm: Uint8Array;
let fleet: Fleet;
const compiler = new SlotCompiler(null);

beforeAll(async () => {
  await prepareRuntime();
  first = await buildFirmware(true);
  second = await buildFirmware(false);
  wasm = await counterModule();
}, 120_000);

describe('a move that fails', () => {
  const place = (name: Case['from']): ModulePlace =>
    name === 'edge' ? fleet.edge : fleet.devices[name === 'one' ? 0 : 1]!.place;
  const board = (name: Case['board']): Board => fleet.boards[name === 'one' ? 0 : 1]!;

  beforeAll(async () => {
    fleet = new Fleet(wasm, compiler);
    await fleet.add(first);
    await fleet.add(second);
    await fleet.place(fleet.edge);
  }, 60_000);
  const tally = { moves: 0, done: 0, refused: 0, unsettled: 0, answered: 0, unanswered: 0, twice: 0 };
  afterAll(async () => {
    if (process.env['MOVE_FAILURES'] === 'all') console.log(JSON.stringify(tally));
    await fleet.close();
  });

  it.each(cases())('$from to $to, $board $fault at $step', { timeout: 180_000 }, async (entry) => {
    const { from, to, step, fault, after } = entry;
    const [source, target, hit] = [place(from), place(to), board(entry.board)];
    if (fleet.at !== source.name) await fleet.move(source);
    const before = await fleet.counts();
    fleet.startCalling(2);
    const fine = fleet.fine;
    const failed = fleet.failed.length;
    let happened = false;
    const strike = (): void => {
      if (happened) return;
      happened = true;
      if (fault === 'reset') hit.reset();
      else {
        hit.unplug();
        setTimeout(() => hit.plug(), 200);
      }
    };
    let outcome = 'done';
    tally.moves++;
    try {
      await fleet.move(target, { onStep: (name) => name === step && setTimeout(strike, after), retryMs: 50 });
    } catch (error) {
      if (!(error instanceof MigrationRefused) && !(error instanceof Unsettled)) throw error;
      outcome = error.message;
      tally[error instanceof Unsettled ? 'unsettled' : 'refused']++;
    }
    if (outcome === 'done') tally.done++;
    strike();
    // It runs where the registry says, and nowhere else.
    let running: string[] = [];
    const settled = async (): Promise<boolean> => {
      running = await fleet.running().catch(() => []);
      const answered = fleet.fine;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return running.length === 1 && running[0] === fleet.at && fleet.fine > answered && !fleet.isAway();
    };
    await until(settled, () => `${outcome}; registry ${fleet.at}, runs at ${running.join()}; ${fleet.log.join('; ')}`);
    await fleet.stopCalling();
    const now = await fleet.counts();
    const [answered, unanswered] = [fleet.fine - fine, fleet.failed.length - failed];
    tally.answered += answered;
    tally.unanswered += unanswered;
    tally.twice += Math.max(0, now.twice - before.twice);
    expect(now.twice - (fault === 'reset' ? Math.min(now.twice, before.twice) : before.twice)).toBe(0);
    // What was not answered may have run or not. A board that is reset while the module runs there loses what it knew.
    const ran = now.calls - before.calls;
    expect(ran).toBeLessThanOrEqual(answered + unanswered);
    if (fault === 'cut' || (entry.board === to && fleet.at === source.name))
      expect(ran).toBeGreaterThanOrEqual(answered);
  });
});

describe('a device that does not take a module', () => {
  let small: Fleet;
  afterEach(() => small.close());
  const refusal = async (firmware: Firmware, change: (place: DevicePlace) => void = () => undefined) => {
    small = new Fleet(wasm, compiler);
    const { place } = await small.add(firmware);
    await small.place(small.edge);
    change(place);
    const error = await small.move(place).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MigrationRefused);
    expect(await small.running()).toEqual(['edge:e']);
    expect((await small.counts()).twice).toBe(0);
    return (error as Error).message;
  };
  const optionsOf = (place: DevicePlace): Record<string, unknown> =>
    (place as unknown as { options: Record<string, unknown> }).options;

  it('has no room', { timeout: 120_000 }, async () => {
    expect(await refusal(await buildFirmware(true, 8192))).toMatch(/^prepare: slot slot0: slot RAM needs/);
  });

  it('has another image', { timeout: 120_000 }, async () => {
    const { description } = second;
    const other = { ...description, image: { ...description.image, id: description.image.id ^ 1 } };
    expect(await refusal({ ...second, description: other })).toContain('another image');
  });

  it('trusts another key', { timeout: 120_000 }, async () => {
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, 10)]);
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    expect(await refusal(second, (place) => (optionsOf(place)['key'] = key))).toContain('another key');
    // Also if the edge does not notice: the device does.
    const unnoticed = { ...second, description: { ...second.description, publicKey: null } };
    await small.close();
    const message = await refusal(unnoticed, (place) => {
      optionsOf(place)['key'] = key;
      Object.defineProperty(place, 'unmovable', { value: null });
    });
    expect(message).toMatch(/refuses to take the package.*4\.01/);
  });

  it('runs modules of another thing', { timeout: 120_000 }, async () => {
    const message = await refusal(second, (place) => (optionsOf(place)['thing'] = 'other'));
    expect(message).toContain(`runs modules of other`);
    expect(THING).not.toBe('other');
  });
});
