// Moves between boards and an edge, end to end: firmware on simulated chips, serial lines, packages compiled on the way.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ModulePlace } from '../../edge/fleet/types.js';
import type { ModuleState } from '../../edge/host/types.js';
import { prepareRuntime } from '../os/os-device.js';
import { buildFirmware, counterModule, Fleet, until, type Firmware } from './migration-fleet.js';

let first: Firmware;
let second: Firmware;
let wasm: Uint8Array;
let fleet: Fleet;
beforeAll(async () => {
  await prepareRuntime();
  first = await buildFirmware(true);
  second = await buildFirmware(false);
  wasm = await counterModule();
}, 120_000);
afterEach(() => fleet.close());

describe('a module between boards and an edge', () => {
  it('goes from device to edge to another device and back, under load', { timeout: 300_000 }, async () => {
    fleet = new Fleet(wasm);
    const one = (await fleet.add(first)).place;
    const two = (await fleet.add(second)).place;
    await fleet.place(one);
    expect(await fleet.running()).toEqual(['device:board0']);
    fleet.startCalling();
    await fleet.boardCalls(true);
    let before = await fleet.counts();
    for (const to of [fleet.edge, two, one, two, fleet.edge, one]) {
      const report = await fleet.move(to);
      expect(report.stateBytes).toBeGreaterThan(1024);
      expect(await fleet.running()).toEqual([to.name]);
      // Calls, timer and subscription go on there.
      let now = before;
      await until(
        async () => {
          now = await fleet.counts();
          const { calls, ticks, notes } = now;
          return calls > before.calls + 5 && ticks > before.ticks + 2 && notes > before.notes + 1;
        },
        () => `it does not go on at ${to.name}: ${JSON.stringify([before, now])}; ${fleet.log.join('; ')}`,
      );
      before = await fleet.counts();
    }
    await fleet.boardCalls(false);
    await fleet.stopCalling();
    const [fine, failed] = await fleet.boardCounts();
    const { calls, twice } = await fleet.counts();
    expect({ failed: fleet.failed, boardFailed: failed, twice }).toEqual({ failed: [], boardFailed: 0, twice: 0 });
    expect(calls).toBe(fleet.fine + fine);
    expect(fine).toBeGreaterThan(10);
  });

  it('has the same state at each stop', { timeout: 300_000 }, async () => {
    fleet = new Fleet(wasm);
    const one = (await fleet.add(first)).place;
    const two = (await fleet.add(second)).place;
    await fleet.place(one);
    fleet.startCalling(1);
    await until(() => fleet.fine > 20, 'nobody answers');
    await fleet.stopCalling();
    const states: ModuleState[] = [];
    for (const to of [fleet.edge, two, one, fleet.edge]) {
      const from = fleet.placeOf(fleet.at);
      // What it was frozen with here is what it has there, before it runs on.
      const source = watched(from, (state) => states.push(state));
      const target = watched(to, () => undefined);
      const activate = to.activate.bind(to);
      target.activate = async (thing, module, epoch, state) => {
        await activate(thing, module, epoch, state);
        const now = await to.freeze(thing, module);
        await to.release(thing, module);
        expect(withoutTime(now)).toEqual(withoutTime(state!));
      };
      await fleet.move(target, { from: source });
    }
    expect(states[0]!.scalars.dropped).toHaveLength(2);
    expect(states[0]!.scalars.tables).toEqual([[expect.any(Number), expect.any(Number), expect.any(Number)]]);
    for (const { timers, subscriptions } of states) {
      expect(timers).toMatchObject([{ id: 1, periodMs: 40 }]);
      expect(subscriptions).toEqual([{ id: 0, uri: '/pulse', address: 128, capacity: 8 }]);
    }
  });

  it('goes over bad lines', { timeout: 300_000 }, async () => {
    fleet = new Fleet(wasm);
    const one = (await fleet.add(first)).place;
    await fleet.place(fleet.edge);
    const [board] = fleet.boards;
    let passed = 0;
    // A bit in about every two thousandth byte: half of the long frames do not arrive.
    const damaged = (bytes: Uint8Array): Uint8Array =>
      Uint8Array.from(bytes, (byte) => (++passed % 1999 === 0 ? byte ^ 0x10 : byte));
    board!.toChip = board!.fromChip = damaged;
    fleet.startCalling(1);
    for (const to of [one, fleet.edge, one]) await fleet.move(to);
    await fleet.stopCalling();
    const { calls, twice } = await fleet.counts();
    expect(twice).toBe(0);
    expect(calls).toBeGreaterThanOrEqual(fleet.fine);
    expect(calls).toBeLessThanOrEqual(fleet.fine + fleet.failed.length);
    expect(fleet.devices[0]!.place.badFrames).toBeGreaterThan(0);
  });

  it('finds a device that is plugged in later, and again', { timeout: 120_000 }, async () => {
    fleet = new Fleet(wasm);
    const device = await fleet.add(first);
    await fleet.place(device.place);
    const [board] = fleet.boards;
    const before = await fleet.counts();
    for (let round = 0; round < 2; round++) {
      board!.unplug();
      await until(() => !device.isConnected, 'nobody notices');
      board!.plug();
      await until(() => device.isConnected, 'it is not found again');
    }
    // It has run all the time.
    expect((await fleet.counts()).ticks).toBeGreaterThan(before.ticks);
    board!.reset();
    await until(() => fleet.log.includes('board0 has been reset'), 'nobody notices the reset');
    expect(await fleet.running()).toEqual(['device:board0']);
    expect(fleet.failed).toEqual([]);
  });
});

/** A place that tells what it was frozen with. */
function watched(place: ModulePlace, frozen: (state: ModuleState) => void): ModulePlace {
  return Object.assign(Object.create(place) as ModulePlace, {
    freeze: async (thing: string, module: string): Promise<ModuleState> => {
      const state = await place.freeze(thing, module);
      frozen(state);
      return state;
    },
  });
}

/** What goes on by itself left out: timer and notification may come in between. */
function withoutTime({ scalars, timers, subscriptions }: ModuleState) {
  const globals = scalars.globals.filter((_, i) => i !== TICKS && i !== NOTES);
  const memories = scalars.memories.map((bytes) => Buffer.from(bytes).fill(0, 128, 136).toString('base64'));
  return { ...scalars, globals, memories, timers: timers.map(({ id, periodMs }) => [id, periodMs]), subscriptions };
}
const TICKS = 2;
const NOTES = 3;
