// What a remote request costs the device, so that it does not creep up unseen: at most 1,500 instructions and 12 for each byte
// on the wire.
import { expect, it } from 'vitest';
import { prepareRuntime } from '../os/os-device.js';
import { measureRemote } from './measure-remote.js';

it('a remote request costs at most 1,500 instructions and 12 a byte', { timeout: 60_000 }, async () => {
  await prepareRuntime();
  for (const { payload, wireBytes, instructions } of await measureRemote())
    expect(instructions, `${payload} bytes of payload`).toBeLessThanOrEqual(1500 + 12 * wireBytes);
});
