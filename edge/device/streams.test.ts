// What users write for a device, and the ways to it that there are without hardware.
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { parseDeviceSpec } from './streams.js';

describe('a device as the user writes it', () => {
  it.each([
    ['porch=tcp:localhost:5555', 'porch', 'porch', 'tcp:localhost:5555'],
    ['porch@weather-station=tcp:10.0.0.7:80', 'porch', 'weather-station', 'tcp:10.0.0.7:80'],
    ['a1=tcp:[::1]:7', 'a1', 'a1', 'tcp:[::1]:7'],
    ['porch=serial:/dev/ttyUSB0', 'porch', 'porch', 'serial:/dev/ttyUSB0'],
    ['porch@x=serial:COM3,921600', 'porch', 'x', 'serial:COM3,921600'],
  ])('%s', (text, name, thing, address) => {
    expect(parseDeviceSpec(text)).toMatchObject({ name, thing, address });
  });

  it.each([
    'porch',
    'porch=',
    '=tcp:a:1',
    'Porch=tcp:a:1',
    'porch@=tcp:a:1',
    'porch@A B=tcp:a:1',
    'porch=tcp:a',
    'porch=tcp::1',
    'porch=tcp:a:0',
    'porch=tcp:a:70000',
    'porch=udp:a:1',
    'porch=serial:',
  ])('%s is refused', (text) => {
    expect(() => parseDeviceSpec(text)).toThrow(DiagnosticError);
  });
});

describe('the way to a device', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it('by TCP', async () => {
    server = createServer((socket) => socket.end('hello'));
    const port = await new Promise<number>((resolve) =>
      server!.listen(0, '127.0.0.1', () => resolve((server!.address() as { port: number }).port)),
    );
    const stream = await parseDeviceSpec(`d=tcp:127.0.0.1:${port}`).open();
    const [text] = await Promise.all([stream.setEncoding('utf8').toArray()]);
    expect(text.join('')).toBe('hello');
  });

  it('that is not there', async () => {
    await expect(parseDeviceSpec('d=tcp:127.0.0.1:1').open()).rejects.toThrow();
    await expect(parseDeviceSpec('d=serial:/dev/no-such-port').open()).rejects.toThrow();
  });
});
