// The serial line of a device: its speeds, and what loses, repeats, changes and mixes frames on it. The oracle for messages is
// coap-packet.
import { generate, type ParsedPacket } from 'coap-packet';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildDevice, handler, IMPORTS, OsDevice, word, type BuiltDevice } from '../os/os-device.js';
import { DeviceLink, frame } from './device-link.js';
import { buildSensor, bytes } from './sensor-device.js';

let built: BuiltDevice;
beforeAll(async () => {
  built = await buildSensor();
}, 120_000);

let device: OsDevice;
let link: DeviceLink;
beforeEach(() => {
  device = new OsDevice(built).settle();
  link = new DeviceLink(device);
});

describe('a line of 115200 baud', () => {
  it('takes the time that its bytes take, and text waits for nobody', () => {
    device = new OsDevice(built, { uartTiming: 'wire' }).settle();
    link = new DeviceLink(device);
    const payload = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255));
    const begin = device.machine.cycles;
    const answer = link.request({ method: 'PUT', uri: '/echo', payload }, 400);
    expect(answer.payload.equals(payload)).toBe(true);
    const milliseconds = (device.machine.cycles - begin) / 40_000;
    expect(milliseconds).toBeGreaterThan(2020 * 0.0868);
    expect(milliseconds).toBeLessThan(2020 * 0.0868 + 5);
    for (let i = 0; i < 3; i++) link.send(link.encode({ method: 'POST', uri: '/log', payload: 'x'.repeat(200) }));
    link.send(link.encode({ method: 'POST', uri: '/count', mid: 99 }));
    // The handlers do not wait for the line: 512 bytes of text are kept.
    link.run(100);
    expect(link.take(({ messageId }) => messageId === 99)?.payload.readUInt32LE()).toBe(1);
    link.run(100);
    expect(link.text).toBe(`[sensor] ${'x'.repeat(200)}\n`.repeat(3));
    expect(link.broken).toBe(0);
  });
});

describe('a line of 921600 baud', () => {
  it('takes an eighth of the time, and loses nothing', async () => {
    const fast = await buildDevice(
      [
        {
          name: 'echo',
          memory: { max: 8192 },
          wat: `${IMPORTS} (memory (export "memory") 1)
            ${handler('echo', `(memory.copy (local.get $r) (local.get $p) (local.get $n)) (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}`,
          provides: [
            {
              method: 'PUT',
              path: '/echo',
              handler: 'echo',
              contract: { request: bytes(1024), response: bytes(1024), deadline: '5ms' },
            },
          ],
        },
      ],
      { console: { baud: 921600 } },
    );
    device = new OsDevice(fast, { uartTiming: 'wire' }).settle();
    link = new DeviceLink(device);
    const payload = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) & 255));
    const begin = device.machine.cycles;
    for (let i = 1; i <= 5; i++) {
      expect(link.request({ method: 'PUT', uri: '/echo', payload }).payload.equals(payload)).toBe(true);
      expect((device.machine.cycles - begin) / 40_000).toBeLessThan(i * (2040 * 0.01085 + 5));
    }
    expect(link.broken).toBe(0);
  });
});

describe('a bad line', () => {
  it('loses, repeats, changes and mixes frames; every call is run once and answered', () => {
    let seed = 12345;
    const random = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff;
    const late: Uint8Array[] = [];
    link.toDevice = (bytes) => {
      const dice = random();
      if (dice < 0.1) return new Uint8Array(0);
      if (dice < 0.2) return Uint8Array.from([...bytes, ...bytes]);
      if (dice < 0.3) return bytes.map((byte) => (random() < 0.05 ? byte ^ (1 << Math.floor(random() * 8)) : byte));
      if (dice < 0.4) {
        late.push(bytes);
        return new Uint8Array(0);
      }
      return Uint8Array.from([...bytes, ...(late.length > 2 ? late.shift()! : [])]);
    };
    link.fromDevice = () => random() > 0.1;
    for (let call = 1; call <= 150; call++) {
      const message = link.encode({ method: 'POST', uri: '/count', mid: 2000 + call });
      let answer: ParsedPacket | undefined;
      for (let attempt = 0; answer === undefined; attempt++) {
        expect(attempt).toBeLessThan(40);
        link.send(message);
        link.run(3);
        answer = link.take(({ code, messageId }) => code === '2.04' && messageId === 2000 + call);
        link.inbox.length = 0;
      }
      expect(answer.payload.readUInt32LE()).toBe(call);
    }
  });
  it('is nothing that the device cannot go on from', () => {
    device.machine.sendConsole(Uint8Array.from([0xc0, 0xa9, 1, 2, 3]));
    link.run(2);
    device.machine.sendConsole(Uint8Array.from([0xc0, 0xa9, ...new Array<number>(3000).fill(0x55), 0xc0]));
    link.run(2);
    device.machine.sendConsole(frame(Uint8Array.from([0x40])));
    device.machine.sendConsole(Uint8Array.from([0xdb, 0xc0, 0xdb, 0xdb, 0xc0, 0xc0]));
    link.run(2);
    expect(link.request({ uri: '/value' }).code).toBe('2.05');
    // A ping is answered by a reset.
    link.send(generate({ confirmable: true, messageId: 5, code: '0.00' }));
    link.run(1);
    expect(link.inbox).toMatchObject([{ reset: true, messageId: 5 }]);
  });
});
