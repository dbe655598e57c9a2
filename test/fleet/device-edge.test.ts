// The gateway's end of a device (edge/device) against the firmware on the simulated chip, byte for byte over one stream.
import { Duplex } from 'node:stream';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
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
      wat: `${IMPORTS} (memory (export "memory") 1) (data (i32.const 0) "/outside")
        (func (export "on_start") (drop (call $observe (i32.const 0) (i32.const 8) (i32.const 64) (i32.const 32))))
        (func (export "on_notify") (param i32 i32)
          (call $log (i32.const 64) (i32.and (local.get 1) (i32.const 0xffffff))))
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
      requires: [
        { path: '/filter', methods: ['PUT'], external: true },
        { path: '/outside', methods: ['GET'], external: true },
      ],
    },
  ]);
}, 120_000);

describe('the gateway’s end of the line', () => {
  let link: DeviceLink;
  let text = '';
  let asked: (ServiceRequest & { readonly thing: string | null })[] = [];
  /** What /outside is, and who wants to know. */
  let outside = '';
  const followers = new Set<() => void>();
  beforeEach(() => {
    text = '';
    asked = [];
    outside = 'first';
    followers.clear();
    link = new DeviceLink('device:test', new SerialLine(new OsDevice(built).settle()), {
      console: (bytes) => {
        text += Buffer.from(bytes).toString();
      },
      closed: () => undefined,
      observe: (thing, uri, changed) => {
        if (thing !== null || uri !== '/outside') return null;
        followers.add(changed);
        return () => followers.delete(changed);
      },
      request: async (thing, request) => {
        if (request.uri === '/outside') return { code: ResponseCode.Content, payload: Buffer.from(outside) };
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
    expect(text).toContain('[display] a\n');
    expect(text).toContain('[display] À');
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
  it('tells modules of changes elsewhere', { timeout: 30_000 }, async () => {
    // Any good message: the device has heard of an edge.
    await link.send({ method: Method.Put, uri: '/sys/edge', payload: Buffer.from('edge') });
    await vi.waitFor(() => expect(text).toContain('[display] first\n'), 10_000);
    expect(followers.size).toBe(1);
    for (outside of ['second', 'third']) {
      for (const changed of followers) changed();
      await vi.waitFor(() => expect(text).toContain(`[display] ${outside}\n`), 10_000);
    }
    // Another edge begins with nothing, and is asked; the token is the same, so there is still one observer.
    outside = 'fourth';
    await link.send({ method: Method.Put, uri: '/sys/edge', payload: Buffer.from('another') });
    await vi.waitFor(() => expect(text).toContain('[display] fourth\n'), 10_000);
    expect(followers.size).toBe(1);
    await link.send({ method: Method.Put, uri: '/sys/modules/display', payload: Buffer.from('stop') });
    for (const changed of followers) changed();
    await vi.waitFor(() => expect(followers.size).toBe(0), 10_000);
  });
});
