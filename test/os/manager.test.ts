// The module manager on the simulated device: install, replace, roll back, remove, refuse; list, stop and start modules;
// snapshots. Packages are made by hand (slot-package.ts).
import { decode } from 'cborg';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import { packageContents, signPackage, type PackageSpec } from './slot-package.js';
import { buildSlots, SIGNER, SlotsDevice, STRANGER, type BuiltSlots } from './slots-device.js';

let built: BuiltSlots;
beforeAll(async () => {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
  built = await buildSlots();
}, 120_000);

const spec = (more: Partial<PackageSpec> = {}): PackageSpec => ({
  slot: built.slots[0]!,
  baseId: built.baseId,
  name: 'guest',
  version: [1, 0, 0],
  answer: 0x44,
  ...more,
});
const pack = (more: Partial<PackageSpec> = {}): Buffer => signPackage(packageContents(spec(more)), SIGNER);

describe('slots', () => {
  let device: SlotsDevice;
  beforeEach(() => {
    device = new SlotsDevice(built).calm();
  });

  it('install, replace by the other bank, remove; others run on', () => {
    expect(device.slot()).toMatchObject({ state: 'empty', bank: 0, module: '' });
    expect(device.get('guest').code).toBe(4.04);
    expect(device.install(pack()).code).toBe(2.04);
    expect(device.calm().slot()).toMatchObject({ state: 'confirmed', bank: 1, module: 'guest', floor: 1 << 20 });
    expect(device.get('guest').code).toBe(2.04);
    expect(device.install(pack({ version: [1, 2, 3], answer: 0x41, ballast: 70_000 - 0x1000 - 8000 })).code).toBe(2.04);
    expect(device.get('steady').code).toBe(2.05);
    expect(device.calm().slot()).toMatchObject({ state: 'confirmed', bank: 2, floor: (1 << 20) | (2 << 10) | 3 });
    expect(device.get('guest').code).toBe(2.01);
    expect(device.request('DELETE', 'sys/slots/main').code).toBe(2.02);
    expect(device.calm().slot()).toMatchObject({ state: 'empty', bank: 0, module: '' });
    expect(device.get('guest').code).toBe(4.04);
    expect(device.get('steady').code).toBe(2.05);
    expect(device.console).toBe('slot main: new version confirmed\nslot main: new version confirmed\n');
  });

  it('what is installed is there after a reset, in both slots', () => {
    device.install(pack());
    device.calm();
    expect(device.install(pack({ slot: built.slots[1]!, name: 'other', answer: 0x43 }), 'second').code).toBe(2.04);
    device.calm();
    const again = new SlotsDevice(built, device.machine.flash).calm();
    expect([again.get('guest').code, again.get('other').code]).toEqual([2.04, 2.03]);
    expect(again.slot('second')).toMatchObject({ state: 'confirmed', module: 'other' });
    expect(again.console).toBe('');
  });

  it('a version whose start traps is rolled back, and removed if there is no other', () => {
    device.install(pack({ bad: true }));
    expect(device.calm().slot()).toMatchObject({ state: 'empty', module: '' });
    expect(device.console).toContain('new version did not start, removed');
    device.install(pack());
    device.calm();
    device.install(pack({ version: [2, 0, 0], bad: true }));
    expect(device.calm().slot()).toMatchObject({ state: 'confirmed', bank: 1, module: 'guest', floor: 1 << 20 });
    expect(device.get('guest').code).toBe(2.04);
    expect(device.console).toContain('new version did not start, rolled back');
  });

  it('a bank that has rotted is not started; the one before it is', () => {
    device.install(pack());
    device.calm();
    device.install(pack({ version: [1, 1, 0], answer: 0x41 }));
    device.calm();
    const flash = Uint8Array.from(device.machine.flash);
    flash[built.slots[0]!.flashB + 0x900]! ^= 4;
    const rotten = new SlotsDevice(built, flash).calm();
    expect(rotten.console).toContain('slot main: refused: D11');
    expect(rotten.get('guest').code).toBe(2.04);
  });

  it('pieces: again, out of order, after an abort, too many', () => {
    const file = pack();
    const total = Buffer.alloc(4);
    total.writeUInt32LE(file.length);
    expect(device.request('PUT', 'sys/slots/main?offset=0', file.subarray(0, 100)).code).toBe(4.09);
    expect(device.request('POST', 'sys/slots/none', total).code).toBe(4.04);
    expect(device.request('POST', 'sys/slots/main', total).code).toBe(2.01);
    expect(device.request('POST', 'sys/slots/second', total).code).toBe(4.09);
    expect(device.request('PUT', 'sys/slots/main?offset=0', file.subarray(0, 7)).code).toBe(2.04);
    expect(device.request('PUT', 'sys/slots/main?offset=3', file.subarray(3, 300)).code).toBe(2.04);
    expect(device.request('PUT', 'sys/slots/main?offset=3', file.subarray(3, 300)).code).toBe(2.04);
    expect(device.request('PUT', 'sys/slots/main?offset=301', file.subarray(301, 400)).code).toBe(4.09);
    expect(device.slot().received).toBe(300);
    expect(device.request('POST', 'sys/slots/main/commit').code).toBe(4);
    expect(device.console).toContain('slot main: refused: D02');
    expect(device.request('POST', 'sys/slots/main', total).code).toBe(2.01);
    expect(device.request('DELETE', 'sys/slots/main/upload').code).toBe(2.02);
    expect(device.request('POST', 'sys/slots/second', total).code).toBe(2.01);
    expect(device.request('DELETE', 'sys/slots/second/upload').code).toBe(2.02);
    expect(device.install(file, 'main', 333).code).toBe(2.04);
    expect(device.calm().get('guest').code).toBe(2.04);
    total.writeUInt32LE(70_000);
    expect(device.request('POST', 'sys/slots/main', total).code).toBe(4.13);
  });

  const refusals: [string, number, string, () => Buffer][] = [
    ['signature of somebody else', 4.01, 'D03', () => signPackage(packageContents(spec()), STRANGER)],
    ['another magic', 4, 'D04', () => pack({ header: { magic: 1 } })],
    ['another ABI', 4.12, 'D05', () => pack({ header: { os_abi_version: 77 } })],
    ['another Wasm ABI', 4.12, 'D05', () => pack({ header: { wasm_abi_version: 77 } })],
    ['another image', 4.12, 'D06', () => pack({ header: { base_id: 1 } })],
    ['another slot', 4.12, 'D07', () => pack({ slot: built.slots[1]! })],
    ['too much RAM', 4.13, 'D08', () => pack({ header: { ram_bytes: 12 * 1024 + 16 } })],
    ['length in the header', 4, 'D02', () => pack({ header: { total_bytes: 4000 } })],
    ['descriptor outside', 4, 'D10', () => pack({ header: { info: 0x3ffb0000 } })],
    ['name of another module', 4.09, 'D12', () => pack({ name: 'steady' })],
    ['no COSE', 4, 'D01', () => Buffer.concat([Buffer.from('nonsense'), pack().subarray(8)])],
    ['truncated', 4, 'D01', () => pack().subarray(0, 3000)],
  ];
  it.each(refusals)('refuses: %s', (_, code, number, make) => {
    const before = Uint8Array.from(device.machine.flash.subarray(built.slots[0]!.flashB));
    expect(device.install(make()).code).toBe(code);
    expect(device.console).toContain(`slot main: refused: ${number} `);
    expect(device.calm().slot()).toMatchObject({ state: 'empty', received: 0 });
    expect(Buffer.compare(before, device.machine.flash.subarray(built.slots[0]!.flashB))).toBe(0);
    expect(device.get('steady').code).toBe(2.05);
  });

  it('refuses contents that are a few bytes longer than the bank, before they run into the other one', () => {
    device.install(pack());
    device.calm().install(pack({ version: [1, 1, 0], answer: 0x41 }));
    // Bank A is next, bank B, which runs, lies right behind it.
    expect(device.calm().slot().bank).toBe(2);
    const most = 0x10000 - 0x1000;
    expect(device.install(pack({ version: [1, 2, 0], ballast: most + 4 })).code).toBe(4);
    expect(device.console).toContain('refused: D01');
    const again = new SlotsDevice(built, device.machine.flash).calm();
    expect(again.get('guest').code).toBe(2.01);
    expect(again.install(pack({ version: [1, 2, 0], ballast: most })).code).toBe(2.04);
    expect(again.calm().get('guest').code).toBe(2.04);
  }, 120_000);

  it('refuses an older version than the one confirmed last, also after it was removed', () => {
    device.install(pack({ version: [2, 0, 0] }));
    device.calm().request('DELETE', 'sys/slots/main');
    expect(device.calm().install(pack({ version: [1, 9, 9] })).code).toBe(4.09);
    expect(device.console).toContain('refused: D09');
    expect(device.install(pack({ version: [2, 0, 0] })).code).toBe(2.04);
  });

  it('a flipped bit anywhere is refused, while the installed version runs on', () => {
    device.install(pack());
    device.calm();
    const file = pack({ version: [1, 1, 0], answer: 0x41 });
    const flips = [0, 3, 9, 12, 40, 0x810, file.length - 70, file.length - 66, file.length - 64, file.length - 1];
    for (const [i, at] of flips.entries()) {
      const broken = Buffer.from(file);
      broken[at]! ^= 1 << (i & 7);
      expect(Math.floor(device.install(broken).code), `byte ${at}`).toBe(4);
      expect(device.calm().get('guest').code).toBe(2.04);
    }
  }, 60_000);
});

describe('modules', () => {
  it('are listed, stopped, started and restarted', () => {
    const device = new SlotsDevice(built).calm();
    const list = decode(device.get('sys/modules').payload) as { name: string; state: string }[];
    const seen = list.map(({ name, state }) => `${name} ${state}`);
    for (const one of ['sys', 'dev', 'steady']) expect(seen).toContain(`${one} running`);
    const state = (): string => (decode(device.get('sys/modules/steady').payload) as { state: string }).state;
    expect(device.request('PUT', 'sys/modules/steady', 'stop').code).toBe(2.04);
    expect(state()).toBe('stopped');
    expect(device.get('steady').code).toBe(5.03);
    expect(device.request('PUT', 'sys/modules/steady', 'start').code).toBe(2.04);
    expect(device.calm().get('steady').code).toBe(2.05);
    expect(device.request('PUT', 'sys/modules/steady', 'restart').code).toBe(2.04);
    expect(device.calm().get('steady').code).toBe(2.05);
    expect(device.request('PUT', 'sys/modules/steady', 'start').code).toBe(4.09);
    expect(device.request('PUT', 'sys/modules/steady', 'dance').code).toBe(4);
    expect(device.request('PUT', 'sys/modules/sys', 'stop').code).toBe(4.03);
    expect(device.request('PUT', 'sys/modules/nobody', 'stop').code).toBe(4.04);
  });

  it('have a state that can be read and put back', () => {
    const device = new SlotsDevice(built).calm();
    const memory = device.built.linked.memories.find(({ module }) => module === 'steady')!;
    device.machine.writeMemory(memory.address + 100, Buffer.from('before'));
    const taken = device.request('GET', 'sys/modules/steady/state', undefined, 4000);
    expect(taken.code).toBe(2.05);
    expect(taken.payload.subarray(0, 4).toString()).toBe('TSS2');
    device.machine.writeMemory(memory.address + 100, Buffer.from('after!'));
    expect(device.request('PUT', 'sys/modules/steady/state', taken.payload).code).toBe(2.04);
    expect(Buffer.from(device.machine.readMemory(memory.address + 100, 6)).toString()).toBe('before');
    expect(device.get('steady').code).toBe(2.05);
    const small = device.request('GET', 'sys/modules/steady/state', undefined, 8);
    expect([small.code, small.payload.readUInt32LE()]).toEqual([4.13, taken.payload.length]);
    const foreign = Buffer.from(taken.payload);
    foreign[5]! ^= 1;
    expect(device.request('PUT', 'sys/modules/steady/state', foreign).code).toBe(4.12);
    expect(device.request('PUT', 'sys/modules/steady/state', taken.payload.subarray(0, -1)).code).toBe(4.09);
    expect(device.request('PUT', 'sys/modules/steady/state', Buffer.from('TSS1....................')).code).toBe(4);
  });
});
