// Measures what remote IMC costs the device: instructions of a request and its answer by payload, bytes on the wire against
// bytes of payload. On the simulated device; gives numbers, judges nothing. For `npm run bench -- --remote` and the tests.
import { bootDevice, handler, IMPORTS, word } from '../os/os-device.js';
import { DeviceLink, frame } from './device-link.js';

export interface RemoteCost {
  /** Bytes of payload, each way. */
  readonly payload: number;
  /** Of both frames, with their escapes and check sequences. */
  readonly wireBytes: number;
  /** From the first byte received to the last one sent: interrupts, change of chain, call and return; not the handler. */
  readonly instructions: number;
}

const SIZES = [0, 16, 64, 128, 256, 512, 1024] as const;
/** Of the handler that is called: it only says how much it answers. */
const HANDLER_INSTRUCTIONS = 3;

export async function measureRemote(sizes: readonly number[] = SIZES): Promise<RemoteCost[]> {
  const bytes = { type: 'bytes', max: 1024 } as const;
  const device = await bootDevice([
    {
      name: 'callee',
      memory: { max: 4096 },
      wat: `${IMPORTS} (memory (export "memory") 1)
        ${handler('take', `(i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`)}`,
      provides: [
        {
          method: 'PUT',
          path: '/take',
          handler: 'take',
          contract: { request: bytes, response: bytes, deadline: '1ms' },
        },
      ],
    },
  ]);
  const link = new DeviceLink(device);
  const { machine } = device;
  return sizes.map((payload) => {
    const request = { method: 'PUT', uri: '/take', payload: Buffer.alloc(payload, 0x41) } as const;
    // The first one looks the route up, and there is an alarm for it when it should take long.
    link.request(request);
    link.run(500);
    link.request(request);
    const message = link.encode(request);
    const before = { instructions: machine.instructions, printed: device.console.length };
    link.send(message);
    device.settle();
    const instructions = machine.instructions - before.instructions - HANDLER_INSTRUCTIONS;
    const wireBytes = frame(message).length + device.console.length - before.printed;
    link.collect();
    const answer = link.inbox.pop();
    if (answer?.code !== '2.05' || answer.payload.length !== payload) throw new Error(`answered ${answer?.code}`);
    return { payload, wireBytes, instructions };
  });
}
