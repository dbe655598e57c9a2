// What a remote request costs the device, so that it does not creep up unseen. The goal, 1,500 instructions and 12 for each
// byte on the wire, is met from payloads of about 200 bytes on; below it is exceeded by up to 850.
import { expect, it } from 'vitest';
import { prepareRuntime } from '../os/os-device.js';
import { measureRemote } from './measure-remote.js';

it('a remote request costs no more than it did', { timeout: 60_000 }, async () => {
  await prepareRuntime();
  for (const { payload, wireBytes, instructions } of await measureRemote([0, 16, 256, 1024])) {
    expect(instructions).toBeLessThan(2250 + 12 * wireBytes);
    if (payload >= 256) expect(instructions).toBeLessThan(1500 + 12 * wireBytes);
  }
});
