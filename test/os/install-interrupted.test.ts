// Installing, holding and resuming while deadlines come: at many instructions of every step the running invocation's deadline
// is over. The step fails or has been done; the upload goes on from where it was, nothing of the flash is half driven, and the
// package is the right one in the end. And a module in RAM keeps its time while the flash is busy.
import { beforeAll, describe, expect, it } from 'vitest';
import { buildRuntime } from '../../firmware/build.js';
import { violations } from './preempt/invariants.js';
import { packageContents, signPackage, STACK_BYTES } from './slot-package.js';
import { buildSlots, SIGNER, SlotsDevice, type BuiltSlots } from './slots-device.js';
import type { Answer } from './os-device.js';

const CCOUNT = 234;
const DEADLINE_INTERRUPT = 6;
const KERNEL = { frame: 0, clockOffset: 4 };
const FRAME_DEADLINE = 16;

let built: BuiltSlots;
beforeAll(async () => {
  if (process.env['TEST_RUNTIME'] === undefined) await buildRuntime();
  built = await buildSlots();
}, 120_000);

/** The deadline of whatever runs is over. */
function expire(device: SlotsDevice): void {
  const { machine } = device;
  const kernel = device.address('ts_kernel');
  const frame = machine.readWord(kernel + KERNEL.frame) >>> 0;
  machine.core.latchInterrupt(DEADLINE_INTERRUPT);
  if (frame === 0) return;
  const clock = (machine.getSpecial(CCOUNT) - machine.readWord(kernel + KERNEL.clockOffset)) | 0;
  machine.writeWord(frame + FRAME_DEADLINE, clock - 1);
}

/** A number below `limit` that differs from call to call and is the same in every run. */
let state = 12345;
function pick(limit: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

/** A request that is ended after `instructions`, if it takes so many. */
function interrupted(
  device: SlotsDevice,
  instructions: number,
  [method, uri, payload]: ['POST' | 'PUT' | 'DELETE', string, Uint8Array?],
): Answer {
  device.prepare(method, uri, payload);
  let over = false;
  device.machine.injectAt(device.machine.instructions + instructions, () => {
    if (!over) expire(device);
  });
  const answer = device.settle().answer();
  // What the step has set going, and "sys" again after its back-off, which is 64 ms at most.
  device.pass(100);
  over = true;
  return answer;
}

describe('an install whose steps are ended', () => {
  it('goes on from where it was, and ends as it should', () => {
    const device = new SlotsDevice(built).calm();
    let ended = 0;
    for (let round = 1; round <= 4; round++) {
      const spec = { slot: built.slots[0]!, baseId: built.baseId, name: 'guest', version: [round, 0, 0] as const };
      const file = signPackage(packageContents({ ...spec, answer: 0x40 + round, ballast: 300 }), SIGNER);
      const total = Buffer.alloc(4);
      total.writeUInt32LE(file.length);
      while (interrupted(device, pick(3000), ['POST', 'sys/slots/main', total]).code !== 2.01) ended++;
      for (let tries = 0; device.slot().received < file.length; tries++) {
        expect(tries, device.console).toBeLessThan(200);
        const { received } = device.slot();
        const part = file.subarray(received, received + 400);
        // A piece takes some hundred thousand instructions if a sector is erased, else some thousands.
        const after = pick(tries % 2 === 0 ? 12_000 : 500_000);
        if (interrupted(device, after, ['PUT', `sys/slots/main?offset=${received}`, part]).code >= 5) ended++;
      }
      for (let tries = 0; device.slot().floor !== round << 20; tries++) {
        expect(tries, device.console).toBeLessThan(40);
        // Most of it is the signature's; its end is the journal's.
        const after = tries < 4 ? pick(13_000_000) : 12_000_000 + pick(3_000_000);
        if (interrupted(device, after, ['POST', 'sys/slots/main/commit']).code >= 5) ended++;
        device.calm();
      }
      expect(device.get('guest').code).toBe(2 + round / 100);
      expect(violations(device, true)).toEqual([]);
      expect(device.get('steady').code).toBe(2.05);
    }
    expect(ended).toBeGreaterThan(20);
    while (interrupted(device, pick(60_000), ['DELETE', 'sys/slots/main']).code >= 5) ended++;
    device.calm();
    expect(device.slot()).toMatchObject({ state: 'empty', module: '' });
    expect(violations(device, true)).toEqual([]);
    if (process.env['POWER_CUTS'] === 'all') console.log(`${ended} steps ended`);
  }, 300_000);
});

describe('holding and going on, ended anywhere', () => {
  it('is held or not, whole either way, and goes on from where it was', () => {
    const device = new SlotsDevice(built).calm();
    const spec = { slot: built.slots[0]!, baseId: built.baseId, name: 'guest', version: [1, 0, 0] as const };
    expect(device.install(signPackage(packageContents({ ...spec, answer: 0x44 }), SIGNER)).code).toBe(2.04);
    device.calm();
    const data = built.slots[0]!.ramBase + STACK_BYTES;
    device.machine.writeWord(data, 0x1234_5678);
    let ended = 0;
    const seen = new Set<boolean>();
    for (let round = 0; round < 60; round++) {
      const before = device.slot().held;
      const wish = Buffer.from(before ? 'resume' : 'hold');
      // The journal takes most of it, and is not ended: what comes before is a small part.
      const { code } = interrupted(device, pick(round % 2 === 0 ? 2600 : 42_000), [
        'PUT',
        `sys/modules/guest?epoch=${round}`,
        wish,
      ]);
      if (code >= 5) ended++;
      const { held, module, state } = device.slot();
      expect(module, device.console).toBe('guest');
      expect(state).toBe('confirmed');
      if (code < 3) expect(held).toBe(!before);
      seen.add(held);
      expect(device.get('guest').code, `round ${round}, held ${held}`).toBe(held ? 4.04 : 2.04);
      expect(device.machine.readWord(data) >>> 0).toBe(0x1234_5678);
      expect(violations(device, !held)).toEqual([]);
      const again = new SlotsDevice(built, device.machine.flash).calm();
      expect(again.slot()).toMatchObject({ held, module: 'guest' });
      expect(again.get('guest').code).toBe(held ? 4.04 : 2.04);
    }
    expect(ended).toBeGreaterThan(2);
    expect(seen.size).toBe(2);
  }, 300_000);
});
