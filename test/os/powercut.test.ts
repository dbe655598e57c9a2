// The power fails during install, replace, roll-back, remove, and while a module is moved (a held install, hold, resume):
// whatever operation of the flash it cuts, the device boots into the old or the new state, the other module runs, and the
// operation can be done again. POWER_CUTS=all makes every cut; otherwise a part of them, another one each day.
import { decode } from 'cborg';
import { beforeAll, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import { cutEverywhere, SHARES, type Cut } from './powercut.js';
import { packageContents, signPackage } from './slot-package.js';
import { buildSlots, SIGNER, SlotsDevice, type BuiltSlots } from './slots-device.js';

const ALL = process.env['POWER_CUTS'] === 'all';
/** A part of the cuts of the data, which are many and alike, and a greater part of those of the journal. */
const EVERY = { data: 89, journal: 5 };
const DAY = Math.floor(Date.now() / 86_400_000);
const seen = { data: 0, journal: 0 };
function chosen(inJournal: boolean): boolean {
  const kind = inJournal ? 'journal' : 'data';
  return ALL || seen[kind]++ % EVERY[kind] === DAY % EVERY[kind];
}
/** Doing it again takes most of the time. */
const again = ({ inJournal, number }: Cut): boolean => inJournal || !ALL || number % 8 === 0;

let built: BuiltSlots;
let empty: Uint8Array;
let installed: Uint8Array;
const files = new Map<number, Buffer>();

/** Version n answers GET /guest with 2.0n. */
function version(n: number, bad = false): Buffer {
  const key = bad ? -n : n;
  let file = files.get(key);
  if (file === undefined) {
    const spec = { slot: built.slots[0]!, baseId: built.baseId, name: 'guest', version: [n, 0, 0] as const };
    file = signPackage(packageContents({ ...spec, answer: 0x40 + n, bad, ballast: 256 }), SIGNER);
    files.set(key, file);
  }
  return file;
}

beforeAll(async () => {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
  built = await buildSlots();
  const device = new SlotsDevice(built).calm();
  empty = Uint8Array.from(device.machine.flash);
  device.install(version(1));
  device.calm();
  installed = Uint8Array.from(device.machine.flash);
}, 120_000);

/** What GET /guest says: the number of the version, 0 if there is none. */
function running(device: SlotsDevice): number {
  const { code } = device.get('guest');
  return code === 4.04 ? 0 : Math.round((code - 2) * 100);
}

/** In one of the allowed states, whole, and the other module is there. */
function expectOneOf(cut: Cut, allowed: readonly number[]): number {
  const { device, operation, kind, share } = cut;
  const where = `operation ${operation} (${kind}), share ${share}; console: ${device.console}`;
  const now = running(device);
  expect(allowed, where).toContain(now);
  expect(device.get('steady').code, where).toBe(2.05);
  const slot = device.slot();
  expect(slot.state, where).toBe(now === 0 ? 'empty' : 'confirmed');
  expect(slot.module, where).toBe(now === 0 ? '' : 'guest');
  return now;
}

/** Held or not, whole either way: what the journal says is what there is. */
function expectHeld(cut: Cut, allowed: readonly ('empty' | 'held' | 'running')[]): string {
  const { device, operation, kind, share } = cut;
  const where = `operation ${operation} (${kind}), share ${share}; console: ${device.console}`;
  const slot = device.slot();
  const { code, payload } = device.get('sys/modules/guest');
  const now = code === 4.04 ? 'empty' : (decode(payload) as { state: string }).state;
  expect(allowed, where).toContain(now);
  expect(slot.held, where).toBe(now === 'held');
  expect(slot.module, where).toBe(now === 'empty' ? '' : 'guest');
  expect(running(device), where).toBe(now === 'running' ? 1 : 0);
  expect(device.get('steady').code, where).toBe(2.05);
  if (now !== 'empty') expect(slot.epoch, where).toBe(now === 'held' ? 5 : slot.epoch);
  return now;
}

function control(device: SlotsDevice, wish: string): void {
  expect(device.request('PUT', 'sys/modules/guest?epoch=5', wish).code, device.console).toBe(2.04);
  device.calm();
}

function install(device: SlotsDevice, file: Buffer): void {
  expect(device.install(file).code).toBe(2.04);
  device.calm();
}

function remove(device: SlotsDevice): void {
  expect(device.request('DELETE', 'sys/slots/main').code).toBe(2.02);
  device.calm();
}

describe('power cuts', () => {
  it('while installing', () => {
    const found = new Set<number>();
    const result = cutEverywhere(
      built,
      empty,
      (device) => install(device, version(1)),
      (cut) => {
        found.add(expectOneOf(cut, [0, 1]));
        if (!again(cut)) return;
        install(cut.device, version(1));
        expect(running(cut.device)).toBe(1);
      },
      chosen,
    );
    report('install', result);
    if (ALL) expect([...found].sort()).toEqual([0, 1]);
  }, 1_800_000);

  it('while replacing', () => {
    const found = new Set<number>();
    const result = cutEverywhere(
      built,
      installed,
      (device) => install(device, version(2)),
      (cut) => {
        found.add(expectOneOf(cut, [1, 2]));
        if (!again(cut)) return;
        install(cut.device, version(2));
        expect(running(cut.device)).toBe(2);
      },
      chosen,
    );
    report('replace', result);
    if (ALL) expect([...found].sort()).toEqual([1, 2]);
  }, 1_800_000);

  it('while a version that does not start is rolled back', () => {
    const result = cutEverywhere(
      built,
      installed,
      (device) => install(device, version(3, true)),
      (cut) => {
        expectOneOf(cut, [1]);
        if (!again(cut)) return;
        install(cut.device, version(2));
        expect(running(cut.device)).toBe(2);
      },
      chosen,
    );
    report('roll back', result);
  }, 1_800_000);

  it('while removing', () => {
    const result = cutEverywhere(built, installed, remove, (cut) => {
      expectOneOf(cut, [0, 1]);
      remove(cut.device);
      expect(running(cut.device)).toBe(0);
    });
    expect(result.boots).toBe(result.operations * SHARES.length);
    report('remove', result);
  }, 600_000);

  it('while a module comes that is held', () => {
    const found = new Set<string>();
    const result = cutEverywhere(
      built,
      empty,
      (device) => {
        expect(device.install(version(1), 'main', 1024, '?held=5').code).toBe(2.04);
        device.calm();
      },
      (cut) => {
        found.add(expectHeld(cut, ['empty', 'held']));
        if (!again(cut)) return;
        const held = cut.device.slot().held;
        const { code } = held
          ? cut.device.request('POST', 'sys/slots/main/commit?held=5')
          : cut.device.install(version(1), 'main', 1024, '?held=5');
        expect(code).toBe(2.04);
        cut.device.calm();
        control(cut.device, 'start');
        expect(running(cut.device)).toBe(1);
      },
      chosen,
    );
    report('held install', result);
    // The journal's record is the last operation: it counts when it is whole.
    const done = new SlotsDevice(built, empty).calm();
    expect(done.install(version(1), 'main', 1024, '?held=5').code).toBe(2.04);
    const device = new SlotsDevice(built, done.machine.flash).calm();
    found.add(expectHeld({ device, operation: 0, kind: 'program', number: 0, inJournal: true, share: 1 }, ['held']));
    expect([...found].sort()).toEqual(['empty', 'held']);
  }, 1_800_000);

  it('while a module is held, goes on, starts', () => {
    const held = new SlotsDevice(built, installed).calm();
    control(held, 'hold');
    const flash = Uint8Array.from(held.machine.flash);
    const steps: [string, Uint8Array, (device: SlotsDevice) => void][] = [
      ['hold', installed, (device) => control(device, 'hold')],
      [
        'resume',
        flash,
        (device) => {
          const state = device.request('GET', 'sys/modules/guest/state').payload;
          expect(device.request('PUT', 'sys/modules/guest/state?offset=0', state).code).toBe(2.04);
          control(device, 'resume');
        },
      ],
      ['start', flash, (device) => control(device, 'start')],
      [
        'come back by hash',
        flash,
        (device) => {
          const { hash } = device.slot();
          remove(device);
          const uri = `sys/slots/main/commit?held=5&hash=${Buffer.from(hash).toString('hex')}`;
          expect(device.request('POST', uri).code).toBe(2.04);
          device.calm();
        },
      ],
    ];
    for (const [name, start, step] of steps) {
      const found = new Set<string>();
      const allowed = name.startsWith('come') ? (['empty', 'held'] as const) : (['held', 'running'] as const);
      const result = cutEverywhere(built, start, step, (cut) => {
        const now = expectHeld(cut, allowed);
        found.add(now);
        // The other way, wherever it is: nothing of the cut is left.
        if (now === 'held') control(cut.device, 'start');
        else if (now === 'running') control(cut.device, 'hold');
        expect(running(cut.device)).toBe(now === 'held' ? 1 : 0);
      });
      expect(result.boots).toBe(result.operations * SHARES.length);
      // And once it has been done.
      const done = new SlotsDevice(built, start).calm();
      step(done);
      const device = new SlotsDevice(built, done.machine.flash).calm();
      found.add(expectHeld({ device, operation: 0, kind: 'program', number: 0, inJournal: true, share: 1 }, allowed));
      expect([...found].sort(), name).toEqual([...allowed]);
      report(name, result);
    }
  }, 600_000);

  it('while the journal moves to its other sector', () => {
    // Removing and confirming until the sector is full: each install writes three records, each removal one.
    const device = new SlotsDevice(built, installed).calm();
    const { flash } = device.machine;
    const journal = flash.length - 0x10000;
    const cells = (): number => {
      let n = 64;
      while (n > 1 && flash.subarray(journal + 64 * (n - 1), journal + 64 * n).every((byte) => byte === 0xff)) n--;
      return n;
    };
    // The same record again, as the firmware wrote it: its sequence number does not grow, so the first one counts.
    const last = flash.slice(journal + 64 * (cells() - 1), journal + 64 * cells());
    for (let cell = cells(); cell < 64; cell++) flash.set(last, journal + 64 * cell);
    const full = Uint8Array.from(flash);
    const result = cutEverywhere(built, full, remove, (cut) => {
      expectOneOf(cut, [0, 1]);
      remove(cut.device);
      expect(running(cut.device)).toBe(0);
    });
    expect(result.operations).toBe(3);
    report('move the journal', result);
  }, 600_000);
});

function report(what: string, { operations, boots }: { operations: number; boots: number }): void {
  if (ALL) console.log(`${what}: ${operations} flash operations, ${boots} cuts`);
}
