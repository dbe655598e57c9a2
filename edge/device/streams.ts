// Ways to a device: a serial port (npm serialport, if it is installed) or TCP, as byte streams. Takes what the user writes,
// gives a function that opens it. Knows no message.
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { DiagnosticError } from '../../compiler/diagnostics.js';

export interface DeviceSpec {
  readonly name: string;
  /** Whose modules it runs. */
  readonly thing: string;
  /** As the user wrote it, for messages. */
  readonly address: string;
  /** Rejects if it cannot be opened now. */
  readonly open: () => Promise<Duplex>;
}

const DEFAULT_BAUD = 115_200;
const CONNECT_MS = 5000;
const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * Reads `NAME[@THING]=tcp:HOST:PORT` or `NAME[@THING]=serial:PATH[,BAUD]`.
 * @throws DiagnosticError W904
 */
export function parseDeviceSpec(text: string): DeviceSpec {
  const fail = (what: string): never => {
    throw new DiagnosticError('W904', `${what}: NAME[@THING]=tcp:HOST:PORT or NAME[@THING]=serial:PATH[,BAUD]`);
  };
  const [, name, thing = name, kind, address] = /^([^=@]*)(?:@([^=]*))?=(tcp|serial):(.*)$/.exec(text) ?? [];
  if (kind === undefined) return fail(`"${text}" names no device`);
  if (!NAME.test(name!) || !NAME.test(thing!)) return fail('names are of lower-case letters, digits and hyphens');
  const shown = `${kind}:${address!}`;
  if (kind === 'tcp') {
    const [, host, port] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(address!) ?? [];
    if (host === undefined || Number(port) < 1 || Number(port) > 65535) return fail(`"${address}" is no HOST:PORT`);
    return { name: name!, thing: thing!, address: shown, open: () => openTcp(host, Number(port)) };
  }
  const [, path, baud] = /^(.+?)(?:,(\d+))?$/.exec(address!) ?? [];
  if (path === undefined) return fail('a serial port has a path');
  const rate = baud === undefined ? DEFAULT_BAUD : Number(baud);
  return { name: name!, thing: thing!, address: shown, open: () => openSerial(path, rate) };
}

function openTcp(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, noDelay: true, keepAlive: true });
    const timer = setTimeout(() => socket.destroy(new Error('no connection')), CONNECT_MS);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

async function openSerial(path: string, baudRate: number): Promise<Duplex> {
  const { SerialPort } = await import('serialport').catch(() => {
    throw new DiagnosticError('W904', 'serial ports need the npm package serialport: npm install serialport');
  });
  return new Promise((resolve, reject) => {
    const port = new SerialPort({ path, baudRate, autoOpen: false, hupcl: false });
    port.open((error) => {
      if (error !== null) {
        reject(error);
        return;
      }
      // On ESP32 boards these lines hold the chip in reset or in its boot loader.
      port.set({ dtr: false, rts: false }, () => resolve(port));
    });
  });
}
