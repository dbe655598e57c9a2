// The gateway's end of a device (edge/device) against the firmware on the simulated chip, byte for byte over one stream.
import { Duplex } from 'node:stream';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DeviceLink } from '../../edge/device/device-link.js';
import { Method, ResponseCode } from '../../compiler/abi/os-layout.js';
import type { ServiceRequest } from '../../edge/host/types.js';
import { buildDevice, handler, IMPORTS, OsDevice, prepareRuntime, word, type BuiltDevice } from '../os/os-device.js';

/** A simulated device's serial line; the chip runs while the event loop turns. */
class SerialLine extends Duplex {
  private taken = 0;
  private ended = false;

  constructor(private readonly device: OsDevice) {
    super();
    const turn = (): void => {
      if (this.ended) return;
      device.run(1);
      const text = device.console.slice(this.taken);
      this.taken = device.console.length;
      if (text.length > 0) this.push(Buffer.from(text, 'latin1'));
      setTimeout(turn, 1);
    };
    turn();
  }

  override _read(): void {
    // Pushed as it comes.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.device.machine.sendConsole(chunk);
    done();
  }

  override _destroy(_error: Error | null, done: () => void): void {
    this.ended = true;
    done();
  }
}

let built: BuiltDevice;
beforeAll(async () => {
  await prepareRuntime();
  const bytes = (max: number): { type: 'bytes'; max: number } => ({ type: 'bytes', max });
  built = await buildDevice([
    {
      name: 'display',
      memory: { max: 8192 },
      wat: `${IMPORTS} (memory (export "memory") 1)
        ${handler(
          'echo',
          `(call $log (local.get $p) (local.get $n)) (memory.copy (local.get $r) (local.get $p) (local.get $n))
          (i32.or (i32.const ${word(2.05) | 0}) (local.get $n))`,
        )}
        ${handler('show', `(call $call (i32.const 0) (local.get $p) (local.get $n) (local.get $r) (local.get $c))`)}`,
      provides: [
        {
          method: 'PUT',
          path: '/echo',
          handler: 'echo',
          contract: { request: bytes(1024), response: bytes(1024), deadline: '100ms' },
        },
        {
          method: 'PUT',
          path: '/show',
          handler: 'show',
          contract: { request: bytes(64), response: bytes(64), deadline: '5ms' },
        },
      ],
      requires: [{ path: '/filter', methods: ['PUT'], external: true }],
    },
  ]);
}, 120_000);

describe('the gateway’s end of the line', () => {
  let link: DeviceLink;
  let text = '';
  let asked: (ServiceRequest & { readonly thing: string | null })[] = [];
  beforeEach(() => {
    text = '';
    asked = [];
    link = new DeviceLink('device:test', new SerialLine(new OsDevice(built).settle()), {
      console: (bytes) => {
        text += Buffer.from(bytes).toString();
      },
      closed: () => undefined,
      request: async (thing, request) => {
        asked.push({ ...request, thing });
        await new Promise((resolve) => setTimeout(resolve, 50));
        return { code: ResponseCode.Content, payload: Buffer.from(request.payload).reverse() };
      },
    });
  });
  afterEach(() => link.close());
  const put = (uri: string, payload: string): Promise<{ code: number; payload: Uint8Array }> =>
    link.send({ method: Method.Put, uri, payload: Buffer.from(payload) });

  it('calls services, beside the console', { timeout: 30_000 }, async () => {
    for (const payload of ['a', 'À propos \xc0'.repeat(3), 'x'.repeat(1000)]) {
      const answer = await put('/echo', payload);
      expect(answer.code).toBe(ResponseCode.Content);
      expect(Buffer.from(answer.payload).toString()).toBe(payload);
    }
    expect(text.startsWith('[display] a\n[display] À')).toBe(true);
    expect(link.counts.bad).toBe(0);
  });
  it('lists services, block by block if it must', { timeout: 30_000 }, async () => {
    const list = await link.send({ method: Method.Get, uri: '/.well-known/core', payload: new Uint8Array(0) });
    expect(Buffer.from(list.payload).toString()).toContain('</show>');
  });
  it('serves what modules ask of the edge', { timeout: 30_000 }, async () => {
    const answer = await put('/show', 'abc');
    expect(answer.code).toBe(ResponseCode.Content);
    expect(Buffer.from(answer.payload).toString()).toBe('cba');
    expect(asked).toMatchObject([{ method: Method.Put, uri: '/filter', caller: 'display@test', thing: null }]);
  });
});
