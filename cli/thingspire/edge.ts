// `thingspire edge`: runs an edge in the foreground. Takes names of files, ports and devices; prints what happens.
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { DiagnosticError } from '../../compiler/diagnostics.js';
import { EdgeServer } from '../../edge/server/edge-server.js';
import { embedManifest } from '../../manifest/section.js';
import { ExitCode } from '../exit-codes.js';
import type { Command } from '../commands/command.js';
import { note, noteDiagnostic, print, printJson } from '../io.js';
import { readThings } from '../things.js';
import { eventLine } from './event-line.js';

interface Args {
  readonly things: string | undefined;
  readonly name: string;
  readonly http: string;
  readonly coap: string;
  readonly listen: string;
  readonly data: string | undefined;
  readonly device: readonly string[];
  readonly json: boolean;
}

export const edgeCommand: Command<Args> = {
  name: 'edge',
  positionals: '[things]',
  describe: 'run an edge: modules of a things.json, gateways for HTTP and CoAP, attached devices',
  examples: [
    ['$0 edge things.json', 'its modules on this machine, http://127.0.0.1:8080/things and coap://127.0.0.1/things'],
    ['$0 edge --device porch=tcp:127.0.0.1:3333', 'a device whose UART is on a TCP port, as the thing "porch"'],
  ],
  options: (yargs) =>
    yargs
      .positional('things', { describe: 'things.json: every module of it runs here', type: 'string' })
      .option('name', { describe: 'name of the edge', type: 'string', default: 'edge', requiresArg: true })
      .option('http', { describe: 'port, or "off"', type: 'string', default: '8080', requiresArg: true })
      .option('coap', { describe: 'UDP port, or "off"', type: 'string', default: '5683', requiresArg: true })
      .option('listen', { describe: 'address to listen on', type: 'string', default: '127.0.0.1', requiresArg: true })
      .option('data', { describe: 'directory for what must survive a restart', type: 'string', requiresArg: true })
      .option('device', {
        describe: 'NAME=tcp:HOST:PORT, several; a board on a serial port by a serial-to-TCP bridge',
        type: 'string',
        array: true,
        default: [],
        requiresArg: true,
      })
      .option('json', { describe: 'events as lines of JSON', type: 'boolean', default: false }) as never,
  run,
};

function port(text: string, option: string): number | null {
  if (text === 'off') return null;
  const value = Number(text);
  if (!/^\d{1,5}$/.test(text) || value > 65535)
    throw new DiagnosticError('W605', `--${option}: "${text}" is not a port`);
  return value;
}

async function run(args: Args): Promise<number> {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(args.name))
    throw new DiagnosticError('W605', '--name: lower-case letters, digits and hyphens');
  const devices = args.device.map(parseDevice);
  const application = args.things === undefined ? null : readThings(args.things);
  application?.loaded.findings.warnings.forEach((warning) => noteDiagnostic(warning, 'warning'));
  const server = new EdgeServer({
    name: args.name,
    dataDirectory: args.data ?? null,
    httpPort: port(args.http, 'http'),
    coapPort: port(args.coap, 'coap'),
    address: args.listen,
  });
  server.log.watch(({ event }) => {
    if (args.json) printJson(event);
    else if (event.type === 'log' || event.type === 'fault' || event.type === 'move') print(`${eventLine(event)}\n`);
  });
  try {
    await server.start();
  } catch (error) {
    await server.close();
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new DiagnosticError('W902', (error as Error).message);
  }
  if (application !== null) {
    const { app } = application.loaded;
    for (const model of app.modules) {
      const wasm = embedManifest(application.inputs.get(model.name)!.bytes, model.travelling);
      await server.deploy({ thing: app.name, wasm });
    }
  }
  for (const { name, open } of devices) await server.attach(name, open());
  if (server.url !== null) note(`${server.url}/things\n`);
  if (args.coap !== 'off') note(`coap://${args.listen}:${args.coap}/.well-known/core\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await server.close();
  return ExitCode.Ok;
}

function parseDevice(text: string): { readonly name: string; readonly open: () => Duplex } {
  const [, name, host, number] = /^([a-z][a-z0-9-]{0,30})=tcp:(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new DiagnosticError('W605', `--device: "${text}" is not NAME=tcp:HOST:PORT`);
  const at = { host, port: port(number!, 'device')! };
  return { name: name!, open: () => createConnection(at) };
}
