// A new version of a module on a device, deployed by its edge: the device tries it beside the one that runs, and goes back
// if it does not start. On simulated boards.
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Method } from '../../compiler/abi/os-layout.js';
import { FilePackages } from '../../edge/fleet/packages.js';
import { PlaceDirectory } from '../../edge/router/places.js';
import { Modules } from '../../edge/server/modules.js';
import { embedManifest } from '../../manifest/section.js';
import { handler, IMPORTS, prepareRuntime, word } from '../os/os-device.js';
import { wat } from '../support/wat.js';
import { buildFirmware, counterModule, Fleet, THING, type Firmware } from './migration-fleet.js';

/** A counter that says which version it is; `start` is the body of on_start. */
async function version(number: number, start = ''): Promise<Uint8Array> {
  const text = `(module ${IMPORTS} (memory (export "memory") 1) (func (export "on_start") ${start})
    ${handler('get', `(i32.store (local.get $r) (i32.const ${number})) (i32.const ${word(2.05, 4) | 0})`)})`;
  const contract = { response: { type: 'bytes', max: 16 }, deadline: '50ms' };
  const module = {
    name: 'counter',
    version: `1.${number}.0`,
    stack: 2048,
    memory: { max: 4096 },
    restart: { policy: 'on-fault', max: 2, backoff: '10ms' },
    provides: [{ method: 'GET', path: '/count', handler: 'get', contract }],
  };
  return embedManifest(await wat(text), { thingspire: 1, module, types: {} });
}

let firmware: Firmware;
let fleet: Fleet;
beforeAll(async () => {
  await prepareRuntime();
  firmware = await buildFirmware(true);
}, 120_000);
afterEach(() => fleet.close());

describe('deploying over a module that runs on a device', { timeout: 120_000 }, () => {
  it('replaces it, goes back if the new one does not start, and refuses what the device would', async () => {
    fleet = new Fleet(await counterModule());
    const device = await fleet.add(firmware);
    const places = new PlaceDirectory();
    places.add(device.place);
    const { registry } = fleet;
    const modules = new Modules({ registry, packages: new FilePackages(null), places, home: 'edge:e' });
    const deploy = async (wasm: Uint8Array) => modules.deploy({ thing: THING, wasm, place: device.place.name });
    const running = async (): Promise<number> => {
      const { payload } = await fleet.ask(Method.Get, '/count');
      return Buffer.from(payload).readUInt32LE();
    };

    await deploy(await version(1));
    expect(await running()).toBe(1);
    // Callers go on meanwhile, and none is refused.
    const seen = new Set<number>();
    let replaced = false;
    const caller = (async () => {
      while (!replaced) seen.add(await running());
    })();
    const placement = await deploy(await version(2));
    replaced = true;
    await caller;
    expect(await running()).toBe(2);
    expect([...seen].every((number) => number === 1 || number === 2)).toBe(true);
    expect(registry.placement(THING, 'counter')!.value).toEqual(placement);
    expect(placement.version).toBe('1.2.0');

    await expect(deploy(await version(3, 'unreachable'))).rejects.toThrow(/version before runs again/);
    expect(await running()).toBe(2);
    expect(registry.placement(THING, 'counter')!.value.version).toBe('1.2.0');
    // Older than what was confirmed last.
    await expect(deploy(await version(1))).rejects.toThrow(/W904|refuses/);
    expect(await running()).toBe(2);
    // The same once more is a fresh start.
    await deploy(await version(2));
    expect(await running()).toBe(2);
    expect((await device.place.modules()).map(({ module, state }) => [module, state])).toEqual([
      ['counter', 'running'],
    ]);

    await modules.remove(THING, 'counter');
    expect((await device.place.api.modules()).some(({ name }) => name === 'counter')).toBe(false);
  });
});
