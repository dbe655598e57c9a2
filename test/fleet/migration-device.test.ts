// Moves between boards and an edge, end to end: firmware on simulated chips, serial lines, packages compiled on the way.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
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
      expect(report.stateBytes).toBeGreaterThan(9000);
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
});
