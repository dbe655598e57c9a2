// A package over the serial line: announced, sent by Block1, committed, started, removed; lost blocks are sent again.
import { decode } from 'cborg';
import { expect, it } from 'vitest';
import { prepareRuntime } from '../os/os-device.js';
import { packageContents, signPackage } from '../os/slot-package.js';
import { buildSlots, SIGNER, SlotsDevice } from '../os/slots-device.js';
import { DeviceLink, type Request } from './device-link.js';

it('a package is installed by Block1', { timeout: 120_000 }, async () => {
  await prepareRuntime();
  const built = await buildSlots();
  const file = signPackage(
    packageContents({
      slot: built.slots[0]!,
      baseId: built.baseId,
      name: 'guest',
      version: [1, 0, 0],
      answer: 0x45,
      ballast: 9000,
    }),
    SIGNER,
  );
  const device = new SlotsDevice(built).calm();
  const link = new DeviceLink(device);
  const send = (request: Request): string => link.request(request, 8000).code;
  const total = Buffer.alloc(4);
  total.writeUInt32LE(file.length);
  expect(send({ uri: '/guest' })).toBe('4.04');
  expect(send({ method: 'POST', uri: '/sys/slots/main', payload: total })).toBe('2.01');
  for (let number = 0; number * 1024 < file.length; number++) {
    const more = (number + 1) * 1024 < file.length;
    const value = Buffer.alloc(2);
    value.writeUInt16BE((number << 4) | (more ? 8 : 0) | 6);
    const request: Request = {
      method: 'PUT',
      uri: '/sys/slots/main',
      payload: file.subarray(number * 1024, (number + 1) * 1024),
      options: [{ name: 'Block1', value }] as unknown as NonNullable<Request['options']>,
    };
    expect(send(request)).toBe(more ? '2.31' : '2.04');
    // The same once more, as after an answer that got lost and a new start of the sender.
    if (number === 3) expect(send(request)).toBe('2.31');
  }
  expect(send({ method: 'POST', uri: '/sys/slots/main/commit' })).toBe('2.04');
  link.run(1000);
  expect(send({ uri: '/guest' })).toBe('2.05');
  const [main] = decode(link.request({ uri: '/sys/slots' }, 1000).payload) as { state: string; module: string }[];
  expect(main).toMatchObject({ state: 'confirmed', module: 'guest' });
  expect(send({ method: 'DELETE', uri: '/sys/slots/main' })).toBe('2.02');
  link.run(1000);
  expect(send({ uri: '/guest' })).toBe('4.04');
});
